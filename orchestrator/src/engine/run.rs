//! A sync: held by one process, attempted until its run is done or nothing moves any more.

use std::{sync::Arc, time::Instant};

use longshore_config::{Configuration, Source};
use longshore_state::{Holder, StateStore, Trigger};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    attempts::Attempts, dry_run::DryRun, hold::HeldSync, progress::Progress, reading::Reading, report::RunReport,
    session::Session,
};
use crate::{
    failure::Failure,
    observe::{Observation, run_log::RunLog},
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
pub struct SyncOutcome {
    /// Counts by table.
    pub report: Option<RunReport>,
    /// Why it stopped.
    pub failure: Option<Failure>,
}

/// A sync that is held, and what it is to do.
pub(super) struct Task<'a> {
    pub(super) source: &'a Source,
    pub(super) reading: &'a Reading,
    pub(super) held: &'a HeldSync,
    pub(super) progress: &'a Progress,
    pub(super) log: &'a RunLog,
}

impl Engine<'_> {
    /// Runs one sync to its end, or goes on with its interrupted run. What breaks off for a reason that can pass is attempted again, with new
    /// plugins, while the sync stays held.
    pub async fn sync(&self, source: &Source, reading: &Reading, progress: &Progress) -> SyncOutcome {
        let log = self.observation.logs.begin(&source.spec.name);
        let syncing = self.sync_logged(source, reading, progress, &log);
        let outcome = syncing.instrument(log.span()).await;
        log.end().await;
        outcome
    }

    async fn sync_logged(&self, source: &Source, reading: &Reading, progress: &Progress, log: &RunLog) -> SyncOutcome {
        let held = match HeldSync::acquire(Arc::clone(&self.store), &source.spec.name, self.holder.clone()).await {
            Ok(held) => held,
            Err(error) => return SyncOutcome::before_a_run(error),
        };
        let outcome = self
            .attempt_until_done(&Task {
                source,
                reading,
                held: &held,
                progress,
                log,
            })
            .await;
        if let Err(error) = held.release().await {
            tracing::warn!(%error, "the hold of the sync could not be given back; it lapses by itself");
        }
        outcome
    }

    async fn attempt_until_done(&self, task: &Task<'_>) -> SyncOutcome {
        let mut attempts = Attempts::new(Instant::now());
        loop {
            let outcome = self.attempt_once(task).await;
            let Some(delay) = attempts.delay_after(&outcome) else {
                return attempts.conclude(outcome);
            };
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.cancel.cancelled() => return attempts.conclude(outcome),
                () = task.held.lost.cancelled() => return attempts.conclude(outcome),
            }
            attempts.broke_off(outcome);
            task.progress.begin_anew();
        }
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
    /// There was no run to report about.
    pub(super) fn before_a_run(failure: impl Into<Failure>) -> Self {
        Self {
            report: None,
            failure: Some(failure.into()),
        }
    }
}
