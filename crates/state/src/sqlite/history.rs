//! How long runs are remembered.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{failure::Failure, holds, plans::NEWEST_PLAN};
use crate::{
    hold::Hold,
    run::{MAX_RUNS_REMOVED_AT_ONCE, RunRetention},
};

/// Removes runs of the sync that are too old or too many.
pub(super) fn remove(tx: &Transaction<'_>, hold: &Hold, retention: RunRetention) -> Result<u64, Failure> {
    holds::fence(tx, hold)?;
    remove_of(tx, &hold.sync, retention, MAX_RUNS_REMOVED_AT_ONCE)
}

/// The same of every sync that is not configured. Nobody needs to hold those: what stays is what a process that runs one could still need.
pub(super) fn remove_of_others(
    tx: &Transaction<'_>,
    hold: &Hold,
    configured: &[String],
    retention: RunRetention,
) -> Result<u64, Failure> {
    holds::fence(tx, hold)?;
    let mut removed = 0;
    let mut known = first_sync_after(tx, "")?;
    while let Some(sync) = known {
        let at_most = u64::from(MAX_RUNS_REMOVED_AT_ONCE).saturating_sub(removed);
        if !configured.contains(&sync) {
            removed += remove_of(tx, &sync, retention, u32::try_from(at_most).unwrap_or(0))?;
        }
        known = first_sync_after(tx, &sync)?;
    }
    Ok(removed)
}

/// From name to name over the index, which takes a step for each sync and none for its runs.
fn first_sync_after(tx: &Transaction<'_>, sync: &str) -> Result<Option<String>, Failure> {
    let mut statement = tx.prepare_cached("SELECT sync FROM runs WHERE sync > ?1 ORDER BY sync LIMIT 1")?;
    Ok(statement.query_row([sync], |row| row.get(0)).optional()?)
}

/// What somebody may still need stays: a run that goes on, the sync's latest that began, which the next one may go on with, the one that tells which tables the
/// sync reads, and every run that the ledger of rejects names.
fn remove_of(tx: &Transaction<'_>, sync: &str, retention: RunRetention, at_most: u32) -> Result<u64, Failure> {
    let removed = tx
        .prepare_cached(&format!(
            "DELETE FROM runs WHERE id IN (
                SELECT id FROM runs WHERE sync = ?1 AND status <> 'running'
                    AND (coalesce(ended_at, started_at) < ?2
                        OR id <= (SELECT id FROM runs WHERE sync = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?3))
                    AND id <> coalesce((SELECT id FROM runs WHERE sync = ?1 AND kind = 'sync' AND configuration <> '' ORDER BY id DESC LIMIT 1), 0)
                    AND id <> coalesce(({NEWEST_PLAN}), 0)
                    AND NOT EXISTS (SELECT 1 FROM rejects WHERE run = runs.id)
                    AND NOT EXISTS (SELECT 1 FROM rejects WHERE tried_run = runs.id)
                    AND NOT EXISTS (SELECT 1 FROM rejects WHERE sent_run = runs.id)
                    AND NOT EXISTS (SELECT 1 FROM rejects WHERE resolved_run = runs.id)
                ORDER BY id LIMIT ?4)"
        ))?
        .execute(params![sync, retention.ended_before.0, retention.keep, at_most])?;
    Ok(removed as u64)
}
