//! A sync: held by one process, attempted until its run is done or nothing moves any more.

use std::{sync::Arc, time::Instant};

use longshore_config::{Configuration, Source};
use longshore_state::{Holder, RunKind, RunStatus, StateStore, Trigger, UnixMicros};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    attempts::Attempts, dry_run::DryRun, hold::HeldSync, progress::Progress, reading::Reading, report::RunReport,
    session::Session,
};
use crate::{
    failure::Failure,
    observe::{Observation, metrics::Retried, run_log::RunLog, spans, watch::Watch},
    plugin_host::PluginHost,
};

/// What a sync needs besides its configuration.
pub struct Engine<'a> {
    /// Starts plugins.
    pub host: &'a PluginHost,
    /// Holds cursors and runs.
    pub store: Arc<dyn StateStore>,
    /// The configuration.
    pub configuration: &'a Configuration,
    /// This process.
    pub holder: Holder,
    /// The user wants to stop.
    pub cancel: CancellationToken,
    /// Says what the user should know before the first row is read; it is among the report's warnings too.
    pub announce: &'a (dyn Fn(&str) + Sync),
    /// The turn of a daemon that it runs for: the store is told which run does it.
    pub turn: Option<i64>,
    /// Nothing is to be sent; `store` is one that nobody else uses.
    pub dry_run: Option<DryRun>,
    /// Why the sync runs; recorded with its attempts.
    pub trigger: Trigger,
    /// Watches.
    pub observation: Observation,
}

/// How a sync went: the report of the run, when there was one, and why it stopped short, when it did.
#[derive(Default)]
pub struct SyncOutcome {
    /// Counts by table.
    pub report: Option<RunReport>,
    /// Why it stopped.
    pub failure: Option<Failure>,
    /// The run of the history that tells of a failure before there was a run to report about.
    pub failed_start: Option<String>,
}

/// A sync that is held, and what it is to do.
pub(super) struct Task<'a> {
    pub(super) source: &'a Source,
    pub(super) reading: &'a Reading,
    pub(super) held: &'a HeldSync,
    pub(super) progress: &'a Progress,
    pub(super) watch: &'a Watch,
}

impl Engine<'_> {
    /// Runs one sync to its end, or goes on with its interrupted run. What breaks off for a reason that can pass is attempted again, with new
    /// plugins, while the sync stays held.
    pub async fn sync(&self, source: &Source, reading: &Reading, progress: &Progress) -> SyncOutcome {
        let log = self.observation.logs.begin(&source.spec.name);
        let span = log.span();
        // Boxed: it is held by many futures around it.
        Box::pin(self.sync_logged(source, reading, progress, log))
            .instrument(span)
            .await
    }

    async fn sync_logged(&self, source: &Source, reading: &Reading, progress: &Progress, log: RunLog) -> SyncOutcome {
        let sync = &source.spec.name;
        let acquired = HeldSync::acquire(Arc::clone(&self.store), sync, self.holder.clone()).await;
        let acquired = acquired.map_err(SyncOutcome::before_a_run);
        // What did not come to begin is neither counted nor traced.
        let acquired = match acquired {
            Err(outcome) if outcome.is_held_elsewhere() => return outcome,
            acquired => acquired,
        };
        let watch = self.observation.watch(log, sync, RunKind::Sync, self.trigger);
        let outcome = match acquired {
            Err(outcome) => outcome,
            Ok(held) => {
                let syncing = Box::pin(self.sync_held(source, reading, progress, held, &watch));
                syncing.instrument(watch.span()).await
            }
        };
        watch.end(outcome.status()).await;
        outcome
    }

    async fn sync_held(
        &self,
        source: &Source,
        reading: &Reading,
        progress: &Progress,
        held: HeldSync,
        watch: &Watch,
    ) -> SyncOutcome {
        let outcome = self
            .attempt_until_done(&Task {
                source,
                reading,
                held: &held,
                progress,
                watch,
            })
            .await;
        let outcome = self.with_pending_rejects(outcome).await;
        if let Err(error) = held.release().await {
            tracing::warn!(%error, "the hold of the sync could not be given back; it lapses by itself");
        }
        outcome
    }

    /// Says how much of the sync waits in the ledger. Not worth failing for: the run is over.
    pub(super) async fn with_pending_rejects(&self, mut outcome: SyncOutcome) -> SyncOutcome {
        if let Some(report) = &mut outcome.report {
            match self.store.count_pending_rejects(&report.sync).await {
                Ok(pending) => report.pending_rejects = pending,
                Err(error) => tracing::warn!(%error, "the pending rejects could not be counted"),
            }
        }
        outcome
    }

    async fn attempt_until_done(&self, task: &Task<'_>) -> SyncOutcome {
        let mut attempts = Attempts::new(Instant::now());
        // Since when no attempt has come to have a run.
        let mut in_vain_since = None;
        let mut outcome = loop {
            let span = spans::attempt();
            in_vain_since.get_or_insert_with(UnixMicros::now);
            let outcome = self.attempt_once(task).instrument(span.clone()).await;
            outcome.record(&span);
            drop(span);
            if outcome.report.is_some() {
                in_vain_since = None;
            }
            let Some(delay) = attempts.delay_after(&outcome) else {
                break outcome;
            };
            if let Some(failure) = &outcome.failure {
                let next_at = UnixMicros::now().after(delay);
                task.progress.broke_off(failure.to_error(), next_at);
            }
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.cancel.cancelled() => break outcome,
                () = task.held.lost.cancelled() => break outcome,
            }
            attempts.broke_off(outcome);
            self.observation.metrics.retried(&task.source.spec.name, Retried::Run);
            task.progress.begin_anew();
        };
        task.progress.ended();
        if let Some(since) = in_vain_since {
            outcome.failed_start = self.record_failed_start(task, &outcome, since).await;
        }
        attempts.conclude(outcome)
    }

    /// One attempt with plugins of its own: of those that this process has started, none of an earlier attempt is left that could still write.
    async fn attempt_once(&self, task: &Task<'_>) -> SyncOutcome {
        let opening = Session::open(self.host, self.configuration, task.source);
        let session = match self.unless_stopped(task, opening).await {
            Ok(session) => session,
            Err(failure) => return SyncOutcome::before_a_run(failure),
        };
        let outcome = self.attempt(task, &session).await;
        session.close().await;
        outcome
    }
}

impl SyncOutcome {
    /// The run of the history that tells of it.
    #[must_use]
    pub fn run_id(&self) -> Option<&str> {
        let reported = self.report.as_ref().map(|report| report.run_id.as_str());
        reported.or(self.failed_start.as_deref())
    }

    /// Whether it did not come to begin because another process runs the sync.
    #[must_use]
    pub fn is_held_elsewhere(&self) -> bool {
        // Before a run: one that loses its hold has another code.
        self.report.is_none() && matches!(&self.failure, Some(Failure::Error(error)) if error.code == "sync_held")
    }

    /// How it ended.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        let reported = self.report.as_ref().map(|report| report.status);
        match &self.failure {
            None => reported.unwrap_or(RunStatus::Completed),
            // What was delivered is delivered: the run may be complete all the same.
            Some(Failure::TooManyRejects(_)) => reported.unwrap_or(RunStatus::Failed),
            Some(Failure::Cancelled) => RunStatus::Cancelled,
            Some(Failure::Error(_) | Failure::Configuration(_)) => RunStatus::Failed,
        }
    }

    fn record(&self, span: &tracing::Span) {
        if let Some(report) = &self.report {
            span.record("longshore.attempt", report.attempt);
        }
        if let Some(failure) = &self.failure {
            spans::failed(span, &failure.to_error().code);
        }
    }

    /// There was no run to report about.
    pub(crate) fn before_a_run(failure: impl Into<Failure>) -> Self {
        Self {
            failure: Some(failure.into()),
            ..Self::default()
        }
    }
}
