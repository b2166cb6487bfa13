//! A sync with what the store says of it. That is asked for with each question: `longshore sync` beside the daemon, or a person who sets a cursor, change it too.

use longshore_core::{Error, Result};
use longshore_state::{RunFilter, RunKind, RunStatus, StateStore, UnixMicros};
use serde::Serialize;

use super::view::SyncView;

/// Runs that are looked at to find the last one that ended: one may be running, and one may wait to be gone on with.
const RUNS_LOOKED_AT: u32 = 3;

/// A sync at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// As the daemon knows it.
    #[serde(flatten)]
    pub sync: SyncView,
    /// The last run that ended, as far as the store's history goes; a replay of rejects is none.
    pub last_run: Option<LastRun>,
    /// The cursors as they are stored, by table: how fresh the destination is.
    pub cursors: Vec<CursorView>,
}

/// A run that ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LastRun {
    /// The run.
    pub run_id: String,
    /// How it ended.
    pub status: RunStatus,
    /// When its first attempt began.
    pub started_at: UnixMicros,
    /// When its last attempt ended.
    pub ended_at: Option<UnixMicros>,
    /// What it stopped at.
    pub error: Option<Error>,
}

/// A stored cursor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CursorView {
    /// The table.
    pub table: String,
    /// The cursor, as text; `None`: a table without.
    pub cursor: Option<String>,
    /// When it was stored.
    pub updated_at: UnixMicros,
}

impl Standing {
    pub(super) async fn of(sync: SyncView, store: &dyn StateStore) -> Result<Self> {
        let filter = RunFilter {
            sync: Some(sync.name.clone()),
            kind: Some(RunKind::Sync),
            ..RunFilter::default()
        };
        let goes_on = sync.activity.as_ref().and_then(|activity| activity.run_id.as_deref());
        let runs = store.list_runs(&filter, RUNS_LOOKED_AT).await?;
        // Of one that has ended and that the daemon has not heard of yet, its turn is still open: it goes on for a moment more.
        let ended = runs
            .into_iter()
            .find(|run| run.status != RunStatus::Running && Some(run.run_id.as_str()) != goes_on);
        let mut cursors = Vec::new();
        for stored in store.list_states(Some(&sync.name)).await? {
            cursors.push(CursorView {
                cursor: stored.state()?.cursor.map(|cursor| cursor.to_string()),
                table: stored.table,
                updated_at: stored.updated_at,
            });
        }
        let last_run = ended.map(|run| LastRun {
            run_id: run.run_id,
            status: run.status,
            started_at: run.started_at,
            ended_at: run.ended_at,
            error: run.error,
        });
        Ok(Self {
            sync,
            last_run,
            cursors,
        })
    }
}
