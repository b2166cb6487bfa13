//! Cursors to the last bit: time zones, bad clocks, numbers that are none, rows that look alike.

use longshore_sdk::prelude::*;
use serde_json::json;

use crate::support::{Reading, database, quiet_database};

#[tokio::test]
async fn a_time_zone_of_server_database_or_writer_opens_no_hole() {
    let database = database(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamp NOT NULL, day date NOT NULL, instant timestamptz NOT NULL); \
         INSERT INTO t SELECT n, timestamp '2026-03-29 00:00:00' + n * interval '30 minutes', date '2026-03-01' + n, timestamptz '2026-03-29 00:00:00Z' + n * interval '30 minutes' FROM generate_series(1, 20) n",
    )
    .await;
    let mut states = Vec::new();
    for zone in ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"] {
        database
            .execute(&format!("ALTER DATABASE {} SET TimeZone = '{zone}'", database.name))
            .await;
        for cursor in ["at", "day", "instant"] {
            let mut reading = Reading::new(database.spec(json!({"cursor": cursor})), "t").await;
            assert_eq!(reading.run().await.count(), 20, "{zone} {cursor}");
            assert_eq!(reading.run().await.count(), 0, "{zone} {cursor}");
            states.push((zone, cursor, reading.state.unwrap().cursor));
        }
    }
    for (zone, cursor, found) in &states {
        let in_utc = states
            .iter()
            .find(|(zone, of, _)| *zone == "UTC" && of == cursor)
            .unwrap();
        assert_eq!(*found, in_utc.2, "{zone} {cursor}");
    }
    // Read in one zone, go on in another: a row half an hour on is new, wherever the server says it is.
    database
        .execute("INSERT INTO t SELECT 100, max(at) + interval '1 microsecond', max(day) + 1, max(instant) + interval '1 microsecond' FROM t")
        .await;
    for (zone, cursor, stored) in states {
        let mut reading = Reading::new(database.spec(json!({"cursor": cursor})), "t").await;
        reading.state = Some(TableState {
            cursor_column: cursor.to_owned(),
            cursor: stored,
            ..TableState::default()
        });
        assert_eq!(reading.run().await.numbers("id"), [100], "{zone} {cursor}");
    }
}

#[tokio::test]
async fn a_writer_in_another_time_zone_and_a_transaction_older_than_the_overlap_lose_nothing() {
    let database = quiet_database("CREATE TABLE t (id int PRIMARY KEY, at timestamp NOT NULL DEFAULT now())").await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at", "overlap": "0s"})), "t").await;
    let writer = database.connect().await;
    writer
        .batch_execute("SET TimeZone = 'America/Los_Angeles'")
        .await
        .unwrap();
    let late = database.connect().await;
    late.batch_execute("SET TimeZone = 'America/Los_Angeles'; BEGIN; SELECT now()")
        .await
        .unwrap();
    writer.batch_execute("INSERT INTO t VALUES (1)").await.unwrap();
    assert_eq!(reading.run().await.numbers("id"), [1]);
    late.batch_execute("INSERT INTO t VALUES (2)").await.unwrap();
    writer.batch_execute("INSERT INTO t VALUES (3)").await.unwrap();
    assert_eq!(reading.run().await.numbers("id"), [3]);
    late.batch_execute("COMMIT").await.unwrap();
    assert_eq!(reading.run().await.numbers("id"), [2]);
}

#[tokio::test]
async fn local_times_of_the_hour_that_comes_twice_are_found_by_an_overlap_of_more_than_an_hour() {
    let database = database(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamp NOT NULL); INSERT INTO t VALUES (1, '2025-11-02 01:59:00')",
    )
    .await;
    let reading = async |overlap: &str| {
        let mut reading = Reading::new(database.spec(json!({"cursor": "at", "overlap": overlap})), "t").await;
        assert_eq!(reading.run().await.numbers("id"), [1]);
        reading
    };
    let (mut usual, mut longer) = (reading("10m").await, reading("70m").await);
    // In New York, an hour and six minutes later.
    database
        .execute("INSERT INTO t VALUES (2, '2025-11-02 01:05:00')")
        .await;
    assert_eq!(usual.run().await.count(), 0, "as the documentation says");
    assert_eq!(longer.run().await.numbers("id"), [2]);
    database
        .execute("INSERT INTO t VALUES (3, '2025-11-02 02:00:00')")
        .await;
    assert_eq!(longer.run().await.numbers("id"), [3]);
}

#[tokio::test]
async fn a_clock_that_jumps_back_five_minutes_hides_nothing() {
    let database = database(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now()); INSERT INTO t VALUES (1, now()), (2, now() + interval '5 minutes')",
    )
    .await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "t").await;
    assert_eq!(reading.run().await.count(), 2);
    for (id, minutes) in [(3, 4), (4, -1), (5, 0), (6, -5)] {
        database
            .execute(&format!(
                "INSERT INTO t VALUES ({id}, now() + interval '{minutes} minutes')"
            ))
            .await;
        assert_eq!(reading.run().await.numbers("id"), [id], "{minutes} minutes");
    }
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_numeric_cursor_that_is_no_number_does_not_stop_the_others() {
    let database = quiet_database(
        "CREATE TABLE t (id int PRIMARY KEY, c numeric NOT NULL); CREATE VIEW v AS SELECT * FROM t; \
         INSERT INTO t VALUES (1, -5), (2, 10.50), (3, 'NaN'), (4, 'Infinity'), (5, '-Infinity')",
    )
    .await;
    for table in ["t", "v"] {
        let mut reading = Reading::new(database.spec(json!({"cursor": "c"})), table).await;
        assert_eq!(reading.run().await.count(), 5, "{table}");
        let cursor = reading.state.as_ref().unwrap().cursor.clone();
        assert_eq!(cursor, Some(CursorValue::Decimal("10.50".to_owned())), "{table}");
        assert_eq!(reading.run().await.count(), 0, "{table}");
        database
            .execute("INSERT INTO t SELECT max(id) + 1, 11 FROM t; INSERT INTO t SELECT max(id) + 1, 'NaN' FROM t")
            .await;
        assert_eq!(reading.run().await.count(), 2, "{table}");
        assert_eq!(reading.run().await.count(), 0, "{table}");
        database.execute("DELETE FROM t WHERE id > 5").await;
    }
}

#[tokio::test]
async fn a_row_that_looks_like_a_delivered_one_is_delivered() {
    let database = quiet_database(
        "CREATE TABLE base (id int PRIMARY KEY, v text, at timestamptz NOT NULL DEFAULT now()); CREATE VIEW shown AS SELECT * FROM base; \
         INSERT INTO base VALUES (1, 'click', now() - interval '1 minute')",
    )
    .await;
    for table in ["base", "shown"] {
        let options = json!({table: {"exclude_columns": ["id", "at"], "primary_key": ["id"], "settle": "0s"}});
        // A transaction that is open all the time makes rows of tables be seen again.
        let open = database.connect().await;
        open.batch_execute("BEGIN; SELECT txid_current()").await.unwrap();
        let first = database.number("SELECT max(id)::int8 + 1 FROM base").await;
        database
            .execute(&format!("INSERT INTO base VALUES ({first}, 'click')"))
            .await;
        let spec = database.spec(json!({"cursor": "at", "table_options": options}));
        let mut reading = Reading::new(spec, table).await;
        reading.run().await;
        // What was a click is none any more, and another row is one: without its key it looks the same.
        database
            .execute(&format!(
                "UPDATE base SET v = 'view', at = now() WHERE id = {first}; INSERT INTO base VALUES ({first} + 1, 'click')"
            ))
            .await;
        assert_eq!(reading.run().await.sorted("v"), ["click", "view"], "{table}");
        open.batch_execute("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn half_a_million_rows_with_one_cursor_keep_the_state_small_and_are_sent_once() {
    let database = quiet_database(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL); CREATE INDEX ON t (at, id); CREATE VIEW v AS SELECT * FROM t; \
         INSERT INTO t SELECT n, now() - interval '1 minute' FROM generate_series(1, 500000) n",
    )
    .await;
    for table in ["t", "v"] {
        let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), table).await;
        assert_eq!(reading.run().await.count(), 500_000);
        let size = reading.state.as_ref().unwrap().to_document().unwrap().len();
        assert!(size < TableState::MAX_BYTES, "{table}: {size} bytes");
    }
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "t").await;
    reading.run().await;
    database.execute("INSERT INTO t SELECT 600000, at FROM t LIMIT 1").await;
    assert_eq!(reading.run().await.numbers("id"), [600_000]);
}
