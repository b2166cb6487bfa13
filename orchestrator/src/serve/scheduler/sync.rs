//! What is known about one sync, and what is to be done for it.

use longshore_config::CatchUp;
use longshore_core::Error;
use longshore_schedule::Schedule;
use longshore_state::{DueTimes, ScheduledSync, Trigger, Turn, TurnStatus, UnixMicros};

use super::{
    Cancelling, Ended, HELD_PAUSE, Planned, RETRY, Step,
    due::{Decision, SET_BACK, Upcoming, decide, started_until, upcoming},
};

/// One sync.
#[derive(Debug)]
pub(in crate::serve) struct SyncState {
    planned: Planned,
    /// It left the configuration.
    removed: bool,
    paused: bool,
    /// The schedule that `decided_until` belongs to.
    schedule: Option<String>,
    decided_until: Option<UnixMicros>,
    next: Option<Upcoming>,
    /// Somebody cancelled the sync's run: due times until then are not made up for.
    given_up_until: Option<UnixMicros>,
    /// Somebody asked for a run, since when; the turn is not recorded yet.
    asked: Option<UnixMicros>,
    turn: Option<OpenTurn>,
    /// A replay waits, since when.
    replay: Option<UnixMicros>,
    running: Option<Running>,
}

/// A turn that is not closed.
#[derive(Debug)]
struct OpenTurn {
    id: i64,
    due: Option<DueTimes>,
    since: UnixMicros,
    /// A run has begun for it, here or before a crash: later due times are not its own.
    begun: bool,
    /// The same before the try that goes on.
    had_begun: bool,
    /// An earlier daemon had begun it, and this one has not tried it yet.
    recovered: bool,
    /// Somebody wants it now: neither a pause nor a time to wait keeps it back.
    now: bool,
    /// Somebody wants the try that goes on to be the last one, however it ends.
    cancelled: bool,
    tries: u32,
    not_before: Option<UnixMicros>,
    /// What the last try ended with.
    error: Option<Error>,
    /// Who holds the sync elsewhere.
    held_by: Option<Error>,
    /// What is to be recorded about it.
    fate: Option<Fate>,
}

#[derive(Debug)]
enum Fate {
    Retry(UnixMicros),
    /// With its try, or while it waited for one.
    Closed {
        status: TurnStatus,
        tried: bool,
    },
}

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Running {
    /// A run for the open turn.
    Turn,
    /// A replay of rejects.
    Replay,
}

/// A sync that has something to do already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) struct Busy(pub(in crate::serve) Running);

impl SyncState {
    pub(super) fn new(planned: Planned, known: ScheduledSync) -> Self {
        let mut sync = Self {
            planned,
            removed: false,
            paused: known.paused,
            schedule: known.schedule,
            decided_until: known.decided_until,
            next: None,
            given_up_until: None,
            asked: None,
            turn: known.open.map(OpenTurn::from),
            replay: None,
            running: None,
        };
        sync.look_ahead();
        sync
    }

    /// A sync of the store that the configuration does not have.
    pub(super) fn forgotten(known: ScheduledSync) -> Self {
        let planned = Planned {
            name: known.sync.clone(),
            destinations: Vec::new(),
            schedule: None,
        };
        Self::new(planned, known).removed()
    }

    pub(super) fn replanned(mut self, planned: Planned) -> Self {
        self.planned = planned;
        self.removed = false;
        self.look_ahead();
        self
    }

    pub(super) fn removed(mut self) -> Self {
        self.removed = true;
        self.planned.schedule = None;
        self.next = None;
        self.asked = None;
        self.replay = None;
        self
    }

    /// A replay waits for its start.
    pub(in crate::serve) fn awaits_replay(&self) -> bool {
        self.replay.is_some()
    }

    pub(in crate::serve) fn name(&self) -> &str {
        &self.planned.name
    }

    pub(in crate::serve) fn destinations(&self) -> &[String] {
        &self.planned.destinations
    }

    pub(in crate::serve) fn schedule(&self) -> Option<&(Schedule, CatchUp)> {
        self.planned.schedule.as_ref()
    }

    pub(in crate::serve) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(in crate::serve) fn is_removed(&self) -> bool {
        self.removed
    }

    pub(in crate::serve) fn running(&self) -> Option<Running> {
        self.running
    }

    /// It is to run, and does not yet.
    pub(in crate::serve) fn is_waiting(&self) -> bool {
        self.running.is_none() && (self.asked.is_some() || self.turn.is_some() || self.replay.is_some())
    }

    /// When it runs next by itself: at its next try, where one waits; else at its next due time. One that has come while a run still goes on is made up for as
    /// soon as that ends, or left out: what can be said for certain is the one after.
    pub(in crate::serve) fn next_run_at(&self, now: UnixMicros) -> Option<UnixMicros> {
        if self.paused {
            return None;
        }
        if let Some(retry_at) = self.retry_at().filter(|at| *at > now) {
            return Some(retry_at);
        }
        match self.next? {
            next if next.start > now => Some(next.start),
            _ => {
                let (schedule, _) = self.schedule()?;
                upcoming(self.name(), schedule, now).map(|next| next.start)
            }
        }
    }

    /// The due times of the open turn.
    pub(in crate::serve) fn due(&self) -> Option<DueTimes> {
        self.turn.as_ref()?.due
    }

    /// Why the open turn is run.
    pub(in crate::serve) fn trigger(&self) -> Trigger {
        match &self.turn {
            Some(turn) if turn.recovered => Trigger::Recovery,
            Some(OpenTurn { due: Some(due), .. }) => Trigger::Schedule { due: due.last },
            Some(OpenTurn { due: None, .. }) | None => Trigger::Request,
        }
    }

    /// How often the open turn was tried in vain, and what with.
    pub(in crate::serve) fn tries(&self) -> (u32, Option<&Error>) {
        self.turn
            .as_ref()
            .map_or((0, None), |turn| (turn.tries, turn.error.as_ref()))
    }

    /// When the open turn is tried again.
    pub(in crate::serve) fn retry_at(&self) -> Option<UnixMicros> {
        let turn = self
            .turn
            .as_ref()
            .filter(|turn| turn.held_by.is_none() && turn.tries > 0)?;
        turn.not_before.filter(|_| self.running.is_none() && !turn.now)
    }

    /// When a run that has just failed is tried again.
    pub(in crate::serve) fn will_retry_at(&self) -> Option<UnixMicros> {
        match self.turn.as_ref()?.fate {
            Some(Fate::Retry(at)) => Some(at),
            Some(Fate::Closed { .. }) | None => None,
        }
    }

    /// The other process that holds the sync.
    pub(in crate::serve) fn held_by(&self) -> Option<&Error> {
        self.turn.as_ref().filter(|_| self.running.is_none())?.held_by.as_ref()
    }

    /// A pause keeps the open turn back.
    pub(in crate::serve) fn is_held_back_by_pause(&self) -> bool {
        self.paused && self.turn.as_ref().is_none_or(|turn| !turn.now)
    }

    /// Since when what waits or runs does.
    pub(in crate::serve) fn waits_since(&self) -> Option<UnixMicros> {
        let turn = self.turn.as_ref().map(|turn| turn.since);
        self.replay.or(turn).or(self.asked)
    }

    /// Nothing is left of a sync that was removed.
    pub(super) fn is_gone(&self) -> bool {
        self.removed && self.turn.is_none() && self.running.is_none() && self.replay.is_none()
    }

    /// What is to be recorded for this sync.
    pub(super) fn next_step(&self, now: UnixMicros, draining: bool) -> Option<Step> {
        let sync = self.name().to_owned();
        if let Some(step) = self.turn.as_ref().and_then(|turn| turn.recording(&sync)) {
            return Some(step);
        }
        if let Some(step) = self.give_up(now) {
            return Some(step);
        }
        if draining {
            return None;
        }
        // Also while a run goes on: the due times of a schedule count from when it was seen.
        if !self.removed
            && let Some(step) = self.begin_schedule(now)
        {
            return Some(step);
        }
        if self.running == Some(Running::Turn) {
            return None;
        }
        if self.removed {
            return self.turn.as_ref().map(|turn| Step::Close {
                sync,
                turn: turn.id,
                status: TurnStatus::Cancelled,
                tries: turn.tries,
                error: Some(left_configuration(self.name())),
            });
        }
        if let Some(step) = self.decide_due_times(now) {
            return Some(step);
        }
        (self.asked.is_some() && self.turn.is_none()).then_some(Step::Open { sync, due: None })
    }

    fn begin_schedule(&self, now: UnixMicros) -> Option<Step> {
        let schedule = self.schedule().map(|(schedule, _)| schedule.to_string());
        let was_set_back = self.decided_until.is_some_and(|until| until > now.after(SET_BACK));
        let is_known = schedule == self.schedule && (schedule.is_none() || self.decided_until.is_some());
        (!is_known || (was_set_back && schedule.is_some())).then(|| Step::BeginSchedule {
            sync: self.name().to_owned(),
            schedule,
            decided_until: now,
        })
    }

    /// Due times that somebody's cancel was about; also while it drains or is paused, so that no later daemon makes up for them.
    fn give_up(&self, now: UnixMicros) -> Option<Step> {
        if self.removed || self.turn.is_some() {
            return None;
        }
        let given_up = self.given_up_until.map(|until| until.min(now))?;
        let (schedule, _) = self.schedule()?;
        let sync = self.name().to_owned();
        let due = started_until(&sync, schedule, self.next?, given_up)?;
        Some(Step::Miss { sync, due })
    }

    fn decide_due_times(&self, now: UnixMicros) -> Option<Step> {
        let (schedule, catch_up) = self.schedule()?;
        if self.paused {
            return None;
        }
        let sync = self.name().to_owned();
        let first = self.next?;
        match &self.turn {
            // What is new since its run began is not its own.
            Some(turn) if turn.begun => None,
            Some(turn) => match decide(&sync, schedule, CatchUp::Once, first, now)? {
                Decision::Run(due) | Decision::Miss(due) => Some(Step::Extend {
                    sync,
                    turn: turn.id,
                    due,
                }),
            },
            None => Some(match decide(&sync, schedule, *catch_up, first, now)? {
                Decision::Miss(due) => Step::Miss { sync, due },
                Decision::Run(due) => Step::Open { sync, due: Some(due) },
            }),
        }
    }

    /// Whether it may start, as far as it alone is concerned.
    pub(super) fn is_ready(&self, now: UnixMicros) -> bool {
        if self.running.is_some() || self.removed {
            return false;
        }
        if self.replay.is_some() {
            return true;
        }
        self.turn.as_ref().is_some_and(|turn| {
            // A clock that was set back must not make a short wait long.
            let longest = now.after(RETRY.max_delay);
            let waited = turn
                .not_before
                .is_none_or(|instant| instant <= now || instant > longest);
            turn.fate.is_none() && (turn.now || (waited && !self.paused))
        })
    }

    pub(super) fn start(&self) -> Step {
        let sync = self.name().to_owned();
        match (&self.replay, &self.turn) {
            (None, Some(turn)) => Step::Start { sync, turn: turn.id },
            _ => Step::StartReplay { sync },
        }
    }

    /// Instants at which something may be to do.
    pub(super) fn instants(&self) -> impl Iterator<Item = UnixMicros> {
        let next = self.next.filter(|_| !self.paused).map(|next| next.start);
        let retry = self.turn.as_ref().and_then(|turn| turn.not_before);
        next.into_iter().chain(retry)
    }

    pub(super) fn done(&mut self, step: &Step, id: Option<i64>, now: UnixMicros) {
        match step {
            Step::BeginSchedule {
                schedule,
                decided_until,
                ..
            } => {
                self.schedule.clone_from(schedule);
                self.decided_until = Some(*decided_until);
                self.given_up_until = None;
                self.look_ahead();
            }
            Step::Miss { due, .. } => self.decided(due.last),
            Step::Open { due, .. } => {
                if let Some(due) = due {
                    self.decided(due.last);
                }
                let asked = self.asked.take().filter(|_| due.is_none());
                self.turn = id.map(|id| OpenTurn {
                    now: asked.is_some(),
                    ..OpenTurn::new(id, *due, asked.unwrap_or(now))
                });
            }
            Step::Extend { due, .. } => {
                self.decided(due.last);
                if let Some(turn) = &mut self.turn {
                    let first = turn.due.map_or(due.first, |before| before.first);
                    turn.due = Some(DueTimes { first, last: due.last });
                }
            }
            Step::PutOff { tries, retry_at, .. } => {
                if let Some(turn) = &mut self.turn {
                    turn.fate = None;
                    turn.tries = *tries;
                    turn.not_before = Some(*retry_at);
                }
            }
            Step::Close { .. } => self.turn = None,
            Step::Start { .. } => {
                self.running = Some(Running::Turn);
                if let Some(turn) = &mut self.turn {
                    turn.had_begun = std::mem::replace(&mut turn.begun, true);
                    turn.held_by = None;
                }
            }
            Step::StartReplay { .. } => {
                self.replay = None;
                self.running = Some(Running::Replay);
            }
        }
    }

    pub(super) fn run_now(&mut self, now: UnixMicros) -> Result<(), Busy> {
        if let Some(running) = self.running {
            return Err(Busy(running));
        }
        match self.turn.as_mut().filter(|turn| !turn.is_over()) {
            Some(turn) => turn.now = true,
            None => self.asked = self.asked.or(Some(now)),
        }
        Ok(())
    }

    pub(super) fn replay(&mut self, now: UnixMicros) -> Result<(), Busy> {
        if let Some(running) = self.running {
            return Err(Busy(running));
        }
        if self.replay.is_some() {
            return Err(Busy(Running::Replay));
        }
        self.replay = Some(now);
        Ok(())
    }

    pub(super) fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub(super) fn cancel(&mut self, now: UnixMicros) -> Cancelling {
        if let Some(running) = self.running {
            if let Some(turn) = self.turn.as_mut().filter(|_| running == Running::Turn) {
                turn.cancelled = true;
                self.given_up_until = Some(now);
            }
            return Cancelling::Running;
        }
        if !self.is_waiting() {
            return Cancelling::Idle;
        }
        self.asked = None;
        self.replay = None;
        if let Some(turn) = self.turn.as_mut().filter(|turn| !turn.is_over()) {
            turn.take_back();
            self.given_up_until = Some(now);
        }
        Cancelling::Waiting
    }

    pub(super) fn ended(&mut self, ended: Ended, now: UnixMicros, chance: f64, draining: bool) {
        let ran = self.running.take();
        let Some(turn) = self.turn.as_mut().filter(|_| ran == Some(Running::Turn)) else {
            return;
        };
        turn.now = false;
        let recovered = std::mem::take(&mut turn.recovered);
        let cancelled = std::mem::take(&mut turn.cancelled);
        match ended {
            Ended::Completed => turn.close(TurnStatus::Completed, None),
            // It failed, or met another process, before it heard that it is to end.
            Ended::HeldElsewhere(_) if cancelled => turn.take_back(),
            Ended::Failed(error) if cancelled && error.retryable => turn.close(TurnStatus::Cancelled, Some(error)),
            Ended::Failed(error) if error.retryable => {
                let delay = RETRY.delay_before(turn.tries.saturating_add(2), chance);
                turn.fate = Some(Fate::Retry(now.after(delay.unwrap_or(RETRY.max_delay))));
                turn.error = Some(error);
            }
            Ended::Failed(error) => turn.close(TurnStatus::Failed, Some(error)),
            Ended::HeldElsewhere(error) => {
                turn.held_by = Some(error);
                turn.recovered = recovered;
                turn.begun = turn.had_begun;
                turn.not_before = Some(now.after(HELD_PAUSE));
            }
            // The next daemon goes on with it.
            Ended::Cancelled if draining && !cancelled => {}
            Ended::Cancelled => turn.close(TurnStatus::Cancelled, None),
        }
    }

    fn decided(&mut self, until: UnixMicros) {
        self.decided_until = self.decided_until.max(Some(until));
        self.look_ahead();
    }

    fn look_ahead(&mut self) {
        let begun = self
            .schedule()
            .filter(|(schedule, _)| Some(schedule.to_string()) == self.schedule);
        self.next = begun
            .zip(self.decided_until)
            .and_then(|((schedule, _), until)| upcoming(self.name(), schedule, until));
    }
}

impl OpenTurn {
    fn new(id: i64, due: Option<DueTimes>, since: UnixMicros) -> Self {
        Self {
            id,
            due,
            since,
            begun: false,
            had_begun: false,
            recovered: false,
            now: false,
            cancelled: false,
            tries: 0,
            not_before: None,
            error: None,
            held_by: None,
            fate: None,
        }
    }

    /// How it ended is only to be recorded.
    fn is_over(&self) -> bool {
        matches!(self.fate, Some(Fate::Closed { .. }))
    }

    /// It is not tried any more.
    fn take_back(&mut self) {
        self.fate = Some(Fate::Closed {
            status: TurnStatus::Cancelled,
            tried: false,
        });
    }

    fn close(&mut self, status: TurnStatus, error: Option<Error>) {
        self.fate = Some(Fate::Closed { status, tried: true });
        self.error = error;
    }

    /// What is to be recorded about it.
    fn recording(&self, sync: &str) -> Option<Step> {
        let (sync, turn) = (sync.to_owned(), self.id);
        Some(match self.fate.as_ref()? {
            Fate::Retry(retry_at) => Step::PutOff {
                sync,
                turn,
                tries: self.tries.saturating_add(1),
                retry_at: *retry_at,
                error: self.error.clone()?,
            },
            Fate::Closed { status, tried } => Step::Close {
                sync,
                turn,
                status: *status,
                tries: self.tries.saturating_add(u32::from(*tried)),
                error: self.error.clone(),
            },
        })
    }
}

impl From<Turn> for OpenTurn {
    /// A turn that an earlier daemon left open: a wish for it is as good as its time.
    fn from(turn: Turn) -> Self {
        Self {
            begun: turn.run_id.is_some(),
            recovered: turn.run_id.is_some(),
            now: turn.due.is_none() && turn.tries == 0,
            tries: turn.tries,
            not_before: turn.retry_at,
            error: turn.error,
            ..Self::new(turn.id, turn.due, turn.decided_at)
        }
    }
}

fn left_configuration(sync: &str) -> Error {
    Error::config("sync_removed", format!("The sync {sync} left the configuration"))
}
