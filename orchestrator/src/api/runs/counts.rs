//! What a run has moved, kept for lists: it takes a question to the store for each run, and of runs that are over the answer stays the same.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use longshore_core::Result;
use longshore_state::{Run, RunDetails, RunKind, StateStore, UnixMicros};

use crate::engine::report::TableReport;

/// Runs that are remembered; a hundred bytes each. Beyond, all are forgotten and asked for again.
const REMEMBERED: usize = 10_000;

/// What one run has moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    pub(crate) delivered: u64,
    pub(crate) duration_ms: Option<u64>,
}

/// A run at an end: another attempt makes it another one.
type Ended = (String, u32, UnixMicros);

/// The counts of runs.
#[derive(Default)]
pub(crate) struct RunCounts {
    ended: Mutex<HashMap<Ended, Counts>>,
}

impl RunCounts {
    pub(crate) async fn of(&self, store: &dyn StateStore, run: &Run) -> Result<Counts> {
        let ended = run.ended_at.map(|at| (run.run_id.clone(), run.attempt, at));
        let known = ended.as_ref().and_then(|ended| self.lock().get(ended).copied());
        if let Some(known) = known {
            return Ok(known);
        }
        let details = store.get_run(&run.run_id).await?;
        let counts = details.as_ref().map(counted).unwrap_or_default();
        if let Some(ended) = ended {
            let mut kept = self.lock();
            if kept.len() >= REMEMBERED {
                kept.clear();
            }
            kept.insert(ended, counts);
        }
        Ok(counts)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Ended, Counts>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn counted(details: &RunDetails) -> Counts {
    let duration = details.duration();
    let known = details.attempts.iter().any(|attempt| attempt.ended_at.is_some());
    let duration_ms = known.then(|| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    if details.run.kind == RunKind::Replay {
        return Counts {
            read: details.retries.iter().map(|retry| retry.retried).sum(),
            delivered: details.retries.iter().map(|retry| retry.redelivered).sum(),
            duration_ms,
        };
    }
    let tables: Vec<TableReport> = details.tables.iter().map(TableReport::from).collect();
    Counts {
        read: tables.iter().map(|table| table.read).sum(),
        delivered: tables.iter().map(|table| table.delivered).sum(),
        duration_ms,
    }
}
