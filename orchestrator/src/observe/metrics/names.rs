//! Every metric of Longshore: name, type, unit, labels and what it says. The one place that knows a name; `docs/metrics.md`, the dashboard and the alert rules
//! are checked against it.
//!
//! Names follow the conventions of Prometheus: base units, `_total` for what only grows. Labels are bounded: names of the configuration, tables and outcomes,
//! never a value of a row.

/// What kind of series a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, and begins at 0 with each process.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Observations counted in buckets.
    Histogram,
}

impl Kind {
    /// The word of Prometheus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// As it is scraped; of a histogram, without `_bucket`, `_sum` and `_count`.
    pub name: &'static str,
    /// What kind of series it is.
    pub kind: Kind,
    /// `rows`, `bytes`, `seconds`, …
    pub unit: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, without a dot at its end.
    pub help: &'static str,
}

const fn metric(
    kind: Kind,
    name: &'static str,
    unit: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        unit,
        labels,
        help,
    }
}

/// The source's name: of the sync.
pub const SYNC: &str = "sync";
/// A table as the source names it.
pub const TABLE: &str = "table";
/// The destination's name.
pub const DESTINATION: &str = "destination";
/// How something ended.
pub const OUTCOME: &str = "outcome";
/// What is tried again: `partition` or `run`.
pub const SCOPE: &str = "scope";
/// The version of Longshore.
pub const VERSION: &str = "version";
/// What an alert is about: `failure`, `lag` or `rejects`.
pub const CONDITION: &str = "condition";

const PER_SYNC: &[&str] = &[SYNC];
const PER_TABLE: &[&str] = &[SYNC, TABLE];
const PER_DESTINATION: &[&str] = &[SYNC, TABLE, DESTINATION];
const PER_OUTCOME: &[&str] = &[SYNC, OUTCOME];

use Kind::{Counter, Gauge, Histogram};

#[rustfmt::skip]
mod list {
    use super::*;

    /// See its help, as for all that follow.
    pub const ROWS_READ: Metric = metric(Counter, "longshore_rows_read_total", "rows", PER_TABLE,
        "Rows that the source fetched, up to the committed checkpoints");
    /// See its help.
    pub const ROWS_DEDUPLICATED: Metric = metric(Counter, "longshore_rows_deduplicated_total", "rows", PER_TABLE,
        "Rows left out because an earlier run had delivered them");
    /// See its help.
    pub const ROWS_FILTERED_BY_SOURCE: Metric = metric(Counter, "longshore_rows_filtered_by_source_total", "rows", PER_TABLE,
        "Rows left out by a declared rule of the source, such as null_cursor: skip");
    /// See its help.
    pub const ROWS_DELIVERED: Metric = metric(Counter, "longshore_rows_delivered_total", "rows", PER_DESTINATION,
        "Rows that are durable at the destination and committed");
    /// See its help.
    pub const ROWS_REJECTED: Metric = metric(Counter, "longshore_rows_rejected_total", "rows", PER_DESTINATION,
        "Rows refused as a whole and recorded in the ledger of rejects");
    /// See its help.
    pub const ROWS_FILTERED_BY_DESTINATION: Metric = metric(Counter, "longshore_rows_filtered_by_destination_total", "rows", PER_DESTINATION,
        "Rows left out by a declared rule of the destination, such as late_events: skip");
    /// See its help.
    pub const BYTES_FORWARDED: Metric = metric(Counter, "longshore_forwarded_bytes_total", "bytes", PER_TABLE,
        "Bytes of Arrow batches that came from the source and went to the destinations, repeats included");
    /// See its help.
    pub const QUEUE_BYTES: Metric = metric(Gauge, "longshore_queue_bytes", "bytes", PER_TABLE,
        "Bytes of batches on their way that not every destination has acked");
    /// See its help.
    pub const RATE_LIMIT_WAIT: Metric = metric(Counter, "longshore_rate_limit_wait_seconds_total", "seconds", PER_DESTINATION,
        "Time that requests of the destination waited for a rate limit, summed over requests that wait at the same time");
    /// See its help.
    pub const LAG: Metric = metric(Gauge, "longshore_lag_seconds", "seconds", PER_TABLE,
        "Time from the committed cursor to now by the source's clock; only for cursors that are times, and known after a run or from the stored state");
    /// See its help.
    pub const CURSOR_TIMESTAMP: Metric = metric(Gauge, "longshore_cursor_timestamp_seconds", "seconds", PER_TABLE,
        "The committed cursor as seconds since 1970 UTC; only for cursors that are times");
    /// See its help.
    pub const RUNS: Metric = metric(Counter, "longshore_runs_total", "runs", PER_OUTCOME,
        "Syncs that ended, by outcome: completed, completed_with_rejects, failed or cancelled; those that failed before their run began included");
    /// See its help.
    pub const RUN_DURATION: Metric = metric(Histogram, "longshore_run_duration_seconds", "seconds", PER_OUTCOME,
        "Time from the start of a sync to its end, its attempts and the pauses between them included");
    /// See its help.
    pub const RUNS_IN_PROGRESS: Metric = metric(Gauge, "longshore_runs_in_progress", "runs", PER_SYNC,
        "Syncs that go on at the moment");
    /// See its help.
    pub const LAST_SUCCESS: Metric = metric(Gauge, "longshore_last_success_timestamp_seconds", "seconds", PER_SYNC,
        "When a run last ended with every row delivered or recorded as a reject, as seconds since 1970 UTC");
    /// See its help.
    pub const RETRIES: Metric = metric(Counter, "longshore_retries_total", "retries", &[SYNC, SCOPE],
        "Partitions whose streams were opened again, and runs that were attempted again, within one sync");
    /// See its help.
    pub const SCHEDULE_LATENESS: Metric = metric(Histogram, "longshore_schedule_lateness_seconds", "seconds", PER_SYNC,
        "Time from the due time of a schedule to the start of the sync, jitter and earlier tries included");
    /// See its help.
    pub const LOG_LINES_LOST: Metric = metric(Counter, "longshore_log_lines_lost_total", "lines", PER_SYNC,
        "Lines of runs' logs that the state store did not take in time");
    /// See its help.
    pub const ALERTS_FIRING: Metric = metric(Gauge, "longshore_alerts_firing", "alerts", &[SYNC, CONDITION],
        "1 while a condition of the sync's alerts holds, else 0");
    /// See its help.
    pub const ALERTS_SENT: Metric = metric(Counter, "longshore_alert_deliveries_total", "deliveries", PER_OUTCOME,
        "Alerts handed to a webhook, by outcome: delivered, or failed after all tries");
    /// See its help.
    pub const BUILD_INFO: Metric = metric(Gauge, "longshore_build_info", "", &[VERSION],
        "Always 1; its label says which version runs");
}
pub use list::*;

/// All of them, in the order of the documentation.
pub const ALL: &[Metric] = &[
    ROWS_READ,
    ROWS_DEDUPLICATED,
    ROWS_FILTERED_BY_SOURCE,
    ROWS_DELIVERED,
    ROWS_REJECTED,
    ROWS_FILTERED_BY_DESTINATION,
    BYTES_FORWARDED,
    QUEUE_BYTES,
    RATE_LIMIT_WAIT,
    LAG,
    CURSOR_TIMESTAMP,
    RUNS,
    RUN_DURATION,
    RUNS_IN_PROGRESS,
    LAST_SUCCESS,
    RETRIES,
    SCHEDULE_LATENESS,
    LOG_LINES_LOST,
    ALERTS_FIRING,
    ALERTS_SENT,
    BUILD_INFO,
];

/// Upper ends of the buckets of run durations, in seconds: from an incremental run with nothing new to a day's load.
pub const DURATION_BUCKETS: [f64; 12] = [
    0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0,
];

/// Upper ends of the buckets of lateness, in seconds.
pub const LATENESS_BUCKETS: [f64; 9] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_follow_the_conventions_and_are_used_once() {
        let mut names = HashSet::new();
        for metric in ALL {
            let Metric { name, kind, unit, .. } = *metric;
            assert!(names.insert(name), "{name} is there twice");
            assert!(name.starts_with("longshore_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == Counter, "{name}");
            if matches!(unit, "seconds" | "bytes") {
                assert!(
                    name.ends_with(&format!("_{unit}")) || name.ends_with(&format!("_{unit}_total")),
                    "{name} has the unit {unit}"
                );
            }
            assert!(!metric.help.ends_with('.') && !metric.help.is_empty(), "{name}");
        }
    }
}
