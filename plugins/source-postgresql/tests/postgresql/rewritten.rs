//! Tables that are rewritten, truncated or replaced while a run is at work: their rows are in another file then, where an older snapshot sees none.

use longshore_sdk::prelude::*;
use serde_json::json;

use crate::support::{Database, Reading, database, texts};

const ROWS: &str = "\
CREATE TABLE t (id int PRIMARY KEY, n int4, pad text, at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON t (at, id); \
INSERT INTO t SELECT n, n, repeat('x', 300) FROM generate_series(1, 20000) n";

fn selection(resume: Option<TablePlan>) -> Vec<TableSelection> {
    vec![TableSelection {
        name: "t".to_owned(),
        resume,
        ..TableSelection::default()
    }]
}

/// Somebody of the server's waits for a lock.
const WAITING: &str =
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// Runs a table while a transaction that rewrites it commits between the run's snapshot and its first look at the table.
async fn run_beside(database: &Database, reading: &mut Reading, rewrite: &str) -> usize {
    let other = database.connect().await;
    other.batch_execute(&format!("BEGIN; {rewrite}")).await.unwrap();
    let (rows, ()) = tokio::join!(reading.run(), async {
        database.until(WAITING).await;
        other.batch_execute("COMMIT").await.unwrap();
    });
    rows.count()
}

#[tokio::test]
async fn a_table_that_is_rewritten_while_its_run_is_opened_is_read_whole() {
    for (spec, table) in [
        (json!({}), "t"),
        (json!({"cursor": "at"}), "t"),
        (json!({"cursor": "at", "settle": "0s"}), "v"),
    ] {
        let database = database(&format!("{ROWS}; CREATE VIEW v AS SELECT id, at FROM t")).await;
        let mut reading = Reading::new(database.spec(spec.clone()), table).await;
        let rewrite = "ALTER TABLE t ALTER COLUMN n TYPE int8";
        assert_eq!(
            run_beside(&database, &mut reading, rewrite).await,
            20_000,
            "{table} {spec}"
        );
        let spec = database.spec(spec);
        let mut full = Reading::new(spec.clone(), table).await;
        let replace =
            "CREATE TEMP TABLE kept AS SELECT * FROM t; TRUNCATE t; INSERT INTO t SELECT * FROM kept WHERE id <= 5000";
        assert_eq!(run_beside(&database, &mut full, replace).await, 5_000, "{table} {spec}");
    }
}

#[tokio::test]
async fn an_open_run_keeps_its_tables_from_being_rewritten_until_it_is_closed() {
    for spec in [
        json!({}),
        json!({"cursor": "at"}),
        json!({"cursor": "at", "partition_megabytes": 1}),
    ] {
        let database = database(ROWS).await;
        let source = Reading::new(database.spec(spec.clone()), "t").await.source;
        let plan = source.open_run("run", 1, selection(None)).await.unwrap().remove(0);
        for rewrite in ["VACUUM FULL t", "TRUNCATE t"] {
            let session = database.connect().await;
            session.batch_execute("SET lock_timeout = '100ms'").await.unwrap();
            let refused = session.batch_execute(rewrite).await.unwrap_err();
            assert_eq!(
                refused.code().map(|code| code.code()),
                Some("55P03"),
                "{rewrite} {spec}"
            );
        }
        let mut rows = 0;
        for partition in &plan.partitions {
            rows += source
                .read("run", "t", partition, None)
                .await
                .unwrap()
                .rows()
                .num_rows();
        }
        assert_eq!(rows, 20_000);
        source.close_run("run").await.unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(30), database.execute("VACUUM FULL t"))
            .await
            .expect("a closed run holds nothing");
    }
}

#[tokio::test]
async fn a_first_read_of_pages_that_is_interrupted_and_rewritten_finds_every_row() {
    for between in [
        "SELECT 1",
        "UPDATE t SET pad = 'moved' WHERE id > 19000",
        "VACUUM FULL t",
        "CLUSTER t USING t_pkey",
    ] {
        let database = database(&format!(
            "{}; DELETE FROM t WHERE id <= 3000",
            ROWS.replace("CREATE INDEX ON t (at, id);", "")
        ))
        .await;
        database.execute("VACUUM t").await;
        let spec = database.spec(json!({"partition_megabytes": 1, "cursor": "at"}));
        let source = Reading::new(spec.clone(), "t").await.source;
        let plan = source.open_run("run", 1, selection(None)).await.unwrap().remove(0);
        let (done, rest) = plan.partitions.split_at(2);
        let (mut delivered, mut fingerprints) = (Vec::new(), Vec::new());
        for partition in done {
            let outcome = source.read("run", "t", partition, None).await.unwrap();
            delivered.extend(texts(&outcome.rows(), "id"));
            fingerprints.extend(outcome.marks);
        }
        drop(source);
        database.execute(between).await;
        database.execute("INSERT INTO t VALUES (90000, 0, 'after')").await;
        let source = Reading::new(spec.clone(), "t").await.source;
        let again = source
            .open_run("run", 2, selection(Some(plan.clone())))
            .await
            .unwrap()
            .remove(0);
        assert_eq!(again.completed_state, plan.completed_state);
        for partition in rest {
            let outcome = source.read("run", "t", partition, None).await.unwrap();
            delivered.extend(texts(&outcome.rows(), "id"));
            fingerprints.extend(outcome.marks);
        }
        source.close_run("run").await.unwrap();
        let mut ids: Vec<i64> = delivered.iter().map(|id| id.parse().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids, (3_001..=20_000).collect::<Vec<i64>>(), "{between}");
        let delivered: Vec<_> = fingerprints.iter().map(|mark| &mark.checkpoint.fingerprints).collect();
        let mut next = Reading::new(spec, "t").await;
        next.state = Some(plan.completed_state.unwrap().promoted(delivered));
        assert!(next.run().await.numbers("id").contains(&90_000), "{between}");
    }
}
