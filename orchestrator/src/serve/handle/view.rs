//! A sync as others see it.

use std::sync::atomic::Ordering;

use longshore_core::{CursorValue, Error};
use longshore_state::{RunKind, UnixMicros};
use serde::Serialize;

use crate::engine::progress::Progress;

/// A sync at one moment, as the daemon knows it.
#[derive(Clone, Debug, Serialize)]
pub struct SyncView {
    /// The name of the source.
    pub name: String,
    /// What it is doing.
    pub phase: Phase,
    /// No run is started by itself. A paused sync may still run: the run that went on when it was paused, or one that somebody asked for.
    pub paused: bool,
    /// It is no longer in the configuration and goes when its run ends.
    pub removed: bool,
    /// The plugin of its source, as the configuration names it.
    pub source: String,
    /// The names of its destinations.
    pub destinations: Vec<String>,
    /// When it runs by itself; `None`: only by request.
    pub schedule: Option<ScheduleView>,
    /// When it will run next by itself, jitter included, or is tried again; `None`: without a schedule, or paused.
    pub next_run_at: Option<UnixMicros>,
    /// The run that goes on or waits; `None` while it is idle.
    pub activity: Option<Activity>,
}

/// What a sync is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing, until its next time comes or somebody asks.
    Idle,
    /// It is to run, and waits: for a free slot, for a destination that another sync writes to, or for another process that holds it.
    Queued,
    /// It runs.
    Running,
    /// Its run failed for a reason that can pass; it is tried again at [`Activity::retry_at`].
    Retrying,
    /// It is paused and does not run.
    Paused,
}

/// When a sync runs by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScheduleView {
    /// As the user wrote it: `*/5 * * * *`, `every 15m`.
    pub text: String,
    /// The time zone of a cron expression.
    pub time_zone: Option<String>,
    /// The most that a run is put off by jitter, in seconds.
    pub jitter_seconds: u64,
    /// What becomes of missed times: `once` or `skip`.
    pub catch_up: String,
}

/// A run that goes on or waits.
#[derive(Clone, Debug, Serialize)]
pub struct Activity {
    /// The due time that it is for; `None`: somebody asked for it, or it is a replay.
    pub due_at: Option<UnixMicros>,
    /// Since when it goes on or waits.
    pub since: UnixMicros,
    /// What it does.
    pub kind: RunKind,
    /// The run in the history, once it has begun.
    pub run_id: Option<String>,
    /// The attempt of that run.
    pub attempt: Option<u32>,
    /// How often the daemon has tried; 0: not yet.
    pub tries: u32,
    /// When it is tried again.
    pub retry_at: Option<UnixMicros>,
    /// Why the last try failed; between two attempts of a run, why the last attempt broke off.
    pub last_error: Option<Error>,
    /// What it waits for, in words.
    pub waits_for: Option<String>,
    /// Its tables so far.
    pub tables: Vec<TableView>,
    /// Where `tables` come from.
    #[serde(skip)]
    pub(in crate::serve) progress: Option<Progress>,
}

/// One table of a run that goes on. The counters show progress and decide nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableView {
    /// The table.
    pub table: String,
    /// Rows expected, as far as the source could tell.
    pub expected: Option<u64>,
    /// Rows that came from the source.
    pub forwarded: u64,
    /// Rows that the slowest destination has acked.
    pub acked: u64,
    /// Rows refused as a whole.
    pub rejected: u64,
    /// It is done.
    pub complete: bool,
    /// The cursor committed so far, as text.
    pub cursor: Option<String>,
    /// Where the cursor is going, as text.
    pub upper_bound: Option<String>,
}

/// Whether the daemon takes work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// It starts; the store is not read yet.
    Starting,
    /// It runs syncs.
    Ready,
    /// The state store can not be used at the moment; runs go on as far as they can, none is started.
    StoreUnusable,
    /// It was asked to end: no run is started, running ones end.
    Draining,
}

impl SyncView {
    /// The same with the counters of this moment.
    pub(super) fn as_of_now(&self) -> Self {
        let mut view = self.clone();
        if let Some(activity) = &mut view.activity
            && let Some(progress) = &activity.progress
        {
            activity.tables = tables_of(progress);
            if let Some(run) = progress.run() {
                activity.run_id = Some(run.run_id.to_string());
                activity.attempt = Some(run.attempt);
            }
            if let Some(broken_off) = progress.broken_off() {
                let next_at = crate::moment::shown(broken_off.next_at);
                activity.waits_for = Some(format!("its next attempt at {next_at}"));
                activity.last_error = Some(broken_off.error);
            }
        }
        view
    }
}

/// The counters of a run's tables.
pub(in crate::serve) fn tables_of(progress: &Progress) -> Vec<TableView> {
    let text = |cursor: Option<CursorValue>| cursor.map(|cursor| cursor.to_string());
    let tables = progress.tables();
    let views = tables.iter().map(|table| {
        let span = table.cursor_span();
        TableView {
            table: table.name.clone(),
            expected: Some(table.expected.load(Ordering::Relaxed)).filter(|rows| *rows > 0),
            forwarded: table.forwarded.load(Ordering::Relaxed),
            acked: table.acked.load(Ordering::Relaxed),
            rejected: table.rejected.load(Ordering::Relaxed),
            complete: table.complete.load(Ordering::Relaxed),
            cursor: text(span.at),
            upper_bound: text(span.upper_bound),
        }
    });
    views.collect()
}
