//! One run, watched in all ways.

use std::{sync::Arc, time::Instant};

use longshore_config::Secrets;
use longshore_state::{RunKind, RunStatus, StateStore, Trigger, UnixMicros};
use tracing::Span;

use super::{
    Observation,
    metrics::{InProgress, Metrics},
    run_log::RunLog,
    spans,
};

/// A run that is watched until [`end`](Self::end).
pub struct Watch {
    sync: String,
    log: RunLog,
    span: Span,
    metrics: Metrics,
    /// `None`: it is not counted among the syncs.
    in_progress: Option<InProgress>,
    begun: Instant,
}

impl Observation {
    /// Begins to watch a run of a sync, whose lines go into `log`. Replays are logged and traced, and are no runs of the sync to count.
    #[must_use]
    pub fn watch(&self, log: RunLog, sync: &str, kind: RunKind, trigger: Trigger) -> Watch {
        // Below the log's span, which is not pushed: in the trace it is the root.
        let span = log.span().in_scope(|| spans::run(sync));
        Watch {
            sync: sync.to_owned(),
            log,
            span,
            metrics: self.metrics.clone(),
            in_progress: (kind == RunKind::Sync).then(|| self.metrics.begin(sync, trigger, UnixMicros::now())),
            begun: Instant::now(),
        }
    }
}

impl Watch {
    /// The work of the run, and of every task that it starts, goes on within this.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// It is known now which run it is.
    pub async fn belongs_to(&self, run_id: &str, store: &Arc<dyn StateStore>, secrets: &Secrets) {
        self.span.record("longshore.run_id", run_id);
        self.log.belongs_to(run_id, store, secrets).await;
    }

    /// The run ended. Waits for its log to be stored, within a bound.
    pub async fn end(self, status: RunStatus) {
        self.count(status);
        let lost = self.log.end().await;
        if lost > 0 {
            self.metrics.log_lines_lost(&self.sync, lost);
        }
    }

    fn count(&self, status: RunStatus) {
        if self.in_progress.is_some() {
            let took = self.begun.elapsed();
            self.metrics.ended(&self.sync, status, took, UnixMicros::now());
        }
        self.span.record("longshore.outcome", status.as_str());
        if status == RunStatus::Failed {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}
