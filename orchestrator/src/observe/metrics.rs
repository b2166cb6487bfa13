//! What is counted while runs go on: scraped by Prometheus, pushed over OTLP where that is configured.
//!
//! Counters are fed where checkpoints are committed and batches are acked, never for each row; a series is looked up once for each table of a run. After that,
//! adding is one atomic operation.

mod instrument;
mod lag;
pub mod names;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use longshore_core::{
    balance::{DestinationCounts, SourceCounts},
    partition::Commit,
};
use longshore_state::{RunFilter, RunKind, RunStatus, StateStore, StoredState, Trigger, UnixMicros};
use opentelemetry::metrics::Meter;
use prometheus_client::registry::Registry;

pub use instrument::{Count, Level, Seconds};
use instrument::{Gauges, Histograms, Home, RowCounters, SecondsCounters};
pub use lag::{Before, Cursors, Freshness, moment_of_timestamp};

/// The form in which metrics are scraped.
pub const CONTENT_TYPE: &str = prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

/// The metrics of this process. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Metrics {
    all: Arc<All>,
}

struct All {
    registry: Registry,
    cursors: Cursors,
    rows_read: RowCounters,
    rows_deduplicated: RowCounters,
    rows_filtered_by_source: RowCounters,
    rows_delivered: RowCounters,
    rows_rejected: RowCounters,
    rows_filtered_by_destination: RowCounters,
    bytes_forwarded: RowCounters,
    queue_bytes: Gauges,
    rate_limit_wait: SecondsCounters,
    runs: RowCounters,
    run_duration: Histograms,
    runs_in_progress: Gauges,
    last_success: Gauges,
    /// The syncs of `last_success`; held while one is moved.
    succeeded: Mutex<BTreeSet<String>>,
    retries: RowCounters,
    schedule_lateness: Histograms,
    log_lines_lost: RowCounters,
    alerts_firing: Gauges,
    alerts_sent: RowCounters,
}

/// What is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// The streams of one partition.
    Partition,
    /// The run, with new plugins.
    Run,
}

impl Retried {
    fn scope(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Run => "run",
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(None)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Metrics that are pushed through `meter` as well, where there is one.
    #[must_use]
    pub fn new(meter: Option<Meter>) -> Self {
        let mut registry = Registry::default();
        let cursors = Cursors::default();
        if let Some(meter) = &meter {
            push_lag(meter, &cursors);
        }
        let mut home = Home {
            registry: &mut registry,
            meter,
        };
        let home = &mut home;
        // In the order of the list of names, which is that of the exposition.
        let rows_read = RowCounters::new(home, names::ROWS_READ);
        let rows_deduplicated = RowCounters::new(home, names::ROWS_DEDUPLICATED);
        let rows_filtered_by_source = RowCounters::new(home, names::ROWS_FILTERED_BY_SOURCE);
        let rows_delivered = RowCounters::new(home, names::ROWS_DELIVERED);
        let rows_rejected = RowCounters::new(home, names::ROWS_REJECTED);
        let rows_filtered_by_destination = RowCounters::new(home, names::ROWS_FILTERED_BY_DESTINATION);
        let bytes_forwarded = RowCounters::new(home, names::BYTES_FORWARDED);
        let queue_bytes = Gauges::new(home, names::QUEUE_BYTES);
        let rate_limit_wait = SecondsCounters::of_seconds(home, names::RATE_LIMIT_WAIT);
        home.registry.register_collector(Box::new(cursors.clone()));
        let runs = RowCounters::new(home, names::RUNS);
        let run_duration = Histograms::new(home, names::RUN_DURATION, &names::DURATION_BUCKETS);
        let runs_in_progress = Gauges::new(home, names::RUNS_IN_PROGRESS);
        let last_success = Gauges::new(home, names::LAST_SUCCESS);
        let retries = RowCounters::new(home, names::RETRIES);
        let schedule_lateness = Histograms::new(home, names::SCHEDULE_LATENESS, &names::LATENESS_BUCKETS);
        let log_lines_lost = RowCounters::new(home, names::LOG_LINES_LOST);
        let alerts_firing = Gauges::new(home, names::ALERTS_FIRING);
        let alerts_sent = RowCounters::new(home, names::ALERTS_SENT);
        Gauges::new(home, names::BUILD_INFO)
            .of(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        let all = All {
            registry,
            cursors,
            rows_read,
            rows_deduplicated,
            rows_filtered_by_source,
            rows_delivered,
            rows_rejected,
            rows_filtered_by_destination,
            bytes_forwarded,
            queue_bytes,
            rate_limit_wait,
            runs,
            run_duration,
            runs_in_progress,
            last_success,
            succeeded: Mutex::default(),
            retries,
            schedule_lateness,
            log_lines_lost,
            alerts_firing,
            alerts_sent,
        };
        Self { all: Arc::new(all) }
    }

    /// All metrics in the text form of Prometheus ([`CONTENT_TYPE`]).
    #[must_use]
    pub fn scraped(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::prometheus_text::encode(&mut text, &self.all.registry)
            .expect("a String takes every text");
        text
    }

    /// The cursors, for their lag.
    #[must_use]
    pub fn cursors(&self) -> &Cursors {
        &self.all.cursors
    }

    /// Takes what the state says of these syncs: where their cursors stand, and when they last succeeded. They may be run by others too, such as
    /// `longshore sync` beside a daemon. Other syncs of the state, and those that have left the configuration, have neither.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn know_stored(&self, store: &dyn StateStore, syncs: &BTreeSet<String>) -> longshore_core::Result<()> {
        self.all.cursors.forget_all_but(syncs);
        self.forget_successes_but_of(syncs);
        syncs.iter().for_each(|sync| self.begin_at_zero(sync));
        let before = self.all.cursors.before();
        let stored = store.list_states(None).await?;
        for sync in syncs {
            let of_sync = stored.iter().filter(|stored| stored.sync == *sync);
            self.take_cursors(store, (sync, before), of_sync).await?;
            if let Some(at) = last_success(store, sync).await? {
                self.succeeded(sync, at);
            }
        }
        Ok(())
    }

    /// Takes what the state says of the cursors of a sync: of those tables that it still reads.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn know_cursors(&self, store: &dyn StateStore, sync: &str) -> longshore_core::Result<()> {
        let before = self.all.cursors.before();
        let stored = store.list_states(Some(sync)).await?;
        self.take_cursors(store, (sync, before), stored.iter()).await
    }

    async fn take_cursors(
        &self,
        store: &dyn StateStore,
        (sync, before): (&str, Before),
        stored: impl Iterator<Item = &StoredState>,
    ) -> longshore_core::Result<()> {
        let read = store.tables_read(sync).await?;
        let mut cursors = BTreeMap::new();
        for stored in stored.filter(|stored| read.may_be(&stored.table)) {
            if let Some(cursor) = stored.state()?.cursor {
                cursors.insert(stored.table.clone(), cursor);
            }
        }
        self.all.cursors.stand(before, sync, &cursors);
        Ok(())
    }

    /// The series of a sync that would begin with what they are to tell of: an increase is seen only from a value that was scraped before it.
    fn begin_at_zero(&self, sync: &str) {
        for status in RunStatus::ENDS {
            self.all.runs.of(&[sync, status.as_str()]).add(0);
        }
        for what in [Retried::Partition, Retried::Run] {
            self.all.retries.of(&[sync, what.scope()]).add(0);
        }
        self.all.log_lines_lost.of(&[sync]).add(0);
        for delivered in [true, false] {
            self.all.alerts_sent.of(&[sync, outcome_of_alert(delivered)]).add(0);
        }
    }

    /// A run that ended well; of several, the last one counts.
    fn succeeded(&self, sync: &str, at: UnixMicros) {
        // Two at once would each add their difference.
        let mut succeeded = self.all.succeeded.lock().unwrap_or_else(PoisonError::into_inner);
        succeeded.insert(sync.to_owned());
        let level = self.all.last_success.of(&[sync]);
        let seconds = at.0.div_euclid(1_000_000);
        if seconds > level.get() {
            level.set(seconds);
        }
    }

    fn forget_successes_but_of(&self, syncs: &BTreeSet<String>) {
        let mut succeeded = self.all.succeeded.lock().unwrap_or_else(PoisonError::into_inner);
        succeeded.retain(|sync| {
            let stays = syncs.contains(sync);
            if !stays {
                self.all.last_success.remove(&[sync]);
            }
            stays
        });
    }

    /// A sync begins; it is in progress until the value is dropped.
    #[must_use]
    pub fn begin(&self, sync: &str, trigger: Trigger, now: UnixMicros) -> InProgress {
        if let Trigger::Schedule { due } = trigger {
            let lateness = now.since(due).as_secs_f64();
            self.all.schedule_lateness.observe(&[sync], lateness);
        }
        let level = self.all.runs_in_progress.of(&[sync]);
        level.add(1);
        InProgress { level }
    }

    /// A sync ended.
    pub fn ended(&self, sync: &str, status: RunStatus, took: Duration, now: UnixMicros) {
        let labels = [sync, status.as_str()];
        self.all.runs.of(&labels).add(1);
        self.all.run_duration.observe(&labels, took.as_secs_f64());
        if status.is_complete() {
            self.succeeded(sync, now);
        }
    }

    /// Something is tried again.
    pub fn retried(&self, sync: &str, what: Retried) {
        self.all.retries.of(&[sync, what.scope()]).add(1);
    }

    /// Lines of a run's log are lost.
    pub fn log_lines_lost(&self, sync: &str, lines: u64) {
        self.all.log_lines_lost.of(&[sync]).add(lines);
    }

    /// A condition holds, or does not any more.
    pub fn alert(&self, sync: &str, condition: &str, firing: bool) {
        self.all.alerts_firing.of(&[sync, condition]).set(i64::from(firing));
    }

    /// An alert was handed to a webhook, or could not be.
    pub fn alert_sent(&self, sync: &str, delivered: bool) {
        self.all.alerts_sent.of(&[sync, outcome_of_alert(delivered)]).add(1);
    }

    /// The series of one table of a sync, with its destinations in the order of their counts.
    #[must_use]
    pub fn table(&self, sync: &str, table: &str, destinations: &[String]) -> TableMetrics {
        let labels = [sync, table];
        let all = &self.all;
        let destinations = destinations.iter().map(|destination| {
            let labels = [sync, table, destination];
            DestinationMetrics {
                delivered: all.rows_delivered.of(&labels),
                rejected: all.rows_rejected.of(&labels),
                filtered: all.rows_filtered_by_destination.of(&labels),
                rate_limit_wait: all.rate_limit_wait.of(&labels),
            }
        });
        TableMetrics {
            read: all.rows_read.of(&labels),
            deduplicated: all.rows_deduplicated.of(&labels),
            filtered: all.rows_filtered_by_source.of(&labels),
            bytes_forwarded: all.bytes_forwarded.of(&labels),
            queue_bytes: all.queue_bytes.of(&labels),
            destinations: destinations.collect(),
        }
    }
}

/// A sync that goes on.
pub struct InProgress {
    level: Level,
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.level.add(-1);
    }
}

/// The series of one table.
pub struct TableMetrics {
    read: Count,
    deduplicated: Count,
    filtered: Count,
    bytes_forwarded: Count,
    queue_bytes: Level,
    destinations: Vec<DestinationMetrics>,
}

struct DestinationMetrics {
    delivered: Count,
    rejected: Count,
    filtered: Count,
    rate_limit_wait: Seconds,
}

impl TableMetrics {
    /// A checkpoint was committed.
    pub fn committed(&self, commit: &CommitCounts) {
        self.read.add(commit.source.read);
        self.deduplicated.add(commit.source.deduplicated);
        self.filtered.add(commit.source.filtered);
        for (series, counts) in self.destinations.iter().zip(&commit.destinations) {
            series.delivered.add(counts.delivered);
            series.rejected.add(counts.rejected);
            series.filtered.add(counts.filtered);
        }
    }

    /// A batch goes to the destinations.
    pub fn forwarded(&self, bytes: u64) {
        self.bytes_forwarded.add(bytes);
    }

    /// A destination waited for its rate limit.
    pub fn waited(&self, destination: usize, time: Duration) {
        if let Some(series) = self.destinations.get(destination) {
            series.rate_limit_wait.add(time.as_secs_f64());
        }
    }

    /// The queue of one stream; what is in it is taken out when the value is dropped.
    #[must_use]
    pub fn queue(&self) -> Queued {
        Queued {
            level: self.queue_bytes.clone(),
            bytes: 0,
        }
    }
}

/// What a commit counts, kept while the store takes the commit.
pub struct CommitCounts {
    source: SourceCounts,
    destinations: Vec<DestinationCounts>,
}

impl From<&Commit> for CommitCounts {
    fn from(commit: &Commit) -> Self {
        Self {
            source: commit.source,
            destinations: commit.destinations.clone(),
        }
    }
}

/// Bytes of one stream that are on their way.
pub struct Queued {
    level: Level,
    bytes: u64,
}

impl Queued {
    /// So many are on their way now.
    pub fn set(&mut self, bytes: u64) {
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let change = signed(bytes) - signed(self.bytes);
        if change != 0 {
            self.level.add(change);
        }
        self.bytes = bytes;
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.set(0);
    }
}

fn outcome_of_alert(delivered: bool) -> &'static str {
    if delivered { "delivered" } else { "failed" }
}

/// When a run of this sync last ended well, as far as the history goes.
async fn last_success(store: &dyn StateStore, sync: &str) -> longshore_core::Result<Option<UnixMicros>> {
    let mut last = None;
    for status in [RunStatus::Completed, RunStatus::CompletedWithRejects] {
        let filter = RunFilter {
            sync: Some(sync.to_owned()),
            kind: Some(RunKind::Sync),
            status: Some(status),
            ..RunFilter::default()
        };
        let newest = store.list_runs(&filter, 1).await?.pop();
        last = last.max(newest.and_then(|run| run.ended_at));
    }
    Ok(last)
}

/// Lag and cursors, over OTLP: asked for when they are pushed.
fn push_lag(meter: &Meter, cursors: &Cursors) {
    type Figure = fn(&Freshness) -> f64;
    let gauges: [(names::Metric, Figure); 2] = [
        (names::LAG, |table| table.lag),
        (names::CURSOR_TIMESTAMP, |table| table.cursor),
    ];
    for (metric, value) in gauges {
        let cursors = cursors.clone();
        meter
            .f64_observable_gauge(metric.name)
            .with_description(metric.help)
            .with_unit("s")
            .with_callback(move |observer| {
                for table in cursors.at(UnixMicros::now()) {
                    let labels = [
                        opentelemetry::KeyValue::new(metric.labels[0], table.sync.clone()),
                        opentelemetry::KeyValue::new(metric.labels[1], table.table.clone()),
                    ];
                    observer.observe(value(&table), &labels);
                }
            })
            .build();
    }
}

#[cfg(test)]
mod tests;
