//! How long runs are remembered.

use rusqlite::{Transaction, params};

use super::{failure::Failure, holds};
use crate::{
    hold::Hold,
    run::{MAX_RUNS_REMOVED_AT_ONCE, RunRetention},
};

/// Removes runs that are too old or too many. What somebody may still need stays: a run that goes on, the sync's latest, which the next one may go on with,
/// and every run that the ledger of rejects names.
pub(super) fn remove(tx: &Transaction<'_>, hold: &Hold, retention: RunRetention) -> Result<u64, Failure> {
    holds::fence(tx, hold)?;
    let removed = tx
        .prepare_cached(
            "DELETE FROM runs WHERE id IN (
                SELECT id FROM runs WHERE sync = ?1 AND status <> 'running'
                    AND (coalesce(ended_at, started_at) < ?2
                        OR id <= (SELECT id FROM runs WHERE sync = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?3))
                    AND id <> (SELECT id FROM runs WHERE sync = ?1 AND kind = 'sync' ORDER BY id DESC LIMIT 1)
                    AND NOT EXISTS (SELECT 1 FROM rejects WHERE run = runs.id)
                    AND NOT EXISTS (SELECT 1 FROM rejects WHERE tried_run = runs.id)
                    AND NOT EXISTS (SELECT 1 FROM rejects WHERE sent_run = runs.id)
                    AND NOT EXISTS (SELECT 1 FROM rejects WHERE resolved_run = runs.id)
                ORDER BY id LIMIT ?4)",
        )?
        .execute(params![
            hold.sync,
            retention.ended_before.0,
            retention.keep,
            MAX_RUNS_REMOVED_AT_ONCE
        ])?;
    Ok(removed as u64)
}
