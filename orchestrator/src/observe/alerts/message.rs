//! What is told, as JSON. The form is documented in docs/observability.md and only grows.

use longshore_state::UnixMicros;
use serde_json::{Value, json};

use super::condition::{Condition, Details};
use crate::{
    figures::{counted, grouped, were},
    moment::shown,
};

/// The version of the form.
const VERSION: u32 = 1;

/// A condition that began or ceased to hold.
pub(super) struct Message<'a> {
    pub(super) sync: &'a str,
    pub(super) condition: Condition,
    pub(super) firing: bool,
    /// Since when it holds, or held.
    pub(super) since: UnixMicros,
    pub(super) at: UnixMicros,
    /// Why it holds; `None`: it does not.
    pub(super) details: Option<Details>,
}

impl Message<'_> {
    pub(super) fn to_json(&self) -> Value {
        let mut message = json!({
            "version": VERSION,
            "alert": self.condition.name(),
            "state": if self.firing { "firing" } else { "resolved" },
            "sync": self.sync,
            "since": shown(self.since),
            "at": shown(self.at),
            "summary": self.summary(),
            "longshore_version": env!("CARGO_PKG_VERSION"),
        });
        match &self.details {
            Some(Details::Failed { run_id, error }) => {
                message["run_id"] = json!(run_id);
                message["error"] = json!(error);
            }
            Some(Details::Lags {
                table,
                seconds,
                bound_seconds,
                ..
            }) => {
                message["lag"] = json!({ "table": table, "seconds": seconds.round(), "bound_seconds": bound_seconds });
            }
            Some(Details::Rejected {
                run_id,
                rejected,
                read,
                bound,
            }) => {
                message["run_id"] = json!(run_id);
                message["rejects"] = json!({ "rejected": rejected, "read": read, "bound": bound });
            }
            None => {}
        }
        message
    }

    /// One line for a person.
    fn summary(&self) -> String {
        let sync = self.sync;
        match (&self.details, self.condition) {
            (Some(Details::Failed { error: Some(error), .. }), _) => {
                format!("The sync {sync} failed: {} ({})", error.message, error.code)
            }
            (Some(Details::Failed { error: None, .. }), _) => format!("The sync {sync} failed"),
            (
                Some(Details::Lags {
                    table, seconds, bound, ..
                }),
                _,
            ) => format!(
                "The table {table} of the sync {sync} is {seconds:.0} s behind its source's clock; {bound} are allowed"
            ),
            (
                Some(Details::Rejected {
                    rejected, read, bound, ..
                }),
                _,
            ) => format!(
                "{} of {} of the sync {sync} {} rejected; {bound} are allowed",
                grouped(*rejected),
                counted(*read, "row", "rows"),
                were(*rejected)
            ),
            (None, Condition::Failure) => format!("The sync {sync} succeeds again"),
            (None, Condition::Lag) => format!("No table of the sync {sync} lags beyond its bound any more"),
            (None, Condition::Rejects) => format!("The sync {sync} rejects no more rows than are allowed"),
        }
    }
}
