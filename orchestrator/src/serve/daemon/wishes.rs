//! Wishes, granted one after another.

use longshore_core::{Error, Result};

use super::{Daemon, Ending, WaitingReplay};
use crate::{
    engine::{replay::Replay, report::RunReport},
    serve::{
        handle::{Answer, Cancelled, Event, PauseState, Started, Wish, unknown_sync},
        scheduler::{Busy, Cancelling, Running},
    },
};

impl Daemon {
    pub(super) async fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::RunNow { sync, answer } => {
                let started = self.run_now(&sync).await;
                self.answer(answer, started);
            }
            Wish::Pause { sync, answer } => {
                let paused = self.set_paused(&sync, true).await;
                self.answer(answer, paused);
            }
            Wish::Resume { sync, answer } => {
                let resumed = self.set_paused(&sync, false).await;
                self.answer(answer, resumed);
            }
            Wish::CancelSync { sync, answer } => {
                let cancelled = self.cancel_sync(&sync);
                self.answer(answer, cancelled);
            }
            Wish::CancelRun { run_id, answer } => {
                let cancelled = self.cancel_run(&run_id);
                self.answer(answer, cancelled);
            }
            Wish::Replay { sync, replay, answer } => self.replay(&sync, replay, answer),
            Wish::Reload { answer } => self.reload(Some(answer)),
        }
    }

    /// Whoever asked sees at once what came of it, and may have gone away: the wish is granted all the same.
    fn answer<T>(&mut self, answer: Answer<T>, granted: Result<T>) {
        self.publish();
        answer.send(granted).ok();
    }

    fn require(&self, name: &str) -> Result<()> {
        let known = self.scheduler.sync(name).filter(|sync| !sync.is_removed());
        known.map(|_| ()).ok_or_else(|| {
            let syncs = self.scheduler.syncs().iter().filter(|sync| !sync.is_removed());
            unknown_sync(name, syncs.map(|sync| sync.name()))
        })
    }

    fn require_serving(&self) -> Result<()> {
        match self.ending {
            Ending::No => Ok(()),
            Ending::Draining(_) | Ending::Stopping(_) => Err(draining()),
        }
    }

    async fn run_now(&mut self, name: &str) -> Result<Started> {
        self.require(name)?;
        self.require_serving()?;
        let now = self.options.clock.now();
        self.scheduler
            .run_now(name, now)
            .map_err(|busy| self.busy(name, busy))?;
        // So that the answer says whether it starts, and a wish that was answered is in the store.
        let settled = self.settle().await;
        let sync = self.scheduler.sync(name);
        let at_once = sync.is_some_and(|sync| sync.running().is_some());
        let waits_for = match (at_once, settled) {
            (true, _) => None,
            (false, Ok(())) => sync.and_then(|sync| self.waits_for(sync)),
            // The wish is known, and carried out when the store can be used again.
            (false, Err(error)) => Some(format!("the state: {error}")),
        };
        Ok(Started {
            sync: name.to_owned(),
            at_once,
            waits_for,
        })
    }

    async fn set_paused(&mut self, name: &str, paused: bool) -> Result<PauseState> {
        self.require(name)?;
        let changed = self.store.set_paused(name, paused).await?;
        self.scheduler.set_paused(name, paused);
        if changed {
            tracing::info!(sync = name, paused, "the pause was changed");
            let sync = name.to_owned();
            self.tell(Event::Paused { sync, paused });
        }
        let next_run_at = self
            .scheduler
            .sync(name)
            .and_then(|sync| sync.next_run_at(self.options.clock.now()));
        Ok(PauseState {
            sync: name.to_owned(),
            paused,
            changed,
            next_run_at,
        })
    }

    fn cancel_sync(&mut self, name: &str) -> Result<Cancelled> {
        self.require(name)
            .or_else(|error| match self.running.contains_key(name) {
                // It left the configuration and still runs.
                true => Ok(()),
                false => Err(error),
            })?;
        let cancelled = Cancelled {
            sync: name.to_owned(),
            run_id: self.run_id_of(name),
        };
        match self.scheduler.cancel(name, self.options.clock.now()) {
            Cancelling::Idle => Err(
                Error::config("sync_idle", format!("Sync {name} neither runs nor waits to run"))
                    .with_remedy("`longshore syncs list` shows what runs."),
            ),
            Cancelling::Running => {
                self.stop(name);
                Ok(cancelled)
            }
            Cancelling::Waiting => {
                if let Some(waiting) = self.replays.remove(name) {
                    waiting.answer.send(Err(cancelled_replay())).ok();
                }
                // Recorded by the next step, which the loop takes before anything else.
                Ok(cancelled)
            }
        }
    }

    fn cancel_run(&mut self, run_id: &str) -> Result<Cancelled> {
        let found = self
            .running
            .keys()
            .find(|sync| self.run_id_of(sync).as_deref() == Some(run_id));
        let Some(sync) = found.cloned() else {
            return Err(Error::config(
                "run_not_running",
                format!("The daemon does not run {run_id} at the moment"),
            )
            .with_remedy("`longshore syncs list` shows what runs."));
        };
        // So that it is not tried again, should it fail before it hears of it.
        self.scheduler.cancel(&sync, self.options.clock.now());
        self.stop(&sync);
        Ok(Cancelled {
            sync,
            run_id: Some(run_id.to_owned()),
        })
    }

    fn stop(&self, sync: &str) {
        tracing::info!(sync, "cancelled");
        if let Some(task) = self.running.get(sync) {
            task.cancel.cancel();
        }
    }

    fn run_id_of(&self, sync: &str) -> Option<String> {
        let run = self.running.get(sync)?.progress.run()?;
        Some(run.run_id.to_string())
    }

    fn replay(&mut self, name: &str, replay: Box<Replay>, answer: Answer<RunReport>) {
        let now = self.options.clock.now();
        let may = self.require(name).and_then(|()| self.require_serving());
        let taken = may.and_then(|()| self.scheduler.replay(name, now).map_err(|busy| self.busy(name, busy)));
        match taken {
            Ok(()) => drop(self.replays.insert(name.to_owned(), WaitingReplay { replay, answer })),
            Err(error) => drop(answer.send(Err(error))),
        }
    }

    fn busy(&self, name: &str, Busy(running): Busy) -> Error {
        let what = match running {
            Running::Turn => "runs already",
            Running::Replay => "sends rejects again at the moment",
        };
        let run = self
            .run_id_of(name)
            .map(|run_id| format!(" ({run_id})"))
            .unwrap_or_default();
        Error::config("sync_running", format!("Sync {name} {what}{run}"))
            .with_remedy("Wait for it to end, or cancel it.")
    }

    /// Refuses the replays that wait.
    pub(super) fn refuse_replays(&mut self, why: impl Fn() -> Error) {
        for (_, waiting) in self.replays.drain() {
            waiting.answer.send(Err(why())).ok();
        }
    }

    /// Refuses replays of syncs that are no longer there to wait.
    pub(super) fn refuse_forgotten_replays(&mut self) {
        let scheduler = &self.scheduler;
        let waits = |name: &String| scheduler.sync(name).is_some_and(|sync| sync.awaits_replay());
        let forgotten: Vec<String> = self.replays.keys().filter(|name| !waits(name)).cloned().collect();
        for name in forgotten {
            if let Some(waiting) = self.replays.remove(&name) {
                waiting.answer.send(Err(cancelled_replay())).ok();
            }
        }
    }

    /// Nobody will be answered any more.
    pub(super) fn refuse_the_rest(&mut self) {
        self.refuse_replays(draining);
        self.desk.wishes.close();
        while self.desk.wishes.try_recv().is_ok() {}
    }
}

pub(super) fn draining() -> Error {
    Error::config("daemon_draining", "The daemon is ending and starts nothing more")
        .with_remedy("Ask again when it has been started anew.")
}

fn cancelled_replay() -> Error {
    Error::config("cancelled", "The replay was taken back before it began")
}
