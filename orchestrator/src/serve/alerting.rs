//! Who is told of what happens to syncs: tasks beside the daemon's loop, because a webhook may take its time. Each sync has its own, so that a webhook that hangs
//! keeps no other sync's alerts waiting.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use longshore_config::Configuration;
use longshore_state::UnixMicros;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::observe::alerts::{Alerter, condition::Ended, webhook::Patience};

/// Between two looks at lags, and at alerts that did not arrive.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Ends of runs of one sync that wait to be told; more than come while one webhook is tried to the last.
const WAITING: usize = 64;

/// How long a daemon that ends waits for what is still to be told, at most. What is not is in the state, and told after the next start.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// And at least, although the time for draining is over: a webhook that works answers within this, and the state takes within it what does not arrive.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The tasks.
pub(super) struct Alerting {
    alerter: Alerter,
    /// What the syncs want to be told of now.
    configuration: watch::Sender<Arc<Configuration>>,
    /// Of each sync that is or was configured, where ends of its runs are handed over.
    ended: BTreeMap<String, mpsc::Sender<Ended>>,
    telling: JoinSet<()>,
    /// Nothing more is sent: what is new is stored, for the next start.
    store_only: CancellationToken,
}

impl Alerting {
    /// `known`: the syncs that a daemon has run by now. What holds of those that are gone is forgotten.
    pub(super) fn start(
        alerter: Alerter,
        configuration: Arc<Configuration>,
        known: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut alerting = Self {
            alerter,
            configuration: watch::Sender::new(configuration),
            ended: BTreeMap::new(),
            telling: JoinSet::new(),
            store_only: CancellationToken::new(),
        };
        alerting.begin_new_syncs(known);
        alerting
    }

    pub(super) fn reconfigured(&mut self, configuration: Arc<Configuration>) {
        self.configuration.send_replace(configuration);
        self.begin_new_syncs([]);
    }

    fn begin_new_syncs(&mut self, known: impl IntoIterator<Item = String>) {
        let configuration = Arc::clone(&self.configuration.borrow());
        let configured = configuration.sources.iter().map(|source| source.spec.name.clone());
        for sync in configured.chain(known) {
            if self.ended.contains_key(&sync) {
                continue;
            }
            let (ended, told) = mpsc::channel(WAITING);
            self.ended.insert(sync.clone(), ended);
            let teller = Teller {
                alerter: self.alerter.clone(),
                sync,
                store_only: self.store_only.clone(),
            };
            self.telling.spawn(teller.tell(told, self.configuration.subscribe()));
        }
    }

    pub(super) fn run_ended(&self, sync: &str, ended: Ended) {
        let Some(waiting) = self.ended.get(sync) else { return };
        if waiting.try_send(ended).is_err() {
            tracing::error!(sync, "alerts are so far behind that this end of a run is not told");
        }
    }

    /// Tells what is still to be told, until the time for draining is over. What does not arrive by then is stored.
    pub(super) async fn end(self, drained_at: Instant) {
        let Self {
            ended,
            mut telling,
            store_only,
            // Without it, nobody would know any more what the syncs want to be told of.
            configuration: _configuration,
            alerter: _,
        } = self;
        drop(ended);
        let left = drained_at.saturating_duration_since(Instant::now());
        if all_of(&mut telling, left.clamp(LAST_WORD, LAST_WORDS)).await {
            return;
        }
        tracing::warn!("alerts that did not reach their webhook are told after the next start");
        store_only.cancel();
        if !all_of(&mut telling, LAST_WORD).await {
            tracing::error!("the state does not take alerts that are still to be told; they are lost");
        }
    }
}

/// Whether all tasks end within a time.
async fn all_of(tasks: &mut JoinSet<()>, within: Duration) -> bool {
    let ending = async { while tasks.join_next().await.is_some() {} };
    timeout(within, ending).await.is_ok()
}

/// Tells of one sync.
struct Teller {
    alerter: Alerter,
    sync: String,
    store_only: CancellationToken,
}

impl Teller {
    /// What has happened is stored at once; telling it is broken off for whatever comes meanwhile, and begun again.
    async fn tell(self, mut told: mpsc::Receiver<Ended>, mut configuration: watch::Receiver<Arc<Configuration>>) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let patience = tokio::select! {
                ended = told.recv() => match ended {
                    Some(ended) => {
                        let wanted = Arc::clone(&configuration.borrow());
                        self.store(&wanted, &ended).await;
                        Patience::NEW
                    }
                    None => return,
                },
                _ = look.tick() => Patience::AGAIN,
                Ok(()) = configuration.changed() => Patience::AGAIN,
            };
            let wanted = Arc::clone(&configuration.borrow_and_update());
            tokio::select! {
                () = self.look(&wanted, patience) => {}
                Some(ended) = told.recv() => {
                    self.store(&wanted, &ended).await;
                    look.reset_immediately();
                }
                // What is told may not be wanted any more.
                () = self.wants_else(&mut configuration, &wanted) => look.reset_immediately(),
                () = self.store_only.cancelled() => break,
            }
        }
        let wanted = Arc::clone(&configuration.borrow());
        while let Some(ended) = told.recv().await {
            self.store(&wanted, &ended).await;
        }
    }

    /// Waits until the sync wants to be told of something else, or at another address.
    async fn wants_else(&self, configuration: &mut watch::Receiver<Arc<Configuration>>, wanted: &Configuration) {
        let alerts = |configuration: &Configuration| {
            let source = configuration.source(&self.sync)?;
            source.spec.alerts.clone()
        };
        let before = alerts(wanted);
        // Never: the daemon ends.
        if configuration.wait_for(|now| alerts(now) != before).await.is_err() {
            std::future::pending().await
        }
    }

    /// Stores what follows from the end of a run.
    async fn store(&self, wanted: &Configuration, ended: &Ended) {
        let now = UnixMicros::now();
        // Of a sync that has left the configuration nobody wants to hear any more.
        if let Some(source) = wanted.source(&self.sync) {
            self.log(self.alerter.run_ended(source, ended, now, Patience::NONE).await);
        }
    }

    /// Tells what is untold, and what follows from the time that has passed.
    async fn look(&self, wanted: &Configuration, patience: Patience) {
        let now = UnixMicros::now();
        self.log(match wanted.source(&self.sync) {
            Some(source) => self.alerter.time_passed(source, now, patience).await,
            None => self.alerter.forget(&self.sync).await,
        });
    }

    fn log(&self, looked: longshore_core::Result<()>) {
        if let Err(error) = looked {
            tracing::warn!(sync = self.sync, %error, "alerts could not be looked at");
        }
    }
}
