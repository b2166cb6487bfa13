//! Rejects that are sent again: marked before, settled after, counted when neither happens.

use rusqlite::{OptionalExtension as _, Transaction, named_params, params};

use super::{
    bounds, checkpoints,
    failure::Failure,
    rejects::{self, Older, Recording},
    runs,
};
use crate::{
    failure,
    hold::Hold,
    moment::UnixMicros,
    reject::{NewReject, RetriedFate, RetriedRow, RetryCounts, RetryMark, RetrySettlement},
};

/// What of a stored reject decides what becomes of it.
struct Stored {
    table: String,
    partition: String,
    destination: String,
    identity: String,
    identity_column: String,
    fingerprint: Vec<u8>,
    /// The number that says how old its row is.
    age: i64,
    column: String,
    whole_row: bool,
    row_table: Option<i64>,
}

pub(super) fn mark(tx: &Transaction<'_>, hold: &Hold, mark: &RetryMark) -> Result<(), Failure> {
    let run = runs::require_open(tx, hold, &mark.run_id)?;
    let mut update = tx.prepare_cached(
        "UPDATE rejects SET attempts = attempts + 1, tried_at = ?3, tried_run = ?4, sent_run = iif(?5, ?4, NULL)
         WHERE id = ?1 AND sync = ?2 AND status = 'pending'",
    )?;
    for id in &mark.ids {
        let marked = update.execute(params![id, hold.sync, mark.at.0, run, mark.appends])?;
        if marked == 0 {
            return Err(failure::reject_not_pending(*id).into());
        }
    }
    Ok(())
}

pub(super) fn settle(
    tx: &Transaction<'_>,
    hold: &Hold,
    settlement: &RetrySettlement,
) -> Result<bounds::Dropped, Failure> {
    let run = runs::require_open(tx, hold, &settlement.run_id)?;
    let mut counts = RetryCounts::default();
    for row in &settlement.rows {
        counts.retried += 1;
        match row.fate {
            RetriedFate::Redelivered(_) => counts.redelivered += 1,
            RetriedFate::RejectedAgain(_) => counts.rejected += 1,
            RetriedFate::Filtered => counts.filtered += 1,
        }
        settle_row(tx, hold, (run, settlement.at), row)?;
    }
    tx.prepare_cached(
        "INSERT INTO run_retries (run, table_name, destination, retried, redelivered, rejected, filtered)
         VALUES (:run, :table, :destination, :retried, :redelivered, :rejected, :filtered)
         ON CONFLICT (run, table_name, destination) DO UPDATE
         SET retried = retried + excluded.retried, redelivered = redelivered + excluded.redelivered, rejected = rejected + excluded.rejected,
             filtered = filtered + excluded.filtered",
    )?
    .execute(named_params! {
        ":run": run,
        ":table": settlement.table,
        ":destination": settlement.destination,
        ":retried": counts.retried,
        ":redelivered": counts.redelivered,
        ":rejected": counts.rejected,
        ":filtered": counts.filtered,
    })?;
    bounds::keep(tx, &hold.sync)
}

fn settle_row(
    tx: &Transaction<'_>,
    hold: &Hold,
    (run, at): (i64, UnixMicros),
    row: &RetriedRow,
) -> Result<(), Failure> {
    let mut left_out = match &row.fate {
        RetriedFate::Redelivered(columns) => columns.clone(),
        RetriedFate::RejectedAgain(_) | RetriedFate::Filtered => Vec::new(),
    };
    let mut first = None;
    for &id in &row.ids {
        let stored = find(tx, &hold.sync, id)?;
        let still_left_out = left_out
            .iter()
            .position(|reject| !stored.whole_row && reject.column == stored.column);
        match (&row.fate, still_left_out) {
            (RetriedFate::RejectedAgain(reject), _) => refuse_again(tx, &hold.sync, (id, &stored), reject)?,
            (RetriedFate::Redelivered(_), Some(index)) => {
                refuse_again(tx, &hold.sync, (id, &stored), &left_out.swap_remove(index))?;
            }
            (RetriedFate::Redelivered(_), None) => {
                rejects::resolve(tx, &hold.sync, id, "redelivered", (Some(run), at))?
            }
            (RetriedFate::Filtered, _) => rejects::resolve(tx, &hold.sync, id, "filtered", (Some(run), at))?,
        }
        first = first.or(Some(stored));
    }
    let Some(first) = first else { return Ok(()) };
    if matches!(row.fate, RetriedFate::Redelivered(_)) {
        let as_recorded = NewReject {
            identity: first.identity.clone(),
            identity_column: first.identity_column.clone(),
            fingerprint: first.fingerprint.clone(),
            ..NewReject::default()
        };
        for versions in as_recorded.versions().chain(row.supersedes.iter().cloned()) {
            let older = Older {
                sync: &hold.sync,
                table: &first.table,
                destination: &first.destination,
                versions: &versions,
                before: first.age,
            };
            rejects::supersede(tx, run, &older, at)?;
        }
    }
    let recording = Recording {
        hold,
        run,
        table: &first.table,
        partition: &first.partition,
        row_table: first.row_table,
        origin: Some(first.age),
        at,
    };
    recording.insert(tx, &left_out)
}

/// It stays pending, under what is wrong with it now. A reject of a column stays one: the row had been delivered without it. What a destination no longer
/// tells apart, such as a row that is held from now on, is not superseded when the row is read again.
fn refuse_again(
    tx: &Transaction<'_>,
    sync: &str,
    (id, stored): (i64, &Stored),
    reject: &NewReject,
) -> Result<(), Failure> {
    let column = if stored.whole_row {
        &reject.column
    } else {
        &stored.column
    };
    tx.prepare_cached(
        "UPDATE rejects SET rule = ?2, column_name = ?3, reason = ?4, key = ?5, primary_key = ?6, identity = ?7, identity_column = ?8,
             fingerprint = iif(length(?9) = 0, x'', fingerprint), sent_run = NULL
         WHERE id = ?1",
    )?
    .execute(params![
        id,
        reject.rule,
        column,
        reject.reason,
        reject.key,
        reject.primary_key,
        reject.identity,
        reject.identity_column,
        reject.fingerprint
    ])?;
    // It may have been mended.
    if reject.row_data.is_empty() {
        return Ok(());
    }
    bounds::replace_row(tx, sync, id, &reject.row_data)
}

fn find(tx: &Transaction<'_>, sync: &str, id: i64) -> Result<Stored, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT table_name, partition_id, destination, identity, column_name, whole_row, row_table, identity_column, fingerprint, coalesce(origin, id) FROM rejects
         WHERE id = ?1 AND sync = ?2 AND status = 'pending'",
    )?;
    let found = statement.query_row(params![id, sync], |row| {
        Ok(Stored {
            table: row.get(0)?,
            partition: row.get(1)?,
            destination: row.get(2)?,
            identity: row.get(3)?,
            column: row.get(4)?,
            whole_row: row.get(5)?,
            row_table: row.get(6)?,
            identity_column: row.get(7)?,
            fingerprint: row.get(8)?,
            age: row.get(9)?,
        })
    });
    found.optional()?.ok_or_else(|| failure::reject_not_pending(id).into())
}

pub(super) fn record_resent(
    tx: &Transaction<'_>,
    hold: &Hold,
    run_id: &str,
    (table, destination): (&str, &str),
    rows: u64,
) -> Result<(), Failure> {
    let run = runs::require_open(tx, hold, run_id)?;
    add_uncertain(tx, run, (table, destination), rows)
}

/// Counts what a run has sent again to targets that append without hearing what became of it, and takes the marks away; returns how many rows.
pub(super) fn count_uncertain(tx: &Transaction<'_>, run: i64) -> Result<u64, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT table_name, destination, count(DISTINCT run || ' ' || partition_id || ' ' || sequence || ' ' || row_number)
         FROM rejects WHERE sent_run = ?1 GROUP BY table_name, destination",
    )?;
    let found = statement.query_map([run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let found: Vec<(String, String, u64)> = found.collect::<Result<_, _>>()?;
    let mut total = 0;
    for (table, destination, rows) in found {
        add_uncertain(tx, run, (&table, &destination), rows)?;
        total += rows;
    }
    tx.prepare_cached("UPDATE rejects SET sent_run = NULL, uncertain = 1 WHERE sent_run = ?1")?
        .execute([run])?;
    Ok(total)
}

fn add_uncertain(tx: &Transaction<'_>, run: i64, (table, destination): (&str, &str), rows: u64) -> Result<(), Failure> {
    tx.prepare_cached(
        "INSERT INTO run_retries (run, table_name, destination, uncertain) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (run, table_name, destination) DO UPDATE SET uncertain = uncertain + excluded.uncertain",
    )?
    .execute(params![run, table, destination, rows])?;
    checkpoints::add_uncertain(tx, run, rows)
}

/// What a run has sent again.
pub(super) fn of_run(tx: &Transaction<'_>, run: i64) -> Result<Vec<RetryCounts>, Failure> {
    let mut statement =
        tx.prepare_cached("SELECT * FROM run_retries WHERE run = ?1 ORDER BY table_name, destination")?;
    let found = statement.query_map([run], |row| {
        Ok(RetryCounts {
            table: row.get("table_name")?,
            destination: row.get("destination")?,
            retried: row.get("retried")?,
            redelivered: row.get("redelivered")?,
            rejected: row.get("rejected")?,
            filtered: row.get("filtered")?,
            uncertain: row.get("uncertain")?,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
