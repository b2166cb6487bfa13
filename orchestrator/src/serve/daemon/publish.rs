//! What others see of the daemon.

use std::sync::Arc;

use longshore_config::Configuration;
use longshore_core::Result;
use longshore_schedule::Rhythm;
use longshore_state::{RunFilter, RunStatus, StateStore, Turn, TurnStatus};

use super::Daemon;
use crate::serve::{
    handle::{
        Activity, CursorView, Event, LastRun, Phase, Published, Readiness, ScheduleView, SyncView, TableView, tables_of,
    },
    scheduler::{Running, SyncState},
};

/// Runs that are looked at to find the last one that ended: one may be running, and one may wait to be gone on with.
const RUNS_LOOKED_AT: u32 = 3;

/// Turns that are looked at to find the last one that is closed: one may be open.
const TURNS_LOOKED_AT: u32 = 2;

/// What the store says of a sync.
#[derive(Clone, Default)]
pub(super) struct Facts {
    last_run: Option<LastRun>,
    cursors: Vec<CursorView>,
}

/// What was told of a running sync.
#[derive(Default)]
pub(super) struct Watched {
    started: Option<(Arc<str>, u32)>,
    tables: Vec<TableView>,
}

impl Daemon {
    /// Reads what the store says of every sync.
    pub(super) async fn learn_all(&mut self) -> Result<()> {
        let names: Vec<String> = self
            .scheduler
            .syncs()
            .iter()
            .map(|sync| sync.name().to_owned())
            .collect();
        self.facts.retain(|name, _| names.contains(name));
        for name in names {
            self.learn(&name).await?;
        }
        Ok(())
    }

    /// Reads what the store says of one sync.
    pub(super) async fn learn(&mut self, name: &str) -> Result<()> {
        let facts = facts(self.store.as_ref(), name).await?;
        self.facts.insert(name.to_owned(), facts);
        Ok(())
    }

    /// Shows the syncs as they stand now.
    pub(super) fn publish(&mut self) {
        let syncs = self.scheduler.syncs().iter().map(|sync| self.view(sync)).collect();
        self.desk.published.send_replace(Arc::new(Published {
            syncs,
            readiness: self.readiness,
            configuration: Arc::clone(&self.configuration),
        }));
    }

    pub(super) fn set_readiness(&mut self, readiness: Readiness) {
        if self.readiness != readiness {
            self.readiness = readiness;
            self.tell(Event::Readiness { readiness });
        }
    }

    /// Says when the store can not be used, and when it can again.
    pub(super) fn note_store(&mut self, settled: &Result<()>) {
        if self.readiness == Readiness::Draining {
            return;
        }
        match settled {
            Ok(()) => self.set_readiness(Readiness::Ready),
            Err(error) => {
                if self.readiness != Readiness::StoreUnusable {
                    tracing::error!(%error, code = error.code, remedy = error.remedy, "the state can not be used; trying again");
                }
                self.set_readiness(Readiness::StoreUnusable);
            }
        }
    }

    /// Tells of runs that have begun, and of counters that have changed.
    pub(super) fn watch_progress(&mut self) {
        let mut events = Vec::new();
        for (sync, task) in &self.running {
            let (Some(run), Some(watched)) = (task.progress.run(), self.watched.get_mut(sync)) else {
                continue;
            };
            let current = (Arc::clone(&run.run_id), run.attempt);
            if watched.started.as_ref() != Some(&current) {
                tracing::info!(sync, run_id = &*run.run_id, attempt = run.attempt, "running");
                events.push(Event::RunStarted {
                    sync: sync.clone(),
                    run_id: run.run_id.to_string(),
                    attempt: run.attempt,
                });
                watched.started = Some(current);
            }
            let tables = tables_of(&task.progress);
            if tables != watched.tables {
                watched.tables.clone_from(&tables);
                events.push(Event::Progress {
                    sync: sync.clone(),
                    run_id: run.run_id.to_string(),
                    tables,
                });
            }
        }
        events.into_iter().for_each(|event| self.tell(event));
    }

    fn view(&self, sync: &SyncState) -> SyncView {
        let name = sync.name();
        let facts = self.facts.get(name).cloned().unwrap_or_default();
        SyncView {
            name: name.to_owned(),
            phase: phase(sync),
            paused: sync.is_paused(),
            removed: sync.is_removed(),
            source: source_of(&self.configuration, name),
            destinations: sync.destinations().to_vec(),
            schedule: schedule(sync),
            next_run_at: sync.next_run_at(),
            activity: self.activity(sync),
            last_run: facts.last_run,
            cursors: facts.cursors,
        }
    }

    fn activity(&self, sync: &SyncState) -> Option<Activity> {
        let running = sync.running();
        if running.is_none() && !sync.is_waiting() {
            return None;
        }
        let progress = self.running.get(sync.name()).map(|task| task.progress.clone());
        let is_replay = running == Some(Running::Replay) || (running.is_none() && sync.awaits_replay());
        let (tries, error) = sync.tries();
        Some(Activity {
            due_at: sync.due().filter(|_| !is_replay).map(|due| due.last),
            since: sync.waits_since().unwrap_or_else(|| self.options.clock.now()),
            kind: if is_replay { "replay" } else { "sync" },
            run_id: None,
            attempt: None,
            tries,
            retry_at: sync.retry_at(),
            last_error: error.cloned(),
            waits_for: if running.is_some() { None } else { self.waits_for(sync) },
            tables: Vec::new(),
            progress,
        })
    }

    /// What a sync that is to run waits for.
    pub(super) fn waits_for(&self, sync: &SyncState) -> Option<String> {
        if let Some(held) = sync.held_by() {
            return Some(format!("another process: {held}"));
        }
        if let Some(at) = sync.retry_at().filter(|at| *at > self.options.clock.now()) {
            return Some(format!("its next try at {}", crate::moment::shown(at)));
        }
        if sync.is_held_back_by_pause() && !sync.awaits_replay() {
            return Some("the end of its pause".to_owned());
        }
        self.scheduler.obstacle(sync)
    }
}

async fn facts(store: &dyn StateStore, name: &str) -> Result<Facts> {
    let filter = RunFilter {
        sync: Some(name.to_owned()),
        ..RunFilter::default()
    };
    let runs = store.list_runs(&filter, RUNS_LOOKED_AT).await?;
    let ended = runs.into_iter().find(|run| run.status != RunStatus::Running);
    let mut cursors = Vec::new();
    for stored in store.list_states(Some(name)).await? {
        cursors.push(CursorView {
            cursor: stored.state()?.cursor.map(|cursor| cursor.to_string()),
            table: stored.table,
            updated_at: stored.updated_at,
        });
    }
    let last_run = ended.map(|run| LastRun {
        run_id: Some(run.run_id),
        status: run.status,
        started_at: run.started_at,
        ended_at: run.ended_at,
        error: run.error,
    });
    let last_turn = store.list_turns(Some(name), TURNS_LOOKED_AT).await?;
    let in_vain = last_turn.into_iter().find(|turn| turn.status != TurnStatus::Open);
    Ok(Facts {
        last_run: in_vain.and_then(without_run).or(last_run),
        cursors,
    })
}

/// A turn that failed before it came to a run, which the history of runs knows nothing of.
fn without_run(turn: Turn) -> Option<LastRun> {
    (turn.status == TurnStatus::Failed && turn.run_id.is_none()).then_some(LastRun {
        run_id: None,
        status: RunStatus::Failed,
        started_at: turn.decided_at,
        ended_at: turn.ended_at,
        error: turn.error,
    })
}

fn phase(sync: &SyncState) -> Phase {
    if sync.running().is_some() {
        return Phase::Running;
    }
    if sync.awaits_replay() {
        return Phase::Queued;
    }
    match sync.is_waiting() {
        true if sync.is_held_back_by_pause() => Phase::Paused,
        true if sync.retry_at().is_some() => Phase::Retrying,
        true => Phase::Queued,
        false if sync.is_paused() => Phase::Paused,
        false => Phase::Idle,
    }
}

fn schedule(sync: &SyncState) -> Option<ScheduleView> {
    let (schedule, catch_up) = sync.schedule()?;
    let time_zone = match &schedule.rhythm {
        Rhythm::Cron(cron) => Some(cron.zone().name().to_owned()),
        Rhythm::Every(_) => None,
    };
    Some(ScheduleView {
        text: schedule.rhythm.to_string(),
        time_zone,
        jitter_seconds: schedule.jitter.seconds().into(),
        catch_up: catch_up.name().to_owned(),
    })
}

/// The plugin of a sync's source; empty where the configuration has the sync no more.
fn source_of(configuration: &Configuration, name: &str) -> String {
    configuration
        .source(name)
        .map(|source| source.spec.path.clone())
        .unwrap_or_default()
}
