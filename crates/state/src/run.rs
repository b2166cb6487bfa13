//! Runs, attempts, plans, progress.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use longshore_core::{
    CursorValue, Error, TableState,
    balance::{DestinationCounts, SourceCounts},
    fingerprints::Fingerprints,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{hold::Holder, moment::UnixMicros, reject::RetryCounts};

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It runs, or its process died and nobody has gone on with it yet: [`crate::StateStore::current_hold`] tells which.
    Running,
    /// Every row was delivered.
    Completed,
    /// Every row was delivered or is in the ledger of rejects.
    CompletedWithRejects,
    /// It stopped at an error; the next run of the sync goes on with it.
    Failed,
    /// A person stopped it; the next run of the sync goes on with it.
    Cancelled,
}

impl RunStatus {
    /// How a run can end.
    pub const ENDS: [Self; 4] = [
        Self::Completed,
        Self::CompletedWithRejects,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether every table is done, so that nothing is left to go on with.
    #[must_use]
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Completed | Self::CompletedWithRejects)
    }

    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::CompletedWithRejects => "completed_with_rejects",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RunStatus {
    type Err = UnknownRunStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Running]
            .into_iter()
            .chain(Self::ENDS)
            .find(|status| status.as_str() == text)
            .ok_or_else(|| UnknownRunStatus(text.to_owned()))
    }
}

/// A text that names no status of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRunStatus(String);

impl fmt::Display for UnknownRunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no status of a run", self.0)
    }
}

impl std::error::Error for UnknownRunStatus {}

/// What a run does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// It moves rows from the source.
    #[default]
    Sync,
    /// It sends rejects of the ledger again, by a person's wish, and reads nothing. An interrupted sync stays as it is.
    Replay,
}

impl RunKind {
    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Replay => "replay",
        }
    }
}

/// A run to begin, with its first attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// A UUID, version 7.
    pub run_id: String,
    /// What it does.
    pub kind: RunKind,
    /// A hash of everything in the configuration that decides what an interrupted run would do; never the configuration itself, which holds secrets.
    pub configuration: String,
    /// The range that it reads again, in the orchestrator's own form; `None`: what is new.
    pub again: Option<serde_json::Value>,
    /// Who runs it.
    pub holder: Holder,
    /// Now.
    pub started_at: UnixMicros,
}

/// An attempt that failed before it had a run: a plugin did not start, a database let nobody in, an option was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedStart {
    /// A UUID, version 7, for the run that is recorded for it, unless it joins one that failed in the same way.
    pub run_id: String,
    /// The turn of a daemon that it was for.
    pub turn: Option<i64>,
    /// Who tried.
    pub holder: Holder,
    /// Why it began. Without plugins: they may not have come to say who they are.
    pub origin: AttemptOrigin,
    /// When it began.
    pub started_at: UnixMicros,
    /// Now.
    pub ended_at: UnixMicros,
    /// What it stopped at.
    pub error: Error,
    /// What the orchestrator says about it; its own form. Without secrets and cell values.
    pub summary: serde_json::Value,
}

/// Attempts that join one run at most, where each failed before it had one: a database that is down for weeks must not make a run that nobody can read, and
/// that its retention never reaches.
pub const MAX_FAILED_STARTS: u32 = 100;

/// A run as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// A UUID, version 7.
    pub run_id: String,
    /// What it does.
    pub kind: RunKind,
    /// The sync.
    pub sync: String,
    /// Where it stands.
    pub status: RunStatus,
    /// The latest attempt's number, from 1.
    pub attempt: u32,
    /// When its first attempt began.
    pub started_at: UnixMicros,
    /// When its last attempt ended; `None`: it runs, or died.
    pub ended_at: Option<UnixMicros>,
    /// See [`NewRun::configuration`]; empty: it failed before it was known what it would do, see [`FailedStart`].
    pub configuration: String,
    /// See [`NewRun::again`].
    pub again: Option<serde_json::Value>,
    /// Who runs it, or ran its last attempt.
    pub holder: Holder,
    /// What its last attempt stopped at.
    pub error: Option<Error>,
    /// What the orchestrator says about it at its end; its own form.
    pub summary: Option<serde_json::Value>,
    /// Rows that may have been delivered once more to a target that appends, over all attempts. See [`UncertainRows`].
    pub uncertain_rows: u64,
    /// Rejects recorded by it.
    pub rejects: u64,
    /// Of these, those that the ledger has dropped since while they were pending, to stay within its bound or its retention.
    pub dropped_rejects: u64,
    /// Of these, those that are still named and whose rows were let go.
    pub dropped_rows: u64,
}

/// Why an attempt began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trigger {
    /// `longshore sync` or another command, whoever ran it.
    Command,
    /// The daemon, because the sync's schedule says so.
    Schedule {
        /// The time that the schedule names; the attempt may have begun later.
        due: UnixMicros,
    },
    /// The daemon, because somebody asked it to.
    Request,
    /// The daemon, which goes on with what was interrupted.
    Recovery,
}

impl Trigger {
    /// The word for it in programs and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Schedule { .. } => "schedule",
            Self::Request => "request",
            Self::Recovery => "recovery",
        }
    }

    /// The time that the schedule names.
    #[must_use]
    pub fn due(self) -> Option<UnixMicros> {
        match self {
            Self::Schedule { due } => Some(due),
            Self::Command | Self::Request | Self::Recovery => None,
        }
    }
}

/// A plugin that an attempt ran with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginVersion {
    /// `source` or `destination`.
    pub role: String,
    /// Its name in the configuration.
    pub name: String,
    /// What it calls itself.
    pub plugin: String,
    /// As it says itself.
    pub version: String,
}

/// Where an attempt comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptOrigin {
    /// Why it began.
    pub trigger: Trigger,
    /// The version of Longshore.
    pub longshore: String,
    /// The source first, then the destinations.
    pub plugins: Vec<PluginVersion>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// It goes on.
    Running,
    /// Nobody has recorded its end: its process died.
    Died,
    /// Every row was delivered.
    Completed,
    /// Every row was delivered or is in the ledger of rejects.
    CompletedWithRejects,
    /// It stopped at an error.
    Failed,
    /// A person stopped it.
    Cancelled,
}

impl AttemptOutcome {
    /// The name in words of programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Died => "died",
            Self::Completed => "completed",
            Self::CompletedWithRejects => "completed_with_rejects",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<RunStatus> for AttemptOutcome {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Running => Self::Running,
            RunStatus::Completed => Self::Completed,
            RunStatus::CompletedWithRejects => Self::CompletedWithRejects,
            RunStatus::Failed => Self::Failed,
            RunStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// One try of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it began.
    pub started_at: UnixMicros,
    /// When it ended; `None`: it runs, or its process died.
    pub ended_at: Option<UnixMicros>,
    /// Who tried.
    pub holder: Holder,
    /// Why it began and with which programs; `None`: nobody has said.
    pub origin: Option<AttemptOrigin>,
    /// How it ended. [`AttemptOutcome::Running`] as long as the run is recorded as running: [`crate::StateStore::current_hold`] tells whether it does.
    pub outcome: AttemptOutcome,
    /// What it stopped at.
    pub error: Option<Error>,
    /// Rows that it may have sent without knowing what became of them. See [`UncertainRows`].
    pub uncertain_rows: u64,
}

/// A run with all that is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunDetails {
    /// The run.
    pub run: Run,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Its tables in the order of the plan; empty before the plan was stored.
    pub tables: Vec<TableProgress>,
    /// What it has sent again of the ledger, by table and destination.
    pub retries: Vec<RetryCounts>,
}

impl RunDetails {
    /// As [`Run::uncertain_rows`], and rows that are on their way, or were when a process died that nobody has taken over from yet.
    #[must_use]
    pub fn uncertain_rows(&self) -> u64 {
        let partitions = self.tables.iter().flat_map(|table| &table.partitions);
        let on_their_way: u64 = partitions.map(PartitionProgress::rows_on_their_way).sum();
        self.run.uncertain_rows + on_their_way
    }

    /// The time that its attempts took. An attempt whose process died is not counted: nobody knows when that was.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let ended = |attempt: &Attempt| Some(attempt.ended_at?.since(attempt.started_at));
        self.attempts.iter().filter_map(ended).sum()
    }
}

/// A table's plan within a run, to be stored before its first row is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTablePlan {
    /// The table.
    pub table: String,
    /// The source's plan as it came, opaque: handed back to the source when the run is resumed.
    pub plan: Vec<u8>,
    /// Revision of the cursor state that the plan was made from; 0: there was none.
    pub state_revision: u64,
    /// The partitions' ids, in the plan's order.
    pub partitions: Vec<String>,
}

/// One table's progress in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct TableProgress {
    /// The table.
    pub table: String,
    /// See [`NewTablePlan::plan`]; empty once the run is complete, because nobody needs it again.
    pub plan: Vec<u8>,
    /// See [`NewTablePlan::state_revision`].
    pub state_revision: u64,
    /// Every partition is complete, and the table's state is promoted where it has one.
    pub complete: bool,
    /// The cursor that the plan was made from.
    pub cursor_before: Option<CursorValue>,
    /// The cursor that was promoted.
    pub cursor_after: Option<CursorValue>,
    /// Its partitions in the plan's order.
    pub partitions: Vec<PartitionProgress>,
}

impl TableProgress {
    /// What the source counted, up to the committed checkpoints.
    #[must_use]
    pub fn source(&self) -> SourceCounts {
        self.partitions
            .iter()
            .fold(SourceCounts::default(), |mut sum, partition| {
                sum += partition.source;
                sum
            })
    }

    /// Rows forwarded, up to the committed checkpoints.
    #[must_use]
    pub fn forwarded(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.forwarded).sum()
    }

    /// What each destination counted, up to the committed checkpoints.
    #[must_use]
    pub fn destinations(&self) -> BTreeMap<String, DestinationCounts> {
        let mut sums = BTreeMap::<String, DestinationCounts>::new();
        for (destination, counts) in self.partitions.iter().flat_map(|partition| &partition.destinations) {
            *sums.entry(destination.clone()).or_default() += *counts;
        }
        sums
    }

    /// Rows that a target may hold twice: those that broken attempts left uncertain, those that destinations sent again after an answer was lost, and
    /// those that are on their way, or were when a process died that nobody has taken over from.
    #[must_use]
    pub fn uncertain_rows(&self) -> u64 {
        let of_partition = |partition: &PartitionProgress| partition.uncertain_rows + partition.rows_on_their_way();
        self.partitions.iter().map(of_partition).sum()
    }
}

/// One partition's progress in a run. All counts are of the run, over all its attempts, up to the last committed checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionProgress {
    /// Unique within the table and run.
    pub partition: String,
    /// Grows by one with every commit; 0: none yet. A commit names the revision it starts from.
    pub revision: u64,
    /// The source's description of the last committed position; empty: from the start. Empty again once the run is complete.
    pub position: Vec<u8>,
    /// The cursor there, for people.
    pub cursor: Option<CursorValue>,
    /// Delivered rows that a later run may see again. Empty once the run is complete: the table's state has them.
    pub fingerprints: Fingerprints,
    /// Its end is committed.
    pub complete: bool,
    /// What the source counted.
    pub source: SourceCounts,
    /// Rows forwarded.
    pub forwarded: u64,
    /// What each destination counted.
    pub destinations: BTreeMap<String, DestinationCounts>,
    /// Rows that the current attempt may have sent, counted from the start of the partition; see [`crate::SentMark`].
    pub sent_rows: u64,
    /// The highest `sent_rows` of any attempt. Beyond `forwarded`, rows may have been delivered before.
    pub highest_sent_rows: u64,
    /// What its broken streams left uncertain, see [`UncertainRows`], and what its destinations sent once more, see [`crate::ResentRows`].
    pub uncertain_rows: u64,
}

impl PartitionProgress {
    /// Rows that the current attempt has marked as sent and not committed.
    fn rows_on_their_way(&self) -> u64 {
        self.sent_rows.saturating_sub(self.forwarded)
    }

    /// Rows that any attempt forwarded or was about to.
    #[must_use]
    pub fn touched_rows(&self) -> u64 {
        self.forwarded.max(self.highest_sent_rows)
    }
}

/// Rows of a partition that were marked as sent, of which no commit says that they arrived, when an attempt ended or its stream broke.
///
/// A target that appends may have them once more after they are sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncertainRows {
    /// The table.
    pub table: String,
    /// The partition.
    pub partition: String,
    /// How many were added to the count of uncertain rows by this call.
    pub newly_counted: u64,
    /// How many rows behind the committed position were sent by any attempt: the first so many rows of the next stream may already be there.
    pub window: u64,
}

/// An attempt that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartedAttempt {
    /// Its number, from 1.
    pub number: u32,
    /// The incomplete partitions whose next stream may repeat rows that a target has already; those with a window of 0 are left out.
    pub uncertain: Vec<UncertainRows>,
    /// Rejects that the last attempt had sent again to targets that append, without hearing what became of them.
    pub uncertain_retries: u64,
}

/// The new state of a table whose partitions are all complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// Revision that the plan was made from: [`NewTablePlan::state_revision`].
    pub from_revision: u64,
    /// The new state.
    pub state: TableState,
}

/// The end of an attempt, and of its run unless somebody goes on with it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEnd {
    /// The run.
    pub run_id: String,
    /// How it ended; never [`RunStatus::Running`].
    pub status: RunStatus,
    /// Now.
    pub ended_at: UnixMicros,
    /// What it stopped at; `None` for a complete run.
    pub error: Option<Error>,
    /// What the orchestrator says about it; its own form. Without secrets and cell values.
    pub summary: serde_json::Value,
}

/// Which runs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this sync only.
    pub sync: Option<String>,
    /// Of this kind only.
    pub kind: Option<RunKind>,
    /// With this status only.
    pub status: Option<RunStatus>,
    /// Whose first attempt began then or later.
    pub since: Option<UnixMicros>,
    /// Older than the run with this id, to read page after page.
    pub before: Option<String>,
}

/// Runs removed by one operation at most: the run that is about to begin waits for it. What is left goes with the next.
pub const MAX_RUNS_REMOVED_AT_ONCE: u32 = 200;

/// Which runs of a sync are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunRetention {
    /// Those that ended earlier may go.
    pub ended_before: UnixMicros,
    /// Beyond so many, the oldest may go.
    pub keep: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_as_it_is_written() {
        for name in ["running", "completed", "completed_with_rejects", "failed", "cancelled"] {
            let status: RunStatus = name.parse().unwrap();
            assert_eq!(status.to_string(), name);
            assert_eq!(serde_json::to_value(status).unwrap(), name);
        }
        assert!("done".parse::<RunStatus>().is_err());
    }
}
