//! Who is told of what happens to syncs: a task beside the daemon's loop, because a webhook may take its time.

use std::{sync::Arc, time::Duration};

use longshore_config::Configuration;
use longshore_state::UnixMicros;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::observe::alerts::{Alerter, condition::Ended, webhook::Patience};

/// Between two looks at lags, and at alerts that did not arrive.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Ends of runs that wait to be told; more than a daemon ends while one webhook is tried to the last.
const WAITING: usize = 1_024;

/// How long a daemon that ends waits for what is still to be told, at most. What is not is in the state, and told after the next start.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// And at least, although the time for draining is over: a webhook that works answers within this.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The task.
pub(super) struct Alerting {
    ended: mpsc::Sender<(String, Ended)>,
    /// What the syncs want to be told of now.
    configuration: watch::Sender<Arc<Configuration>>,
    telling: JoinHandle<()>,
}

impl Alerting {
    pub(super) fn start(alerter: Alerter, configuration: Arc<Configuration>) -> Self {
        let (ended, told) = mpsc::channel(WAITING);
        let (configuration, current) = watch::channel(configuration);
        let telling = tokio::spawn(tell(alerter, told, current));
        Self {
            ended,
            configuration,
            telling,
        }
    }

    pub(super) fn reconfigured(&self, configuration: Arc<Configuration>) {
        self.configuration.send_replace(configuration);
    }

    pub(super) fn run_ended(&self, sync: &str, ended: Ended) {
        if self.ended.try_send((sync.to_owned(), ended)).is_err() {
            tracing::error!(sync, "alerts are so far behind that this end of a run is not told");
        }
    }

    /// Tells what is still to be told, until the time for draining is over.
    pub(super) async fn end(self, drained_at: Instant) {
        let Self {
            ended,
            configuration,
            mut telling,
        } = self;
        drop(ended);
        let left = drained_at.saturating_duration_since(Instant::now());
        if tokio::time::timeout(left.clamp(LAST_WORD, LAST_WORDS), &mut telling)
            .await
            .is_err()
        {
            telling.abort();
            tracing::warn!("alerts that did not reach their webhook are told after the next start");
        }
        drop(configuration);
    }
}

async fn tell(
    alerter: Alerter,
    mut told: mpsc::Receiver<(String, Ended)>,
    configuration: watch::Receiver<Arc<Configuration>>,
) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let told = tokio::select! {
            ended = told.recv() => match ended {
                Some((sync, ended)) => run_ended(&alerter, &current(&configuration), &sync, &ended).await,
                None => return,
            },
            _ = look.tick() => time_passed(&alerter, &current(&configuration)).await,
        };
        if let Err(error) = told {
            tracing::warn!(%error, "alerts could not be looked at");
        }
    }
}

fn current(configuration: &watch::Receiver<Arc<Configuration>>) -> Arc<Configuration> {
    Arc::clone(&configuration.borrow())
}

async fn run_ended(
    alerter: &Alerter,
    configuration: &Configuration,
    sync: &str,
    ended: &Ended,
) -> longshore_core::Result<()> {
    match configuration.source(sync) {
        Some(source) => alerter.run_ended(source, ended, UnixMicros::now(), Patience::NEW).await,
        // It has left the configuration, and nobody wants to hear of it any more.
        None => Ok(()),
    }
}

async fn time_passed(alerter: &Alerter, configuration: &Configuration) -> longshore_core::Result<()> {
    for source in &configuration.sources {
        alerter.time_passed(source, UnixMicros::now(), Patience::AGAIN).await?;
    }
    Ok(())
}
