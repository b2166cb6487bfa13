mod documents;

use std::collections::{BTreeMap, BTreeSet};

use longshore_core::{CursorValue, partition::Checkpoint};
use longshore_state::{Acquisition, CursorReplacement, Holder, NewRun, NewTablePlan, RunEnd, sqlite::SqliteStore};

use super::{names::Kind, *};

/// Every series that a scrape shows, by its name and labels as text.
fn series(metrics: &Metrics) -> BTreeMap<String, f64> {
    let text = metrics.scraped();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    });
    parsed.collect()
}

/// Metrics with at least one series each.
fn used() -> Metrics {
    let metrics = Metrics::default();
    let table = metrics.table("shop", "orders", &["batch".to_owned(), "lake".to_owned()]);
    table.committed(&CommitCounts::from(&commit()));
    table.forwarded(4_096);
    table.waited(1, Duration::from_millis(2_500));
    let mut queue = table.queue();
    queue.set(1_000);
    // It stays on its way.
    std::mem::forget(queue);
    let due = UnixMicros(1_000_000);
    drop(metrics.begin("shop", Trigger::Schedule { due }, UnixMicros(3_000_000)));
    metrics.ended(
        "shop",
        RunStatus::Completed,
        Duration::from_secs(2),
        UnixMicros(9_000_000),
    );
    metrics.ended(
        "shop",
        RunStatus::Failed,
        Duration::from_secs(70),
        UnixMicros(10_000_000),
    );
    metrics.retried("shop", Retried::Partition);
    metrics.log_lines_lost("shop", 3);
    metrics.alert("shop", "lag", true);
    metrics.alert_sent("shop", true);
    metrics.cursors().moved_to("shop", "orders", &CursorValue::Date(1));
    metrics
}

fn commit() -> Commit {
    let counts = |delivered, rejected, filtered| DestinationCounts {
        delivered,
        rejected,
        filtered,
    };
    Commit {
        checkpoint: Checkpoint::default(),
        source: SourceCounts {
            read: 10,
            emitted: 7,
            filtered: 2,
            deduplicated: 1,
        },
        forwarded: 7,
        destinations: vec![counts(4, 2, 1), counts(7, 0, 0)],
        end: false,
    }
}

#[test]
fn every_metric_of_the_list_is_scraped_with_its_type_help_and_labels_and_no_other_is() {
    let text = used().scraped();
    let mut described = BTreeSet::new();
    for metric in names::ALL {
        assert!(
            text.contains(&format!("# HELP {} {}.\n", metric.name, metric.help)),
            "{} has no help:\n{text}",
            metric.name
        );
        let kind = metric.kind.as_str();
        assert!(
            text.contains(&format!("# TYPE {} {kind}\n", metric.name)),
            "{} is no {kind}:\n{text}",
            metric.name
        );
        described.insert(metric.name);
        let sample = match metric.kind {
            Kind::Histogram => format!("{}_count", metric.name),
            Kind::Counter | Kind::Gauge => metric.name.to_owned(),
        };
        let mut samples = text
            .lines()
            .filter_map(|line| line.strip_prefix(&sample)?.strip_prefix('{'));
        let labels = samples
            .next()
            .unwrap_or_else(|| panic!("{sample} has no series:\n{text}"));
        let labels = labels.split('}').next().unwrap();
        let labels: BTreeSet<_> = labels
            .split(',')
            .map(|label| label.split('=').next().unwrap())
            .collect();
        assert_eq!(labels, metric.labels.iter().copied().collect(), "{}", metric.name);
    }
    let helps = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
    let scraped: BTreeSet<_> = helps.map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(scraped, described);
}

#[test]
fn a_commit_is_counted_where_it_belongs() {
    let series = series(&used());
    let of = |name: &str| series[name];
    let table = r#"{sync="shop",table="orders"}"#;
    assert_eq!(of(&format!("longshore_rows_read_total{table}")), 10.0);
    assert_eq!(of(&format!("longshore_rows_deduplicated_total{table}")), 1.0);
    assert_eq!(of(&format!("longshore_rows_filtered_by_source_total{table}")), 2.0);
    assert_eq!(of(&format!("longshore_forwarded_bytes_total{table}")), 4_096.0);
    assert_eq!(of(&format!("longshore_queue_bytes{table}")), 1_000.0);
    let at = |destination: &str, what: &str| {
        of(&format!(
            r#"longshore_{what}{{sync="shop",table="orders",destination="{destination}"}}"#
        ))
    };
    assert_eq!(
        (at("batch", "rows_delivered_total"), at("lake", "rows_delivered_total")),
        (4.0, 7.0)
    );
    assert_eq!(at("batch", "rows_rejected_total"), 2.0);
    assert_eq!(at("batch", "rows_filtered_by_destination_total"), 1.0);
    assert_eq!(at("lake", "rate_limit_wait_seconds_total"), 2.5);
}

#[test]
fn runs_are_counted_by_outcome_and_only_success_moves_the_last_success() {
    let series = series(&used());
    assert_eq!(series[r#"longshore_runs_total{sync="shop",outcome="failed"}"#], 1.0);
    assert_eq!(series[r#"longshore_last_success_timestamp_seconds{sync="shop"}"#], 9.0);
    assert_eq!(series[r#"longshore_runs_in_progress{sync="shop"}"#], 0.0);
    assert_eq!(series[r#"longshore_schedule_lateness_seconds_sum{sync="shop"}"#], 2.0);
    let bucket = |le: &str| {
        series[&format!(r#"longshore_run_duration_seconds_bucket{{sync="shop",outcome="failed",le="{le}"}}"#)]
    };
    assert_eq!((bucket("60"), bucket("300")), (0.0, 1.0));
}

#[test]
fn a_queue_gives_back_what_is_in_it_when_its_stream_ends() {
    let metrics = Metrics::default();
    let table = metrics.table("shop", "orders", &[]);
    let (mut one, mut other) = (table.queue(), table.queue());
    one.set(700);
    one.set(500);
    other.set(40);
    assert_eq!(table.queue_bytes.get(), 540);
    drop(one);
    assert_eq!(table.queue_bytes.get(), 40);
}

#[test]
fn names_of_syncs_and_tables_are_escaped() {
    let metrics = Metrics::default();
    metrics.table("shop", "odd\"name\\\n", &[]).forwarded(1);
    assert!(
        metrics.scraped().contains(r#"table="odd\"name\\\n"}"#),
        "{}",
        metrics.scraped()
    );
}

#[tokio::test]
async fn a_table_that_left_its_sync_has_no_lag_any_more() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = SqliteStore::open(&folder.path().join("state.db")).await.unwrap();
    let metrics = Metrics::default();
    for table in ["orders", "people"] {
        let replacement = CursorReplacement {
            sync: "shop".to_owned(),
            table: table.to_owned(),
            from_revision: 0,
            cursor_column: "day".to_owned(),
            cursor: CursorValue::Date(1),
            at: UnixMicros(0),
        };
        store.set_state(replacement).await.unwrap();
    }
    let run = async |run_id: &str, tables: &[&str], again: bool, end: Option<RunStatus>| {
        let holder = Holder::current("test");
        let taken = store.acquire("shop", holder.clone(), UnixMicros(0), Duration::from_secs(1));
        let Acquisition::Acquired { hold, .. } = taken.await.unwrap() else {
            panic!("nobody has it")
        };
        let run = NewRun {
            run_id: run_id.to_owned(),
            kind: RunKind::Sync,
            configuration: "as it was".to_owned(),
            again: again.then(|| serde_json::json!({ "from": "1" })),
            holder,
            // The cursors were set before.
            started_at: UnixMicros(1),
        };
        store.begin_run(&hold, run).await.unwrap();
        let plan = |table: &&str| NewTablePlan {
            table: (*table).to_owned(),
            plan: Vec::new(),
            state_revision: 1,
            partitions: Vec::new(),
        };
        let plans = tables.iter().map(plan).collect();
        store.store_plan(&hold, run_id, plans).await.unwrap();
        if let Some(status) = end {
            for table in tables {
                let promoted = store.promote_table(&hold, run_id, table, None, UnixMicros(1));
                promoted.await.unwrap();
            }
            let end = RunEnd {
                run_id: run_id.to_owned(),
                status,
                ended_at: UnixMicros(1),
                error: None,
                summary: serde_json::json!({}),
            };
            store.finish_run(&hold, end).await.unwrap();
        }
        store.release(&hold).await.unwrap();
    };
    let lagging = async || {
        metrics.know_cursors(&store, "shop").await.unwrap();
        let tables = metrics.cursors().at(UnixMicros(0));
        tables.into_iter().map(|table| table.table).collect::<Vec<_>>()
    };
    let both = ["orders", "people"];
    assert_eq!(lagging().await, both, "nothing is known of its runs");
    run("1", &both, false, Some(RunStatus::Completed)).await;
    run("2", &["orders"], true, Some(RunStatus::Completed)).await;
    assert_eq!(
        lagging().await,
        both,
        "a table was read again, and the other is read as before"
    );
    run("3", &["people"], false, Some(RunStatus::Completed)).await;
    assert_eq!(lagging().await, ["people"]);
    run("4", &both, false, None).await;
    assert_eq!(lagging().await, both, "it is back, although the run has not ended");
}

#[tokio::test]
async fn what_is_told_of_by_an_increase_is_there_before_it() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = SqliteStore::open(&folder.path().join("state.db")).await.unwrap();
    let metrics = Metrics::default();
    metrics
        .know_stored(&store, &BTreeSet::from(["shop".to_owned()]))
        .await
        .unwrap();
    let known = series(&metrics);
    for at_zero in [
        r#"longshore_runs_total{sync="shop",outcome="failed"}"#,
        r#"longshore_runs_total{sync="shop",outcome="completed"}"#,
        r#"longshore_retries_total{sync="shop",scope="run"}"#,
        r#"longshore_log_lines_lost_total{sync="shop"}"#,
        r#"longshore_alert_deliveries_total{sync="shop",outcome="failed"}"#,
    ] {
        assert_eq!(known.get(at_zero), Some(&0.0), "{at_zero} in {known:?}");
    }
}

#[tokio::test]
async fn a_sync_that_is_gone_has_no_last_success_and_begins_anew_when_it_is_back() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("state.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let metrics = Metrics::default();
    let succeeded = |seconds: i64| {
        let at = UnixMicros(seconds * 1_000_000);
        metrics.ended("shop", RunStatus::Completed, Duration::ZERO, at);
    };
    let known = || {
        let series = series(&metrics);
        series
            .get(r#"longshore_last_success_timestamp_seconds{sync="shop"}"#)
            .copied()
    };
    succeeded(9);
    let stays = BTreeSet::from(["shop".to_owned()]);
    metrics.know_stored(&store, &stays).await.unwrap();
    assert_eq!(known(), Some(9.0));
    metrics.know_stored(&store, &BTreeSet::new()).await.unwrap();
    assert_eq!(known(), None);
    succeeded(7);
    assert_eq!(known(), Some(7.0));
}
