//! Turns and pauses.

use longshore_core::Error;
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params, types::Type};

use super::{
    failure::Failure,
    holds,
    rows::{damaged, json_option, to_json, to_json_option},
};
use crate::{
    failure,
    hold::Hold,
    moment::UnixMicros,
    turn::{DueTimes, NewTurn, ScheduledSync, Turn, TurnEnd, TurnRetry, TurnStatus},
};

/// Closed turns that are kept of a sync: a week of one every ten minutes.
const KEPT: u32 = 1_000;

pub(super) fn list_scheduled(tx: &Transaction<'_>) -> Result<Vec<ScheduledSync>, Failure> {
    let mut statement = tx.prepare_cached("SELECT * FROM scheduled_syncs ORDER BY sync")?;
    let rows = statement.query_map([], |row| {
        Ok(ScheduledSync {
            sync: row.get("sync")?,
            paused: row.get("paused")?,
            schedule: row.get("schedule")?,
            decided_until: row.get::<_, Option<i64>>("decided_until")?.map(UnixMicros),
            open: None,
        })
    })?;
    let mut syncs: Vec<ScheduledSync> = rows.collect::<Result<_, _>>()?;
    let mut statement = tx.prepare_cached("SELECT * FROM turns WHERE status = 'open'")?;
    for open in statement.query_map([], turn_of)? {
        let open = open?;
        // Whoever opens a turn makes the row of its sync first.
        if let Some(sync) = syncs.iter_mut().find(|sync| sync.sync == open.sync) {
            sync.open = Some(open);
        }
    }
    Ok(syncs)
}

pub(super) fn list(tx: &Transaction<'_>, sync: Option<&str>, limit: u32) -> Result<Vec<Turn>, Failure> {
    let mut statement =
        tx.prepare_cached("SELECT * FROM turns WHERE ?1 IS NULL OR sync = ?1 ORDER BY id DESC LIMIT ?2")?;
    let turns = statement.query_map(params![sync, limit], turn_of)?;
    Ok(turns.collect::<Result<_, _>>()?)
}

pub(super) fn set_paused(tx: &Transaction<'_>, sync: &str, paused: bool) -> Result<bool, Failure> {
    let stored = "SELECT paused FROM scheduled_syncs WHERE sync = ?1";
    let before: bool = tx
        .query_row(stored, [sync], |row| row.get(0))
        .optional()?
        .unwrap_or(false);
    if before == paused {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO scheduled_syncs (sync, paused) VALUES (?1, ?2) ON CONFLICT (sync) DO UPDATE SET paused = excluded.paused",
        params![sync, paused],
    )?;
    Ok(true)
}

pub(super) fn set_schedule(
    tx: &Transaction<'_>,
    daemon: &Hold,
    sync: &str,
    schedule: Option<&str>,
    decided_until: UnixMicros,
) -> Result<(), Failure> {
    holds::fence(tx, daemon)?;
    tx.execute(
        "INSERT INTO scheduled_syncs (sync, schedule, decided_until) VALUES (?1, ?2, ?3)
         ON CONFLICT (sync) DO UPDATE SET schedule = excluded.schedule, decided_until = excluded.decided_until",
        params![sync, schedule, decided_until.0],
    )?;
    Ok(())
}

pub(super) fn record(tx: &Transaction<'_>, daemon: &Hold, turn: &NewTurn) -> Result<i64, Failure> {
    holds::fence(tx, daemon)?;
    let open = "SELECT count(*) FROM turns WHERE sync = ?1 AND status = 'open'";
    let is_open = tx.query_row(open, [&turn.sync], |row| row.get::<_, i64>(0))? > 0;
    if turn.status == TurnStatus::Open && is_open {
        return Err(failure::turn_open(&turn.sync).into());
    }
    let ended_at = (turn.status != TurnStatus::Open).then_some(turn.now.0);
    tx.execute(
        "INSERT INTO turns (sync, first_due_at, last_due_at, decided_at, status, ended_at)
         VALUES (:sync, :first, :last, :decided_at, :status, :ended_at)",
        named_params! {
            ":sync": turn.sync,
            ":first": turn.due.map(|due| due.first.0),
            ":last": turn.due.map(|due| due.last.0),
            ":decided_at": turn.now.0,
            ":status": turn.status.as_str(),
            ":ended_at": ended_at,
        },
    )?;
    let id = tx.last_insert_rowid();
    tx.execute("INSERT OR IGNORE INTO scheduled_syncs (sync) VALUES (?1)", [&turn.sync])?;
    if let Some(due) = turn.due {
        decide_until(tx, &turn.sync, due.last)?;
    }
    tx.execute(
        "DELETE FROM turns WHERE sync = ?1 AND status <> 'open' AND id <= (
             SELECT id FROM turns WHERE sync = ?1 AND status <> 'open' ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        params![turn.sync, KEPT],
    )?;
    Ok(id)
}

pub(super) fn extend(tx: &Transaction<'_>, daemon: &Hold, id: i64, due: DueTimes) -> Result<(), Failure> {
    holds::fence(tx, daemon)?;
    let sync = tx
        .query_row(
            "UPDATE turns SET first_due_at = coalesce(first_due_at, ?2), last_due_at = ?3
             WHERE id = ?1 AND status = 'open' AND run_id IS NULL RETURNING sync",
            params![id, due.first.0, due.last.0],
            |row| row.get::<_, String>(0),
        )
        .optional()?
        .ok_or_else(|| failure::turn_not_open(id))?;
    decide_until(tx, &sync, due.last)
}

/// Under the hold of the sync: whoever has lost it must not claim the turn.
pub(super) fn link(tx: &Transaction<'_>, hold: &Hold, id: i64, run_id: &str) -> Result<(), Failure> {
    holds::fence(tx, hold)?;
    require_open(
        tx.execute(
            "UPDATE turns SET run_id = ?2, failed_start = NULL WHERE id = ?1 AND sync = ?3 AND status = 'open'",
            params![id, run_id, hold.sync],
        )?,
        id,
    )
}

/// The run that tells of a try of this turn, if it is open still.
pub(super) fn link_failed_start(tx: &Transaction<'_>, id: i64, sync: &str, run_id: &str) -> Result<(), Failure> {
    tx.execute(
        "UPDATE turns SET failed_start = ?2 WHERE id = ?1 AND sync = ?3 AND status = 'open'",
        params![id, run_id, sync],
    )?;
    Ok(())
}

pub(super) fn put_off(tx: &Transaction<'_>, daemon: &Hold, retry: &TurnRetry) -> Result<(), Failure> {
    holds::fence(tx, daemon)?;
    let error = to_json(&retry.error)?;
    require_open(
        tx.execute(
            "UPDATE turns SET tries = ?2, retry_at = ?3, error = ?4 WHERE id = ?1 AND status = 'open'",
            params![retry.id, retry.tries, retry.retry_at.0, error],
        )?,
        retry.id,
    )
}

pub(super) fn end(tx: &Transaction<'_>, daemon: &Hold, end: &TurnEnd) -> Result<(), Failure> {
    holds::fence(tx, daemon)?;
    let error = to_json_option::<Error>(end.error.as_ref())?;
    require_open(tx.execute(
        "UPDATE turns SET status = ?2, tries = ?3, error = ?4, ended_at = ?5, retry_at = NULL WHERE id = ?1 AND status = 'open'",
        params![end.id, end.status.as_str(), end.tries, error, end.now.0],
    )?, end.id)
}

fn require_open(changed: usize, id: i64) -> Result<(), Failure> {
    match changed {
        0 => Err(failure::turn_not_open(id).into()),
        _ => Ok(()),
    }
}

/// Never backwards: what was decided once is not decided again.
fn decide_until(tx: &Transaction<'_>, sync: &str, until: UnixMicros) -> Result<(), Failure> {
    tx.execute(
        "UPDATE scheduled_syncs SET decided_until = max(coalesce(decided_until, ?2), ?2) WHERE sync = ?1",
        params![sync, until.0],
    )?;
    Ok(())
}

fn turn_of(row: &Row<'_>) -> rusqlite::Result<Turn> {
    let moment = |column: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(UnixMicros));
    let status: String = row.get("status")?;
    let known = TurnStatus::ALL.into_iter().find(|known| known.as_str() == status);
    Ok(Turn {
        id: row.get("id")?,
        sync: row.get("sync")?,
        due: match (moment("first_due_at")?, moment("last_due_at")?) {
            (Some(first), Some(last)) => Some(DueTimes { first, last }),
            _ => None,
        },
        decided_at: UnixMicros(row.get("decided_at")?),
        status: known.ok_or_else(|| damaged("status", Type::Text, format!("'{status}' is no status of a turn")))?,
        tries: row.get("tries")?,
        retry_at: moment("retry_at")?,
        error: json_option(row, "error")?,
        run_id: row.get("run_id")?,
        failed_start: row.get("failed_start")?,
        ended_at: moment("ended_at")?,
    })
}
