//! Runs as tasks of the daemon.

use std::{collections::HashMap, sync::Arc};

use longshore_config::{Configuration, Source};
use longshore_core::Error;
use longshore_state::{Holder, RunKind, StateStore, Trigger};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::scheduler::Ended;
use crate::{
    engine::{
        progress::Progress,
        reading::Reading,
        replay::Replay,
        run::{Engine, SyncOutcome},
    },
    failure::Failure,
    observe::Observation,
    plugin_host::PluginHost,
};

/// Starts runs and collects their outcomes.
pub(super) struct Runner {
    host: Arc<PluginHost>,
    store: Arc<dyn StateStore>,
    holder: Holder,
    observation: Observation,
    tasks: JoinSet<SyncOutcome>,
    syncs: HashMap<Id, String>,
}

/// What is to be run.
pub(super) enum Work {
    /// What is new, for this turn.
    Turn(i64),
    /// Rejects.
    Replay(Box<Replay>),
}

/// A run that goes on.
pub(super) struct RunningTask {
    pub(super) kind: RunKind,
    pub(super) cancel: CancellationToken,
    pub(super) progress: Progress,
}

impl Runner {
    pub(super) fn new(host: PluginHost, store: Arc<dyn StateStore>, holder: Holder, observation: Observation) -> Self {
        Self {
            host: Arc::new(host),
            store,
            holder,
            observation,
            tasks: JoinSet::new(),
            syncs: HashMap::new(),
        }
    }

    /// Where its runs are recorded.
    pub(super) fn store(&self) -> Arc<dyn StateStore> {
        Arc::clone(&self.store)
    }

    /// Starts a run of a sync, with the configuration of this moment.
    pub(super) fn start(
        &mut self,
        configuration: Arc<Configuration>,
        sync: &str,
        (work, trigger): (Work, Trigger),
    ) -> RunningTask {
        let running = RunningTask {
            kind: match work {
                Work::Turn(_) => RunKind::Sync,
                Work::Replay(_) => RunKind::Replay,
            },
            cancel: CancellationToken::new(),
            progress: Progress::default(),
        };
        let run = Run {
            host: Arc::clone(&self.host),
            store: Arc::clone(&self.store),
            holder: self.holder.clone(),
            configuration,
            cancel: running.cancel.clone(),
            progress: running.progress.clone(),
            trigger,
            observation: self.observation.clone(),
        };
        let name = sync.to_owned();
        let task = async move { Box::pin(run.until_done(&name, work)).await };
        let handle = self.tasks.spawn(task);
        self.syncs.insert(handle.id(), sync.to_owned());
        running
    }

    pub(super) fn host(&self) -> Arc<PluginHost> {
        Arc::clone(&self.host)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Ends every task where it is; its plugins end with it.
    pub(super) fn abort(&mut self) {
        self.tasks.abort_all();
    }

    /// The next run that ends; never ready while nothing runs.
    pub(super) async fn next_ended(&mut self) -> (String, SyncOutcome) {
        loop {
            let Some(joined) = self.tasks.join_next_with_id().await else {
                return std::future::pending().await;
            };
            let (id, outcome) = joined.unwrap_or_else(|error| (error.id(), panicked(&error)));
            if let Some(sync) = self.syncs.remove(&id) {
                return (sync, outcome);
            }
        }
    }
}

fn panicked(error: &JoinError) -> SyncOutcome {
    let failure = match error.is_cancelled() {
        true => Failure::Cancelled,
        false => Error::internal("run_panicked", "The task of a run panicked")
            .with_cause(error)
            .into(),
    };
    SyncOutcome::before_a_run(failure)
}

/// What a task needs, without the daemon.
struct Run {
    host: Arc<PluginHost>,
    store: Arc<dyn StateStore>,
    holder: Holder,
    configuration: Arc<Configuration>,
    cancel: CancellationToken,
    progress: Progress,
    trigger: Trigger,
    observation: Observation,
}

impl Run {
    async fn until_done(self, sync: &str, work: Work) -> SyncOutcome {
        let Some(source) = self.configuration.source(sync) else {
            let message = format!("The configuration has no source `{sync}`");
            return SyncOutcome::before_a_run(Error::internal("source_unknown", message));
        };
        let announce = |notice: &str| tracing::warn!(sync, "{notice}");
        let engine = Engine {
            host: &self.host,
            store: Arc::clone(&self.store),
            configuration: &self.configuration,
            holder: self.holder.clone(),
            cancel: self.cancel.clone(),
            announce: &announce,
            trigger: self.trigger,
            observation: self.observation.clone(),
            turn: match work {
                Work::Turn(turn) => Some(turn),
                Work::Replay(_) => None,
            },
            dry_run: None,
        };
        self.carry_out(&engine, source, &work).await
    }

    async fn carry_out(&self, engine: &Engine<'_>, source: &Source, work: &Work) -> SyncOutcome {
        match work {
            Work::Turn(_) => engine.sync(source, &Reading::New, &self.progress).await,
            Work::Replay(replay) => engine.replay(source, replay, &self.progress).await,
        }
    }
}

/// What the scheduler hears of an outcome.
pub(super) fn ended(outcome: &SyncOutcome) -> Ended {
    match &outcome.failure {
        None => Ended::Completed,
        Some(Failure::Cancelled) => Ended::Cancelled,
        // Only before a run: a run that loses its hold has another code.
        Some(Failure::Error(error)) if error.code == "sync_held" && outcome.report.is_none() => {
            Ended::HeldElsewhere(error.clone())
        }
        Some(failure) => Ended::Failed(failure.to_error()),
    }
}
