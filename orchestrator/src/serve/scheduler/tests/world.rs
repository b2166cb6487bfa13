//! A store, a clock, and runs that end when a test says so.

use std::time::Duration;

use longshore_config::CatchUp;
use longshore_core::Error;
use longshore_schedule::{Cron, Every, Rhythm, Schedule, Span};
use longshore_state::{DueTimes, ScheduledSync, Turn, TurnStatus, UnixMicros};

use crate::serve::scheduler::{Ended, Planned, Scheduler, Step};

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// 2026-11-26T10:00:00Z
pub(super) const START: UnixMicros = UnixMicros(1_795_687_200_000_000);

/// `START` and so many minutes.
pub(super) fn minute(minutes: i64) -> UnixMicros {
    UnixMicros(START.0 + minutes * 60_000_000)
}

pub(super) fn due(first: i64, last: i64) -> Option<DueTimes> {
    Some(DueTimes {
        first: minute(first),
        last: minute(last),
    })
}

/// A sync that is due every ten minutes, with a destination of its own.
pub(super) fn sync(name: &str, catch_up: CatchUp) -> Planned {
    with_schedule(name, every("10m"), catch_up)
}

pub(super) fn every(text: &str) -> Schedule {
    Schedule {
        rhythm: Rhythm::Every(Every::new(text.parse().unwrap()).unwrap()),
        jitter: Span::default(),
    }
}

pub(super) fn cron(text: &str) -> Schedule {
    Schedule {
        rhythm: Rhythm::Cron(Cron::parse(text, "Europe/Paris".parse().unwrap()).unwrap()),
        jitter: Span::default(),
    }
}

pub(super) fn with_schedule(name: &str, schedule: Schedule, catch_up: CatchUp) -> Planned {
    Planned {
        name: name.to_owned(),
        destinations: vec![format!("{name}-destination")],
        schedule: Some((schedule, catch_up)),
    }
}

/// A sync that runs by request only.
pub(super) fn by_request(name: &str) -> Planned {
    Planned {
        schedule: None,
        ..sync(name, CatchUp::Once)
    }
}

pub(super) fn passing() -> Error {
    Error::source("plugin_died", "It died").retryable()
}

pub(super) fn lasting() -> Error {
    Error::source("table_not_found", "It is gone")
}

pub(super) struct World {
    pub(super) scheduler: Scheduler,
    pub(super) now: UnixMicros,
    pub(super) planned: Vec<Planned>,
    pub(super) concurrent_runs: usize,
    pub(super) stored: Vec<ScheduledSync>,
    pub(super) turns: Vec<Turn>,
    /// Names in the order in which they were started.
    pub(super) started: Vec<String>,
    pub(super) running: Vec<String>,
}

impl World {
    /// A daemon that was started for the first time at [`START`], and has settled.
    pub(super) fn new(planned: Vec<Planned>) -> Self {
        let concurrent_runs = 4;
        let mut world = Self {
            scheduler: Scheduler::new(planned.clone(), Vec::new(), concurrent_runs),
            now: START,
            planned,
            concurrent_runs,
            stored: Vec::new(),
            turns: Vec::new(),
            started: Vec::new(),
            running: Vec::new(),
        };
        world.settle();
        world
    }

    pub(super) fn settle(&mut self) {
        // Far more steps than any test needs: a scheduler that never settles is a bug.
        for _ in 0..10_000 {
            let Some(step) = self.scheduler.next_step(self.now) else {
                return;
            };
            let turn = self.carry_out(&step);
            self.scheduler.done(&step, turn, self.now);
        }
        panic!("the scheduler does not settle: {:?}", self.scheduler);
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        self.settle();
    }

    pub(super) fn until(&mut self, minutes: i64) {
        self.now = minute(minutes);
        self.settle();
    }

    pub(super) fn end(&mut self, sync: &str, ended: Ended) {
        self.running.retain(|running| running != sync);
        self.scheduler.ended(sync, ended, self.now, 0.5);
        self.settle();
    }

    /// The process dies, and another one starts with what is stored.
    pub(super) fn restart(&mut self) {
        self.running.clear();
        let mut stored = self.stored.clone();
        for sync in &mut stored {
            let open = |turn: &&Turn| turn.sync == sync.sync && turn.status == TurnStatus::Open;
            sync.open = self.turns.iter().find(open).cloned();
        }
        self.scheduler = Scheduler::new(self.planned.clone(), stored, self.concurrent_runs);
        self.settle();
    }

    pub(super) fn pause(&mut self, name: &str, paused: bool) {
        self.row(name).paused = paused;
        self.scheduler.set_paused(name, paused);
        self.settle();
    }

    /// Statuses and due times of a sync's turns, oldest first.
    pub(super) fn turns_of(&self, sync: &str) -> Vec<(TurnStatus, Option<DueTimes>)> {
        let turns = self.turns.iter().filter(|turn| turn.sync == sync);
        turns.map(|turn| (turn.status, turn.due)).collect()
    }

    pub(super) fn turn(&mut self, id: i64) -> &mut Turn {
        let turn = self.turns.iter_mut().find(|turn| turn.id == id).unwrap();
        assert_eq!(turn.status, TurnStatus::Open, "a closed turn is not touched: {turn:?}");
        turn
    }

    fn row(&mut self, name: &str) -> &mut ScheduledSync {
        if !self.stored.iter().any(|sync| sync.sync == name) {
            self.stored.push(ScheduledSync {
                sync: name.to_owned(),
                ..ScheduledSync::default()
            });
        }
        self.stored.iter_mut().find(|sync| sync.sync == name).unwrap()
    }

    /// What the store and the processes would do.
    pub(super) fn carry_out(&mut self, step: &Step) -> Option<i64> {
        match step.clone() {
            Step::BeginSchedule {
                sync,
                schedule,
                decided_until,
            } => {
                let row = self.row(&sync);
                row.schedule = schedule;
                row.decided_until = Some(decided_until);
                None
            }
            Step::Miss { sync, due } => self.record(&sync, Some(due), TurnStatus::Missed),
            Step::Open { sync, due } => {
                let is_open = |turn: &Turn| turn.sync == sync && turn.status == TurnStatus::Open;
                assert!(!self.turns.iter().any(is_open), "{sync} has an open turn");
                self.record(&sync, due, TurnStatus::Open)
            }
            Step::Extend { sync, turn, due } => {
                self.decide(&sync, due);
                let turn = self.turn(turn);
                assert!(turn.run_id.is_none(), "its run has begun: {turn:?}");
                let first = turn.due.map_or(due.first, |before| before.first);
                turn.due = Some(DueTimes { first, last: due.last });
                None
            }
            Step::PutOff {
                turn,
                tries,
                retry_at,
                error,
                ..
            } => {
                let turn = self.turn(turn);
                (turn.tries, turn.retry_at, turn.error) = (tries, Some(retry_at), Some(error));
                None
            }
            Step::Close {
                turn, status, tries, ..
            } => {
                let turn = self.turn(turn);
                (turn.status, turn.tries) = (status, tries);
                None
            }
            Step::Start { sync, turn } => {
                assert!(!self.running.contains(&sync), "{sync} would run twice at once");
                let number = self.started.len();
                self.turn(turn).run_id = Some(format!("run-{number}"));
                self.started.push(sync.clone());
                self.running.push(sync);
                None
            }
            Step::StartReplay { sync } => {
                assert!(!self.running.contains(&sync), "{sync} would run twice at once");
                self.running.push(sync);
                None
            }
        }
    }

    fn record(&mut self, sync: &str, due: Option<DueTimes>, status: TurnStatus) -> Option<i64> {
        self.row(sync);
        if let Some(due) = due {
            self.decide(sync, due);
        }
        let id = i64::try_from(self.turns.len()).unwrap() + 1;
        self.turns.push(Turn {
            id,
            sync: sync.to_owned(),
            due,
            decided_at: self.now,
            status,
            tries: 0,
            retry_at: None,
            error: None,
            run_id: None,
            failed_start: None,
            ended_at: None,
        });
        Some(id)
    }

    fn decide(&mut self, sync: &str, due: DueTimes) {
        let now = self.now;
        let row = self.row(sync);
        assert!(
            due.first <= due.last && due.last <= now,
            "{sync} is not due yet: {due:?}"
        );
        assert!(
            row.decided_until.is_some_and(|until| until < due.first),
            "decided twice: {due:?}"
        );
        row.decided_until = Some(due.last);
    }
}
