//! The loop that carries out what the scheduler decides.

mod publish;
mod reload;
mod wishes;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use longshore_config::{Configuration, Secrets};
use longshore_core::{Error, Result};
use longshore_state::{NewTurn, RunKind, StateStore, Trigger, TurnEnd, TurnRetry, TurnStatus};
use tokio::{
    signal::unix::Signal,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Options,
    alerting::Alerting,
    handle::{Answer, DaemonHandle, Desk, Event, Published, Readiness, RunEnded, RunOutcome},
    runner::{Runner, RunningTask, Work, ended},
    scheduler::{Ended, Scheduler, Step, SyncState},
};
use crate::{
    engine::{hold::HeldSync, replay::Replay, report::RunReport, run::SyncOutcome},
    failure::Failure,
    observe::alerts::condition,
};
use publish::Watched;
use reload::Reloading;

/// Between two looks at the counters of running syncs.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Before a store that could not be used is tried again.
const STORE_PAUSE: Duration = Duration::from_secs(2);

/// A run that is told to end takes about five seconds for what is on its way, and a few for its plugins. One that takes longer hangs.
const ORDERLY_END: Duration = Duration::from_secs(20);

/// A sync that is tried again has not failed yet, for so many tries: about five minutes.
const TOLD_AFTER_TRIES: u32 = 3;

/// What a daemon is made of.
pub(super) struct Parts {
    pub(super) scheduler: Scheduler,
    pub(super) alerting: Alerting,
    pub(super) configuration: Arc<Configuration>,
    pub(super) options: Options,
    pub(super) secrets: Secrets,
    pub(super) cancel: CancellationToken,
    pub(super) held: HeldSync,
    /// Asks for a reload; listened to from the start, because unheard it ends a process.
    pub(super) hangup: Signal,
}

/// The daemon.
pub(super) struct Daemon {
    scheduler: Scheduler,
    alerting: Alerting,
    configuration: Arc<Configuration>,
    options: Options,
    secrets: Secrets,
    cancel: CancellationToken,
    /// The store as a whole, so that there is no second daemon.
    held: HeldSync,
    store: Arc<dyn StateStore>,
    runner: Runner,
    running: HashMap<String, RunningTask>,
    watched: HashMap<String, Watched>,
    replays: HashMap<String, WaitingReplay>,
    reloading: Option<Reloading>,
    hangup: Signal,
    /// Syncs that wait for another process, which was said once.
    held_elsewhere: HashSet<String>,
    /// Whoever asked for the replay that runs.
    replaying: HashMap<String, Answer<RunReport>>,
    /// Whether the last try of each sync since the start ended well.
    succeeded: HashMap<String, bool>,
    desk: Desk,
    readiness: Readiness,
    ending: Ending,
    /// When the time for draining is over, or was.
    drained_at: Instant,
}

/// A replay that waits for its start.
struct WaitingReplay {
    replay: Box<Replay>,
    answer: Answer<RunReport>,
}

/// How far the end of the daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It serves.
    No,
    /// Running syncs may go on until then.
    Draining(Instant),
    /// They were told to end; those that do not until then are ended where they are.
    Stopping(Instant),
}

/// What the loop woke up for.
enum Woken {
    Wish(super::handle::Wish),
    Ended(String, Box<SyncOutcome>),
    Time,
    Progress,
    Hangup,
    Checked(Box<Result<Configuration, Failure>>),
    Drain,
    Deadline,
    Lost,
}

impl Daemon {
    /// A daemon that has taken its first steps, and its handle, which has to live as long as the daemon runs.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn new(parts: Parts, runner: Runner) -> Result<(Self, DaemonHandle)> {
        let store = runner.store();
        let first = Published {
            syncs: Vec::new(),
            readiness: Readiness::Starting,
            configuration: Arc::clone(&parts.configuration),
        };
        let (handle, desk) = DaemonHandle::new(Arc::clone(&store), first);
        let mut daemon = Self {
            scheduler: parts.scheduler,
            alerting: parts.alerting,
            configuration: parts.configuration,
            options: parts.options,
            secrets: parts.secrets,
            cancel: parts.cancel,
            held: parts.held,
            runner,
            store,
            running: HashMap::new(),
            watched: HashMap::new(),
            replays: HashMap::new(),
            reloading: None,
            hangup: parts.hangup,
            held_elsewhere: HashSet::new(),
            replaying: HashMap::new(),
            succeeded: HashMap::new(),
            desk,
            readiness: Readiness::Starting,
            ending: Ending::No,
            drained_at: Instant::now(),
        };
        // Whoever asks first hears what the first steps have come to.
        daemon.settle().await?;
        daemon.readiness = Readiness::Ready;
        daemon.publish();
        Ok((daemon, handle))
    }

    /// Serves until it is told to end, and has.
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        let mut progress = interval(PROGRESS_EVERY);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let recorded = loop {
            let settled = self.settle().await;
            self.note_store(&settled);
            self.publish();
            if settled.as_ref().is_err_and(|error| error.code == "run_lost") {
                return self.lost().await;
            }
            let is_over = settled.is_ok() || Instant::now() >= self.drained_at;
            if self.ending != Ending::No && self.runner.is_idle() && is_over {
                break settled;
            }
            let pause = match settled {
                Ok(()) => self
                    .options
                    .clock
                    .sleep_until(self.scheduler.wake_at(self.options.clock.now())),
                Err(_) => STORE_PAUSE,
            };
            match self.wait(pause, &mut progress).await {
                Woken::Wish(wish) => self.grant(wish).await,
                Woken::Ended(sync, outcome) => self.run_ended(&sync, *outcome),
                Woken::Time => {}
                Woken::Progress => self.watch_progress(),
                Woken::Hangup => self.reload(None),
                Woken::Checked(checked) => self.reloaded(*checked).await,
                Woken::Drain => self.drain(),
                Woken::Deadline => self.deadline(),
                Woken::Lost => return self.lost().await,
            }
        };
        self.refuse_the_rest();
        self.alerting.end(self.drained_at).await;
        match &recorded {
            Ok(()) => tracing::info!("ended; what was interrupted is gone on with at the next start"),
            Err(error) => {
                tracing::error!(code = error.code, %error, "ended, and the state did not take what came of the last runs: the next start finds it out");
            }
        }
        if let Err(error) = self.held.release().await {
            tracing::warn!(%error, "the state could not be given back; the next daemon takes it over");
        }
        Ok(recorded?)
    }

    async fn wait(&mut self, pause: Duration, progress: &mut tokio::time::Interval) -> Woken {
        let deadline = match self.ending {
            Ending::No => None,
            Ending::Draining(deadline) | Ending::Stopping(deadline) => Some(deadline),
        };
        let serves = deadline.is_none();
        let at_deadline = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.held.lost.cancelled() => Woken::Lost,
            () = self.cancel.cancelled(), if serves => Woken::Drain,
            () = at_deadline => Woken::Deadline,
            (sync, outcome) = self.runner.next_ended() => Woken::Ended(sync, Box::new(outcome)),
            Some(wish) = self.desk.wishes.recv() => Woken::Wish(wish),
            Some(()) = self.hangup.recv() => Woken::Hangup,
            checked = Self::checked(&mut self.reloading) => Woken::Checked(Box::new(checked)),
            _ = progress.tick(), if !self.running.is_empty() => Woken::Progress,
            () = sleep(pause) => Woken::Time,
        }
    }

    /// Carries out steps until there is none at this moment.
    async fn settle(&mut self) -> Result<()> {
        loop {
            let now = self.options.clock.now();
            let Some(step) = self.scheduler.next_step(now) else {
                return Ok(());
            };
            let turn = match self.carry_out(&step).await {
                // Somebody else has closed it, which only a bug can do: waiting for it for ever would be worse.
                Err(error) if error.code == "turn_not_open" => {
                    tracing::error!(%error, sync = step.sync(), "a turn was closed already");
                    None
                }
                carried_out => carried_out?,
            };
            self.scheduler.done(&step, turn, now);
        }
    }

    async fn carry_out(&mut self, step: &Step) -> Result<Option<i64>> {
        let daemon = self.held.hold.clone();
        let now = self.options.clock.now();
        match step {
            Step::BeginSchedule {
                sync,
                schedule,
                decided_until,
            } => {
                let schedule = schedule.as_deref();
                self.store.set_schedule(&daemon, sync, schedule, *decided_until).await?;
            }
            Step::Miss { sync, due } => {
                let turn = NewTurn {
                    sync: sync.clone(),
                    due: Some(*due),
                    status: TurnStatus::Missed,
                    now,
                };
                self.store.record_turn(&daemon, turn).await?;
                tracing::warn!(
                    sync,
                    first = crate::moment::shown(due.first),
                    last = crate::moment::shown(due.last),
                    "due times were missed"
                );
                self.tell(Event::Missed {
                    sync: sync.clone(),
                    first_due_at: due.first,
                    last_due_at: due.last,
                });
            }
            Step::Open { sync, due } => {
                let turn = NewTurn {
                    sync: sync.clone(),
                    due: *due,
                    status: TurnStatus::Open,
                    now,
                };
                let id = self.store.record_turn(&daemon, turn).await?;
                self.tell(Event::RunQueued {
                    sync: sync.clone(),
                    due_at: due.map(|due| due.last),
                });
                return Ok(Some(id));
            }
            Step::Extend { turn, due, .. } => self.store.extend_turn(&daemon, *turn, *due).await?,
            Step::PutOff {
                turn,
                tries,
                retry_at,
                error,
                ..
            } => {
                let retry = TurnRetry {
                    id: *turn,
                    tries: *tries,
                    retry_at: *retry_at,
                    error: error.clone(),
                };
                self.store.put_off_turn(&daemon, retry).await?;
            }
            Step::Close {
                turn,
                status,
                tries,
                error,
                ..
            } => {
                let end = TurnEnd {
                    id: *turn,
                    status: *status,
                    tries: *tries,
                    error: error.clone(),
                    now,
                };
                self.store.end_turn(&daemon, end).await?;
            }
            Step::Start { sync, turn } => self.start(sync, Work::Turn(*turn)),
            Step::StartReplay { sync } => {
                if let Some(WaitingReplay { replay, answer }) = self.replays.remove(sync) {
                    self.replaying.insert(sync.clone(), answer);
                    self.start(sync, Work::Replay(replay));
                }
            }
        }
        Ok(None)
    }

    fn start(&mut self, sync: &str, work: Work) {
        tracing::debug!(sync, "starting");
        let configuration = Arc::clone(&self.configuration);
        let trigger = match &work {
            Work::Turn(_) => self.scheduler.sync(sync).map_or(Trigger::Request, SyncState::trigger),
            Work::Replay(_) => Trigger::Request,
        };
        let task = self.runner.start(configuration, sync, (work, trigger));
        self.running.insert(sync.to_owned(), task);
        self.watched.insert(sync.to_owned(), Watched::default());
    }

    fn run_ended(&mut self, sync: &str, outcome: SyncOutcome) {
        self.watch_progress();
        let kind = self.running.remove(sync).map_or(RunKind::Sync, |task| task.kind);
        self.watched.remove(sync);
        if let Some(answer) = self.replaying.remove(sync) {
            // Whoever asked may have gone away.
            answer.send(replayed(&outcome)).ok();
        }
        let how = ended(&outcome);
        let now = self.options.clock.now();
        let (tries, _) = self.scheduler.sync(sync).map_or((0, None), |sync| sync.tries());
        self.scheduler.ended(sync, how.clone(), now, crate::chance::number());
        self.tell_end((sync, kind), &how, outcome, tries);
    }

    fn tell_end(&mut self, (sync, kind): (&str, RunKind), how: &Ended, outcome: SyncOutcome, tries_before: u32) {
        let draining = self.ending != Ending::No;
        let retry_at = self.scheduler.sync(sync).and_then(|sync| sync.will_retry_at());
        let retry_at = retry_at.filter(|_| kind == RunKind::Sync);
        let (verdict, error) = match how {
            // It waits for another process, and did not begin.
            Ended::HeldElsewhere(error) => {
                if self.held_elsewhere.insert(sync.to_owned()) {
                    tracing::info!(sync, %error, "waiting for another process");
                }
                return;
            }
            Ended::Completed => (RunOutcome::Completed, None),
            Ended::Cancelled if draining => (RunOutcome::Interrupted, None),
            Ended::Cancelled => (RunOutcome::Cancelled, None),
            Ended::Failed(error) if retry_at.is_some() => (RunOutcome::WillRetry, Some(error.clone())),
            // It would be tried again, had nobody cancelled it.
            Ended::Failed(error) if kind == RunKind::Sync && error.retryable => {
                (RunOutcome::Cancelled, Some(error.clone()))
            }
            Ended::Failed(error) => (RunOutcome::Failed, Some(error.clone())),
        };
        self.held_elsewhere.remove(sync);
        let run_id = outcome.run_id().map(str::to_owned);
        match &error {
            None => tracing::info!(sync, run_id, outcome = verdict.as_str(), "ended"),
            Some(error) => tracing::error!(
                sync,
                run_id,
                code = error.code,
                %error,
                causes = error.causes.join(": "),
                remedy = error.remedy,
                retry_at = retry_at.map(crate::moment::shown),
                "failed"
            ),
        }
        if kind == RunKind::Sync {
            // An outage is tried again and again: at some time it has to be told.
            let not_yet = verdict == RunOutcome::WillRetry && tries_before + 1 < TOLD_AFTER_TRIES;
            let not_yet = not_yet || verdict == RunOutcome::Cancelled;
            self.alerting.run_ended(sync, condition::Ended::of(&outcome, not_yet));
        }
        let succeeded = match verdict {
            _ if kind == RunKind::Replay => None,
            RunOutcome::Completed => Some(true),
            RunOutcome::Failed | RunOutcome::WillRetry => Some(false),
            RunOutcome::Cancelled | RunOutcome::Interrupted => None,
        };
        let previous_succeeded = self.succeeded.get(sync).copied();
        if let Some(succeeded) = succeeded {
            self.succeeded.insert(sync.to_owned(), succeeded);
        }
        self.tell(Event::RunEnded(Box::new(RunEnded {
            sync: sync.to_owned(),
            kind,
            outcome: verdict,
            report: outcome.report,
            error,
            retry_at,
            tries: tries_before.saturating_add(1),
            previous_succeeded,
        })));
    }

    fn drain(&mut self) {
        let running = self.running.len();
        tracing::info!(running, timeout = ?self.options.drain_timeout, "draining: no run is started any more");
        self.scheduler.drain();
        self.drained_at = Instant::now() + self.options.drain_timeout;
        self.ending = Ending::Draining(self.drained_at);
        self.set_readiness(Readiness::Draining);
        self.refuse_replays(wishes::draining);
        self.stop_reloading();
    }

    fn deadline(&mut self) {
        match self.ending {
            Ending::No => {}
            Ending::Draining(_) => {
                tracing::warn!(
                    running = self.running.len(),
                    "the time for draining is over: running syncs are stopped"
                );
                self.running.values().for_each(|task| task.cancel.cancel());
                self.ending = Ending::Stopping(Instant::now() + ORDERLY_END);
            }
            Ending::Stopping(_) => {
                tracing::error!(
                    running = self.running.len(),
                    "runs that do not end are ended where they are"
                );
                self.runner.abort();
                self.ending = Ending::Stopping(Instant::now() + ORDERLY_END);
            }
        }
    }

    /// Another daemon has taken over: whatever this one writes is refused, so its runs have to end.
    async fn lost(mut self) -> Result<(), Failure> {
        tracing::error!("this daemon has lost the state to another process: its runs are stopped");
        self.refuse_the_rest();
        self.running.values().for_each(|task| task.cancel.cancel());
        let deadline = Instant::now() + ORDERLY_END;
        while !self.runner.is_idle() {
            tokio::select! {
                _ = self.runner.next_ended() => {}
                () = sleep_until(deadline) => self.runner.abort(),
            }
        }
        Err(self.held.loss().into())
    }

    fn tell(&self, event: Event) {
        // Without a receiver there is nobody to tell.
        self.desk.events.send(event).ok();
    }
}

/// What whoever asked for a replay hears.
fn replayed(outcome: &SyncOutcome) -> Result<RunReport> {
    match (&outcome.report, &outcome.failure) {
        (Some(report), _) => Ok(report.clone()),
        (None, Some(failure)) => Err(failure.to_error()),
        (None, None) => Err(Error::internal("replay_silent", "The replay ended without a word")),
    }
}
