//! Reading from a standby: it is behind, and may end a read that is in the way of what it replays.

use longshore_sdk::prelude::*;
use serde_json::json;

use crate::support::{Cluster, Database, Reading, texts};

const EVENTS: &str = "\
CREATE TABLE events (id int8 PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON events (updated_at, id); \
CREATE VIEW v AS SELECT * FROM events; INSERT INTO events SELECT n FROM generate_series(1, 10) n; INSERT INTO events VALUES (99, 'infinity');";

async fn with_standby(script: &str) -> (Database, Database) {
    let cluster = Cluster::primary();
    let primary = Database::in_cluster(&cluster, script).await;
    let standby = primary.at(&cluster.standby()).await;
    standby.caught_up_with(&primary).await;
    (primary, standby)
}

/// The standby's own clock runs on while its data stands still: a cursor that is held back by the clock alone would pass rows that are yet to come.
#[tokio::test]
async fn a_standby_that_is_behind_does_not_let_the_cursor_pass_what_it_has_replayed() {
    let (primary, standby) = with_standby(EVENTS).await;
    for table in ["events", "v"] {
        let spec = standby.spec(json!({"cursor": "updated_at", "overlap": "0s", "settle": "0s"}));
        let mut reading = Reading::new(spec, table).await;
        standby.execute("SELECT pg_wal_replay_pause()").await;
        standby.until("SELECT pg_get_wal_replay_pause_state() = 'paused'").await;
        let first = primary.number("SELECT coalesce(max(id), 0) + 100 FROM events").await;
        primary.execute(&format!("INSERT INTO events VALUES ({first})")).await;
        let before = reading.run().await.numbers("id");
        assert!(!before.contains(&first) && before.contains(&99), "{table}: {before:?}");
        standby.execute("SELECT pg_wal_replay_resume()").await;
        standby.caught_up_with(&primary).await;
        assert_eq!(reading.run().await.numbers("id"), [first], "{table}");
        assert_eq!(reading.run().await.count(), 0, "{table}");
    }
}

#[tokio::test]
async fn a_transaction_that_is_open_on_the_primary_is_not_passed_on_the_standby() {
    let (primary, standby) = with_standby(EVENTS).await;
    let mut reading = Reading::new(standby.spec(json!({"cursor": "updated_at"})), "events").await;
    let late = primary.connect().await;
    late.batch_execute("BEGIN; INSERT INTO events VALUES (900); SAVEPOINT s; INSERT INTO events VALUES (901)")
        .await
        .unwrap();
    primary
        .execute("INSERT INTO events VALUES (300, now() + interval '1 millisecond')")
        .await;
    standby.caught_up_with(&primary).await;
    assert_eq!(reading.run().await.count(), 12);
    late.batch_execute("COMMIT").await.unwrap();
    standby.caught_up_with(&primary).await;
    assert_eq!(reading.run().await.sorted("id"), ["900", "901"]);
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn a_read_that_is_cancelled_for_what_is_replayed_is_retried_and_the_run_goes_on() {
    let (primary, standby) = with_standby(
        "CREATE TABLE t (id int PRIMARY KEY, pad text); INSERT INTO t SELECT n, repeat('x', 200) FROM generate_series(1, 1000) n",
    )
    .await;
    let selection = |resume| TableSelection {
        name: "t".to_owned(),
        resume,
        ..TableSelection::default()
    };
    let slow = json!({"table_options": {"t": {"where": "id < 500 OR pg_sleep(60) IS NOT NULL"}}});
    let source = Reading::new(standby.spec(slow), "t").await.source;
    let plan = source
        .open_run("run", 1, vec![selection(None)])
        .await
        .unwrap()
        .remove(0);
    let (outcome, ()) = tokio::join!(source.read("run", "t", &plan.partitions[0], None), async {
        standby
            .until("SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%'")
            .await;
        primary.execute("DELETE FROM t WHERE id > 900").await;
        primary.execute("VACUUM t").await;
    });
    let error = outcome.unwrap_err();
    assert!(error.retryable, "{error}");
    assert_eq!(error.code, "recovery_conflict", "{error}");
    // The session that has the snapshot is cancelled too, maybe a moment later: a read that begins before is cancelled once more.
    let mut again = error;
    for _ in 0..20 {
        again = source.read("run", "t", &plan.partitions[0], None).await.unwrap_err();
        if again.code != "recovery_conflict" {
            break;
        }
    }
    assert_eq!((again.code.as_str(), again.retryable), ("snapshot_gone", true));
    drop(source);

    let source = Reading::new(standby.spec(json!({})), "t").await.source;
    standby.caught_up_with(&primary).await;
    source
        .open_run("run", 2, vec![selection(Some(plan.clone()))])
        .await
        .unwrap();
    let rows = source.read("run", "t", &plan.partitions[0], None).await.unwrap().rows();
    assert_eq!(texts(&rows, "id").len(), 900);
}
