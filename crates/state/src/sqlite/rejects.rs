//! The ledger of refused rows.

use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params};

use super::failure::Failure;
use crate::{
    checkpoint::CheckpointCommit,
    hold::Hold,
    moment::UnixMicros,
    reject::{MAX_REJECTS_PER_SYNC, NewReject, Reject, RejectCount, RejectFilter},
};

/// The conditions of a [`RejectFilter`].
const MATCHING: &str = "(:sync IS NULL OR rejects.sync = :sync) AND (:table IS NULL OR table_name = :table)
     AND (:run_id IS NULL OR run = (SELECT id FROM runs WHERE run_id = :run_id)) AND (:before IS NULL OR rejects.id < :before)";

/// Records a commit's rejects; returns how many old ones were dropped.
pub(super) fn record(tx: &Transaction<'_>, hold: &Hold, run: i64, commit: &CheckpointCommit) -> Result<u64, Failure> {
    if commit.rejects.is_empty() {
        return Ok(0);
    }
    let mut insert = tx.prepare_cached(
        "INSERT INTO rejects (run, sync, table_name, partition_id, at, destination, key, rule, column_name, reason, whole_row, sequence, row_number)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for reject in &commit.rejects {
        insert.execute(params![
            run,
            hold.sync,
            commit.partition.table,
            commit.partition.partition,
            commit.at.0,
            reject.destination,
            reject.key,
            reject.rule,
            reject.column,
            reject.reason,
            reject.whole_row,
            reject.sequence,
            reject.row,
        ])?;
    }
    let recorded = commit.rejects.len() as u64;
    tx.execute(
        "UPDATE runs SET rejects = rejects + ?2 WHERE id = ?1",
        params![run, recorded],
    )?;
    keep_within_bound(tx, &hold.sync, recorded)
}

fn keep_within_bound(tx: &Transaction<'_>, sync: &str, recorded: u64) -> Result<u64, Failure> {
    let kept: u64 = tx.query_row(
        "INSERT INTO reject_ledgers (sync, kept) VALUES (?1, ?2) ON CONFLICT (sync) DO UPDATE SET kept = kept + excluded.kept RETURNING kept",
        params![sync, recorded],
        |row| row.get(0),
    )?;
    let excess = kept.saturating_sub(MAX_REJECTS_PER_SYNC);
    if excess == 0 {
        return Ok(0);
    }
    // Each run says how many of its rejects are gone, whichever run pushed them out.
    tx.execute(
        "UPDATE runs SET dropped_rejects = dropped_rejects + oldest.rejects
         FROM (SELECT run, count(*) AS rejects FROM (SELECT run FROM rejects WHERE sync = ?1 ORDER BY id LIMIT ?2) GROUP BY run) AS oldest
         WHERE runs.id = oldest.run",
        params![sync, excess],
    )?;
    tx.execute(
        "DELETE FROM rejects WHERE id IN (SELECT id FROM rejects WHERE sync = ?1 ORDER BY id LIMIT ?2)",
        params![sync, excess],
    )?;
    tx.execute(
        "UPDATE reject_ledgers SET kept = kept - ?2 WHERE sync = ?1",
        params![sync, excess],
    )?;
    Ok(excess)
}

pub(super) fn list(tx: &Transaction<'_>, filter: &RejectFilter, limit: u32) -> Result<Vec<Reject>, Failure> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT rejects.*, run_id FROM rejects JOIN runs ON runs.id = run WHERE {MATCHING} ORDER BY rejects.id DESC LIMIT :limit"
    ))?;
    let found = statement.query_map(
        named_params! {
            ":sync": filter.sync, ":table": filter.table, ":run_id": filter.run_id, ":before": filter.before, ":limit": limit,
        },
        reject_of,
    )?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn get(tx: &Transaction<'_>, id: i64) -> Result<Option<Reject>, Failure> {
    let mut statement =
        tx.prepare_cached("SELECT rejects.*, run_id FROM rejects JOIN runs ON runs.id = run WHERE rejects.id = ?1")?;
    Ok(statement.query_row([id], reject_of).optional()?)
}

pub(super) fn count(tx: &Transaction<'_>, filter: &RejectFilter) -> Result<Vec<RejectCount>, Failure> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT sync, table_name, destination, rule, column_name, count(*) AS rejects FROM rejects WHERE {MATCHING}
         GROUP BY sync, table_name, destination, rule, column_name
         ORDER BY rejects DESC, sync, table_name, destination, rule, column_name"
    ))?;
    let found = statement.query_map(
        named_params! {":sync": filter.sync, ":table": filter.table, ":run_id": filter.run_id, ":before": filter.before},
        |row| {
            Ok(RejectCount {
                sync: row.get("sync")?,
                table: row.get("table_name")?,
                destination: row.get("destination")?,
                rule: row.get("rule")?,
                column: row.get("column_name")?,
                rejects: row.get("rejects")?,
            })
        },
    )?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn reject_of(row: &Row<'_>) -> rusqlite::Result<Reject> {
    Ok(Reject {
        id: row.get("id")?,
        sync: row.get("sync")?,
        run_id: row.get("run_id")?,
        table: row.get("table_name")?,
        partition: row.get("partition_id")?,
        at: UnixMicros(row.get("at")?),
        reject: NewReject {
            destination: row.get("destination")?,
            key: row.get("key")?,
            rule: row.get("rule")?,
            column: row.get("column_name")?,
            reason: row.get("reason")?,
            whole_row: row.get("whole_row")?,
            sequence: row.get("sequence")?,
            row: row.get("row_number")?,
        },
    })
}
