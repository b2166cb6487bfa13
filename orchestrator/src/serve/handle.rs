//! What others may ask of a running daemon: the command line, the HTTP API, metrics and alerts.
//!
//! A [`DaemonHandle`] is cheap to clone. Questions are answered from what the scheduler last published, without waiting for it; wishes go to the scheduler,
//! one after another, and are answered when their effect is in the state store. The cancelling of a run is answered when the run has been told to end; the
//! store knows of it when the run has. A daemon that is killed in between has cancelled nothing: the next one goes on with the run.

mod answer;
mod event;
mod standing;
mod view;

use std::{sync::Arc, time::Duration};

use longshore_config::Configuration;
use longshore_core::{Error, Result};
use longshore_state::StateStore;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

pub use answer::{Cancelled, PauseState, Started};
pub use event::{Event, RunEnded, RunOutcome};
pub use standing::{CursorView, LastRun, Standing};
pub(super) use view::tables_of;
pub use view::{Activity, Phase, Readiness, ScheduleView, SyncView, TableView};

use crate::engine::{replay::Replay, report::RunReport};

/// Events kept for a receiver that is slow; one that falls further behind is told how many it missed (`RecvError::Lagged`), and asks for the list again.
const EVENTS_KEPT: usize = 1_024;

/// Wishes that wait for the scheduler; beyond, askers wait.
const WISHES: usize = 64;

/// A scheduler that does not answer within this hangs, or its store does: askers are told so.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A running daemon, as others in its process see it.
#[derive(Clone)]
pub struct DaemonHandle {
    wishes: mpsc::Sender<Wish>,
    published: watch::Receiver<Arc<Published>>,
    events: broadcast::Sender<Event>,
    store: Arc<dyn StateStore>,
}

/// What the scheduler publishes after every step.
pub(super) struct Published {
    /// In the order of the configuration, then those that were removed and still run.
    pub(super) syncs: Vec<SyncView>,
    pub(super) readiness: Readiness,
    pub(super) configuration: Arc<Configuration>,
}

/// The other end of a handle.
pub(super) struct Desk {
    pub(super) wishes: mpsc::Receiver<Wish>,
    pub(super) published: watch::Sender<Arc<Published>>,
    pub(super) events: broadcast::Sender<Event>,
}

/// Something that somebody wants done, and where the answer goes.
pub(super) enum Wish {
    RunNow {
        sync: String,
        answer: Answer<Started>,
    },
    Pause {
        sync: String,
        answer: Answer<PauseState>,
    },
    Resume {
        sync: String,
        answer: Answer<PauseState>,
    },
    CancelSync {
        sync: String,
        answer: Answer<Cancelled>,
    },
    CancelRun {
        run_id: String,
        answer: Answer<Cancelled>,
    },
    Replay {
        sync: String,
        replay: Box<Replay>,
        /// Told at the end of the replay, not at its start.
        answer: Answer<RunReport>,
    },
    Reload {
        answer: Answer<()>,
    },
}

pub(super) type Answer<T> = oneshot::Sender<Result<T>>;

impl DaemonHandle {
    pub(super) fn new(store: Arc<dyn StateStore>, first: Published) -> (Self, Desk) {
        let (wishes, wished) = mpsc::channel(WISHES);
        let (publisher, published) = watch::channel(Arc::new(first));
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        let desk = Desk {
            wishes: wished,
            published: publisher,
            events: events.clone(),
        };
        let handle = Self {
            wishes,
            published,
            events,
            store,
        };
        (handle, desk)
    }

    /// Every sync as it stands, in the order of the configuration, with what the store says of it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn syncs(&self) -> Result<Vec<Standing>> {
        let mut syncs = Vec::new();
        for view in self.views() {
            syncs.push(Standing::of(view, self.store.as_ref()).await?);
        }
        Ok(syncs)
    }

    /// One sync, with what the store says of it.
    ///
    /// # Errors
    /// `sync_unknown`: the configuration has no such sync. Those of the store.
    pub async fn sync(&self, name: &str) -> Result<Standing> {
        Standing::of(self.view(name)?, self.store.as_ref()).await
    }

    /// Every sync as the daemon knows it now, in the order of the configuration; the progress of running ones is read at this moment.
    #[must_use]
    pub fn views(&self) -> Vec<SyncView> {
        let published = self.published.borrow().clone();
        published.syncs.iter().map(SyncView::as_of_now).collect()
    }

    /// One sync as the daemon knows it now.
    ///
    /// # Errors
    /// `sync_unknown`: the configuration has no such sync.
    pub fn view(&self, name: &str) -> Result<SyncView> {
        let published = self.published.borrow().clone();
        let found = published.syncs.iter().find(|sync| sync.name == name);
        found
            .map(SyncView::as_of_now)
            .ok_or_else(|| unknown_sync(name, published.syncs.iter().map(|sync| sync.name.as_str())))
    }

    /// The configuration that new runs start with. A reload replaces it; runs keep the one they began with.
    #[must_use]
    pub fn configuration(&self) -> Arc<Configuration> {
        Arc::clone(&self.published.borrow().configuration)
    }

    /// The state store of the daemon: history, cursors and rejects are asked there.
    #[must_use]
    pub fn store(&self) -> Arc<dyn StateStore> {
        Arc::clone(&self.store)
    }

    /// Whether the daemon takes work.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.published.borrow().readiness
    }

    /// Events from now on. A receiver that falls behind by 1,024 is told so by `RecvError::Lagged`.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Waits until something of [`views`](Self::views) or [`readiness`](Self::readiness) has changed, apart from counters of progress.
    ///
    /// # Errors
    /// `daemon_ended`: nothing will change any more.
    pub async fn changed(&mut self) -> Result<()> {
        self.published.changed().await.map_err(|_| ended())
    }

    /// Runs a sync now, whatever its schedule says and even while it is paused. What waits for a retry is tried at once.
    ///
    /// # Errors
    /// `sync_unknown`; `sync_running`: it runs already; `daemon_draining`.
    pub async fn run_now(&self, sync: &str) -> Result<Started> {
        let sync = sync.to_owned();
        self.ask(|answer| Wish::RunNow { sync, answer }).await
    }

    /// Starts no more runs of a sync by itself until it is resumed; survives restarts. A run that goes on is not touched.
    ///
    /// # Errors
    /// `sync_unknown`, and those of the store.
    pub async fn pause(&self, sync: &str) -> Result<PauseState> {
        let sync = sync.to_owned();
        self.ask(|answer| Wish::Pause { sync, answer }).await
    }

    /// Ends a pause. Times that have passed meanwhile are made up for as the sync's `catch_up` says.
    ///
    /// # Errors
    /// `sync_unknown`, and those of the store.
    pub async fn resume(&self, sync: &str) -> Result<PauseState> {
        let sync = sync.to_owned();
        self.ask(|answer| Wish::Resume { sync, answer }).await
    }

    /// Ends the current run of a sync in order, or takes back one that waits. What is acked is committed; the next run goes on there.
    ///
    /// # Errors
    /// `sync_unknown`; `sync_idle`: nothing runs or waits.
    pub async fn cancel_sync(&self, sync: &str) -> Result<Cancelled> {
        let sync = sync.to_owned();
        self.ask(|answer| Wish::CancelSync { sync, answer }).await
    }

    /// As [`cancel_sync`](Self::cancel_sync), of the run with this id.
    ///
    /// # Errors
    /// `run_not_running`: this daemon does not run it at the moment.
    pub async fn cancel_run(&self, run_id: &str) -> Result<Cancelled> {
        let run_id = run_id.to_owned();
        self.ask(|answer| Wish::CancelRun { run_id, answer }).await
    }

    /// Sends rejects of a sync again and waits for the end of it. The answer is the report of the replay, with its error where it has one.
    ///
    /// # Errors
    /// `sync_unknown`; `sync_running`: a run goes on, which would collide with it; `daemon_draining`; whatever kept the replay from beginning.
    pub async fn replay(&self, sync: &str, replay: Replay) -> Result<RunReport> {
        let (sync, replay) = (sync.to_owned(), Box::new(replay));
        let (answer, answered) = oneshot::channel();
        let wish = Wish::Replay { sync, replay, answer };
        self.wishes.send(wish).await.map_err(|_| ended())?;
        // As long as it takes: the rate limits of a destination can make it long.
        answered.await.map_err(|_| ended())?
    }

    /// Reads the configuration again, as SIGHUP does.
    ///
    /// # Errors
    /// `configuration_invalid`: it was refused whole, and everything stays as it was; the log has each place.
    pub async fn reload(&self) -> Result<()> {
        self.ask(|answer| Wish::Reload { answer }).await
    }

    async fn ask<T>(&self, wish: impl FnOnce(Answer<T>) -> Wish) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let asking = async {
            self.wishes.send(wish(answer)).await.map_err(|_| ended())?;
            answered.await.map_err(|_| ended())?
        };
        tokio::time::timeout(ANSWER_WITHIN, asking).await.unwrap_or_else(|_| {
            let message = format!("The daemon did not answer within {} s", ANSWER_WITHIN.as_secs());
            Err(Error::internal("daemon_hangs", message).retryable())
        })
    }
}

fn ended() -> Error {
    Error::config("daemon_ended", "The daemon is ending and takes no more wishes")
        .with_remedy("Start it again with `longshore serve`.")
}

/// A name that the daemon does not know.
pub(super) fn unknown_sync<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let known: Vec<&str> = known.collect();
    Error::config("sync_unknown", format!("The daemon has no sync {name}"))
        .with_remedy(format!("Its syncs are: {}.", known.join(", ")))
}
