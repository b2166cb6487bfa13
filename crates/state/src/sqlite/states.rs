//! Cursor states.

use longshore_core::{TableState, fencing};
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params};

use super::{LivenessProbe, failure::Failure, holds, plans, runs};
use crate::{
    failure,
    moment::UnixMicros,
    table_state::{CursorReplacement, Reset, StoredState},
};

const COLUMNS: &str = "sync, table_name, revision, document, updated_at, run_id";

/// A state to write in the place of the one at `from_revision`.
pub(super) struct Write<'a> {
    pub(super) sync: &'a str,
    pub(super) table: &'a str,
    pub(super) from_revision: u64,
    pub(super) state: &'a TableState,
    pub(super) run_id: Option<&'a str>,
    pub(super) at: UnixMicros,
}

pub(super) fn list(tx: &Transaction<'_>, sync: Option<&str>) -> Result<Vec<StoredState>, Failure> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM states WHERE ?1 IS NULL OR sync = ?1 ORDER BY sync, table_name"
    ))?;
    let states = statement.query_map([sync], stored_state)?;
    Ok(states.collect::<Result<_, _>>()?)
}

pub(super) fn get(tx: &Transaction<'_>, sync: &str, table: &str) -> Result<Option<StoredState>, Failure> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM states WHERE sync = ?1 AND table_name = ?2"
    ))?;
    Ok(statement.query_row([sync, table], stored_state).optional()?)
}

/// Compare and swap; returns the new revision.
pub(super) fn write(tx: &Transaction<'_>, write: &Write<'_>) -> Result<u64, Failure> {
    let found = get(tx, write.sync, write.table)?.map_or(0, |state| state.revision);
    let revision = fencing::next_revision(found, false, write.from_revision)
        .map_err(|_| failure::state_moved(write.sync, write.table, write.from_revision, found))?;
    let document = write
        .state
        .to_document()
        .map_err(|error| error.with_table(write.table))?;
    tx.execute(
        "INSERT INTO states (sync, table_name, revision, document, updated_at, run_id)
         VALUES (:sync, :table, :revision, :document, :at, :run_id)
         ON CONFLICT (sync, table_name) DO UPDATE
         SET revision = excluded.revision, document = excluded.document, updated_at = excluded.updated_at, run_id = excluded.run_id",
        named_params! {
            ":sync": write.sync,
            ":table": write.table,
            ":revision": revision,
            ":document": document,
            ":at": write.at.0,
            ":run_id": write.run_id,
        },
    )?;
    Ok(revision)
}

pub(super) fn replace(
    tx: &Transaction<'_>,
    replacement: CursorReplacement,
    probe: &LivenessProbe,
) -> Result<u64, Failure> {
    let CursorReplacement {
        sync,
        table,
        from_revision,
        cursor_column,
        cursor,
        at,
    } = replacement;
    holds::fence_everybody(tx, &sync, at, probe)?;
    let stored = get(tx, &sync, &table)?.map(|stored| stored.state()).transpose()?;
    let stored_cursor = stored.and_then(|state| state.cursor);
    let stored_type = stored_cursor.as_ref().and_then(|cursor| cursor.cursor_type());
    let fits = match (cursor.cursor_type(), stored_type) {
        (None, _) => false,
        (Some(given), Some(stored)) => given == stored,
        (Some(_), None) => true,
    };
    if !fits {
        return Err(failure::cursor_type_mismatch(&table, stored_cursor.as_ref(), &cursor).into());
    }
    let state = TableState {
        cursor_column,
        cursor: Some(cursor),
        ..TableState::default()
    };
    let revision = write(
        tx,
        &Write {
            sync: &sync,
            table: &table,
            from_revision,
            state: &state,
            run_id: None,
            at,
        },
    )?;
    plans::remove_from_interrupted_run(tx, &sync, &table)?;
    Ok(revision)
}

pub(super) fn reset(
    tx: &Transaction<'_>,
    sync: &str,
    table: Option<&str>,
    now: UnixMicros,
    probe: &LivenessProbe,
) -> Result<Reset, Failure> {
    holds::fence_everybody(tx, sync, now, probe)?;
    let states = tx.execute(
        "DELETE FROM states WHERE sync = ?1 AND (?2 IS NULL OR table_name = ?2)",
        params![sync, table],
    )?;
    let plans = match table {
        Some(table) => plans::remove_from_interrupted_run(tx, sync, table)?,
        None => runs::give_up(tx, sync)?,
    };
    Ok(Reset {
        states: states as u64,
        plans,
    })
}

fn stored_state(row: &Row<'_>) -> rusqlite::Result<StoredState> {
    Ok(StoredState {
        sync: row.get("sync")?,
        table: row.get("table_name")?,
        revision: row.get("revision")?,
        document: row.get("document")?,
        updated_at: UnixMicros(row.get("updated_at")?),
        run_id: row.get("run_id")?,
    })
}
