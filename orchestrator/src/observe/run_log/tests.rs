use std::time::{Duration, Instant};

use longshore_state::{Acquisition, Holder, LogLevel, NewRun, RunKind, UnixMicros, sqlite::SqliteStore};
use tracing::{Instrument as _, instrument::WithSubscriber as _};
use tracing_subscriber::{Layer as _, filter::LevelFilter, layer::SubscriberExt as _};

use super::*;
use crate::plugin_host::LOG_TARGET;

const RUN: &str = "01930000-0000-7000-8000-000000000001";
const OTHER_RUN: &str = "01930000-0000-7000-8000-000000000002";

async fn store_with_runs(folder: &tempfile::TempDir) -> Arc<dyn StateStore> {
    let store = SqliteStore::open(&folder.path().join("state.db")).await.unwrap();
    for run_id in [RUN, OTHER_RUN] {
        let holder = Holder::current(run_id.to_owned());
        let acquired = store
            .acquire(run_id, holder.clone(), UnixMicros(0), Duration::from_secs(30))
            .await
            .unwrap();
        let Acquisition::Acquired { hold, .. } = acquired else {
            panic!("held: {acquired:?}");
        };
        let run = NewRun {
            run_id: run_id.to_owned(),
            kind: RunKind::Sync,
            configuration: String::new(),
            again: None,
            holder,
            started_at: UnixMicros(0),
        };
        store.begin_run(&hold, run).await.unwrap();
    }
    Arc::new(store)
}

fn subscriber(logs: &RunLogs) -> impl tracing::Subscriber + Send + Sync + 'static {
    tracing_subscriber::registry().with(logs.layer().with_filter(LevelFilter::from(LEVEL)))
}

async fn messages(store: &Arc<dyn StateStore>, run_id: &str) -> Vec<String> {
    let log = store.read_log(run_id, 0, 10_000).await.unwrap();
    log.lines.into_iter().map(|stored| stored.line.message).collect()
}

#[tokio::test]
async fn each_line_is_kept_with_the_run_within_which_it_was_logged() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with_runs(&folder).await;
    let logs = RunLogs::default();
    let work = async {
        let (one, other) = (logs.begin("one"), logs.begin("other"));
        let (one_span, other_span) = (one.span(), other.span());
        async {
            tracing::info!("before the run is known");
            one.belongs_to(RUN, &store, &Secrets::new()).await;
            // A task that the run starts, within a span of its own.
            let inner = tracing::info_span!("partition");
            let logging = async { tracing::warn!(table = "orders", rows = 3, "slow") };
            tokio::spawn(logging.instrument(inner).with_current_subscriber())
                .await
                .unwrap();
            tracing::info!(target: LOG_TARGET, plugin = "source one (x)", "connected port=1");
            tracing::debug!("finer than is kept");
        }
        .instrument(one_span)
        .await;
        other.belongs_to(OTHER_RUN, &store, &Secrets::new()).await;
        other_span.in_scope(|| tracing::error!("of the other run"));
        tracing::error!("of no run");
        one.end().await;
        other.end().await;
    };
    work.with_subscriber(subscriber(&logs)).await;

    let log = store.read_log(RUN, 0, 10).await.unwrap();
    let lines: Vec<_> = log.lines.into_iter().map(|stored| stored.line).collect();
    let said: Vec<_> = lines
        .iter()
        .map(|line| (line.level, line.plugin.as_deref(), &*line.message))
        .collect();
    assert_eq!(
        said,
        [
            (LogLevel::Info, None, "before the run is known"),
            (LogLevel::Warn, None, "slow table=\"orders\" rows=3"),
            (LogLevel::Info, Some("source one (x)"), "connected port=1"),
        ]
    );
    assert_eq!(messages(&store, OTHER_RUN).await, ["of the other run"]);
}

#[tokio::test]
async fn a_secret_does_not_reach_the_store_even_where_a_long_line_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with_runs(&folder).await;
    let logs = RunLogs::default();
    let secrets = Secrets::new();
    let work = async {
        let log = logs.begin("one");
        log.belongs_to(RUN, &store, &secrets).await;
        let filler = "x".repeat(longshore_state::run_log::MAX_LOG_LINE_BYTES - 10);
        log.span().in_scope(|| {
            tracing::warn!("the password is hunter2hunter2");
            tracing::warn!("{filler}hunter2hunter2");
            tracing::info!(table = "hunter2hunter2", "a name stays");
        });
        // It becomes known after the line was logged, and before it is stored.
        secrets.insert("hunter2hunter2");
        log.end().await;
    };
    work.with_subscriber(subscriber(&logs)).await;
    let stored = messages(&store, RUN).await;
    assert_eq!(stored[0], "the password is ***");
    assert!(!stored[1].contains("hunter"), "{}", stored[1]);
    assert_eq!(stored[2], "a name stays table=\"hunter2hunter2\"");
}

#[tokio::test]
async fn lines_are_stored_while_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with_runs(&folder).await;
    let logs = RunLogs::default();
    let work = async {
        let log = logs.begin("one");
        log.belongs_to(RUN, &store, &Secrets::new()).await;
        log.span().in_scope(|| tracing::info!("so far"));
        let begun = Instant::now();
        while messages(&store, RUN).await.is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(30), "nothing was stored");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        log.end().await;
    };
    work.with_subscriber(subscriber(&logs)).await;
    assert_eq!(messages(&store, RUN).await, ["so far"]);
}

#[tokio::test]
async fn what_a_plugin_prints_without_measure_is_counted_where_it_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with_runs(&folder).await;
    let logs = RunLogs::default();
    let printed = 30_000;
    let work = async {
        let log = logs.begin("one");
        log.span()
            .in_scope(|| (0..printed).for_each(|number| tracing::info!("line {number}")));
        log.belongs_to(RUN, &store, &Secrets::new()).await;
        log.end().await;
    };
    work.with_subscriber(subscriber(&logs)).await;
    let log = store.read_log(RUN, 0, 100_000).await.unwrap();
    assert_eq!(log.lines.len() as u64 + log.left_out + log.lost, printed);
    assert!(log.left_out > 0 && log.lost > 0, "{} {}", log.left_out, log.lost);
}

#[tokio::test]
async fn a_store_that_takes_no_lines_holds_nobody_up_and_the_next_run_logs_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with_runs(&folder).await;
    let logs = RunLogs::default();
    let work = async {
        let refused = logs.begin("one");
        // The store does not know it: every line is refused.
        refused.belongs_to("no such run", &store, &Secrets::new()).await;
        refused.span().in_scope(|| tracing::info!("for nobody"));
        let begun = Instant::now();
        refused.end().await;
        assert!(begun.elapsed() < Duration::from_secs(10));
        let next = logs.begin("one");
        next.belongs_to(RUN, &store, &Secrets::new()).await;
        next.span().in_scope(|| tracing::info!("for somebody"));
        next.end().await;
    };
    work.with_subscriber(subscriber(&logs)).await;
    assert_eq!(messages(&store, RUN).await, ["for somebody"]);
}
