//! What is to be done when: every decision of the daemon, without I/O.
//!
//! The scheduler holds what is known and is asked for the next [`Step`]. Whoever asks carries the step out, in the store or in a process, and says so with
//! [`Scheduler::done`]; until then it counts as not done. A step that can not be carried out (the store is busy) is simply asked for again.
//!
//! Nothing is started before the store says that it is to be: a turn is recorded first, so that a crash at any moment leaves either a turn that the next
//! daemon goes on with, or a due time that nobody has decided yet.

mod due;
mod sync;
#[cfg(test)]
mod tests;

use std::time::Duration;

use longshore_config::CatchUp;
use longshore_core::{Error, retry::RetryPolicy};
use longshore_schedule::Schedule;
use longshore_state::{DueTimes, ScheduledSync, TurnStatus, UnixMicros};

pub(super) use sync::{Busy, Running, SyncState};

/// Between two tries of a run that fails for a reason that can pass. The engine has tried for about a minute by then; there is no last try, because the sync
/// would stand still for good.
pub(super) const RETRY: RetryPolicy = RetryPolicy {
    max_attempts: u32::MAX,
    first_delay: Duration::from_secs(30),
    factor: 2.0,
    max_delay: Duration::from_secs(15 * 60),
};

/// Between two looks whether another process still holds a sync.
const HELD_PAUSE: Duration = Duration::from_secs(5);

/// A sync as the configuration has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) destinations: Vec<String>,
    pub(super) schedule: Option<(Schedule, CatchUp)>,
}

/// Something to be carried out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// A schedule is new or has changed, or the clock was set back: due times count from now.
    BeginSchedule {
        sync: String,
        schedule: Option<String>,
        decided_until: UnixMicros,
    },
    /// Due times are over that nothing makes up for.
    Miss { sync: String, due: DueTimes },
    /// The sync is to run.
    Open { sync: String, due: Option<DueTimes> },
    /// The run that waits stands for later due times as well.
    Extend { sync: String, turn: i64, due: DueTimes },
    /// The run is to be tried again.
    PutOff {
        sync: String,
        turn: i64,
        tries: u32,
        retry_at: UnixMicros,
        error: Error,
    },
    /// Nothing more is to be done for it.
    Close {
        sync: String,
        turn: i64,
        status: TurnStatus,
        tries: u32,
        error: Option<Error>,
    },
    /// A run begins now.
    Start { sync: String, turn: i64 },
    /// A replay begins now.
    StartReplay { sync: String },
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ended {
    /// Every row is delivered or in the ledger.
    Completed,
    /// It failed.
    Failed(Error),
    /// Another process runs the sync.
    HeldElsewhere(Error),
    /// It was stopped.
    Cancelled,
}

/// What cancelling met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancelling {
    /// A run, which is to be ended.
    Running,
    /// Something that waited, and is taken back.
    Waiting,
    /// Nothing.
    Idle,
}

/// Everything that the daemon knows about its syncs.
#[derive(Debug)]
pub(super) struct Scheduler {
    syncs: Vec<SyncState>,
    concurrent_runs: usize,
    draining: bool,
}

impl Scheduler {
    /// From what the configuration and the store say.
    pub(super) fn new(planned: Vec<Planned>, stored: Vec<ScheduledSync>, concurrent_runs: usize) -> Self {
        let mut stored = stored;
        let mut take = |name: &str| {
            let found = stored.iter().position(|sync| sync.sync == name);
            found.map(|index| stored.swap_remove(index)).unwrap_or_default()
        };
        let mut syncs: Vec<SyncState> = planned
            .into_iter()
            .map(|planned| {
                let known = take(&planned.name);
                SyncState::new(planned, known)
            })
            .collect();
        // What was to run and is no longer configured has to be closed.
        let forgotten = stored.into_iter().filter(|sync| sync.open.is_some());
        syncs.extend(forgotten.map(SyncState::forgotten));
        Self {
            syncs,
            concurrent_runs,
            draining: false,
        }
    }

    /// Every sync, in the order of the configuration, then those that are leaving.
    pub(super) fn syncs(&self) -> &[SyncState] {
        &self.syncs
    }

    /// One sync.
    pub(super) fn sync(&self, name: &str) -> Option<&SyncState> {
        self.syncs.iter().find(|sync| sync.name() == name)
    }

    fn sync_mut(&mut self, name: &str) -> Option<&mut SyncState> {
        self.syncs.iter_mut().find(|sync| sync.name() == name)
    }

    /// Takes another configuration. What runs is not touched; what left the configuration goes when it has ended. `stored` says what the store knows of
    /// syncs that are new.
    pub(super) fn reload(&mut self, planned: Vec<Planned>, stored: Vec<ScheduledSync>, concurrent_runs: usize) {
        self.concurrent_runs = concurrent_runs;
        let mut before = std::mem::take(&mut self.syncs);
        for planned in planned {
            let known = before.iter().position(|sync| sync.name() == planned.name);
            let sync = match known {
                Some(index) => before.remove(index).replanned(planned),
                None => {
                    let found = stored.iter().find(|sync| sync.sync == planned.name);
                    SyncState::new(planned, found.cloned().unwrap_or_default())
                }
            };
            self.syncs.push(sync);
        }
        self.syncs.extend(before.into_iter().map(SyncState::removed));
    }

    /// The next thing to do, if there is one at this moment.
    pub(super) fn next_step(&self, now: UnixMicros) -> Option<Step> {
        let of_sync = |sync: &SyncState| sync.next_step(now, self.draining);
        self.syncs.iter().find_map(of_sync).or_else(|| self.next_start(now))
    }

    /// Who waits longest and may start starts first. One that has to wait for its destination keeps no other one back.
    fn next_start(&self, now: UnixMicros) -> Option<Step> {
        if self.draining {
            return None;
        }
        let ready = self.syncs.iter().filter(|sync| sync.is_ready(now));
        let free = ready.filter(|sync| self.obstacle(sync).is_none());
        free.min_by_key(|sync| sync.waits_since()).map(SyncState::start)
    }

    /// What keeps a sync that is ready from starting, in words.
    pub(super) fn obstacle(&self, sync: &SyncState) -> Option<String> {
        let running = || self.syncs.iter().filter(|other| other.running().is_some());
        let writer = running().find_map(|other| {
            let shared = sync
                .destinations()
                .iter()
                .find(|name| other.destinations().contains(name))?;
            Some((shared, other.name()))
        });
        if let Some((destination, other)) = writer {
            return Some(format!("the destination {destination}, which {other} writes to"));
        }
        let count = running().count();
        (count >= self.concurrent_runs).then(|| match count {
            1 => "a free slot: 1 run goes on".to_owned(),
            count => format!("a free slot: {count} runs go on"),
        })
    }

    /// A step was carried out. `turn` is the number of the turn that it made.
    pub(super) fn done(&mut self, step: &Step, turn: Option<i64>, now: UnixMicros) {
        let name = step.sync().to_owned();
        if let Some(sync) = self.sync_mut(&name) {
            sync.done(step, turn, now);
        }
        self.syncs.retain(|sync| !sync.is_gone());
    }

    /// The next instant at which there may be something to do without anything having happened.
    pub(super) fn wake_at(&self, now: UnixMicros) -> Option<UnixMicros> {
        if self.draining {
            return None;
        }
        let instants = self.syncs.iter().flat_map(SyncState::instants);
        instants.filter(|instant| *instant > now).min()
    }

    /// Somebody wants a sync to run now.
    ///
    /// # Errors
    /// It runs.
    pub(super) fn run_now(&mut self, name: &str, now: UnixMicros) -> Result<(), Busy> {
        self.sync_mut(name).map_or(Ok(()), |sync| sync.run_now(now))
    }

    /// Somebody wants rejects of a sync to be sent again.
    ///
    /// # Errors
    /// It runs, or waits to.
    pub(super) fn replay(&mut self, name: &str, now: UnixMicros) -> Result<(), Busy> {
        self.sync_mut(name).map_or(Ok(()), |sync| sync.replay(now))
    }

    /// A sync was paused, or its pause has ended.
    pub(super) fn set_paused(&mut self, name: &str, paused: bool) {
        if let Some(sync) = self.sync_mut(name) {
            sync.set_paused(paused);
        }
    }

    /// Somebody wants the run of a sync to end. What runs has to be told; what waits is taken back by the next steps.
    /// Due times that have passed by now are not made up for.
    pub(super) fn cancel(&mut self, name: &str, now: UnixMicros) -> Cancelling {
        self.sync_mut(name).map_or(Cancelling::Idle, |sync| sync.cancel(now))
    }

    /// A run has ended. `chance` is a number in `[0, 1)`.
    pub(super) fn ended(&mut self, name: &str, ended: Ended, now: UnixMicros, chance: f64) {
        let draining = self.draining;
        if let Some(sync) = self.sync_mut(name) {
            sync.ended(ended, now, chance, draining);
        }
        self.syncs.retain(|sync| !sync.is_gone());
    }

    /// Nothing more is to be started.
    pub(super) fn drain(&mut self) {
        self.draining = true;
    }
}

impl Step {
    pub(super) fn sync(&self) -> &str {
        match self {
            Self::BeginSchedule { sync, .. }
            | Self::Miss { sync, .. }
            | Self::Open { sync, .. }
            | Self::Extend { sync, .. }
            | Self::PutOff { sync, .. }
            | Self::Close { sync, .. }
            | Self::Start { sync, .. }
            | Self::StartReplay { sync } => sync,
        }
    }
}
