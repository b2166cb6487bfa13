//! Incremental reading: nothing is lost, whatever the order of commits.

use serde_json::json;

use crate::support::{Reading, database};

const EVENTS: &str = "\
CREATE TABLE events (id int8 PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now()); \
CREATE INDEX ON events (updated_at, id); \
INSERT INTO events (id, note, updated_at) SELECT n, 'first', now() - interval '1 hour' + n * interval '1 second' FROM generate_series(1, 100) n;";

#[tokio::test]
async fn an_unchanged_table_is_read_once() {
    let database = database(EVENTS).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "updated_at"})), "events").await;
    assert_eq!(reading.run().await.numbers("id"), (1..=100).collect::<Vec<_>>());
    let first = reading.state.clone();
    let second = reading.run().await;
    assert_eq!(second.count(), 0);
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
