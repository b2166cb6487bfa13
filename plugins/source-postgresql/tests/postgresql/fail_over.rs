//! Servers that are not the one of the last run: promoted, restored, restarted with other transaction numbers, or another altogether.

use std::sync::Arc;

use longshore_sdk::prelude::*;
use serde_json::{Value, json};

use crate::support::{Cluster, Database, Reading};

const EVENTS: &str = "\
CREATE TABLE events (id int8 PRIMARY KEY, note text, updated_at timestamptz NOT NULL); CREATE INDEX ON events (updated_at, id); \
INSERT INTO events SELECT n, 'first', '2026-01-01 00:00:00+00'::timestamptz + n * interval '1 second' FROM generate_series(1, 100) n;";

/// Committed late: its cursor lies behind the newest row, and another one's lies before the usual overlap.
const LATE: &str = "INSERT INTO events SELECT 900, 'late', max(updated_at) - interval '1 minute' FROM events WHERE id <= 100; \
                    INSERT INTO events SELECT 901, 'later still', max(updated_at) - interval '40 minutes' FROM events WHERE id <= 100";

fn incremental(database: &Database) -> Value {
    database.spec(json!({"cursor": "updated_at"}))
}

/// So many transactions that do nothing else.
async fn burn(database: &Database, transactions: u32) {
    for _ in 0..transactions {
        database.client.query_one("SELECT txid_current()", &[]).await.unwrap();
    }
}

/// A state that a run of one server has left, read on at another one that has the rows of `LATE` and fewer transactions.
async fn goes_on_at(state: Option<TableState>, there: &Database, reason: &str) {
    let mut reading = Reading::new(incremental(there), "events").await;
    reading.state = state;
    let warnings = reading.warnings().await;
    assert!(
        warnings.iter().any(|warning| warning.contains(reason)),
        "{reason}: {warnings:?}"
    );
    let rows = reading.run().await;
    let ids = rows.numbers("id");
    assert!(ids.contains(&900) && ids.contains(&901), "{reason}: {ids:?}");
    assert_eq!(reading.run().await.count(), 0, "{reason}");
    assert_eq!(reading.warnings().await, Vec::<String>::new(), "said once");
}

#[tokio::test]
async fn a_promoted_standby_that_has_caught_up_in_numbers_is_noticed_by_its_timeline() {
    let cluster = Cluster::primary();
    let primary = Database::in_cluster(&cluster, EVENTS).await;
    let follower = cluster.standby();
    let standby = primary.at(&follower).await;
    standby.caught_up_with(&primary).await;
    // What the primary did alone is lost with it.
    follower.obey("stop");
    burn(&primary, 50).await;
    let mut reading = Reading::new(incremental(&primary), "events").await;
    assert_eq!(reading.run().await.count(), 100);
    cluster.obey("crash");

    follower.obey("start");
    let promoted = primary.at(&follower).await;
    promoted.execute("SELECT pg_promote()").await;
    promoted.until("SELECT NOT pg_is_in_recovery()").await;
    promoted.execute(LATE).await;
    burn(&promoted, 200).await;
    goes_on_at(reading.state, &promoted, "a standby was promoted").await;
}

#[tokio::test]
async fn a_restored_server_is_noticed_by_its_smaller_transaction_numbers() {
    let cluster = Cluster::primary();
    let database = Database::in_cluster(&cluster, EVENTS).await;
    cluster.obey("stop");
    cluster.obey("backup");
    cluster.obey("start");
    let database = database.at(&cluster).await;
    burn(&database, 50).await;
    let mut reading = Reading::new(incremental(&database), "events").await;
    assert_eq!(reading.run().await.count(), 100);
    cluster.obey("stop");
    cluster.obey("restore");
    cluster.obey("start");
    let restored = database.at(&cluster).await;
    restored.execute(LATE).await;
    goes_on_at(reading.state, &restored, "transaction numbers went back").await;
}

#[tokio::test]
async fn another_cluster_with_the_same_tables_is_noticed() {
    let cluster = Cluster::primary();
    let database = Database::in_cluster(&cluster, EVENTS).await;
    burn(&database, 50).await;
    let mut reading = Reading::new(incremental(&database), "events").await;
    assert_eq!(reading.run().await.count(), 100);
    let other = Database::in_cluster(&Cluster::primary(), EVENTS).await;
    other.execute(LATE).await;
    burn(&other, 200).await;
    goes_on_at(reading.state, &other, "another database cluster").await;
}

/// Makes a cluster's transaction numbers go on from here, wherever they were.
async fn jump(cluster: &Arc<Cluster>, database: &Database, next: u64, oldest: u64) -> Database {
    // What is there must not depend on numbers that then lie in the future.
    for name in ["postgres", "template1", &database.name] {
        let session = cluster.connect(name).await;
        session.batch_execute("VACUUM (FREEZE)").await.unwrap();
    }
    cluster.obey("stop");
    cluster.obey(&format!("set_next_transaction {next} {oldest}"));
    cluster.obey("start");
    database.at(cluster).await
}

#[tokio::test]
async fn a_late_commit_across_the_wraparound_of_transaction_numbers_is_found() {
    const ALL: u64 = 1 << 32;
    let cluster = Cluster::primary();
    let database = Database::in_cluster(&cluster, EVENTS).await;
    let database = jump(&cluster, &database, ALL - 100, ALL - 1_000).await;
    let mut reading = Reading::new(incremental(&database), "events").await;
    assert_eq!(reading.run().await.count(), 100);
    assert_eq!(reading.run().await.count(), 0);
    let late = database.connect().await;
    late.batch_execute("BEGIN").await.unwrap();
    late.batch_execute(LATE.split(';').next().unwrap()).await.unwrap();
    database
        .execute("INSERT INTO events VALUES (300, 'newer', '2026-01-01 00:03:00+00')")
        .await;
    assert_eq!(reading.run().await.numbers("id"), [300]);
    burn(&database, 200).await;
    let next = database.number("SELECT txid_current()").await;
    assert!(
        u64::try_from(next).unwrap() > ALL,
        "the numbers have wrapped around: {next}"
    );
    database
        .execute("INSERT INTO events VALUES (301, 'after', '2026-01-01 00:03:01+00')")
        .await;
    assert_eq!(reading.run().await.numbers("id"), [301]);
    late.batch_execute("COMMIT").await.unwrap();
    assert_eq!(
        reading.run().await.numbers("id"),
        [900],
        "written before the wraparound"
    );
    burn(&database, 5).await;
    assert_eq!(
        reading.run().await.count(),
        0,
        "rows of both epochs are told from new ones"
    );
}

#[tokio::test]
async fn a_read_of_pages_that_goes_on_at_another_server_reads_everything() {
    let cluster = Cluster::primary();
    let script = "CREATE TABLE t (id int, pad text, at timestamptz); INSERT INTO t SELECT n, repeat('x', 300), now() FROM generate_series(1, 20000) n";
    let database = Database::in_cluster(&cluster, script).await;
    let follower = cluster.standby();
    let standby = database.at(&follower).await;
    standby.caught_up_with(&database).await;
    follower.obey("stop");
    burn(&database, 50).await;
    let selection = |resume| TableSelection {
        name: "t".to_owned(),
        resume,
        ..TableSelection::default()
    };
    let mut interrupted = Vec::new();
    for more in [
        json!({"partition_megabytes": 1}),
        json!({"partition_megabytes": 1, "cursor": "at"}),
    ] {
        let source = Reading::new(database.spec(more.clone()), "t").await.source;
        let plan = source
            .open_run("run", 1, vec![selection(None)])
            .await
            .unwrap()
            .remove(0);
        assert!(plan.partitions.len() > 3);
        let first = source.read("run", "t", &plan.partitions[0], None).await.unwrap();
        interrupted.push((more, plan, ids(&first.rows())));
    }
    cluster.obey("crash");

    follower.obey("start");
    let promoted = database.at(&follower).await;
    promoted.execute("SELECT pg_promote()").await;
    promoted.until("SELECT NOT pg_is_in_recovery()").await;
    // From pages that were not read to those that were, with numbers that the first server had used already.
    promoted.execute("DELETE FROM t WHERE id <= 2000").await;
    promoted.execute("VACUUM t").await;
    promoted
        .execute("UPDATE t SET pad = repeat('y', 300) WHERE id > 19900")
        .await;
    for (more, plan, mut delivered) in interrupted {
        let source = Reading::new(promoted.spec(more), "t").await.source;
        source
            .open_run("run", 2, vec![selection(Some(plan.clone()))])
            .await
            .unwrap();
        for partition in &plan.partitions[1..] {
            delivered.extend(ids(&source.read("run", "t", partition, None).await.unwrap().rows()));
        }
        source.close_run("run").await.unwrap();
        delivered.sort_unstable();
        delivered.dedup();
        assert_eq!(delivered, (1..=20_000).collect::<Vec<i64>>());
    }
}

fn ids(batch: &longshore_sdk::arrow::array::RecordBatch) -> Vec<i64> {
    crate::support::texts(batch, "id")
        .iter()
        .map(|id| id.parse().unwrap())
        .collect()
}
