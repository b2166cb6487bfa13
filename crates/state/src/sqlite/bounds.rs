//! How much the ledger keeps: so many rejects and so many bytes of rows of each sync, and nothing beyond its retention.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::failure::Failure;
use crate::{
    hold::Hold,
    moment::UnixMicros,
    reject::{MAX_REJECTS_PER_SYNC, MAX_ROW_BYTES_PER_SYNC, Removed},
};

/// What was let go while it was pending, to stay within the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) rejects: u64,
    /// Rows of rejects that are still named.
    pub(super) rows: u64,
}

/// So many more rejects of the sync, with rows of so many bytes together.
pub(super) fn add(tx: &Transaction<'_>, sync: &str, rejects: u64, row_bytes: u64) -> Result<(), Failure> {
    tx.prepare_cached(
        "INSERT INTO reject_ledgers (sync, kept, kept_bytes) VALUES (?1, ?2, ?3)
         ON CONFLICT (sync) DO UPDATE SET kept = kept + excluded.kept, kept_bytes = kept_bytes + excluded.kept_bytes",
    )?
    .execute(params![sync, rejects, row_bytes])?;
    Ok(())
}

/// Lets go of a reject's row.
pub(super) fn release_row(tx: &Transaction<'_>, sync: &str, id: i64) -> Result<(), Failure> {
    tx.prepare_cached(
        "UPDATE reject_ledgers SET kept_bytes = kept_bytes - (SELECT coalesce(length(row_data), 0) FROM rejects WHERE id = ?2) WHERE sync = ?1",
    )?
    .execute(params![sync, id])?;
    tx.prepare_cached("UPDATE rejects SET row_data = NULL WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// Keeps another row with a reject that has one.
pub(super) fn replace_row(tx: &Transaction<'_>, sync: &str, id: i64, row_data: &[u8]) -> Result<(), Failure> {
    tx.prepare_cached(
        "UPDATE reject_ledgers SET kept_bytes = kept_bytes + length(?3) - (SELECT length(row_data) FROM rejects WHERE id = ?2)
         WHERE sync = ?1 AND (SELECT row_data IS NOT NULL FROM rejects WHERE id = ?2)",
    )?
    .execute(params![sync, id, row_data])?;
    tx.prepare_cached("UPDATE rejects SET row_data = ?2 WHERE id = ?1 AND row_data IS NOT NULL")?
        .execute(params![id, row_data])?;
    Ok(())
}

/// Drops what is beyond the bounds: what is dealt with first, then the oldest. Of pending ones, each run says how many are gone, whichever run pushed
/// them out.
pub(super) fn keep(tx: &Transaction<'_>, sync: &str) -> Result<Dropped, Failure> {
    let kept = |column: &str| {
        let statement = format!("SELECT {column} FROM reject_ledgers WHERE sync = ?1");
        tx.prepare_cached(&statement)?
            .query_row([sync], |row| row.get::<_, u64>(0))
            .optional()
    };
    let excess = kept("kept")?.unwrap_or(0).saturating_sub(MAX_REJECTS_PER_SYNC);
    let mut dropped = Dropped::default();
    if excess > 0 {
        let resolved = "SELECT id FROM rejects WHERE sync = ?1 AND status <> 'pending' ORDER BY id LIMIT ?2";
        let resolved = remove(tx, sync, resolved, excess)?;
        let oldest = "SELECT id FROM rejects WHERE sync = ?1 ORDER BY id LIMIT ?2";
        dropped.rejects = remove(tx, sync, oldest, excess - resolved.pending - resolved.resolved)?.pending;
    }
    let too_many_bytes = kept("kept_bytes")?.unwrap_or(0).saturating_sub(MAX_ROW_BYTES_PER_SYNC);
    if too_many_bytes > 0 {
        dropped.rows = drop_rows(tx, sync, too_many_bytes)?;
    }
    Ok(dropped)
}

/// Removes what was recorded before a moment.
pub(super) fn remove_older(tx: &Transaction<'_>, hold: &Hold, before: UnixMicros) -> Result<Removed, Failure> {
    super::holds::fence(tx, hold)?;
    remove(
        tx,
        &hold.sync,
        "SELECT id FROM rejects WHERE sync = ?1 AND at < ?2",
        before.0,
    )
}

/// Removes the rejects that a query names, with what the ledger and the runs count of them.
fn remove(
    tx: &Transaction<'_>,
    sync: &str,
    which: &str,
    bound: impl rusqlite::ToSql + Copy,
) -> Result<Removed, Failure> {
    let counted = format!(
        "SELECT coalesce(sum(status = 'pending'), 0), coalesce(sum(status <> 'pending'), 0), coalesce(sum(length(row_data)), 0)
         FROM rejects WHERE id IN ({which})"
    );
    let (removed, bytes) = tx.prepare_cached(&counted)?.query_row(params![sync, bound], |row| {
        let removed = Removed {
            pending: row.get(0)?,
            resolved: row.get(1)?,
        };
        Ok((removed, row.get::<_, u64>(2)?))
    })?;
    if removed == Removed::default() {
        return Ok(removed);
    }
    tx.prepare_cached(&format!(
        "UPDATE runs SET dropped_rejects = dropped_rejects + gone.rejects
         FROM (SELECT run, count(*) AS rejects FROM rejects WHERE id IN ({which}) AND status = 'pending' GROUP BY run) AS gone
         WHERE runs.id = gone.run"
    ))?
    .execute(params![sync, bound])?;
    tx.prepare_cached(&format!("DELETE FROM rejects WHERE id IN ({which})"))?
        .execute(params![sync, bound])?;
    tx.prepare_cached("UPDATE reject_ledgers SET kept = kept - ?2, kept_bytes = kept_bytes - ?3 WHERE sync = ?1")?
        .execute(params![sync, removed.pending + removed.resolved, bytes])?;
    Ok(removed)
}

/// Lets go of the oldest rows until so many bytes are free; returns how many.
fn drop_rows(tx: &Transaction<'_>, sync: &str, bytes: u64) -> Result<u64, Failure> {
    let mut oldest = tx.prepare_cached(
        "SELECT id, run, length(row_data) FROM rejects WHERE sync = ?1 AND row_data IS NOT NULL ORDER BY id",
    )?;
    let mut rows = oldest.query([sync])?;
    let (mut freed, mut chosen) = (0, Vec::new());
    while freed < bytes
        && let Some(row) = rows.next()?
    {
        freed += row.get::<_, u64>(2)?;
        chosen.push((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    }
    drop(rows);
    for (id, run) in &chosen {
        release_row(tx, sync, *id)?;
        tx.prepare_cached("UPDATE runs SET dropped_rows = dropped_rows + 1 WHERE id = ?1")?
            .execute([run])?;
    }
    Ok(chosen.len() as u64)
}
