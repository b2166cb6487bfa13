//! Syncs: as they stand, and what can be done with them.

use longshore_core::{CursorValue, Error, Result};
use longshore_state::{RejectFilter, RejectStatus, RunFilter, RunKind, RunStatus, StoredState, UnixMicros};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Service, answer::Refusal, call::Call, freshness::age_seconds, moments::Moment, state::known};
use crate::{
    documents::ErrorDocument,
    history::turns::ShownTurn,
    serve::handle::{Activity, LastRun, Phase, ScheduleView, Standing, TableView},
};

/// Runs of a sync that are told with it, for a picture of the last ones.
const HISTORY: u32 = 20;

const DEFAULT_TURNS: u32 = 20;
const MOST_TURNS: u32 = 1_000;

/// Every sync.
#[derive(Serialize, JsonSchema)]
pub(super) struct SyncList {
    syncs: Vec<ShownSync>,
}

/// A sync as it stands.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Sync")]
pub(super) struct ShownSync {
    name: String,
    phase: ShownPhase,
    /// No run is started by itself. A paused sync may still run.
    paused: bool,
    /// It is no longer in the configuration and goes when its run ends.
    removed: bool,
    /// The plugin of its source.
    source: String,
    destinations: Vec<String>,
    /// When it runs by itself; null: only by request.
    schedule: Option<ShownSchedule>,
    /// When it will run next by itself, or is tried again; null without a schedule, or paused.
    next_run_at: Option<Moment>,
    /// The run that goes on or waits.
    activity: Option<ShownActivity>,
    /// The last run that ended.
    last_run: Option<ShownLastRun>,
    /// The cursors as they are stored.
    cursors: Vec<ShownCursor>,
    /// The oldest cursor that is a time, of the tables that the sync reads: what is newer at the source may not be delivered yet.
    freshness: Option<ShownFreshness>,
    pending_rejects: u64,
    /// Its last runs, oldest first; without replays.
    history: Vec<ShownPast>,
}

/// What a sync is doing.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Phase")]
enum ShownPhase {
    /// Nothing, until its next time comes or somebody asks.
    Idle,
    /// It is to run, and waits.
    Queued,
    /// It runs.
    Running,
    /// Its run failed for a reason that can pass, and is tried again.
    Retrying,
    /// It is paused and does not run.
    Paused,
}

/// When a sync runs by itself.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Schedule")]
struct ShownSchedule {
    /// As the configuration has it.
    text: String,
    /// The time zone of a cron expression.
    time_zone: Option<String>,
    /// The most that a run is put off by.
    jitter_seconds: u64,
    /// What becomes of missed times: `once` or `skip`.
    catch_up: String,
}

/// A run that goes on or waits.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Activity")]
pub(super) struct ShownActivity {
    /// The due time that it is for; null: somebody asked.
    due_at: Option<Moment>,
    since: Moment,
    /// `sync` or `replay`.
    kind: String,
    /// The run, once it has begun.
    run_id: Option<String>,
    attempt: Option<u32>,
    /// How often the daemon has tried.
    tries: u32,
    retry_at: Option<Moment>,
    /// Why the last try failed; between two attempts of a run, why the last attempt broke off.
    #[schemars(with = "Option<ErrorDocument>")]
    last_error: Option<Error>,
    /// What it waits for, in words.
    waits_for: Option<String>,
    tables: Vec<ShownTable>,
}

/// A table of a run that goes on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TableProgress")]
pub(super) struct ShownTable {
    table: String,
    /// Rows expected, as far as the source could tell.
    expected: Option<u64>,
    /// Rows that came from the source.
    forwarded: u64,
    /// Rows that the slowest destination has acked.
    acked: u64,
    /// Rows refused as a whole.
    rejected: u64,
    complete: bool,
    /// The cursor committed so far.
    cursor: Option<String>,
    /// Where the cursor is going.
    upper_bound: Option<String>,
}

/// The last run that ended.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LastRun")]
struct ShownLastRun {
    run_id: String,
    status: RunStatus,
    started_at: Moment,
    ended_at: Option<Moment>,
    #[schemars(with = "Option<ErrorDocument>")]
    error: Option<Error>,
}

/// A stored cursor.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Cursor")]
struct ShownCursor {
    table: String,
    cursor_column: String,
    cursor: Option<String>,
    /// How old it is, where it is a time.
    age_seconds: Option<u64>,
    /// When it was stored.
    updated_at: Moment,
}

/// The oldest cursor of a sync.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Freshness")]
struct ShownFreshness {
    table: String,
    cursor: String,
    age_seconds: u64,
}

/// A run in a sync's history.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PastRun")]
struct ShownPast {
    run_id: String,
    status: RunStatus,
    started_at: Moment,
    /// Rows delivered.
    rows: u64,
}

/// A run was asked for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Started")]
pub(super) struct ShownStarted {
    sync: String,
    /// It starts at once; otherwise something keeps it waiting.
    at_once: bool,
    /// What it waits for, in words.
    waits_for: Option<String>,
}

/// Whether a sync is paused.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PauseState")]
pub(super) struct ShownPause {
    sync: String,
    paused: bool,
    /// Whether that changed with this request.
    changed: bool,
    next_run_at: Option<Moment>,
}

/// A run is being ended, or was taken back.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Cancelled")]
pub(super) struct ShownCancelled {
    pub(super) sync: String,
    /// The run that ends in order; null: it had not begun, and does not now.
    pub(super) run_id: Option<String>,
}

pub(super) async fn list(call: Call) -> Result<SyncList, Refusal> {
    let mut syncs = Vec::new();
    for standing in call.service.daemon.syncs().await? {
        syncs.push(shown(&call.service, standing).await?);
    }
    Ok(SyncList { syncs })
}

pub(super) async fn show(call: Call<String>) -> Result<ShownSync, Refusal> {
    let standing = call.service.daemon.sync(&call.path).await?;
    Ok(shown(&call.service, standing).await?)
}

pub(super) async fn run(call: Call<String>) -> Result<ShownStarted, Refusal> {
    let started = call.service.daemon.run_now(&call.path).await?;
    Ok(ShownStarted {
        sync: started.sync,
        at_once: started.at_once,
        waits_for: started.waits_for,
    })
}

pub(super) async fn pause(call: Call<String>) -> Result<ShownPause, Refusal> {
    Ok(call.service.daemon.pause(&call.path).await?.into())
}

pub(super) async fn resume(call: Call<String>) -> Result<ShownPause, Refusal> {
    Ok(call.service.daemon.resume(&call.path).await?.into())
}

pub(super) async fn cancel(call: Call<String>) -> Result<ShownCancelled, Refusal> {
    let cancelled = call.service.daemon.cancel_sync(&call.path).await?;
    Ok(ShownCancelled {
        sync: cancelled.sync,
        run_id: cancelled.run_id,
    })
}

/// How many turns are wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TurnQuery {
    /// At most so many; 20 when nothing is said. The last thousand are kept.
    limit: Option<u32>,
}

/// The latest times that a sync was to run.
#[derive(Serialize, JsonSchema)]
pub(super) struct TurnList {
    turns: Vec<ShownTurn>,
}

pub(super) async fn turns(call: Call<String, TurnQuery>) -> Result<TurnList, Refusal> {
    known(&call.service, &call.path).await?;
    let limit = call.query.limit.unwrap_or(DEFAULT_TURNS).clamp(1, MOST_TURNS);
    let turns = call.service.store.list_turns(Some(&call.path), limit).await?;
    Ok(TurnList {
        turns: turns.into_iter().map(ShownTurn::from).collect(),
    })
}

async fn shown(service: &Service, standing: Standing) -> Result<ShownSync> {
    let view = standing.sync;
    let now = UnixMicros::now();
    let cursors = service.store.list_states(Some(&view.name)).await?;
    let read = service.store.tables_read(&view.name).await?;
    let cursors = cursors.iter().map(|stored| ShownCursor::of(stored, now));
    let cursors = cursors.collect::<Result<Vec<_>>>()?;
    let pending = RejectFilter {
        sync: Some(view.name.clone()),
        status: Some(RejectStatus::Pending),
        ..RejectFilter::default()
    };
    let pending = service.store.count_rejects(&pending).await?;
    let history = history(service, &view.name).await?;
    Ok(ShownSync {
        freshness: oldest(cursors.iter().filter(|cursor| read.may_be(&cursor.table))),
        cursors,
        pending_rejects: pending.iter().map(|count| count.rejects).sum(),
        history,
        name: view.name,
        phase: view.phase.into(),
        paused: view.paused,
        removed: view.removed,
        source: view.source,
        destinations: view.destinations,
        schedule: view.schedule.map(ShownSchedule::from),
        next_run_at: view.next_run_at.map(Moment),
        activity: view.activity.as_ref().map(ShownActivity::from),
        last_run: standing.last_run.map(ShownLastRun::from),
    })
}

async fn history(service: &Service, sync: &str) -> Result<Vec<ShownPast>> {
    let filter = RunFilter {
        sync: Some(sync.to_owned()),
        kind: Some(RunKind::Sync),
        ..RunFilter::default()
    };
    // One more: it may still go on.
    let runs = service.store.list_runs(&filter, HISTORY + 1).await?;
    let mut history = Vec::new();
    let past = runs.into_iter().filter(|run| run.ended_at.is_some());
    for run in past.take(HISTORY as usize) {
        let counts = service.counts.of(service.store.as_ref(), &run).await?;
        history.push(ShownPast {
            run_id: run.run_id,
            status: run.status,
            started_at: run.started_at.into(),
            rows: counts.delivered,
        });
    }
    history.reverse();
    Ok(history)
}

fn oldest<'a>(cursors: impl Iterator<Item = &'a ShownCursor>) -> Option<ShownFreshness> {
    let aged = cursors.filter_map(|cursor| Some((cursor.age_seconds?, cursor)));
    let (age_seconds, cursor) = aged.max_by_key(|(age, _)| *age)?;
    Some(ShownFreshness {
        table: cursor.table.clone(),
        cursor: cursor.cursor.clone()?,
        age_seconds,
    })
}

impl ShownCursor {
    fn of(stored: &StoredState, now: UnixMicros) -> Result<Self> {
        let state = stored.state()?;
        Ok(Self {
            table: stored.table.clone(),
            cursor: state.cursor.as_ref().map(CursorValue::to_string),
            age_seconds: state.cursor.as_ref().and_then(|cursor| age_seconds(cursor, now)),
            cursor_column: state.cursor_column,
            updated_at: stored.updated_at.into(),
        })
    }
}

impl From<Phase> for ShownPhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Idle => Self::Idle,
            Phase::Queued => Self::Queued,
            Phase::Running => Self::Running,
            Phase::Retrying => Self::Retrying,
            Phase::Paused => Self::Paused,
        }
    }
}

impl From<ScheduleView> for ShownSchedule {
    fn from(view: ScheduleView) -> Self {
        Self {
            text: view.text,
            time_zone: view.time_zone,
            jitter_seconds: view.jitter_seconds,
            catch_up: view.catch_up,
        }
    }
}

impl From<&Activity> for ShownActivity {
    fn from(activity: &Activity) -> Self {
        Self {
            due_at: activity.due_at.map(Moment),
            since: activity.since.into(),
            kind: activity.kind.as_str().to_owned(),
            run_id: activity.run_id.clone(),
            attempt: activity.attempt,
            tries: activity.tries,
            retry_at: activity.retry_at.map(Moment),
            last_error: activity.last_error.clone(),
            waits_for: activity.waits_for.clone(),
            tables: activity.tables.iter().map(ShownTable::from).collect(),
        }
    }
}

impl From<&TableView> for ShownTable {
    fn from(view: &TableView) -> Self {
        Self {
            table: view.table.clone(),
            expected: view.expected,
            forwarded: view.forwarded,
            acked: view.acked,
            rejected: view.rejected,
            complete: view.complete,
            cursor: view.cursor.clone(),
            upper_bound: view.upper_bound.clone(),
        }
    }
}

impl From<LastRun> for ShownLastRun {
    fn from(run: LastRun) -> Self {
        Self {
            run_id: run.run_id,
            status: run.status,
            started_at: run.started_at.into(),
            ended_at: run.ended_at.map(Moment),
            error: run.error,
        }
    }
}

impl From<crate::serve::handle::PauseState> for ShownPause {
    fn from(state: crate::serve::handle::PauseState) -> Self {
        Self {
            sync: state.sync,
            paused: state.paused,
            changed: state.changed,
            next_run_at: state.next_run_at.map(Moment),
        }
    }
}
