//! Incremental reading: nothing is lost, whatever the order of commits.

use longshore_sdk::{
    core::cursor::{TimeUnit, Timestamp},
    prelude::*,
};
use serde_json::json;

use crate::support::{Reading, database, quiet_database};

const EVENTS: &str = "\
CREATE TABLE events (id int8 PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now()); \
CREATE INDEX ON events (updated_at, id); \
INSERT INTO events (id, note, updated_at) SELECT n, 'first', now() - interval '1 hour' + n * interval '1 second' FROM generate_series(1, 100) n;";

#[tokio::test]
async fn an_unchanged_table_is_read_once() {
    let database = quiet_database(EVENTS).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "updated_at"})), "events").await;
    assert_eq!(reading.run().await.numbers("id"), (1..=100).collect::<Vec<_>>());
    let first = reading.state.clone();
    let second = reading.run().await;
    assert_eq!((second.read, second.count()), (0, 0));
    assert_eq!(reading.state.as_ref().unwrap().cursor, first.unwrap().cursor);
}

#[tokio::test]
async fn new_and_changed_rows_are_delivered_by_the_next_run() {
    let database = database(EVENTS).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "updated_at"})), "events").await;
    reading.run().await;
    database.execute("INSERT INTO events VALUES (200, 'new'); UPDATE events SET note = 'changed', updated_at = now() WHERE id = 7").await;
    assert_eq!(reading.run().await.sorted("id"), ["200", "7"]);
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_transaction_that_commits_late_is_not_lost() {
    let database = database(EVENTS).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "updated_at"})), "events").await;
    reading.run().await;
    let late = database.connect().await;
    late.batch_execute("BEGIN; INSERT INTO events VALUES (900, 'late')")
        .await
        .unwrap();
    database
        .execute("INSERT INTO events VALUES (300, 'newer', now() + interval '1 millisecond')")
        .await;
    assert_eq!(reading.run().await.numbers("id"), [300]);
    late.batch_execute("COMMIT").await.unwrap();
    database
        .execute("INSERT INTO events VALUES (400, 'newest', now() + interval '1 millisecond')")
        .await;
    assert_eq!(reading.run().await.sorted("id"), ["400", "900"]);
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_savepoint_does_not_hide_a_late_commit() {
    let database = database(EVENTS).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "updated_at"})), "events").await;
    let late = database.connect().await;
    late.batch_execute("BEGIN; INSERT INTO events VALUES (900, 'before'); SAVEPOINT s; INSERT INTO events VALUES (901, 'under'); RELEASE s")
        .await
        .unwrap();
    let handled = database.connect().await;
    handled
        .batch_execute("BEGIN; DO $$ BEGIN INSERT INTO events VALUES (902, 'block'); EXCEPTION WHEN unique_violation THEN NULL; END $$")
        .await
        .unwrap();
    database
        .execute("INSERT INTO events VALUES (300, 'newer', now() + interval '1 millisecond')")
        .await;
    assert_eq!(reading.run().await.count(), 101);
    late.batch_execute("COMMIT").await.unwrap();
    handled.batch_execute("COMMIT").await.unwrap();
    assert_eq!(reading.run().await.sorted("id"), ["900", "901", "902"]);
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_prepared_transaction_is_found_when_it_commits() {
    let database = database(EVENTS).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "updated_at"})), "events").await;
    let late = database.connect().await;
    let name = format!("later_{}", database.name);
    late.batch_execute(&format!(
        "BEGIN; INSERT INTO events VALUES (900, 'prepared'); PREPARE TRANSACTION '{name}'"
    ))
    .await
    .unwrap();
    assert_eq!(reading.run().await.count(), 100);
    assert_eq!(reading.run().await.count(), 0);
    late.batch_execute(&format!("COMMIT PREPARED '{name}'")).await.unwrap();
    assert_eq!(reading.run().await.numbers("id"), [900]);
}

#[tokio::test]
async fn a_row_with_exactly_the_stored_cursor_is_delivered_by_the_next_run() {
    let database = database(EVENTS).await;
    for (id, overlap) in [(500, "10m"), (501, "0s")] {
        let mut reading = Reading::new(
            database.spec(json!({"cursor": "updated_at", "overlap": overlap})),
            "events",
        )
        .await;
        reading.run().await;
        database
            .execute(&format!(
                "INSERT INTO events SELECT {id}, 'same', max(updated_at) FROM events"
            ))
            .await;
        assert_eq!(reading.run().await.numbers("id"), [id], "overlap {overlap}");
    }
}

#[tokio::test]
async fn dates_in_the_future_do_not_stop_the_cursor_or_repeat() {
    for future in ["'infinity'", "'2999-01-01'", "now() + interval '5 minutes'"] {
        let database = database(EVENTS).await;
        database
            .execute(&format!("INSERT INTO events VALUES (500, 'bad clock', {future})"))
            .await;
        let mut reading = Reading::new(database.spec(json!({"cursor": "updated_at"})), "events").await;
        assert_eq!(reading.run().await.count(), 101, "{future}");
        let cursor = reading.state.as_ref().unwrap().cursor.clone().unwrap();
        let clock = database
            .number("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8")
            .await;
        assert!(
            matches!(cursor, CursorValue::Timestamp(at) if at.value <= clock),
            "{future}: {cursor}"
        );
        assert_eq!(reading.run().await.count(), 0, "{future} is not repeated");
        database.execute("INSERT INTO events VALUES (501, 'good clock')").await;
        assert_eq!(reading.run().await.numbers("id"), [501], "{future}");
        database
            .execute("INSERT INTO events VALUES (502, 'bad clock again', 'infinity')")
            .await;
        assert_eq!(reading.run().await.numbers("id"), [502], "{future}");
        assert_eq!(reading.run().await.count(), 0, "{future}");
    }
}

#[tokio::test]
async fn an_empty_table_keeps_its_state_and_later_delivers_all() {
    let database = database("CREATE TABLE t (id int PRIMARY KEY, at timestamptz)").await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "t").await;
    assert_eq!(reading.run().await.count(), 0);
    assert_eq!(reading.state.as_ref().unwrap().cursor, None);
    database
        .execute("INSERT INTO t VALUES (1, '1969-01-01'), (2, '-infinity')")
        .await;
    assert_eq!(reading.run().await.sorted("id"), ["1", "2"]);
    let cursor = reading.state.as_ref().unwrap().cursor.clone();
    database.execute("DELETE FROM t").await;
    assert_eq!(reading.run().await.count(), 0);
    assert_eq!(
        reading.state.as_ref().unwrap().cursor,
        cursor,
        "rows that are gone do not move the cursor back"
    );
    database.execute("INSERT INTO t VALUES (3, now())").await;
    assert_eq!(reading.run().await.numbers("id"), [3]);
}

#[tokio::test]
async fn null_cursors_stop_are_included_or_skipped() {
    let database = database(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz); INSERT INTO t VALUES (1, now()), (2, NULL), (3, NULL)",
    )
    .await;
    let spec = |policy: &str| database.spec(json!({"cursor": "at", "table_options": {"t": {"null_cursor": policy}}}));
    let error = Reading::new(spec("error"), "t").await.try_run().await.unwrap_err();
    assert_eq!(error.code, "cursor_null");
    assert!(error.message.contains("has 2 rows without"), "{error}");
    let mut included = Reading::new(spec("include"), "t").await;
    assert_eq!(included.run().await.sorted("id"), ["1", "2", "3"]);
    database.execute("INSERT INTO t VALUES (4, now())").await;
    assert_eq!(
        included.run().await.sorted("id"),
        ["2", "3", "4"],
        "rows without a cursor come every time"
    );
    let mut skipped = Reading::new(spec("skip"), "t").await;
    let rows = skipped.run().await;
    assert_eq!(
        (rows.sorted("id"), rows.filtered),
        (vec!["1".to_owned(), "4".to_owned()], 2)
    );
    database.execute("UPDATE t SET at = now() WHERE id = 2").await;
    let rows = skipped.run().await;
    assert_eq!(
        (rows.numbers("id"), rows.filtered),
        (vec![2], 1),
        "a row whose cursor is set later is new"
    );
}

#[tokio::test]
async fn rows_without_a_cursor_are_counted_where_there_are_no_others() {
    let database = database("CREATE TABLE t (id int PRIMARY KEY, at timestamptz); INSERT INTO t VALUES (1), (2)").await;
    let options = json!({"cursor": "at", "table_options": {"t": {"null_cursor": "skip"}}});
    let mut reading = Reading::new(database.spec(options), "t").await;
    let rows = reading.run().await;
    assert_eq!((rows.count(), rows.filtered), (0, 2));
    database.execute("INSERT INTO t VALUES (3, now())").await;
    let rows = reading.run().await;
    assert_eq!((rows.numbers("id"), rows.filtered), (vec![3], 2));
}

#[tokio::test]
async fn the_first_run_starts_where_it_is_told() {
    let database = database(EVENTS).await;
    let spec = |start: &str| {
        database.spec(json!({"cursor": "updated_at", "table_options": {"events": {"start_from": start}}}))
    };
    let fifty: String = database
        .client
        .query_one("SELECT to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM events WHERE id = 50", &[])
        .await
        .unwrap()
        .get(0);
    let mut from_value = Reading::new(spec(&fifty), "events").await;
    assert_eq!(from_value.run().await.numbers("id"), (50..=100).collect::<Vec<_>>());
    let mut from_now = Reading::new(spec("now"), "events").await;
    assert_eq!(from_now.run().await.count(), 0);
    let mut beginning = Reading::new(spec("beginning"), "events").await;
    assert_eq!(beginning.run().await.count(), 100);
    database
        .execute("UPDATE events SET note = 'x' WHERE id < 10; INSERT INTO events VALUES (600, 'new')")
        .await;
    assert_eq!(
        from_value.run().await.numbers("id"),
        [600],
        "rows before the start stay out"
    );
    let changed: Vec<i64> = (1..10).chain([600]).collect();
    assert_eq!(
        from_now.run().await.numbers("id"),
        changed,
        "what changes after the start is delivered"
    );
    let error = Reading::new(spec("yesterday"), "events")
        .await
        .try_run()
        .await
        .unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.field.as_str()),
        ("start_from_invalid", "/table_options/events/start_from")
    );
}

#[tokio::test]
async fn every_usable_type_serves_as_a_cursor() {
    let cases = [
        ("int2", "n"),
        ("int4", "n * 1000"),
        ("int8", "n * 1000000000000"),
        ("numeric", "n + 0.10"),
        ("date", "date '2026-01-01' + n"),
        ("timestamp", "timestamp '2026-01-01' + n * interval '1 microsecond'"),
        (
            "timestamptz",
            "timestamptz '0044-03-15 00:00:00.000001+00 BC' + n * interval '1 day'",
        ),
        ("text", "'it''s \\' || chr(64 + n)"),
        ("varchar(20)", "chr(64 + n)"),
        ("uuid", "('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid"),
        ("bytea", "decode(lpad(n::text, 4, '0'), 'hex')"),
    ];
    for (of, expression) in cases {
        let database = database(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, c {of} NOT NULL); INSERT INTO t SELECT n, {expression} FROM generate_series(1, 5) n"
        ))
        .await;
        let mut reading = Reading::new(database.spec(json!({"cursor": "c"})), "t").await;
        assert_eq!(reading.run().await.numbers("id"), [1, 2, 3, 4, 5], "{of}");
        assert_eq!(reading.run().await.count(), 0, "{of}");
        database
            .execute(&format!("INSERT INTO t SELECT 100 + n, {expression} FROM generate_series(6, 7) n; INSERT INTO t SELECT 200 + n, {expression} FROM generate_series(5, 5) n"))
            .await;
        assert_eq!(reading.run().await.sorted("id"), ["106", "107", "205"], "{of}");
        assert_eq!(reading.run().await.count(), 0, "{of}");
    }
}

#[tokio::test]
async fn a_day_that_goes_on_delivers_the_rest_of_its_rows() {
    let database =
        database("CREATE TABLE t (id int PRIMARY KEY, day date NOT NULL); INSERT INTO t VALUES (1, current_date)")
            .await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "day"})), "t").await;
    assert_eq!(reading.run().await.count(), 1);
    database
        .execute("INSERT INTO t VALUES (2, current_date), (3, current_date - 1)")
        .await;
    assert_eq!(reading.run().await.sorted("id"), ["2", "3"]);
}

#[tokio::test]
async fn a_frozen_table_is_neither_lost_nor_sent_again() {
    let database = database(EVENTS).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "updated_at"})), "events").await;
    reading.run().await;
    database.execute("INSERT INTO events VALUES (300, 'new')").await;
    database.execute("VACUUM (FREEZE) events").await;
    assert_eq!(reading.run().await.numbers("id"), [300]);
    database.execute("VACUUM (FREEZE, FULL) events").await;
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn another_server_makes_the_next_run_read_a_longer_stretch() {
    let database = quiet_database(EVENTS).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "updated_at"})), "events").await;
    reading.run().await;
    let state = reading.state.as_mut().unwrap();
    let mut source_state: serde_json::Value = serde_json::from_str(&state.source_state).unwrap();
    assert!(
        source_state["system_identifier"].is_string() && source_state["timeline"] == json!(1),
        "{source_state}"
    );
    source_state["xmin"] = json!(u64::MAX / 2);
    state.source_state = source_state.to_string();
    database
        .execute("INSERT INTO events SELECT 500, 'late', max(updated_at) - interval '30 minutes' FROM events")
        .await;
    let rows = reading.run().await;
    assert!(
        rows.numbers("id").contains(&500) && rows.count() == 101,
        "an hour back instead of ten minutes: {}",
        rows.count()
    );
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_cursor_set_by_hand_counts_alone() {
    let database = database(EVENTS).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "updated_at"})), "events").await;
    reading.run().await;
    let at_90 = database
        .number("SELECT (extract(epoch FROM updated_at) * 1000000)::int8 FROM events WHERE id = 90")
        .await;
    let cursor = CursorValue::Timestamp(Timestamp {
        value: at_90,
        unit: TimeUnit::Microsecond,
        instant: true,
    });
    reading.state.as_mut().unwrap().cursor = Some(cursor);
    assert_eq!(reading.run().await.numbers("id"), (91..=100).collect::<Vec<_>>());
}
