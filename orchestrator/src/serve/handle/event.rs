//! What happens in a daemon, for whoever listens.

use longshore_core::Error;
use longshore_state::{RunKind, UnixMicros};
use serde::Serialize;

use super::view::{Readiness, TableView};
use crate::engine::report::RunReport;

/// Something that happened. Times are the daemon's clock.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A sync is to run and waits.
    RunQueued {
        /// The sync.
        sync: String,
        /// The due time that it is for; `None`: somebody asked.
        due_at: Option<UnixMicros>,
    },
    /// A run has begun, or goes on with an interrupted one: its id is known.
    RunStarted {
        /// The sync.
        sync: String,
        /// What it does.
        kind: RunKind,
        /// The run.
        run_id: String,
        /// Above 1: it goes on where an earlier attempt stopped.
        attempt: u32,
    },
    /// Counters of a running sync, a few times a second at most and only when they have changed.
    Progress {
        /// The sync.
        sync: String,
        /// The run.
        run_id: String,
        /// Its tables.
        tables: Vec<TableView>,
    },
    /// An attempt broke off, and the next one waits for its time.
    BrokeOff {
        /// The sync.
        sync: String,
        /// The run, when it has begun.
        run_id: Option<String>,
        /// Why.
        error: Error,
        /// When the next attempt begins.
        next_at: UnixMicros,
    },
    /// The next attempt begins after one that broke off.
    TriesAgain {
        /// The sync.
        sync: String,
        /// The run, when it has begun.
        run_id: Option<String>,
    },
    /// A run ended, or did not come to begin.
    RunEnded(Box<RunEnded>),
    /// Due times passed without a run, and `catch_up: skip` leaves them so.
    Missed {
        /// The sync.
        sync: String,
        /// The first of them.
        first_due_at: UnixMicros,
        /// The last of them.
        last_due_at: UnixMicros,
    },
    /// A sync was paused or resumed.
    Paused {
        /// The sync.
        sync: String,
        /// Whether it is paused now.
        paused: bool,
    },
    /// A configuration was loaded in place of the one before.
    Reloaded,
    /// A configuration was refused; everything stays as it was.
    ReloadRefused {
        /// What is wrong, each with its place.
        diagnostics: Vec<String>,
    },
    /// The readiness changed.
    Readiness {
        /// What it is now.
        readiness: Readiness,
    },
}

/// How a try at a run ended.
#[derive(Clone, Debug, Serialize)]
pub struct RunEnded {
    /// The sync.
    pub sync: String,
    /// What it does.
    pub kind: RunKind,
    /// What becomes of it now.
    pub outcome: RunOutcome,
    /// Its counts, when it came to begin; the same as `longshore sync --json` prints.
    pub report: Option<RunReport>,
    /// Why it stopped short.
    pub error: Option<Error>,
    /// When it is tried again; `None`: at its next due time.
    pub retry_at: Option<UnixMicros>,
    /// How often the daemon has tried this one, from 1.
    pub tries: u32,
    /// Whether the try of this sync before this one ended well; `None`: there was none since the daemon started. Replays do not count.
    pub previous_succeeded: Option<bool>,
}

/// What a try came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Every row was delivered or is in the ledger of rejects.
    Completed,
    /// It failed for a reason that can pass, and is tried again.
    WillRetry,
    /// It failed, and is not tried again before its next due time.
    Failed,
    /// A person stopped it.
    Cancelled,
    /// The daemon is ending; the next one goes on with it.
    Interrupted,
}

impl RunOutcome {
    /// The word for it in programs and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::WillRetry => "will_retry",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}
