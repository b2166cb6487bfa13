//! Turns as they are shown: every due time, and every run that somebody asked for, with what came of it.

use longshore_core::Error;
use longshore_state::{DueTimes, Turn, TurnStatus, UnixMicros};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{documents::ErrorDocument, moment::shown as at};

/// A time that a sync was to run, and what came of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Turn")]
pub(crate) struct ShownTurn {
    pub(crate) id: i64,
    pub(crate) sync: String,
    /// The first of the due times that it is for; `null`: somebody asked for it.
    pub(crate) first_due_at: Option<String>,
    /// The last of them.
    pub(crate) last_due_at: Option<String>,
    pub(crate) decided_at: String,
    pub(crate) status: TurnStatus,
    /// How often it was tried.
    pub(crate) tries: u32,
    pub(crate) retry_at: Option<String>,
    /// The run that its last try led to: also one that did not come to begin, which the history tells of all the same.
    pub(crate) run_id: Option<String>,
    pub(crate) ended_at: Option<String>,
    #[schemars(with = "Option<ErrorDocument>")]
    pub(crate) error: Option<Error>,
}

impl From<Turn> for ShownTurn {
    fn from(turn: Turn) -> Self {
        let due = |end: fn(DueTimes) -> UnixMicros| turn.due.map(|due| at(end(due)));
        Self {
            first_due_at: due(|due| due.first),
            last_due_at: due(|due| due.last),
            id: turn.id,
            sync: turn.sync,
            decided_at: at(turn.decided_at),
            status: turn.status,
            tries: turn.tries,
            retry_at: turn.retry_at.map(at),
            run_id: turn.failed_start.or(turn.run_id),
            ended_at: turn.ended_at.map(at),
            error: turn.error,
        }
    }
}
