//! Runs that are interrupted and go on: in another snapshot, from their last checkpoint, without losing a row.

use std::collections::BTreeSet;

use longshore_sdk::{harness::SourceHarness, prelude::*};
use longshore_source_postgresql::PostgreSql;
use serde_json::{Value, json};

use crate::support::{Database, Reading, database, quiet_database, texts};

const WIDE: &str = "repeat('x', 100)";

/// Reads a run's only partition, forgets what came after the checkpoint number `kept`, and goes on in a new process after `between`.
/// Answers all that was delivered, and the state that the run ends with.
async fn interrupted(database: &Database, spec: &Value, kept: usize, between: &str) -> (Vec<String>, TableState) {
    let source = SourceHarness::configure::<PostgreSql>(spec.clone()).await.unwrap();
    let selection = TableSelection {
        name: "t".to_owned(),
        ..TableSelection::default()
    };
    let plan = source.open_run("run", 1, vec![selection]).await.unwrap().remove(0);
    let [partition] = &plan.partitions[..] else {
        panic!("{:?}", plan.partitions)
    };
    let first = source.read("run", "t", partition, None).await.unwrap();
    assert!(first.marks.len() > kept + 2, "{} checkpoints", first.marks.len());
    let mark = &first.marks[kept];
    let mut delivered = texts(&first.rows().slice(0, mark.rows), "id");
    drop(source);

    database.execute(between).await;
    let source = SourceHarness::configure::<PostgreSql>(spec.clone()).await.unwrap();
    let selection = TableSelection {
        name: "t".to_owned(),
        resume: Some(plan.clone()),
        ..TableSelection::default()
    };
    let again = source.open_run("run", 2, vec![selection]).await.unwrap().remove(0);
    assert_eq!(
        (&again.partitions, &again.completed_state),
        (&plan.partitions, &plan.completed_state),
        "the first attempt's view counts"
    );
    let second = source
        .read("run", "t", partition, Some(&mark.checkpoint.position))
        .await
        .unwrap();
    delivered.extend(texts(&second.rows(), "id"));
    source.close_run("run").await.unwrap();
    let fingerprints: Vec<_> = first.marks[..=kept]
        .iter()
        .chain(&second.marks)
        .map(|mark| &mark.checkpoint.fingerprints)
        .collect();
    (delivered, plan.completed_state.unwrap().promoted(fingerprints))
}

fn ids(texts: &[String]) -> BTreeSet<i64> {
    texts.iter().map(|id| id.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_run_goes_on_behind_its_last_checkpoint_inside_a_group_of_equal_cursors() {
    let database = database(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, pad text, at timestamptz NOT NULL); CREATE INDEX ON t (at, id); \
         INSERT INTO t SELECT n, {WIDE}, now() - interval '1 hour' FROM generate_series(1, 60000) n"
    ))
    .await;
    let spec = database.spec(json!({"cursor": "at"}));
    let (delivered, _) = interrupted(&database, &spec, 2, "SELECT 1").await;
    assert_eq!(
        delivered.len(),
        60_000,
        "with a key, a run goes on exactly where it was"
    );
    assert_eq!(ids(&delivered), (1..=60_000).collect());
}

#[tokio::test]
async fn a_row_that_commits_behind_the_checkpoint_is_delivered_by_the_next_run() {
    let database = quiet_database(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, pad text, at timestamptz NOT NULL DEFAULT now()); \
         INSERT INTO t SELECT n, {WIDE}, now() - interval '5 minutes' + n * interval '1 millisecond' FROM generate_series(1, 60000) n"
    ))
    .await;
    let spec = database.spec(json!({"cursor": "at"}));
    let between = "INSERT INTO t SELECT 90001, 'behind', at FROM t WHERE id = 5; UPDATE t SET pad = 'ahead' WHERE id = 59000; INSERT INTO t VALUES (90002, 'newest')";
    let (delivered, state) = interrupted(&database, &spec, 1, between).await;
    assert_eq!(
        ids(&delivered),
        (1..=60_000).collect(),
        "the run's own rows, and no newer ones"
    );
    let mut next = Reading::new(spec, "t").await;
    next.state = Some(state);
    let rows = next.run().await;
    assert!(ids(&texts(&rows.batch, "id")).is_superset(&[90_001, 90_002].into()));
    assert!(rows.count() <= 3, "{} rows", rows.count());
    assert_eq!(next.run().await.count(), 0);
}

#[tokio::test]
async fn without_a_key_checkpoints_lie_between_groups_of_equal_cursors() {
    let database = database(&format!(
        "CREATE TABLE t (id int, pad text, at timestamptz); \
         INSERT INTO t SELECT n, {WIDE}, now() - interval '1 hour' + (n / 7000) * interval '1 second' FROM generate_series(1, 60000) n"
    ))
    .await;
    let spec = database.spec(json!({"cursor": "at"}));
    let (delivered, _) = interrupted(&database, &spec, 2, "SELECT 1").await;
    assert_eq!(delivered.len(), 60_000);
    assert_eq!(ids(&delivered), (1..=60_000).collect());
}

#[tokio::test]
async fn keys_of_any_type_and_with_nulls_hold_a_position() {
    let cases = [
        (
            "CREATE TABLE t (id int, k text, f float8, at int8, pad text, PRIMARY KEY (k, f, at))",
            "'it''s \\' || n, n / 3.0, 7",
        ),
        (
            "CREATE TABLE base (id int, k text, f float8, at int8, pad text); CREATE VIEW t AS SELECT * FROM base",
            "CASE WHEN n % 3 = 0 THEN NULL ELSE 'k' || n / 2 END, 1, 7",
        ),
        (
            "CREATE TABLE t (id int, k inet, f char(5), at numeric, pad text, PRIMARY KEY (k, f))",
            "'10.0.0.0'::inet + n, 'a ' , CASE WHEN n % 2 = 0 THEN 1.0 ELSE 1.00 END",
        ),
    ];
    for (table, values) in cases {
        let relation = if table.contains("base") { "base" } else { "t" };
        let database = database(&format!(
            "{table}; INSERT INTO {relation} SELECT n, {values}, {WIDE} FROM generate_series(1, 40000) n"
        ))
        .await;
        let options = if relation == "base" {
            json!({"primary_key": ["k", "id"]})
        } else {
            json!({})
        };
        let spec = database.spec(json!({"cursor": "at", "table_options": {"t": options}}));
        let (delivered, _) = interrupted(&database, &spec, 1, "SELECT 1").await;
        assert_eq!(delivered.len(), 40_000, "{table}");
        assert_eq!(ids(&delivered), (1..=40_000).collect(), "{table}");
    }
}

#[tokio::test]
async fn rows_that_move_while_a_full_read_is_interrupted_are_found() {
    for rewrite in ["SELECT 1", "VACUUM FULL t"] {
        let database = database(&format!(
            "CREATE TABLE t (id int, pad text); INSERT INTO t SELECT n, {WIDE} FROM generate_series(1, 30000) n; DELETE FROM t WHERE id <= 5000"
        ))
        .await;
        database.execute("VACUUM t").await;
        let spec = database.spec(json!({"partition_megabytes": 1}));
        let source = SourceHarness::configure::<PostgreSql>(spec.clone()).await.unwrap();
        let select = |resume| {
            vec![TableSelection {
                name: "t".to_owned(),
                resume,
                ..TableSelection::default()
            }]
        };
        let plan = source.open_run("run", 1, select(None)).await.unwrap().remove(0);
        let (done, rest) = plan.partitions.split_at(2);
        let mut delivered = Vec::new();
        for partition in done {
            delivered.extend(texts(
                &source.read("run", "t", partition, None).await.unwrap().rows(),
                "id",
            ));
        }
        drop(source);
        // The last rows move to the free space at the beginning, which was read before.
        database.execute("UPDATE t SET pad = 'moved' WHERE id > 29000").await;
        database.execute(rewrite).await;
        let source = SourceHarness::configure::<PostgreSql>(spec).await.unwrap();
        source.open_run("run", 2, select(Some(plan.clone()))).await.unwrap();
        for partition in rest {
            delivered.extend(texts(
                &source.read("run", "t", partition, None).await.unwrap().rows(),
                "id",
            ));
        }
        assert_eq!(ids(&delivered), (5_001..=30_000).collect(), "{rewrite}");
    }
}

#[tokio::test]
async fn a_first_run_that_begins_now_and_is_interrupted_leaves_what_came_since_to_the_next_run() {
    let database = database(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now()); CREATE VIEW v AS SELECT * FROM t; \
         INSERT INTO t SELECT n, now() - n * interval '1 second' FROM generate_series(1, 100) n",
    )
    .await;
    let options = json!({"t": {"start_from": "now"}, "v": {"start_from": "now"}});
    let spec = database.spec(json!({"cursor": "at", "settle": "0s", "table_options": options}));
    for (table, late) in [("t", 900), ("v", 901)] {
        let select = |resume| {
            vec![TableSelection {
                name: table.to_owned(),
                resume,
                ..TableSelection::default()
            }]
        };
        let source = SourceHarness::configure::<PostgreSql>(spec.clone()).await.unwrap();
        let plan = source.open_run("run", 1, select(None)).await.unwrap().remove(0);
        drop(source);
        // Nothing was read, and it lies where the run would look for what is there already.
        database
            .execute(&format!("INSERT INTO t VALUES ({late}, now() - interval '30 seconds')"))
            .await;
        let source = SourceHarness::configure::<PostgreSql>(spec.clone()).await.unwrap();
        let plan = source.open_run("run", 2, select(Some(plan))).await.unwrap().remove(0);
        let mut marks = Vec::new();
        for partition in &plan.partitions {
            let outcome = source.read("run", table, partition, None).await.unwrap();
            assert_eq!(outcome.rows().num_rows(), 0, "{table}");
            marks.extend(outcome.marks);
        }
        source.close_run("run").await.unwrap();
        let remembered = marks.iter().map(|mark| &mark.checkpoint.fingerprints);
        let mut next = Reading::new(spec.clone(), table).await;
        next.state = Some(plan.completed_state.unwrap().promoted(remembered));
        assert_eq!(next.run().await.numbers("id"), [late], "{table}");
        assert_eq!(next.run().await.count(), 0, "{table}");
    }
}

#[tokio::test]
async fn a_snapshot_that_is_gone_is_an_error_that_a_new_attempt_cures() {
    let database = database("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let source = SourceHarness::configure::<PostgreSql>(database.spec(json!({})))
        .await
        .unwrap();
    let select = |resume| {
        vec![TableSelection {
            name: "t".to_owned(),
            resume,
            ..TableSelection::default()
        }]
    };
    let plan = source.open_run("run", 1, select(None)).await.unwrap().remove(0);
    let ended = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'longshore'";
    assert_eq!(database.number(ended).await, 1);
    let error = source.read("run", "t", &plan.partitions[0], None).await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.retryable, error.scope),
        ("snapshot_gone", true, Scope::Run)
    );
    source.open_run("run", 2, select(Some(plan.clone()))).await.unwrap();
    assert_eq!(
        source
            .read("run", "t", &plan.partitions[0], None)
            .await
            .unwrap()
            .counts
            .read,
        1
    );
    source.close_run("run").await.unwrap();
    let error = source.read("run", "t", &plan.partitions[0], None).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), ("run_not_open", true));
}

#[tokio::test]
async fn nobody_reading_any_more_ends_the_servers_statement() {
    let database = database("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 10)").await;
    let spec = database.spec(json!({"table_options": {"t": {"where": "pg_sleep(60) IS NOT NULL"}}}));
    let source = SourceHarness::configure::<PostgreSql>(spec).await.unwrap();
    let plan = source
        .open_run(
            "run",
            1,
            vec![TableSelection {
                name: "t".to_owned(),
                ..TableSelection::default()
            }],
        )
        .await
        .unwrap()
        .remove(0);
    let copying = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY%'";
    let wait_for = async |wanted: i64| {
        tokio::time::timeout(std::time::Duration::from_secs(20), async {
            while database.number(copying).await != wanted {
                tokio::task::yield_now().await;
            }
        })
        .await
    };
    {
        let read = source.read("run", "t", &plan.partitions[0], None);
        tokio::select! {
            outcome = read => panic!("the read ended: {outcome:?}"),
            started = wait_for(1) => started.expect("the statement starts"),
        }
    }
    wait_for(0).await.expect("the server's statement ends with its reader");
}

#[tokio::test]
async fn closing_a_run_releases_its_snapshot() {
    let database = database("CREATE TABLE t (id int)").await;
    let source = SourceHarness::configure::<PostgreSql>(database.spec(json!({})))
        .await
        .unwrap();
    let open =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'longshore'";
    source
        .open_run(
            "run",
            1,
            vec![TableSelection {
                name: "t".to_owned(),
                ..TableSelection::default()
            }],
        )
        .await
        .unwrap();
    assert_eq!(database.number(open).await, 1);
    source.close_run("run").await.unwrap();
    let released = async {
        while database.number(open).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), released)
        .await
        .expect("the connection ends");
    source.close_run("never opened").await.unwrap();
}

#[tokio::test]
async fn an_update_while_a_run_is_reading_is_delivered_by_the_next_run() {
    let database = quiet_database(
        "CREATE TABLE t (id int PRIMARY KEY, pad text, at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON t (at, id); \
         INSERT INTO t SELECT n, 'first', now() - interval '1 minute' + n * interval '1 millisecond' FROM generate_series(1, 1000) n",
    )
    .await;
    let spec = database.spec(json!({"cursor": "at"}));
    let source = SourceHarness::configure::<PostgreSql>(spec.clone()).await.unwrap();
    let selection = TableSelection {
        name: "t".to_owned(),
        ..TableSelection::default()
    };
    let plan = source.open_run("run", 1, vec![selection]).await.unwrap().remove(0);
    // One row moves later in the order, one is gone, one comes: the run sees none of it.
    database
        .execute("UPDATE t SET pad = 'last', at = now() WHERE id = 3; DELETE FROM t WHERE id = 4; INSERT INTO t VALUES (2000, 'new')")
        .await;
    let outcome = source.read("run", "t", &plan.partitions[0], None).await.unwrap();
    assert_eq!(ids(&texts(&outcome.rows(), "id")), (1..=1000).collect());
    source.close_run("run").await.unwrap();
    let delivered: Vec<_> = outcome.marks.iter().map(|mark| &mark.checkpoint.fingerprints).collect();
    let mut next = Reading::new(spec, "t").await;
    next.state = Some(plan.completed_state.unwrap().promoted(delivered));
    let rows = next.run().await;
    assert_eq!(
        (rows.sorted("id"), rows.sorted("pad")),
        (
            vec!["2000".to_owned(), "3".to_owned()],
            vec!["last".to_owned(), "new".to_owned()]
        )
    );
}
