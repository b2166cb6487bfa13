//! What an incremental run reads: late rows, ties, bad clocks, NULL cursors, starts, ranges, changed columns.

use longshore_sdk::{
    core::cursor::{TimeUnit, Timestamp},
    harness::{SourceHarness, texts},
    prelude::*,
};
use longshore_source_clickhouse::ClickHouse;
use serde_json::{Value, json};

use crate::support::{Database, database, reading};

const EVENTS: &str = "CREATE TABLE t (id UInt64, at DateTime64(6, 'UTC')) ENGINE = MergeTree ORDER BY id";

/// Rows with these ids, so many seconds ago.
async fn insert(database: &Database, ids: &[u64], seconds_ago: i64) {
    let values: Vec<String> = ids
        .iter()
        .map(|id| format!("SELECT {id}, subtractSeconds(now64(6), {seconds_ago})"))
        .collect();
    database
        .execute(&format!("INSERT INTO t {}", values.join(" UNION ALL ")))
        .await;
}

#[tokio::test]
async fn only_what_is_new_is_delivered_and_what_was_read_again_is_known() {
    let database = database(EVENTS).await;
    insert(&database, &[1, 2], 300).await;
    let mut reading = reading(database.spec(json!({"cursor": "at"})), "t").await;
    assert_eq!(reading.run().await.sorted("id"), ["1", "2"]);
    insert(&database, &[3], 100).await;
    let rows = reading.run().await;
    assert_eq!((rows.sorted("id"), rows.deduplicated), (vec!["3".to_owned()], 2));
    let rows = reading.run().await;
    assert_eq!((rows.count(), rows.deduplicated), (0, 3));
}

#[tokio::test]
async fn a_row_that_appears_late_within_the_overlap_is_delivered_once() {
    let database = database(EVENTS).await;
    insert(&database, &[1], 60).await;
    let mut reading = reading(database.spec(json!({"cursor": "at", "overlap": "10m"})), "t").await;
    assert_eq!(reading.run().await.numbers("id"), [1]);
    insert(&database, &[2], 500).await;
    insert(&database, &[3], 20_000).await;
    let rows = reading.run().await;
    assert_eq!(
        rows.numbers("id"),
        [2],
        "within the overlap; older than it is not found, as the documentation says"
    );
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_longer_overlap_does_not_deliver_again_what_lay_outside_the_shorter_one() {
    let database = database(EVENTS).await;
    insert(&database, &[1], 2_000).await;
    insert(&database, &[2], 100).await;
    let spec = |overlap: &str| database.spec(json!({"cursor": "at", "overlap": overlap}));
    let mut short = reading(spec("1m"), "t").await;
    assert_eq!(short.run().await.count(), 2);
    let mut long = reading(spec("1h"), "t").await;
    long.state = short.state;
    for _ in 0..3 {
        assert_eq!(long.run().await.count(), 0);
    }
}

#[tokio::test]
async fn a_row_with_exactly_the_stored_cursor_is_delivered_by_the_next_run() {
    for (of, value) in [
        ("DateTime", "toDateTime(1600000000)"),
        ("UInt64", "18446744073709551615"),
        ("Date", "toDate('2020-01-01')"),
        ("String", "'b'"),
        ("Int256", "toInt256('-9') "),
        ("Decimal(40, 3)", "'1.5'"),
        ("LowCardinality(String)", "'b'"),
        ("FixedString(2)", "'b'"),
        (
            "Nullable(DateTime64(9))",
            "toDateTime64('2020-01-01 00:00:00.000000001', 9, 'UTC')",
        ),
        ("IPv4", "'1.2.3.4'"),
    ] {
        let database = database(&format!("CREATE TABLE t (id UInt64, at {of}) ENGINE = MergeTree ORDER BY id SETTINGS allow_suspicious_low_cardinality_types = 1;\nINSERT INTO t SELECT 1, {value}")).await;
        let options = if matches!(of, "UInt64") {
            json!({"cursor": "at", "overlap": 0})
        } else {
            json!({"cursor": "at"})
        };
        let mut reading = reading(database.spec(options), "t").await;
        assert_eq!(reading.run().await.numbers("id"), [1], "{of}");
        let before = reading.state.clone().unwrap().cursor;
        database.execute(&format!("INSERT INTO t SELECT 2, {value}")).await;
        let rows = reading.run().await;
        assert_eq!((rows.numbers("id"), rows.deduplicated), (vec![2], 1), "{of}");
        assert_eq!(reading.state.clone().unwrap().cursor, before, "{of}");
        assert_eq!(reading.run().await.count(), 0, "{of}");
    }
}

#[tokio::test]
async fn an_empty_run_leaves_the_cursor_as_it_was() {
    let database = database(EVENTS).await;
    let mut empty = reading(database.spec(json!({"cursor": "at"})), "t").await;
    assert_eq!(empty.run().await.count(), 0);
    assert_eq!(
        empty.state.clone().unwrap().cursor,
        None,
        "no row is no value, not the type's zero"
    );
    insert(&database, &[1], 100).await;
    assert_eq!(empty.run().await.numbers("id"), [1]);
    let stored = empty.state.clone().unwrap().cursor;
    database.execute("TRUNCATE TABLE t").await;
    assert_eq!(empty.run().await.count(), 0);
    assert_eq!(empty.state.clone().unwrap().cursor, stored);
}

#[tokio::test]
async fn the_newest_rows_wait_until_they_have_settled_and_those_of_the_future_do_not() {
    let database = database(EVENTS).await;
    insert(&database, &[1], 3_600).await;
    insert(&database, &[2], 5).await;
    insert(&database, &[3], -86_400).await;
    let mut reading = reading(database.spec(json!({"cursor": "at", "settle": "10m"})), "t").await;
    assert_eq!(reading.run().await.sorted("id"), ["1", "3"]);
    let Some(CursorValue::Timestamp(at)) = reading.state.clone().unwrap().cursor else {
        panic!("{:?}", reading.state)
    };
    let settled = database
        .count("SELECT toUnixTimestamp64Micro(subtractMinutes(now64(6), 10))")
        .await;
    assert!(
        at.value <= settled && at.value > settled - 60_000_000,
        "the stored cursor never passes the settled clock"
    );
    database
        .execute("ALTER TABLE t UPDATE at = subtractHours(now64(6), 1) WHERE id = 2 SETTINGS mutations_sync = 1")
        .await;
    let mut later = crate::support::reading(
        database.spec(json!({"cursor": "at", "settle": "10m", "overlap": "2h"})),
        "t",
    )
    .await;
    later.state = reading.state.clone();
    assert_eq!(later.run().await.count(), 0, "the window is the last run's");
}

#[tokio::test]
async fn rows_from_the_future_are_delivered_once_and_do_not_hide_those_that_come() {
    let database = database("CREATE TABLE t (id UInt64, at DateTime('UTC')) ENGINE = MergeTree ORDER BY id;\nINSERT INTO t VALUES (1, '2106-01-01 00:00:00')").await;
    let mut reading = reading(database.spec(json!({"cursor": "at", "settle": "0s"})), "t").await;
    assert_eq!(reading.run().await.numbers("id"), [1]);
    let Some(CursorValue::Timestamp(Timestamp {
        value,
        unit: TimeUnit::Second,
        ..
    })) = reading.state.clone().unwrap().cursor
    else {
        panic!("{:?}", reading.state)
    };
    assert!(value <= database.count("SELECT toUnixTimestamp(now())").await);
    database.execute("INSERT INTO t SELECT 2, now()").await;
    let rows = reading.run().await;
    assert_eq!((rows.numbers("id"), rows.deduplicated), (vec![2], 1));
}

#[tokio::test]
async fn a_row_that_looks_like_a_delivered_one_in_the_columns_that_are_delivered_is_delivered() {
    let database = database(EVENTS).await;
    insert(&database, &[1], 100).await;
    let options = json!({"cursor": "at", "settle": "0s", "table_options": {"t": {"columns": ["id"]}}});
    let mut reading = reading(database.spec(options), "t").await;
    assert_eq!(reading.run().await.numbers("id"), [1]);
    database.execute("TRUNCATE TABLE t").await;
    insert(&database, &[1], 50).await;
    let rows = reading.run().await;
    assert_eq!(
        (rows.numbers("id"), rows.deduplicated),
        (vec![1], 0),
        "the same content at another time is another row"
    );
}

#[tokio::test]
async fn a_row_that_was_delivered_before_its_time_is_not_delivered_again_when_its_time_comes() {
    let database = database(EVENTS).await;
    insert(&database, &[1], -8).await;
    let settling = |settle: &str| database.spec(json!({"cursor": "at", "settle": settle}));
    let mut early = reading(settling("10m"), "t").await;
    assert_eq!(early.run().await.count(), 1, "its time is still to come");
    for _ in 0..400 {
        if database.count("SELECT now64(6) > max(at) FROM t").await == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    insert(&database, &[2], 0).await;
    let unsettled = early.run().await;
    assert_eq!(
        (unsettled.count(), unsettled.deduplicated),
        (0, 1),
        "too new, and known"
    );
    let mut settled = reading(settling("0s"), "t").await;
    settled.state = early.state.clone();
    let rows = settled.run().await;
    assert_eq!((rows.sorted("id"), rows.deduplicated), (vec!["2".to_owned()], 1));
}

#[tokio::test]
async fn null_cursors_are_an_error_delivered_every_time_or_left_out_and_counted() {
    let database = database("CREATE TABLE t (id UInt64, at Nullable(DateTime)) ENGINE = MergeTree ORDER BY id;\nINSERT INTO t VALUES (1, '2020-01-01 00:00:00'), (2, NULL), (3, NULL)").await;
    let with = |null_cursor: &str| {
        database.spec(json!({"cursor": "at", "table_options": {"t": {"null_cursor": null_cursor}}}))
    };
    let error = reading(with("error"), "t").await.try_run().await.unwrap_err();
    assert_eq!(error.code, "cursor_null");
    assert!(error.message.contains("has 2 rows without"), "{error}");
    let mut included = reading(with("include"), "t").await;
    assert_eq!(included.run().await.sorted("id"), ["1", "2", "3"]);
    assert_eq!(included.run().await.sorted("id"), ["2", "3"]);
    let mut skipped = reading(with("skip"), "t").await;
    let rows = skipped.run().await;
    assert_eq!((rows.sorted("id"), rows.filtered), (vec!["1".to_owned()], 2));
}

#[tokio::test]
async fn a_first_run_begins_where_it_is_told() {
    let database = database(EVENTS).await;
    insert(&database, &[1], 7_200).await;
    insert(&database, &[2], 60).await;
    let start = database.spec(json!({"cursor": "at", "table_options": {"t": {"start_from": "now"}}}));
    let mut from_now = reading(start, "t").await;
    let rows = from_now.run().await;
    assert_eq!(
        (rows.count(), rows.filtered),
        (0, 1),
        "remembered is only what the next run would see again"
    );
    insert(&database, &[3], 30).await;
    assert_eq!(from_now.run().await.numbers("id"), [3]);

    database
        .execute("INSERT INTO t SELECT 9, toDateTime64('2020-01-01 00:00:00.5', 6, 'UTC')")
        .await;
    let at = |text: &str| database.spec(json!({"cursor": "at", "table_options": {"t": {"start_from": text}}}));
    assert_eq!(
        reading(at("2020-01-01T00:00:00.5Z"), "t").await.run().await.count(),
        4,
        "the value itself belongs to it"
    );
    assert_eq!(
        reading(at("2020-01-01T00:00:00.500001Z"), "t")
            .await
            .run()
            .await
            .count(),
        3
    );
    assert_eq!(
        reading(at("soon"), "t").await.try_run().await.unwrap_err().field,
        "/table_options/t/start_from"
    );
}

#[tokio::test]
async fn what_appears_after_a_run_that_begins_now_was_opened_is_delivered_by_the_next_one() {
    for (of, old, late) in [
        (
            "DateTime64(6, 'UTC')",
            "subtractSeconds(now64(6), 10)",
            "subtractSeconds(now64(6), 30)",
        ),
        ("Date", "today()", "today()"),
    ] {
        let database = database(&format!(
            "CREATE TABLE t (id UInt64, at {of}) ENGINE = MergeTree ORDER BY id;\nINSERT INTO t SELECT 1, {old} UNION ALL SELECT 2, {old}"
        ))
        .await;
        let spec = database.spec(json!({"cursor": "at", "table_options": {"t": {"start_from": "now"}}}));
        let between = format!("INSERT INTO t SELECT 3, {late}");
        let mut next = reading(spec, "t").await;
        let first = next.run_beside(database.execute(&between)).await;
        assert_eq!((first.count(), first.filtered), (0, 2), "{of}");
        assert_eq!(next.run().await.numbers("id"), [3], "{of}");
        assert_eq!(next.run().await.count(), 0, "{of}");
    }
}

#[tokio::test]
async fn what_appears_after_a_run_was_opened_on_nothing_but_null_cursors_is_delivered_once() {
    let database = database(
        "CREATE TABLE t (id UInt64, at Nullable(DateTime64(6, 'UTC'))) ENGINE = MergeTree ORDER BY id;\nINSERT INTO t VALUES (1, NULL), (2, NULL)",
    )
    .await;
    let spec = database.spec(json!({"cursor": "at", "table_options": {"t": {"null_cursor": "skip"}}}));
    let between = "INSERT INTO t SELECT 3, subtractSeconds(now64(6), 30)";
    let mut next = reading(spec, "t").await;
    let first = next.run_beside(database.execute(between)).await;
    assert_eq!((first.count(), first.filtered), (0, 2));
    assert_eq!(next.run().await.numbers("id"), [3]);
    assert_eq!(next.run().await.count(), 0);
}

#[tokio::test]
async fn a_superseded_version_is_never_delivered() {
    let database = database(
        "CREATE TABLE t (id UInt64, name String, at DateTime64(3, 'UTC')) ENGINE = ReplacingMergeTree(at) ORDER BY id PARTITION BY toYYYYMM(at);\n\
         SYSTEM STOP MERGES t;\n\
         INSERT INTO t VALUES (1, 'old', '2020-01-01 00:00:00'), (2, 'only', '2020-01-01 00:00:01');\n\
         INSERT INTO t VALUES (1, 'new', '2020-05-02 00:00:00')",
    )
    .await;
    let mut merged = reading(database.spec(json!({"cursor": "at", "overlap": "365d"})), "t").await;
    let rows = merged.run().await;
    assert_eq!(rows.sorted("name"), ["new", "only"]);
    assert_eq!(merged.source.list_tables(&["t"]).await.unwrap()[0].primary_key, ["id"]);
    database
        .execute("INSERT INTO t VALUES (1, 'newest', '2020-06-01 00:00:00')")
        .await;
    assert_eq!(merged.run().await.sorted("name"), ["newest"]);
    let mut apart = reading(database.spec(json!({"cursor": "at", "final": false})), "t").await;
    assert_eq!(apart.run().await.count(), 4);
    database
        .execute("CREATE VIEW v AS SELECT id AS custom_id, name, at FROM t")
        .await;
    let mut through_view = reading(database.spec(json!({"cursor": "at"})), "v").await;
    assert_eq!(
        through_view.run().await.sorted("name"),
        ["newest", "only"],
        "under a view too"
    );
}

#[tokio::test]
async fn a_newer_version_in_another_part_of_the_table_is_not_hidden_by_the_conditions_of_a_read() {
    let database = database(
        "CREATE TABLE t (id UInt64, name String, version UInt8, at DateTime64(3, 'UTC')) ENGINE = ReplacingMergeTree(version) ORDER BY id PARTITION BY toYYYYMM(at);\n\
         SYSTEM STOP MERGES t;\n\
         INSERT INTO t VALUES (1, 'newest', 2, '2020-01-31 23:59:00');\n\
         INSERT INTO t VALUES (1, 'stale', 1, '2020-02-01 00:00:00')",
    )
    .await;
    let spec = database.spec(json!({"cursor": "at", "table_options": {"t": {"start_from": "2020-02-01T00:00:00Z"}}}));
    assert_eq!(reading(spec, "t").await.run().await.count(), 0);
    // What a server does that looks at conditions before it merges, and what keeps it from that.
    let stale = |column: &str| {
        format!(
            "SELECT count() FROM {}.t FINAL WHERE {column} >= toDateTime64('2020-02-01 00:00:00', 3, 'UTC') SETTINGS defer_partition_pruning_after_final = 0",
            database.name()
        )
    };
    assert_eq!(
        database.count(&stale("at")).await,
        1,
        "it takes the older version for the newest"
    );
    assert_eq!(database.count(&stale("identity(at)")).await, 0);
}

#[tokio::test]
async fn a_text_cursor_whose_greatest_value_is_no_text_goes_on() {
    let database = database("CREATE TABLE t (id UInt64, k String) ENGINE = MergeTree ORDER BY k;\nINSERT INTO t VALUES (1, 'a'), (2, unhex('FF01'))").await;
    let mut reading = reading(
        database.spec(json!({"cursor": "k", "table_options": {"t": {"columns": ["id"]}}})),
        "t",
    )
    .await;
    assert_eq!(reading.run().await.sorted("id"), ["1", "2"]);
    database.execute("INSERT INTO t VALUES (3, unhex('FF02'))").await;
    assert_eq!(reading.run().await.sorted("id"), ["3"]);
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn of_a_collapsing_table_only_states_are_delivered() {
    let database = database(
        "CREATE TABLE t (id UInt64, name String, sign Int8, at DateTime('UTC')) ENGINE = CollapsingMergeTree(sign) ORDER BY id;\n\
         SYSTEM STOP MERGES t;\n\
         INSERT INTO t VALUES (1, 'old', 1, '2020-01-01 00:00:00'), (2, 'gone', 1, '2020-01-01 00:00:00');\n\
         INSERT INTO t VALUES (1, 'old', -1, '2020-01-01 00:00:00'), (1, 'new', 1, '2020-01-02 00:00:00'), (2, 'gone', -1, '2020-01-01 00:00:00'), (3, 'never', -1, '2020-01-01 00:00:00')",
    )
    .await;
    let rows = reading(database.spec(json!({"cursor": "at"})), "t").await.run().await;
    assert_eq!(rows.sorted("name"), ["new"]);
}

#[tokio::test]
async fn a_changed_cursor_column_stops_the_run_and_keeps_the_state() {
    let database = database("CREATE TABLE t (id UInt64, at DateTime, other UInt32) ENGINE = MergeTree ORDER BY id;\nINSERT INTO t VALUES (1, '2020-01-01 00:00:00', 5)").await;
    let mut first = reading(database.spec(json!({"cursor": "at"})), "t").await;
    first.run().await;
    let stored = first.state.clone();
    let mut other = reading(database.spec(json!({"cursor": "other"})), "t").await;
    other.state = stored.clone();
    assert_eq!(other.try_run().await.unwrap_err().code, "cursor_column_changed");
    database.execute("ALTER TABLE t MODIFY COLUMN at UInt32").await;
    let error = first.try_run().await.unwrap_err();
    assert_eq!(error.code, "cursor_type_changed");
    assert!(
        error.message.contains("UInt32 now") && error.message.contains("it was DateTime"),
        "{error}"
    );
    database.execute("ALTER TABLE t DROP COLUMN at").await;
    let error = first.try_run().await.unwrap_err();
    assert_eq!(error.code, "cursor_column_missing");
    assert_eq!(first.state, stored);
}

#[tokio::test]
async fn a_finer_unit_is_the_same_cursor() {
    let database = database("CREATE TABLE t (id UInt64, at DateTime('UTC')) ENGINE = MergeTree ORDER BY id;\nINSERT INTO t VALUES (1, '2020-01-01 00:00:00')").await;
    let mut reading = reading(database.spec(json!({"cursor": "at"})), "t").await;
    reading.run().await;
    database
        .execute("ALTER TABLE t MODIFY COLUMN at DateTime64(6, 'Asia/Tokyo')")
        .await;
    database
        .execute("INSERT INTO t SELECT 2, toDateTime64('2020-01-01 00:00:00.000001', 6, 'UTC')")
        .await;
    assert!(texts(&reading.run().await.batch, "id").contains(&"2".to_owned()));
}

#[tokio::test]
async fn a_cursor_set_by_hand_means_the_rows_after_it() {
    let database = database(
        "CREATE TABLE t (id Int64) ENGINE = MergeTree ORDER BY id;\nINSERT INTO t SELECT number FROM numbers(10)",
    )
    .await;
    let mut reading = reading(database.spec(json!({"cursor": "id"})), "t").await;
    assert_eq!(reading.run().await.count(), 10);
    reading.state.as_mut().unwrap().cursor = Some(CursorValue::Int(6));
    assert_eq!(reading.run().await.numbers("id"), [7, 8, 9]);
}

async fn range(spec: Value, from: Option<i64>, to: Option<i64>) -> Vec<String> {
    let source = SourceHarness::configure::<ClickHouse>(spec).await.unwrap();
    let selection = TableSelection {
        name: "t".to_owned(),
        range: Some(CursorRange {
            from: from.map(CursorValue::Int),
            to: to.map(CursorValue::Int),
        }),
        ..TableSelection::default()
    };
    let plan = source.open_run("run", 1, vec![selection]).await.unwrap().remove(0);
    assert_eq!(plan.completed_state, None, "a range moves no cursor");
    let mut ids = Vec::new();
    for partition in &plan.partitions {
        ids.extend(texts(
            &source.read("run", "t", partition, None).await.unwrap().rows(),
            "id",
        ));
    }
    ids
}

#[tokio::test]
async fn a_range_is_read_from_its_begin_to_before_its_end_and_moves_nothing() {
    let database = database(
        "CREATE TABLE t (id Int64) ENGINE = MergeTree ORDER BY id;\nINSERT INTO t SELECT number FROM numbers(5000)",
    )
    .await;
    let spec = || {
        database.spec(json!({"cursor": "id", "partition_rows": 1000, "table_options": {"t": {"start_from": "100"}}}))
    };
    assert_eq!(range(spec(), Some(3), Some(6)).await, ["3", "4", "5"]);
    assert_eq!(range(spec(), Some(4998), None).await, ["4998", "4999"]);
    assert_eq!(range(spec(), None, Some(2)).await, ["0", "1"]);
    let whole = range(spec(), None, None).await;
    assert_eq!(
        (whole.len(), whole[0].as_str(), whole[4999].as_str()),
        (5000, "0", "4999"),
        "in slices that meet"
    );
    assert_eq!(range(spec(), Some(7), Some(7)).await, Vec::<String>::new());
}

#[tokio::test]
async fn equal_rows_are_counted_and_a_further_one_is_new() {
    let database = database("CREATE TABLE t (id UInt64, at DateTime('UTC'), note Nullable(String), tags Array(String), sizes Map(String, Int8)) ENGINE = MergeTree ORDER BY id;\n\
         INSERT INTO t SELECT 1, '2020-01-01 00:00:00', NULL, ['a'], map('k', 1) FROM numbers(2)").await;
    let mut reading = reading(database.spec(json!({"cursor": "at"})), "t").await;
    assert_eq!(reading.run().await.count(), 2);
    database
        .execute("INSERT INTO t SELECT 1, '2020-01-01 00:00:00', NULL, ['a'], map('k', 1)")
        .await;
    let rows = reading.run().await;
    assert_eq!((rows.count(), rows.deduplicated), (1, 2));
}
