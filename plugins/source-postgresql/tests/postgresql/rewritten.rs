//! Tables that are rewritten, truncated or replaced while a run is at work: their rows are in another file then, where an older snapshot sees none.

use longshore_sdk::prelude::*;
use serde_json::json;

use crate::support::{Database, Reading, database, quiet_database, texts};

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
    // More than fits where rows were deleted: most of them come behind the last page.
    const INSERT: &str =
        "INSERT INTO t SELECT n, n, repeat('x', 300), (SELECT min(at) FROM t) FROM generate_series(20001, 28000) n";
    for (between, last, is_rewritten) in [
        ("SELECT 1", 20_000, false),
        ("UPDATE t SET pad = 'moved' WHERE id > 19000", 20_000, false),
        (INSERT, 28_000, false),
        ("VACUUM FULL t", 20_000, true),
        ("CLUSTER t USING t_pkey", 20_000, true),
    ] {
        // Without other tests' transactions, it is known of each row whether it was written since.
        let database = quiet_database(&format!(
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
        let before = numbers(&delivered);
        database.execute(between).await;
        database.execute("INSERT INTO t VALUES (90000, 0, 'after')").await;
        let source = Reading::new(spec.clone(), "t").await.source;
        let again = source
            .open_run("run", 2, selection(Some(plan.clone())))
            .await
            .unwrap()
            .remove(0);
        assert_eq!(again.completed_state, plan.completed_state);
        assert!(
            again.warnings.iter().any(|warning| warning.contains("delivered again")),
            "{between}: {:?}",
            again.warnings
        );
        for partition in rest {
            let outcome = source.read("run", "t", partition, None).await.unwrap();
            delivered.extend(texts(&outcome.rows(), "id"));
            fingerprints.extend(outcome.marks);
        }
        source.close_run("run").await.unwrap();
        let mut expected: Vec<i64> = (3_001..=last).collect();
        if is_rewritten {
            expected.extend(before);
            expected.sort_unstable();
        }
        assert_eq!(numbers(&delivered), expected, "{between}");
        let delivered: Vec<_> = fingerprints.iter().map(|mark| &mark.checkpoint.fingerprints).collect();
        let mut next = Reading::new(spec, "t").await;
        next.state = Some(plan.completed_state.unwrap().promoted(delivered));
        assert_eq!(next.run().await.numbers("id"), [90_000], "{between}");
    }
}

/// As numbers, sorted.
fn numbers(ids: &[String]) -> Vec<i64> {
    let mut ids: Vec<i64> = ids.iter().map(|id| id.parse().unwrap()).collect();
    ids.sort_unstable();
    ids
}

/// Reads a run's partitions, these ones before it is interrupted and all others after `between`. Answers what was delivered before, and in all.
async fn interrupted(database: &Database, before: &[&str], between: &[&str]) -> (Vec<i64>, Vec<i64>) {
    let spec = database.spec(json!({"partition_megabytes": 1}));
    let source = Reading::new(spec.clone(), "t").await.source;
    let plan = source.open_run("run", 1, selection(None)).await.unwrap().remove(0);
    let (done, rest): (Vec<_>, Vec<_>) = plan
        .partitions
        .iter()
        .partition(|partition| before.contains(&partition.id.as_str()));
    assert_eq!(done.len(), before.len(), "{:?}", plan.partitions);
    let mut delivered = Vec::new();
    for partition in done {
        let outcome = source.read("run", "t", partition, None).await.unwrap();
        delivered.extend(texts(&outcome.rows(), "id"));
    }
    drop(source);
    let delivered_before = numbers(&delivered);
    for statement in between {
        database.execute(statement).await;
    }
    let source = Reading::new(spec, "t").await.source;
    source.open_run("run", 2, selection(Some(plan.clone()))).await.unwrap();
    for partition in rest {
        let outcome = source.read("run", "t", partition, None).await.unwrap();
        delivered.extend(texts(&outcome.rows(), "id"));
    }
    source.close_run("run").await.unwrap();
    (delivered_before, numbers(&delivered))
}

#[tokio::test]
async fn leaves_that_are_dropped_renamed_and_made_while_a_read_is_interrupted_do_not_stop_it() {
    let leaf = |number: i32| format!("CREATE TABLE p{number} PARTITION OF t FOR VALUES IN ({number})");
    let leaves: Vec<String> = (1..=5).map(leaf).collect();
    let script = format!(
        "CREATE TABLE t (id int, leaf int) PARTITION BY LIST (leaf); {}; INSERT INTO t SELECT n, 1 + n % 5 FROM generate_series(1, 50) n",
        leaves.join("; ")
    );
    // The first piece that is read then is of a leaf that is there, or of one that is gone.
    for before in ["leaf-0-pages-0", "leaf-4-pages-0"] {
        let database = quiet_database(&script).await;
        let made = leaf(6);
        let between = [
            "DROP TABLE p1; ALTER TABLE p3 RENAME TO q3",
            made.as_str(),
            "INSERT INTO t VALUES (100, 6), (101, 2)",
        ];
        let dropped = if before == "leaf-0-pages-0" { vec![] } else { vec![1] };
        let (_, delivered) = interrupted(&database, &[before], &between).await;
        let mut expected: Vec<i64> = (1..=50).filter(|id| !dropped.contains(&(1 + id % 5))).collect();
        expected.extend([100, 101]);
        assert_eq!(delivered, expected, "{before}");
    }
}

#[tokio::test]
async fn a_leaf_that_is_rewritten_while_a_read_is_interrupted_is_found_by_whichever_piece_goes_on() {
    let database = quiet_database(
        "CREATE TABLE t (id int, leaf int, pad text) PARTITION BY LIST (leaf); \
         CREATE TABLE p1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF t FOR VALUES IN (2); \
         INSERT INTO t SELECT n, 1, '' FROM generate_series(1, 10) n; INSERT INTO t SELECT n, 2, repeat('x', 300) FROM generate_series(1001, 13000) n; \
         DELETE FROM t WHERE id BETWEEN 1001 AND 5000",
    )
    .await;
    database.execute("VACUUM p2").await;
    // The first pages of that leaf are done; its last rows move there. The piece that goes on first is of the other one.
    let (before, delivered) = interrupted(&database, &["leaf-1-pages-0"], &["VACUUM FULL p2"]).await;
    assert_eq!(before, Vec::<i64>::new());
    assert_eq!(delivered, (1..=10).chain(5_001..=13_000).collect::<Vec<i64>>());
}
