//! `longshore serve`: a daemon that runs syncs by their schedules.
//!
//! | module | what it is |
//! |---|---|
//! | `scheduler` | every decision, pure: what is due, what waits, what is tried again |
//! | `daemon` | the loop that carries the decisions out |
//! | `runner` | runs as tasks |
//! | `one_daemon` | who may have the store |
//! | [`handle`] | what others in this process may ask of the daemon |
//! | [`control`] | the same for other processes of the same user |
//! | `recovery` | what a daemon that died has left |
//! | `alerting` | who is told, beside the loop |
//! | `answering` | metrics and health, for machines |
//! | [`clock`] | what time it is |
//!
//! **Invariant: nothing starts that the store does not know of.** A turn is recorded before its run begins, so that after a crash every due time has exactly
//! one turn or none has been decided yet.

mod alerting;
mod answering;
pub mod clock;
pub mod control;
mod daemon;
pub mod handle;
mod one_daemon;
mod recovery;
mod runner;
mod scheduler;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc, time::Duration};

use longshore_config::{Configuration, Secrets, Source};
use longshore_core::{Error, Result};
use longshore_state::{Holder, StateStore};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    api,
    engine::hold::HeldSync,
    failure::Failure,
    observe::{Observation, alerts::Alerter, metrics::Metrics},
    plugin_host::PluginHost,
};
use alerting::Alerting;
pub use answering::MetricsHttp;
use clock::Clock;
use control::ControlSocket;
use daemon::{Daemon, Parts};
pub use one_daemon::hold;
use runner::Runner;
use scheduler::{Planned, Scheduler};

/// How long running syncs may go on after SIGTERM when nothing is said: with the seconds that an orderly end takes, well within the 90 s that systemd waits.
pub const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How a daemon is to behave.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files and directories of the configuration, for a reload.
    pub paths: Vec<PathBuf>,
    /// How long running syncs may go on once the daemon is to end.
    pub drain_timeout: Duration,
    /// What time it is for schedules.
    pub clock: Clock,
}

/// What a daemon finds around it.
pub struct Surroundings {
    /// Starts plugins.
    pub host: PluginHost,
    /// Cursors, runs, turns.
    pub store: Arc<dyn StateStore>,
    /// What is never printed.
    pub secrets: Secrets,
    /// This process.
    pub holder: Holder,
    /// What makes it the one daemon of the store: see [`hold`].
    pub held: HeldSync,
    /// Cancelled when the daemon is to end: it drains.
    pub cancel: CancellationToken,
    /// Watches.
    pub observation: Observation,
    /// Where metrics and health are answered; `None`: nowhere.
    pub metrics_http: Option<MetricsHttp>,
}

/// Where HTTP is answered. The address is open already, so that a daemon that can not have it does not start.
pub struct Http {
    /// The address.
    pub listener: TcpListener,
    /// How to answer.
    pub options: api::Options,
}

/// Runs a daemon until it is told to end, and has. It answers HTTP at `http`, if that is anywhere.
///
/// # Errors
/// - `run_lost`: this process was suspended, and another daemon has taken over; it ended its runs.
/// - Those of the store when it can not be used at the start.
pub async fn run(
    configuration: Configuration,
    options: Options,
    around: Surroundings,
    http: Option<Http>,
) -> Result<(), Failure> {
    let metrics = around.observation.metrics.clone();
    let started = start(configuration, options, around).await?;
    let answering = http.map(|http| answer_http(http, started.handle, metrics));
    let ended = started.daemon.run().await;
    // Nobody is answered any more; until now, so that whoever watches sees the end.
    drop((started.control, started.answering));
    if let Some((end, answering)) = answering {
        end.cancel();
        answering.await.ok();
    }
    ended
}

/// Answers HTTP until that is cancelled. Runs go on also when it fails.
fn answer_http(mut http: Http, handle: handle::DaemonHandle, metrics: Metrics) -> (CancellationToken, JoinHandle<()>) {
    let end = http.options.end.clone();
    http.options.beside = answering::machines(handle.clone(), metrics);
    let answering = tokio::spawn(async move {
        if let Err(error) = api::serve(http.listener, handle, http.options).await {
            tracing::error!(code = error.code, %error, causes = ?error.causes, "HTTP is not answered any more; runs go on");
        }
    });
    (end, answering)
}

/// A daemon that has taken its first steps.
struct Started {
    daemon: Daemon,
    /// The door for other processes; it has a handle, without which the daemon would have nobody to listen to.
    control: ControlSocket,
    /// Answers machines; it ends with the value.
    answering: JoinSet<()>,
    handle: handle::DaemonHandle,
}

async fn start(configuration: Configuration, options: Options, around: Surroundings) -> Result<Started> {
    let Surroundings {
        host,
        store,
        secrets,
        holder,
        held,
        cancel,
        observation,
        metrics_http,
    } = around;
    let state_file = configuration.settings.state.sqlite_path().to_owned();
    let hangup = signal(SignalKind::hangup())
        .map_err(|error| Error::internal("signals", "Signals can not be listened to").with_cause(&error))?;
    let door = control::Door::make(&state_file)?;
    let stored = recovery::stored(store.as_ref(), &held.hold, options.clock.now()).await?;
    let known: Vec<String> = stored.iter().map(|sync| sync.sync.clone()).collect();
    let concurrent_runs = usize::from(configuration.settings.serve.concurrent_runs);
    let scheduler = Scheduler::new(plan(&configuration), stored, concurrent_runs);
    let syncs = configuration.sources.len();
    let drain_timeout = options.drain_timeout;
    let metrics = observation.metrics.clone();
    let names = configuration.sources.iter().map(|source| source.spec.name.clone());
    metrics.know_stored(store.as_ref(), &names.collect()).await?;
    let configuration = Arc::new(configuration);
    let alerter = Alerter::new(Arc::clone(&store), secrets.clone(), metrics.clone());
    let parts = Parts {
        scheduler,
        alerting: Alerting::start(alerter, Arc::clone(&configuration), known),
        configuration,
        options,
        secrets: secrets.clone(),
        cancel,
        held,
        hangup,
    };
    let runner = Runner::new(host, store, holder, observation);
    let (daemon, handle) = Daemon::new(parts, runner).await?;
    let control = door.open(handle.clone(), secrets);
    let mut answering = JoinSet::new();
    if let Some(http) = metrics_http {
        answering.spawn(answering::answer_machines(handle.clone(), metrics, http));
    }
    tracing::info!(syncs, ?drain_timeout, state = %state_file.display(), "serving");
    Ok(Started {
        daemon,
        control,
        answering,
        handle,
    })
}

/// What the scheduler has to know of a configuration.
fn plan(configuration: &Configuration) -> Vec<Planned> {
    let planned = |source: &Source| Planned {
        name: source.spec.name.clone(),
        destinations: source.spec.destinations.clone(),
        schedule: source
            .spec
            .schedule
            .as_ref()
            .map(|schedule| (schedule.schedule().clone(), schedule.catch_up())),
    };
    configuration.sources.iter().map(planned).collect()
}
