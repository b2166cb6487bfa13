//! What others may know of a run while it goes on and when it is over: its log.
//!
//! | module | what it is |
//! |---|---|
//! | [`run_log`] | log lines that belong to a run, kept in the store with it |
//!
//! *Invariant:* nothing here decides what a run does, waits on a run's way, or fails it.

pub mod run_log;

use run_log::RunLogs;

/// Everything that watches runs in this process. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Observation {
    /// The logs of the runs that go on.
    pub logs: RunLogs,
}
