//! The newest rows, which are left for the next run where late ones can not be told by their transaction.

use longshore_core::{CursorValue, cursor::CursorType};
use serde::{Deserialize, Serialize};

use super::ServerClock;

/// How long rows settle unless the options say otherwise, in microseconds.
const SETTLE_MICROSECONDS: i64 = 5 * 1_000_000;

/// Rows with a cursor after `after` and up to `up_to` are left out; those beyond, in the future, are not. Part of stored plans: its form never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsettled {
    /// The greatest cursor that has settled.
    pub after: CursorValue,
    /// The server's clock.
    pub up_to: CursorValue,
}

impl Unsettled {
    /// The rows younger than `settle` microseconds by a server's clock; `None` when there are none to wait for, or when the cursor is no time.
    #[must_use]
    pub fn by(clock: ServerClock, cursor_type: CursorType, settle: i64) -> Option<Self> {
        if settle == 0 {
            return None;
        }
        Some(Self {
            after: clock.before(cursor_type, settle)?,
            up_to: clock.now(cursor_type)?,
        })
    }

    /// How long rows with a cursor of this type settle unless the options say otherwise, in microseconds.
    #[must_use]
    pub fn default_settle(cursor_type: CursorType) -> i64 {
        match cursor_type {
            // A date has no seconds to wait for; its overlap of a day does that.
            CursorType::Date => 0,
            _ => SETTLE_MICROSECONDS,
        }
    }
}
