//! What others see of the daemon.

use std::sync::Arc;

use longshore_config::Configuration;
use longshore_core::Result;
use longshore_schedule::Rhythm;
use longshore_state::RunKind;

use super::Daemon;
use crate::{
    engine::progress::BrokenOff,
    serve::{
        handle::{Activity, Event, Phase, Published, Readiness, ScheduleView, SyncView, TableView, tables_of},
        scheduler::{Running, SyncState},
    },
};

/// What was told of a running sync.
#[derive(Default)]
pub(super) struct Watched {
    started: Option<(Arc<str>, u32)>,
    tables: Vec<TableView>,
    begun_anew: u32,
    broken_off: Option<BrokenOff>,
}

impl Daemon {
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
            let Some(watched) = self.watched.get_mut(sync) else {
                continue;
            };
            let run = task.progress.run();
            let run_id = || run.as_ref().map(|run| run.run_id.to_string());
            let begun_anew = task.progress.begun_anew();
            if watched.begun_anew != begun_anew {
                watched.begun_anew = begun_anew;
                events.push(Event::TriesAgain {
                    sync: sync.clone(),
                    run_id: run_id(),
                });
            }
            let current = run.as_ref().map(|run| (Arc::clone(&run.run_id), run.attempt));
            if let Some(run) = run.as_ref().filter(|_| watched.started != current) {
                tracing::info!(sync, run_id = &*run.run_id, attempt = run.attempt, "running");
                events.push(Event::RunStarted {
                    sync: sync.clone(),
                    kind: task.kind,
                    run_id: run.run_id.to_string(),
                    attempt: run.attempt,
                });
                watched.started = current;
            }
            let broken_off = task.progress.broken_off();
            if watched.broken_off != broken_off {
                watched.broken_off.clone_from(&broken_off);
                // Without one, another attempt has begun, which was told, or none follows.
                events.extend(broken_off.map(|BrokenOff { error, next_at }| Event::BrokeOff {
                    sync: sync.clone(),
                    run_id: run_id(),
                    error,
                    next_at,
                }));
            }
            let Some(run) = run else { continue };
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
        SyncView {
            name: name.to_owned(),
            phase: phase(sync),
            paused: sync.is_paused(),
            removed: sync.is_removed(),
            source: source_of(&self.configuration, name),
            destinations: sync.destinations().to_vec(),
            schedule: schedule(sync),
            next_run_at: sync.next_run_at(self.options.clock.now()),
            activity: self.activity(sync),
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
            kind: if is_replay { RunKind::Replay } else { RunKind::Sync },
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
