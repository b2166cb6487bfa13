//! What a run has planned for its tables, and how far it is.

use std::collections::BTreeMap;

use longshore_core::{
    CursorValue,
    balance::{DestinationCounts, SourceCounts},
    fingerprints::{Fingerprints, PackedFingerprints},
};
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params, types::Type};

use super::{
    checkpoints,
    failure::Failure,
    rows::{damaged, json_option, to_json_option},
    runs, states,
};
use crate::{
    failure,
    hold::Hold,
    moment::UnixMicros,
    run::{NewTablePlan, PartitionProgress, Promotion, TableProgress},
    table_state::TablesRead,
};

pub(super) fn store(tx: &Transaction<'_>, hold: &Hold, run_id: &str, plans: &[NewTablePlan]) -> Result<(), Failure> {
    let run = runs::require_open(tx, hold, run_id)?;
    for plan in plans {
        store_one(tx, hold, (run, run_id), plan)?;
    }
    Ok(())
}

fn store_one(
    tx: &Transaction<'_>,
    hold: &Hold,
    (run, run_id): (i64, &str),
    plan: &NewTablePlan,
) -> Result<(), Failure> {
    if table_id(tx, run, &plan.table)?.is_some() {
        return Err(failure::plan_exists(&plan.table, run_id).into());
    }
    let state = states::get(tx, &hold.sync, &plan.table)?;
    let revision = state.as_ref().map_or(0, |state| state.revision);
    if revision != plan.state_revision {
        return Err(failure::state_moved(&hold.sync, &plan.table, plan.state_revision, revision).into());
    }
    let cursor_before: Option<CursorValue> = match state {
        Some(state) => state.state()?.cursor,
        None => None,
    };
    tx.prepare_cached(
        "INSERT INTO run_tables (run, table_name, plan, state_revision, cursor_before) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        run,
        plan.table,
        plan.plan,
        plan.state_revision,
        to_json_option(cursor_before.as_ref())?
    ])?;
    let table = tx.last_insert_rowid();
    let mut insert = tx.prepare_cached("INSERT INTO partitions (run_table, partition_id) VALUES (?1, ?2)")?;
    for partition in &plan.partitions {
        insert.execute(params![table, partition])?;
    }
    Ok(())
}

pub(super) fn promote(
    tx: &Transaction<'_>,
    hold: &Hold,
    run_id: &str,
    table: &str,
    promotion: Option<&Promotion>,
    now: UnixMicros,
) -> Result<(), Failure> {
    let run = runs::require_open(tx, hold, run_id)?;
    let cursor_after = promotion.and_then(|promotion| promotion.state.cursor.as_ref());
    let completed = tx.execute(
        "UPDATE run_tables SET complete = 1, cursor_after = ?3
         WHERE run = ?1 AND table_name = ?2 AND NOT complete
           AND NOT EXISTS (SELECT 1 FROM partitions WHERE run_table = run_tables.id AND NOT complete)",
        params![run, table, to_json_option(cursor_after)?],
    )?;
    if completed == 0 {
        return Err(failure::table_incomplete(table, run_id).into());
    }
    if let Some(promotion) = promotion {
        states::write(
            tx,
            &states::Write {
                sync: &hold.sync,
                table,
                from_revision: promotion.from_revision,
                state: &promotion.state,
                run_id: Some(run_id),
                at: now,
            },
        )?;
    }
    Ok(())
}

/// The next attempt of an interrupted run will plan the table anew; returns how many plans went. What it left uncertain stays counted in the run.
pub(super) fn remove_from_interrupted_run(tx: &Transaction<'_>, sync: &str, table: &str) -> Result<u64, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT run_tables.id, run FROM run_tables JOIN runs ON runs.id = run
         WHERE sync = ?1 AND table_name = ?2 AND resumable AND status IN ('running', 'failed', 'cancelled')",
    )?;
    let planned: Vec<(i64, i64)> = statement
        .query_map([sync, table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, run) in &planned {
        checkpoints::count_uncertain(tx, *run)?;
        tx.execute("DELETE FROM run_tables WHERE id = ?1", [id])?;
    }
    Ok(planned.len() as u64)
}

/// Drops what only a resumption needs. The counts stay, for the history.
pub(super) fn drop_payload(tx: &Transaction<'_>, run: i64) -> Result<(), Failure> {
    tx.execute(
        "UPDATE partitions SET position = x'', fingerprints = x'', fingerprint_sketch = x'', fingerprints_ahead = x'' WHERE run_table IN (SELECT id FROM run_tables WHERE run = ?1)",
        [run],
    )?;
    tx.execute("UPDATE run_tables SET plan = x'' WHERE run = ?1", [run])?;
    Ok(())
}

/// The newest run of the sync `?1` that has planned some tables and reads no range again.
pub(super) const NEWEST_PLAN: &str = "SELECT id FROM runs WHERE sync = ?1 AND kind = 'sync' AND again IS NULL AND EXISTS (SELECT 1 FROM run_tables WHERE run = runs.id) ORDER BY id DESC LIMIT 1";

/// The names of the tables of that run. Where a person has set a cursor since, an interrupted run has forgotten what it had planned for the table.
pub(super) fn tables_read(tx: &Transaction<'_>, sync: &str) -> Result<TablesRead, Failure> {
    let mut statement = tx.prepare_cached(&format!(
        "WITH newest AS (SELECT id, started_at FROM runs WHERE id = ({NEWEST_PLAN}))
         SELECT table_name FROM run_tables WHERE run = (SELECT id FROM newest)
         UNION SELECT table_name FROM states WHERE sync = ?1 AND run_id IS NULL AND updated_at >= (SELECT started_at FROM newest)"
    ))?;
    let names = statement.query_map([sync], |row| row.get(0))?;
    let names = names.collect::<Result<_, _>>()?;
    Ok(TablesRead { names })
}

pub(super) fn progress(tx: &Transaction<'_>, run: i64) -> Result<Vec<TableProgress>, Failure> {
    let mut statement = tx.prepare_cached("SELECT * FROM run_tables WHERE run = ?1 ORDER BY id")?;
    let tables: Vec<(i64, TableProgress)> = statement
        .query_map([run], |row| Ok((row.get("id")?, table_of(row)?)))?
        .collect::<Result<_, _>>()?;
    let with_partitions = |(id, mut table): (i64, TableProgress)| {
        table.partitions = partitions(tx, id)?;
        Ok(table)
    };
    tables.into_iter().map(with_partitions).collect()
}

fn partitions(tx: &Transaction<'_>, table: i64) -> Result<Vec<PartitionProgress>, Failure> {
    let mut destinations = destinations(tx, table)?;
    // What its streams left uncertain, and what its destinations sent once more.
    let mut statement = tx.prepare_cached(
        "SELECT *, uncertain_rows + (SELECT coalesce(sum(uncertain), 0) FROM partition_destinations WHERE partition = partitions.id) AS all_uncertain_rows
         FROM partitions WHERE run_table = ?1 ORDER BY id",
    )?;
    let partitions = statement.query_map([table], |row| {
        let mut partition = partition_of(row)?;
        partition.destinations = destinations.remove(&row.get("id")?).unwrap_or_default();
        Ok(partition)
    })?;
    Ok(partitions.collect::<Result<_, _>>()?)
}

type CountsByDestination = BTreeMap<String, DestinationCounts>;

fn destinations(tx: &Transaction<'_>, table: i64) -> Result<BTreeMap<i64, CountsByDestination>, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT counts.* FROM partition_destinations AS counts JOIN partitions ON partitions.id = partition WHERE run_table = :table",
    )?;
    let mut rows = statement.query(named_params! {":table": table})?;
    let mut found = BTreeMap::<i64, CountsByDestination>::new();
    while let Some(row) = rows.next()? {
        let counts = DestinationCounts {
            delivered: row.get("delivered")?,
            rejected: row.get("rejected")?,
            filtered: row.get("filtered")?,
        };
        found
            .entry(row.get("partition")?)
            .or_default()
            .insert(row.get("destination")?, counts);
    }
    Ok(found)
}

fn table_id(tx: &Transaction<'_>, run: i64, table: &str) -> Result<Option<i64>, Failure> {
    let mut statement = tx.prepare_cached("SELECT id FROM run_tables WHERE run = ?1 AND table_name = ?2")?;
    Ok(statement.query_row(params![run, table], |row| row.get(0)).optional()?)
}

fn table_of(row: &Row<'_>) -> rusqlite::Result<TableProgress> {
    Ok(TableProgress {
        table: row.get("table_name")?,
        plan: row.get("plan")?,
        state_revision: row.get("state_revision")?,
        complete: row.get("complete")?,
        cursor_before: json_option(row, "cursor_before")?,
        cursor_after: json_option(row, "cursor_after")?,
        partitions: Vec::new(),
    })
}

fn partition_of(row: &Row<'_>) -> rusqlite::Result<PartitionProgress> {
    Ok(PartitionProgress {
        partition: row.get("partition_id")?,
        revision: row.get("revision")?,
        position: row.get("position")?,
        cursor: json_option(row, "cursor")?,
        fingerprints: fingerprints_of(row)?,
        complete: row.get("complete")?,
        source: SourceCounts {
            read: row.get("read")?,
            emitted: row.get("emitted")?,
            filtered: row.get("filtered")?,
            deduplicated: row.get("deduplicated")?,
        },
        forwarded: row.get("forwarded")?,
        destinations: BTreeMap::new(),
        sent_rows: row.get("sent_rows")?,
        highest_sent_rows: row.get("highest_sent_rows")?,
        uncertain_rows: row.get("all_uncertain_rows")?,
    })
}

pub(super) fn fingerprints_of(row: &Row<'_>) -> rusqlite::Result<Fingerprints> {
    let packed = PackedFingerprints {
        exact: row.get("fingerprints")?,
        ahead: row.get("fingerprints_ahead")?,
        sketch: row.get("fingerprint_sketch")?,
        overflowed: row.get("fingerprints_overflowed")?,
    };
    Fingerprints::from_packed(&packed).map_err(|error| damaged("fingerprints", Type::Blob, error.to_string()))
}
