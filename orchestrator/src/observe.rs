//! What others may know of a run while it goes on and when it is over: its log, its figures, its trace.
//!
//! | module | what it is |
//! |---|---|
//! | [`run_log`] | log lines that belong to a run, kept in the store with it |
//! | [`metrics`] | what is counted; `names` in it is the one list of metrics |
//! | [`spans`] | the spans of a run's trace |
//! | [`telemetry`] | traces and metrics pushed over OTLP |
//! | [`alerts`] | who is told of what, once, by webhook |
//! | [`endpoint`] | `/metrics`, `/healthz`, `/readyz` |
//! | [`watch`] | one run, watched in all these ways |
//!
//! *Invariant:* nothing here decides what a run does, waits on a run's way, or fails it.

pub mod alerts;
pub mod endpoint;
pub mod metrics;
pub mod run_log;
pub mod spans;
pub mod telemetry;
pub mod watch;

use metrics::Metrics;
use run_log::RunLogs;

/// Everything that watches runs in this process. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Observation {
    /// The logs of the runs that go on.
    pub logs: RunLogs,
    /// What is counted.
    pub metrics: Metrics,
}
