//! More rows within the overlap than are remembered one by one: none is repeated, none is lost.

use longshore_sdk::{harness::texts, prelude::*};
use serde_json::{Value, json};

use crate::support::{Database, database, reading};

/// Rows within the overlap.
const ROWS: usize = 20_000;

/// Such a table, with rows of one to six minutes ago.
async fn full_window(engine: &str) -> Database {
    database(&format!(
        "CREATE TABLE t (id UInt64, at DateTime64(6, 'UTC'), note String) ENGINE = {engine};\n\
         INSERT INTO t SELECT number, subtractMilliseconds(now64(6, 'UTC'), 60000 + number * 15), 'first' FROM numbers({ROWS})"
    ))
    .await
}

/// So many rows from this id on, which appear four minutes late.
async fn insert_late(database: &Database, from: u64, count: u64) {
    database
        .execute(&format!(
            "INSERT INTO t SELECT number, subtractMilliseconds(now64(6, 'UTC'), 240000 + number % 1000), 'late' FROM numbers({from}, {count})"
        ))
        .await;
}

fn spec(database: &Database, more: Value) -> Value {
    let mut spec = json!({"cursor": "at"});
    let Value::Object(more) = more else { panic!("{more}") };
    spec.as_object_mut().unwrap().extend(more);
    database.spec(spec)
}

#[tokio::test]
async fn an_overlap_of_any_size_is_not_delivered_again() {
    for more in [json!({}), json!({"partition_rows": 3000})] {
        let database = full_window("MergeTree ORDER BY id").await;
        let mut reading = reading(spec(&database, more), "t").await;
        assert_eq!(reading.run().await.count(), ROWS);
        for _ in 0..3 {
            let state = reading.state.clone().unwrap();
            assert_eq!(state.fingerprints.len(), ROWS);
            assert!(state.to_document().unwrap().len() < TableState::MAX_BYTES && !state.fingerprints.overflowed());
            assert_eq!(reading.warnings().await, Vec::<String>::new());
            assert_eq!(reading.run().await.count(), 0);
        }
    }
}

#[tokio::test]
async fn of_a_large_overlap_exactly_the_rows_that_appeared_late_or_changed_are_delivered() {
    for more in [json!({}), json!({"partition_rows": 3000})] {
        let database = full_window("MergeTree ORDER BY id").await;
        let mut reading = reading(spec(&database, more), "t").await;
        assert_eq!(reading.run().await.count(), ROWS);
        insert_late(&database, 100_000, 300).await;
        let rows = reading.run().await;
        assert_eq!(rows.numbers("id").iter().min(), Some(&100_000));
        assert_eq!((rows.count(), rows.deduplicated), (300, ROWS as u64));
        assert_eq!(reading.run().await.count(), 0);

        database
            .execute("ALTER TABLE t UPDATE note = 'changed' WHERE id < 5 SETTINGS mutations_sync = 1;\nALTER TABLE t DELETE WHERE id >= 10 AND id < 200 SETTINGS mutations_sync = 1;\n\
                      INSERT INTO t SELECT * FROM t WHERE id IN (300, 301) UNION ALL SELECT * FROM t WHERE id = 301;\n\
                      INSERT INTO t SELECT number, now64(6, 'UTC') - INTERVAL 20 SECOND, 'new' FROM numbers(200000, 7)")
            .await;
        let mut ids = reading.run().await.numbers("id");
        ids.sort_unstable();
        assert_eq!(
            ids,
            [
                0, 1, 2, 3, 4, 300, 301, 301, 200_000, 200_001, 200_002, 200_003, 200_004, 200_005, 200_006
            ],
            "changed rows, equal rows more, new rows"
        );
        assert_eq!(reading.run().await.count(), 0);
    }
}

#[tokio::test]
async fn rows_that_are_replaced_and_merged_in_a_large_overlap_are_delivered_in_their_new_versions_only() {
    let database = full_window("ReplacingMergeTree(at) ORDER BY id").await;
    let mut reading = reading(spec(&database, json!({})), "t").await;
    assert_eq!(reading.run().await.count(), ROWS);
    database
        .execute("INSERT INTO t SELECT id, at + INTERVAL 1 MILLISECOND, 'second' FROM t WHERE id >= 700 AND id < 1000")
        .await;
    let mut ids = reading.run().await.numbers("id");
    ids.sort_unstable();
    assert_eq!(ids, (700..1_000).collect::<Vec<i64>>());
    database.execute("OPTIMIZE TABLE t FINAL").await;
    assert_eq!(database.count("SELECT count() FROM t").await, ROWS as i64);
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_late_row_that_appears_between_the_count_and_the_read_is_delivered_by_the_next_run() {
    // With another late row that is known of, the rows of the overlap are read once more; without one, only what lies beyond them.
    for known_of in [0, 1] {
        let database = full_window("MergeTree ORDER BY id").await;
        let mut reading = reading(spec(&database, json!({})), "t").await;
        assert_eq!(reading.run().await.count(), ROWS);
        insert_late(&database, 100_000, known_of).await;

        let delivered = reading.run_beside(insert_late(&database, 500_000, 40)).await;
        assert_eq!(delivered.count() as u64, known_of, "{delivered:?}");
        let mut ids = reading.run().await.numbers("id");
        ids.sort_unstable();
        assert_eq!(ids, (500_000..500_040).collect::<Vec<i64>>());
        assert_eq!(reading.run().await.count(), 0);
    }
}

#[tokio::test]
async fn a_late_row_that_goes_between_the_count_and_the_read_is_delivered_when_it_is_back() {
    let database = full_window("MergeTree ORDER BY id").await;
    let mut reading = reading(spec(&database, json!({})), "t").await;
    assert_eq!(reading.run().await.count(), ROWS);
    insert_late(&database, 100_000, 5).await;
    database
        .execute("CREATE TABLE kept AS t;\nINSERT INTO kept SELECT * FROM t WHERE id = 100003")
        .await;

    let selection = TableSelection {
        name: "t".to_owned(),
        state: reading.state.clone(),
        ..TableSelection::default()
    };
    let plan = reading
        .source
        .open_run("run", 1, vec![selection])
        .await
        .unwrap()
        .remove(0);
    database
        .execute("ALTER TABLE t DELETE WHERE id = 100003 SETTINGS mutations_sync = 1")
        .await;
    let outcome = reading
        .source
        .read("run", "t", &plan.partitions[0], None)
        .await
        .unwrap();
    assert_eq!((plan.partitions.len(), outcome.rows().num_rows()), (1, 4));
    reading.source.close_run("run").await.unwrap();
    let remembered = outcome.marks.iter().map(|mark| &mark.checkpoint.fingerprints);
    reading.state = plan.completed_state.map(|state| state.promoted(remembered));

    assert_eq!(reading.run().await.count(), 0);
    database.execute("INSERT INTO t SELECT * FROM kept").await;
    assert_eq!(reading.run().await.numbers("id"), [100_003]);
}

#[tokio::test]
async fn another_attempt_knows_what_the_first_one_has_counted() {
    let database = full_window("MergeTree ORDER BY id").await;
    let mut first = reading(spec(&database, json!({})), "t").await;
    assert_eq!(first.run().await.count(), ROWS);
    insert_late(&database, 100_000, 50).await;
    let selection = |resume: Option<TablePlan>| TableSelection {
        name: "t".to_owned(),
        state: first.state.clone(),
        resume,
        ..TableSelection::default()
    };
    let plan = first
        .source
        .open_run("run", 1, vec![selection(None)])
        .await
        .unwrap()
        .remove(0);
    insert_late(&database, 500_000, 40).await;

    // In another process.
    let mut second = reading(spec(&database, json!({})), "t").await;
    let plan = second
        .source
        .open_run("run", 2, vec![selection(Some(plan))])
        .await
        .unwrap()
        .remove(0);
    let outcome = second.source.read("run", "t", &plan.partitions[0], None).await.unwrap();
    let mut ids = texts(&outcome.rows(), "id");
    ids.sort_unstable();
    assert_eq!(ids, (100_000..100_050).map(|id| id.to_string()).collect::<Vec<_>>());
    let remembered = outcome.marks.iter().map(|mark| &mark.checkpoint.fingerprints);
    second.state = plan.completed_state.map(|state| state.promoted(remembered));
    assert_eq!(second.run().await.count(), 40);
    assert_eq!(second.run().await.count(), 0);
}

#[tokio::test]
async fn when_more_rows_are_late_than_can_be_told_all_are_delivered_again_and_the_run_says_so() {
    let database = full_window("MergeTree ORDER BY id").await;
    let mut reading = reading(spec(&database, json!({})), "t").await;
    assert_eq!(reading.run().await.count(), ROWS);
    insert_late(&database, 100_000, 3_000).await;
    let warnings = reading.warnings().await;
    assert!(
        warnings.iter().any(|warning| warning.contains("delivered again")),
        "{warnings:?}"
    );
    let rows = reading.run().await;
    assert_eq!((rows.count(), rows.deduplicated), (ROWS + 3_000, 0));
    assert_eq!(reading.warnings().await, Vec::<String>::new());
    assert_eq!(reading.run().await.count(), 0, "it is over with that run");
}

#[tokio::test]
async fn rows_ahead_of_their_time_are_known_beside_a_large_overlap() {
    let database = full_window("MergeTree ORDER BY id").await;
    database
        .execute("INSERT INTO t SELECT number, now64(6, 'UTC') + INTERVAL 1 DAY, 'early' FROM numbers(300000, 900)")
        .await;
    let mut reading = reading(spec(&database, json!({})), "t").await;
    assert_eq!(reading.run().await.count(), ROWS + 900);
    let rows = reading.run().await;
    assert_eq!(
        (rows.count(), rows.deduplicated),
        (0, 900),
        "of the others nothing is to be read"
    );
    database
        .execute("INSERT INTO t SELECT number, now64(6, 'UTC') + INTERVAL 1 DAY, 'early' FROM numbers(400000, 900)")
        .await;
    let rows = reading.run().await;
    assert_eq!(rows.sorted("id").first().unwrap(), "400000");
    assert_eq!(rows.count(), 900);
    assert!(reading.state.as_ref().unwrap().fingerprints.overflowed());
    assert!(reading.warnings().await[0].contains("delivered again"));
    assert_eq!(reading.run().await.count(), 800, "1,000 are remembered");
}

#[tokio::test]
async fn a_large_overlap_can_start_now() {
    let database = full_window("MergeTree ORDER BY id").await;
    let options = json!({"table_options": {"t": {"start_from": "now"}}});
    let mut reading = reading(spec(&database, options), "t").await;
    let rows = reading.run().await;
    assert_eq!((rows.count(), rows.filtered), (0, ROWS as u64));
    insert_late(&database, 100_000, 3).await;
    assert_eq!(reading.run().await.sorted("id"), ["100000", "100001", "100002"]);
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_cursor_that_is_set_by_hand_forgets_a_large_overlap() {
    let database = full_window("MergeTree ORDER BY id").await;
    let mut reading = reading(spec(&database, json!({})), "t").await;
    assert_eq!(reading.run().await.count(), ROWS);
    let state = reading.state.take().unwrap();
    let cursor_type = state.cursor.as_ref().and_then(CursorValue::cursor_type).unwrap();
    reading.state = Some(TableState {
        cursor_column: state.cursor_column,
        cursor: Some(cursor_type.parse("2000-01-01T00:00:00Z").unwrap()),
        ..TableState::default()
    });
    assert_eq!(reading.run().await.count(), ROWS);
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_row_that_looks_like_a_delivered_one_is_delivered_although_its_cursor_is_not() {
    let database = database(
        "CREATE TABLE t (id UInt64, at UInt64, note String) ENGINE = MergeTree ORDER BY at;\n\
         INSERT INTO t SELECT number, number, 'same' FROM numbers(100)",
    )
    .await;
    let options = json!({"cursor": "at", "partition_rows": 20, "table_options": {"t": {"columns": ["note"]}}});
    let mut reading = reading(database.spec(options), "t").await;
    assert_eq!(reading.run().await.count(), 100);
    database
        .execute("ALTER TABLE t DELETE WHERE id < 3 SETTINGS mutations_sync = 1;\nINSERT INTO t SELECT number, number, 'same' FROM numbers(200, 3)")
        .await;
    assert_eq!(reading.run().await.count(), 3);
    assert_eq!(reading.run().await.count(), 0);
}
