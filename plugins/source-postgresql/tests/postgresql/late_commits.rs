//! Transactions that commit after newer rows were read: nothing of them is lost, however they wrote and however long they stayed open.

use serde_json::json;

use crate::support::{Database, Reading, database, quiet_database};

const EVENTS: &str = "\
CREATE TABLE events (id int8 PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now()); \
CREATE INDEX ON events (updated_at, id); \
INSERT INTO events (id, note, updated_at) SELECT n, 'first', now() - interval '1 hour' + n * interval '1 second' FROM generate_series(1, 100) n;";

const NEWER: &str = "INSERT INTO events VALUES (300, 'newer', now() + interval '1 millisecond')";

/// Midnight of a day, and rows an hour apart from there on: what a transaction wrote before the window is then a matter of numbers, not of waiting.
const HOURS: &str = "\
CREATE TABLE hours (id int8 PRIMARY KEY, at timestamptz NOT NULL); INSERT INTO hours VALUES (0, '2026-01-01 00:00:00+00');";

fn hour(id: i64) -> String {
    format!("INSERT INTO hours VALUES ({id}, '2026-01-01 {id:02}:00:00+00')")
}

async fn reading_events(database: &Database) -> Reading {
    Reading::new(database.spec(json!({"cursor": "updated_at"})), "events").await
}

#[tokio::test]
async fn more_savepoints_than_a_snapshot_lists_do_not_hide_a_late_commit() {
    let database = database(EVENTS).await;
    let mut reading = reading_events(&database).await;
    let late = database.connect().await;
    late.batch_execute("BEGIN").await.unwrap();
    // A backend announces 64 sub-transactions; with more its snapshots overflow.
    for id in 900..1_000 {
        late.batch_execute(&format!("SAVEPOINT s; INSERT INTO events VALUES ({id}, 'late')"))
            .await
            .unwrap();
    }
    database.execute(NEWER).await;
    assert_eq!(reading.run().await.count(), 101);
    late.batch_execute("COMMIT").await.unwrap();
    assert_eq!(reading.run().await.count(), 100);
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn what_was_rolled_back_to_a_savepoint_is_never_delivered() {
    let database = database(EVENTS).await;
    let mut reading = reading_events(&database).await;
    let late = database.connect().await;
    late.batch_execute("BEGIN; INSERT INTO events VALUES (900, 'stays'); SAVEPOINT s; INSERT INTO events VALUES (901, 'goes'); ROLLBACK TO s; INSERT INTO events VALUES (902, 'stays')")
        .await
        .unwrap();
    database.execute(NEWER).await;
    assert_eq!(reading.run().await.count(), 101);
    late.batch_execute("COMMIT").await.unwrap();
    assert_eq!(reading.run().await.sorted("id"), ["900", "902"]);
    let rolled_back = database.connect().await;
    rolled_back
        .batch_execute("BEGIN; INSERT INTO events VALUES (903, 'never'); ROLLBACK")
        .await
        .unwrap();
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_transaction_that_writes_long_after_it_began_is_found() {
    let database = database(EVENTS).await;
    let mut reading = reading_events(&database).await;
    // It has no number until it writes, and `now()` stays what it was.
    let late = database.connect().await;
    late.batch_execute("BEGIN; SELECT now()").await.unwrap();
    database.execute(NEWER).await;
    assert_eq!(reading.run().await.count(), 101);
    late.batch_execute("INSERT INTO events VALUES (900, 'late')")
        .await
        .unwrap();
    assert_eq!(reading.run().await.count(), 0);
    late.batch_execute("COMMIT").await.unwrap();
    assert_eq!(reading.run().await.numbers("id"), [900]);
}

#[tokio::test]
async fn a_row_changed_twice_by_a_late_transaction_arrives_once_in_its_last_version() {
    let database = database(EVENTS).await;
    let mut reading = reading_events(&database).await;
    reading.run().await;
    let late = database.connect().await;
    late.batch_execute("BEGIN; UPDATE events SET note = 'once', updated_at = now() WHERE id = 7; UPDATE events SET note = 'twice' WHERE id = 7; INSERT INTO events VALUES (900, 'x'); DELETE FROM events WHERE id = 900")
        .await
        .unwrap();
    database.execute(NEWER).await;
    assert_eq!(reading.run().await.numbers("id"), [300]);
    late.batch_execute("COMMIT").await.unwrap();
    let rows = reading.run().await;
    assert_eq!(
        (rows.numbers("id"), rows.sorted("note")),
        (vec![7], vec!["twice".to_owned()])
    );
}

#[tokio::test]
async fn a_row_deleted_after_it_was_delivered_takes_nothing_with_it() {
    let database = database(EVENTS).await;
    let mut reading = reading_events(&database).await;
    let late = database.connect().await;
    late.batch_execute("BEGIN; INSERT INTO events VALUES (900, 'late')")
        .await
        .unwrap();
    database.execute(NEWER).await;
    assert_eq!(reading.run().await.count(), 101);
    database
        .execute("DELETE FROM events WHERE id = 300; INSERT INTO events SELECT 301, note, updated_at FROM events WHERE id = 100")
        .await;
    late.batch_execute("COMMIT").await.unwrap();
    assert!(reading.run().await.sorted("id").contains(&"900".to_owned()));
}

#[tokio::test]
async fn the_window_waits_for_a_transaction_whose_age_the_user_may_not_see() {
    let database = quiet_database(HOURS).await;
    database
        .execute("CREATE ROLE blind_reader LOGIN PASSWORD 'secret'; GRANT SELECT ON hours TO blind_reader")
        .await;
    for overlap in ["1s", "0s"] {
        database.execute("DELETE FROM hours WHERE id > 0").await;
        let spec = json!({"cursor": "at", "overlap": overlap, "username": "blind_reader"});
        let mut reading = Reading::new(database.spec(spec), "hours").await;
        let late = database.connect().await;
        late.batch_execute("BEGIN; INSERT INTO hours SELECT 900, at FROM hours WHERE id = 0")
            .await
            .unwrap();
        assert_eq!(reading.run().await.numbers("id"), [0]);
        for id in 1..4 {
            database.execute(&hour(id)).await;
            assert_eq!(reading.run().await.numbers("id"), [id], "overlap {overlap}");
        }
        late.batch_execute("COMMIT").await.unwrap();
        assert_eq!(
            reading.run().await.numbers("id"),
            [900],
            "three hours behind the cursor with an overlap of {overlap}"
        );
        database.execute(&hour(4)).await;
        assert_eq!(reading.run().await.numbers("id"), [4]);
        late.batch_execute("DELETE FROM hours WHERE id = 900").await.unwrap();
    }
    database
        .execute("DROP OWNED BY blind_reader; DROP ROLE blind_reader")
        .await;
}

#[tokio::test]
async fn a_prepared_transaction_committed_hours_later_is_found() {
    let database = quiet_database(HOURS).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at", "overlap": "1s"})), "hours").await;
    let late = database.connect().await;
    let name = format!("hours_{}", database.name);
    late.batch_execute(&format!(
        "BEGIN; INSERT INTO hours SELECT 900, at FROM hours WHERE id = 0; PREPARE TRANSACTION '{name}'"
    ))
    .await
    .unwrap();
    assert_eq!(reading.run().await.numbers("id"), [0]);
    for id in 1..4 {
        database.execute(&hour(id)).await;
        assert_eq!(reading.run().await.numbers("id"), [id]);
    }
    late.batch_execute(&format!("COMMIT PREPARED '{name}'")).await.unwrap();
    assert_eq!(reading.run().await.numbers("id"), [900]);
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_view_waits_for_open_transactions_too() {
    let database = quiet_database(&format!("{HOURS} CREATE VIEW v AS SELECT * FROM hours")).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at", "overlap": "1s"})), "v").await;
    let late = database.connect().await;
    late.batch_execute("BEGIN; INSERT INTO hours SELECT 900, at FROM hours WHERE id = 0")
        .await
        .unwrap();
    assert_eq!(reading.run().await.numbers("id"), [0]);
    for id in 1..4 {
        database.execute(&hour(id)).await;
        assert_eq!(reading.run().await.numbers("id"), [id]);
    }
    late.batch_execute("COMMIT").await.unwrap();
    assert_eq!(reading.run().await.numbers("id"), [900]);
}

#[tokio::test]
async fn rows_that_come_frozen_are_found() {
    let database = database(EVENTS).await;
    let mut reading = reading_events(&database).await;
    reading.run().await;
    database
        .execute(
            "BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM events; TRUNCATE events; \
             COPY events (id, note) FROM PROGRAM 'printf ''900\tfrozen\\n901\tfrozen\\n''' WITH (FREEZE); COMMIT",
        )
        .await;
    assert_eq!(reading.run().await.sorted("id"), ["900", "901"]);
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_table_that_was_rewritten_between_runs_is_not_sent_again() {
    let database = quiet_database(EVENTS).await;
    let mut reading = reading_events(&database).await;
    reading.run().await;
    for rewrite in [
        "VACUUM FULL events",
        "CLUSTER events USING events_pkey",
        "VACUUM (FREEZE) events",
    ] {
        database
            .execute("INSERT INTO events SELECT max(id) + 1, 'new' FROM events")
            .await;
        database.execute(rewrite).await;
        let rows = reading.run().await;
        assert_eq!(rows.count(), 1, "{rewrite}");
    }
}
