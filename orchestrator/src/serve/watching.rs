//! What goes on beside the daemon, by its handle alone: metrics and health for machines, alerts for people.

use std::time::Duration;

use axum::Router;
use longshore_state::UnixMicros;
use tokio::{
    net::TcpListener,
    sync::{broadcast::error::RecvError, mpsc},
    time::{MissedTickBehavior, interval},
};

use super::handle::{DaemonHandle, Event, Readiness, RunEnded, RunOutcome};
use crate::observe::{
    alerts::{
        Alerter,
        condition::{Ended, Outcome},
        webhook::Patience,
    },
    endpoint,
    metrics::Metrics,
};

/// Between two looks at lags, and at alerts that did not arrive.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Ends of runs that wait while a webhook is slow; beyond, they are passed over, and the next end of the sync tells how it is.
const ENDS_WAITING: usize = 256;

/// Answers `/metrics`, `/healthz` and `/readyz` until it is dropped.
pub(super) async fn answer_machines(handle: DaemonHandle, metrics: Metrics, listener: TcpListener) {
    if let Err(error) = axum::serve(listener, machines(handle, metrics)).await {
        tracing::error!(%error, "metrics and health are not answered any more");
    }
}

/// `/metrics`, `/healthz` and `/readyz`, to mount wherever they are answered.
pub(super) fn machines(handle: DaemonHandle, metrics: Metrics) -> Router {
    let readiness = move || match handle.readiness() {
        Readiness::Ready => endpoint::Readiness::Ready,
        Readiness::Starting => endpoint::Readiness::NotReady("starting"),
        Readiness::StoreUnusable => endpoint::Readiness::NotReady("store_unusable"),
        Readiness::Draining => endpoint::Readiness::NotReady("draining"),
    };
    endpoint::router(metrics, readiness)
}

/// Tells of conditions as runs end and time passes, until it is dropped.
pub(super) async fn tell_of_alerts(handle: DaemonHandle, alerter: Alerter) {
    let (ends, mut ended) = mpsc::channel(ENDS_WAITING);
    let listening = listen(handle.clone(), ends);
    let telling = async {
        let mut time = interval(LOOK_EVERY);
        time.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(run) = ended.recv() => tell_of_run(&handle, &alerter, &run).await,
                _ = time.tick() => tell_of_time(&handle, &alerter).await,
            }
        }
    };
    tokio::select! {
        () = listening => {}
        () = telling => {}
    }
}

/// Takes events as fast as they come: a slow webhook must not make others of this process miss them.
async fn listen(handle: DaemonHandle, ends: mpsc::Sender<Box<RunEnded>>) {
    let mut events = handle.events();
    // A handle of its own would keep the daemon's end from being heard.
    drop(handle);
    loop {
        match events.recv().await {
            // What becomes of rejects by request says nothing of the sync.
            Ok(Event::RunEnded(run)) if run.kind == "sync" => {
                if let Err(error) = ends.try_send(run) {
                    tracing::warn!(%error, "alerts can not keep up with the ends of runs");
                }
            }
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "alerts have missed events of the daemon"),
            Err(RecvError::Closed) => return,
        }
    }
}

async fn tell_of_run(handle: &DaemonHandle, alerter: &Alerter, run: &RunEnded) {
    let configuration = handle.configuration();
    // It was removed meanwhile.
    let Some(source) = configuration.source(&run.sync) else {
        return;
    };
    let ended = ended(run);
    let told = alerter.run_ended(source, &ended, UnixMicros::now(), Patience::NEW);
    if let Err(error) = told.await {
        tracing::warn!(%error, sync = run.sync, "the alerts of the sync can not be looked at");
    }
}

async fn tell_of_time(handle: &DaemonHandle, alerter: &Alerter) {
    for source in &handle.configuration().sources {
        if let Err(error) = alerter.time_passed(source, UnixMicros::now(), Patience::AGAIN).await {
            tracing::warn!(%error, sync = source.spec.name, "the alerts of the sync can not be looked at");
        }
    }
}

fn ended(run: &RunEnded) -> Ended {
    Ended {
        outcome: match run.outcome {
            RunOutcome::Completed => Outcome::Succeeded,
            RunOutcome::Failed => Outcome::Failed,
            RunOutcome::WillRetry | RunOutcome::Cancelled | RunOutcome::Interrupted => Outcome::Open,
        },
        error: run.error.clone(),
        ..run.report.as_ref().map(Ended::counted).unwrap_or_default()
    }
}
