//! What is said at the end of a dry run: to a person, and as JSON.

use longshore_core::Error;
use longshore_protocol::v1;
use serde::Serialize;

use super::{super::run::SyncOutcome, DryRun};
use crate::engine::report::TableReport;

/// The outcome of one `sync --dry-run`; what `sync --dry-run --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct DryRunReport {
    /// Always: a program that reads reports must not take this one for a run's.
    pub dry_run: bool,
    /// The sync: the source's name.
    pub sync: String,
    /// Every table was read to its end.
    pub complete: bool,
    /// Tables in the order of the plan; `delivered` is what would be. No cursor is moved: `cursor` is where a run would leave it.
    pub tables: Vec<TableReport>,
    /// What would be rejected, by table, destination, rule and column.
    pub rejects: Vec<RejectKind>,
    /// Rejects of further kinds, when there are too many kinds to tell apart.
    pub rejects_of_other_kinds: u64,
    /// Where a real run would stop because of `max_rejects`; absent when it would not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_stop: Option<WouldStop>,
    /// Each destination's requests.
    pub estimates: Vec<EstimateReport>,
    /// How long the rate limits make a real run take at least: the slowest destination's time. Absent when no destination keeps to a rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_ms: Option<u64>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// How long the dry run took.
    pub duration_ms: u64,
    /// Why it stopped short, or how a real run would end when not well; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// Rejects of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectKind {
    /// The table.
    pub table: String,
    /// The destination that would refuse.
    pub destination: String,
    /// Such as `string_too_long`.
    pub rule: String,
    /// The column at fault; empty: the whole row.
    pub column: String,
    /// `true`: the row would not be delivered. `false`: only the column would be left out.
    pub whole_row: bool,
    /// How many.
    pub rejects: u64,
    /// The first few.
    pub examples: Vec<Example>,
}

/// One reject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The row's key as text.
    pub key: String,
    /// What is wrong, without the value.
    pub reason: String,
}

/// Where a real run would stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WouldStop {
    /// The table.
    pub table: String,
    /// Rows of all tables read until then, about: it depends on how far several partitions are.
    pub read: u64,
    /// Rows rejected until then.
    pub rejected: u64,
}

/// What one destination would have sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EstimateReport {
    /// The destination.
    pub destination: String,
    /// By table and endpoint.
    pub requests: Vec<RequestsReport>,
    /// How long its rate limits make that take; absent when it keeps to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paced_ms: Option<u64>,
}

/// Requests of one table to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestsReport {
    /// The table.
    pub table: String,
    /// Where to.
    pub endpoint: String,
    /// How many.
    pub requests: u64,
    /// What the rate limits count, such as updates of profiles.
    pub operations: u64,
    /// Of the bodies.
    pub bytes: u64,
}

impl EstimateReport {
    pub(super) fn new(destination: &str, estimate: v1::EstimateResponse) -> Self {
        let requests = estimate.requests.into_iter().map(|totals| RequestsReport {
            table: totals.table,
            endpoint: totals.endpoint,
            requests: totals.requests,
            operations: totals.operations,
            bytes: totals.bytes,
        });
        Self {
            destination: destination.to_owned(),
            requests: requests.collect(),
            paced_ms: estimate.paced_ms,
        }
    }
}

impl DryRun {
    /// The kinds of rejects, most first within a table.
    #[must_use]
    pub fn rejects(&self) -> Vec<RejectKind> {
        let found = self.lock();
        let kinds = found.kinds.iter().map(|(kind, counted)| RejectKind {
            table: kind.table.clone(),
            destination: kind.destination.clone(),
            rule: kind.rule.clone(),
            column: kind.column.clone(),
            whole_row: kind.whole_row,
            rejects: counted.rejects,
            examples: counted.examples.clone(),
        });
        let mut kinds: Vec<RejectKind> = kinds.collect();
        kinds.sort_by(|a, b| a.table.cmp(&b.table).then(b.rejects.cmp(&a.rejects)));
        kinds
    }

    /// What is to be said of a dry run of this sync.
    #[must_use]
    pub fn report(&self, sync: &str, outcome: &SyncOutcome) -> DryRunReport {
        let rejects = self.rejects();
        let found = self.lock();
        let run = outcome.report.as_ref();
        let mut warnings = run.map(|run| run.warnings.clone()).unwrap_or_default();
        if run.is_some_and(|run| run.attempt > 1) {
            warnings
                .push("the dry run went on where an earlier attempt stopped: requests count what was left".to_owned());
        }
        DryRunReport {
            dry_run: true,
            sync: sync.to_owned(),
            complete: run.is_some_and(|run| run.tables.iter().all(|table| table.complete)),
            tables: run.map(|run| run.tables.clone()).unwrap_or_default(),
            rejects,
            rejects_of_other_kinds: found.others,
            would_stop: found.would_stop.clone(),
            estimated_ms: found.estimates.iter().filter_map(|estimate| estimate.paced_ms).max(),
            estimates: found.estimates.clone(),
            warnings,
            duration_ms: run.map_or(0, |run| run.duration_ms),
            error: outcome.failure.as_ref().map(crate::failure::Failure::to_error),
        }
    }
}
