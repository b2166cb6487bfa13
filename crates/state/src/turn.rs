//! What a daemon decides: which due times a run is for, which were missed, and what is to be tried again.
//!
//! A **turn** is one time that a sync is to run. It is recorded before its run begins and closed after the run has ended, so that after any crash the store
//! says what was decided and what is still to be done. One turn may take several tries, and all of them may go on with one run.
//!
//! Times are those of the daemon's clock.

use longshore_core::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::moment::UnixMicros;

/// The name under which a daemon holds the whole store, as a run holds its sync: no sync can have it, because names have no blanks.
pub const DAEMON: &str = "longshore serve";

/// Due times that follow each other in a schedule: those from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueTimes {
    /// The first.
    pub first: UnixMicros,
    /// The last; the first, when there is one.
    pub last: UnixMicros,
}

/// A time that a sync is to run, or should have run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Grows with every turn.
    pub id: i64,
    /// The sync.
    pub sync: String,
    /// What it is for; `None`: somebody asked for it.
    pub due: Option<DueTimes>,
    /// When it was decided.
    pub decided_at: UnixMicros,
    /// Where it stands.
    pub status: TurnStatus,
    /// How often it was tried in vain.
    pub tries: u32,
    /// When it is to be tried again; `None`: as soon as possible.
    pub retry_at: Option<UnixMicros>,
    /// What the last try, or the turn, ended with.
    pub error: Option<Error>,
    /// The run that does it, once that has begun.
    pub run_id: Option<String>,
    /// The run of the history that tells of its last try, where that failed before it had a run, also when `run_id` is to be gone on with: see
    /// [`FailedStart`](crate::FailedStart).
    pub failed_start: Option<String>,
    /// When it was closed.
    pub ended_at: Option<UnixMicros>,
}

/// Where a turn stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TurnStatus {
    /// It waits or runs, or its daemon died. At most one of a sync.
    Open,
    /// Its run is complete.
    Completed,
    /// Its run failed, and trying again was of no use.
    Failed,
    /// A person took it back, or its sync left the configuration.
    Cancelled,
    /// It never had a run: its due times passed while the sync could not run.
    Missed,
}

impl TurnStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Open, Self::Completed, Self::Failed, Self::Cancelled, Self::Missed];

    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Missed => "missed",
        }
    }
}

/// What the store knows about a sync apart from its runs and cursors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduledSync {
    /// The sync.
    pub sync: String,
    /// No run is started by itself.
    pub paused: bool,
    /// The schedule that `decided_until` belongs to, in the orchestrator's own words; `None`: it never had one.
    pub schedule: Option<String>,
    /// Every due time up to this instant is decided: it has a turn.
    pub decided_until: Option<UnixMicros>,
    /// The turn that is not closed.
    pub open: Option<Turn>,
}

/// A turn to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTurn {
    /// The sync.
    pub sync: String,
    /// What it is for; `None`: somebody asks for it.
    pub due: Option<DueTimes>,
    /// [`TurnStatus::Open`] or [`TurnStatus::Missed`].
    pub status: TurnStatus,
    /// Now.
    pub now: UnixMicros,
}

/// A turn that is to be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnRetry {
    /// The turn.
    pub id: i64,
    /// How often it was tried by now.
    pub tries: u32,
    /// When it is tried again.
    pub retry_at: UnixMicros,
    /// What the try ended with.
    pub error: Error,
}

/// The end of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnEnd {
    /// The turn.
    pub id: i64,
    /// Anything but [`TurnStatus::Open`] and [`TurnStatus::Missed`].
    pub status: TurnStatus,
    /// How often it was tried.
    pub tries: u32,
    /// What it ended with.
    pub error: Option<Error>,
    /// Now.
    pub now: UnixMicros,
}
