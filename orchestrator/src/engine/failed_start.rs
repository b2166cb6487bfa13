//! An attempt that failed before it had a run: remembered all the same, so that the history tells of every failure.
//!
//! Which run it would have been is not known then: whether an interrupted one is gone on with is decided by what plugins say of the options and the tables.

use std::sync::Arc;

use longshore_state::{FailedStart, UnixMicros};

use super::{
    attempt::origin,
    run::{Engine, SyncOutcome, Task},
};
use crate::failure::Failure;

impl Engine<'_> {
    /// Records what attempts failed with that began at `started_at` and have no run. Not worth failing for once more: who ran it hears of the failure anyway.
    /// Returns the run that tells of it.
    pub(super) async fn record_failed_start(
        &self,
        task: &Task<'_>,
        outcome: &SyncOutcome,
        started_at: UnixMicros,
    ) -> Option<String> {
        let failure = match &outcome.failure {
            Some(failure @ (Failure::Error(_) | Failure::Configuration(_))) => failure,
            Some(Failure::Cancelled | Failure::TooManyRejects(_)) | None => return None,
        };
        // Whoever names a range to read again is told at once what is wrong with it, and it says nothing of the sync.
        let is_asked_for = !task.reading.moves_cursors();
        if outcome.report.is_some() || is_asked_for || self.dry_run.is_some() || task.held.lost.is_cancelled() {
            return None;
        }
        let failed = FailedStart {
            run_id: uuid::Uuid::now_v7().to_string(),
            turn: self.turn,
            holder: self.holder.clone(),
            origin: origin(self.trigger, std::iter::empty()),
            started_at,
            ended_at: UnixMicros::now(),
            error: failure.to_error(),
            summary: serde_json::json!({ "warnings": [] }),
        };
        match self.store.record_failed_start(&task.held.hold, failed).await {
            Ok(run_id) => {
                let secrets = &self.configuration.secrets;
                task.watch.belongs_to(&run_id, &Arc::clone(&self.store), secrets).await;
                if let Err(error) = self
                    .forget_old_runs(task, self.configuration.settings.history.max_runs)
                    .await
                {
                    tracing::warn!(sync = task.held.hold.sync, %error, "old runs could not be forgotten");
                }
                Some(run_id)
            }
            Err(error) => {
                tracing::warn!(sync = task.held.hold.sync, %error, "the history does not have this failure");
                None
            }
        }
    }
}
