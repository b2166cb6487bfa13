//! Commits, marks of sent rows, and what they leave uncertain.

use longshore_core::{fencing, fingerprints::Fingerprints};
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params};

use super::{failure::Failure, plans, rejects, rows::to_json_option, runs};
use crate::{
    checkpoint::{CheckpointCommit, Committed, PartitionId, ResentRows, SentMark},
    failure,
    hold::Hold,
    run::UncertainRows,
};

pub(super) fn commit(tx: &Transaction<'_>, hold: &Hold, commit: &CheckpointCommit) -> Result<Committed, Failure> {
    let id = &commit.partition;
    let (names, counts) = (&commit.destinations, &commit.commit.destinations);
    if names.len() != counts.len() {
        return Err(failure::destinations_misnamed(id, names.len(), counts.len()).into());
    }
    let run = runs::require_open(tx, hold, &id.run_id)?;
    let partition = require_partition(tx, run, id)?;
    let revision = fencing::next_revision(partition.revision, partition.complete, commit.from_revision)
        .map_err(|_| failure::checkpoint_conflict(id, commit.from_revision, partition.revision))?;
    advance(tx, partition.number, commit)?;
    add_fingerprints(tx, partition.number, &commit.commit.checkpoint.fingerprints)?;
    let mut add = tx.prepare_cached(
        "INSERT INTO partition_destinations (partition, destination, delivered, rejected, filtered, uncertain) VALUES (?1, ?2, ?3, ?4, ?5, 0)
         ON CONFLICT (partition, destination) DO UPDATE
         SET delivered = delivered + excluded.delivered, rejected = rejected + excluded.rejected, filtered = filtered + excluded.filtered",
    )?;
    for (name, counts) in names.iter().zip(counts) {
        add.execute(params![
            partition.number,
            name,
            counts.delivered,
            counts.rejected,
            counts.filtered
        ])?;
    }
    let dropped = rejects::record(tx, hold, run, commit)?;
    Ok(Committed {
        revision,
        dropped_rejects: dropped.rejects,
        dropped_rows: dropped.rows,
    })
}

fn advance(tx: &Transaction<'_>, partition: i64, commit: &CheckpointCommit) -> Result<(), Failure> {
    let passed = &commit.commit;
    tx.prepare_cached(
        "UPDATE partitions
         SET revision = revision + 1, position = :position, cursor = :cursor, complete = :complete,
             read = read + :read, emitted = emitted + :emitted, filtered = filtered + :filtered, deduplicated = deduplicated + :deduplicated,
             forwarded = forwarded + :forwarded,
             sent_rows = max(sent_rows, :sent_rows), highest_sent_rows = max(highest_sent_rows, :sent_rows)
         WHERE id = :id",
    )?
    .execute(named_params! {
        ":id": partition,
        ":position": passed.checkpoint.position,
        ":cursor": to_json_option(passed.checkpoint.cursor.as_ref())?,
        ":complete": passed.end,
        ":read": passed.source.read,
        ":emitted": passed.source.emitted,
        ":filtered": passed.source.filtered,
        ":deduplicated": passed.source.deduplicated,
        ":forwarded": passed.forwarded,
        ":sent_rows": commit.sent_rows.unwrap_or(0),
    })?;
    Ok(())
}

fn add_fingerprints(tx: &Transaction<'_>, partition: i64, new: &Fingerprints) -> Result<(), Failure> {
    if new.is_empty() && !new.overflowed() {
        return Ok(());
    }
    let mut stored = tx
        .prepare_cached(
            "SELECT fingerprints, fingerprint_sketch, fingerprints_ahead, fingerprints_overflowed FROM partitions WHERE id = ?1",
        )?
        .query_row([partition], plans::fingerprints_of)?;
    stored.extend(new);
    let packed = stored.to_packed();
    tx.prepare_cached(
        "UPDATE partitions SET fingerprints = ?2, fingerprint_sketch = ?3, fingerprints_ahead = ?4, fingerprints_overflowed = ?5 WHERE id = ?1",
    )?
    .execute(params![partition, packed.exact, packed.sketch, packed.ahead, packed.overflowed])?;
    Ok(())
}

pub(super) fn record_sent(tx: &Transaction<'_>, hold: &Hold, marks: &[SentMark]) -> Result<(), Failure> {
    for mark in marks {
        let run = runs::require_open(tx, hold, &mark.partition.run_id)?;
        let partition = require_partition(tx, run, &mark.partition)?;
        tx.prepare_cached(
            "UPDATE partitions SET sent_rows = max(sent_rows, ?2), highest_sent_rows = max(highest_sent_rows, ?2) WHERE id = ?1",
        )?
        .execute(params![partition.number, mark.rows])?;
    }
    Ok(())
}

pub(super) fn record_resent(tx: &Transaction<'_>, hold: &Hold, resent: &ResentRows) -> Result<(), Failure> {
    let run = runs::require_open(tx, hold, &resent.partition.run_id)?;
    let partition = require_partition(tx, run, &resent.partition)?;
    tx.prepare_cached(
        "INSERT INTO partition_destinations (partition, destination, delivered, rejected, filtered, uncertain) VALUES (?1, ?2, 0, 0, 0, ?3)
         ON CONFLICT (partition, destination) DO UPDATE SET uncertain = uncertain + excluded.uncertain",
    )?
    .execute(params![partition.number, resent.destination, resent.rows])?;
    add_uncertain(tx, run, resent.rows)
}

pub(super) fn restart_partition(tx: &Transaction<'_>, hold: &Hold, id: &PartitionId) -> Result<UncertainRows, Failure> {
    let run = runs::require_open(tx, hold, &id.run_id)?;
    let partition = require_partition(tx, run, id)?;
    let none = UncertainRows {
        table: id.table.as_ref().to_owned(),
        partition: id.partition.as_ref().to_owned(),
        newly_counted: 0,
        window: 0,
    };
    let found = count_where(tx, run, Some(partition.number))?;
    Ok(found.into_iter().next().unwrap_or(none))
}

/// Counts what the run's latest attempt may have sent beyond its commits, and resets the marks, so that nothing is counted twice.
pub(super) fn count_uncertain(tx: &Transaction<'_>, run: i64) -> Result<Vec<UncertainRows>, Failure> {
    count_where(tx, run, None)
}

fn count_where(tx: &Transaction<'_>, run: i64, partition: Option<i64>) -> Result<Vec<UncertainRows>, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT partitions.id, table_name, partition_id, max(sent_rows - forwarded, 0) AS newly_counted, highest_sent_rows - forwarded AS window
         FROM partitions JOIN run_tables ON run_tables.id = run_table
         WHERE run = ?1 AND (?2 IS NULL OR partitions.id = ?2) AND NOT partitions.complete AND highest_sent_rows > forwarded
         ORDER BY partitions.id",
    )?;
    let found: Vec<(i64, UncertainRows)> = statement
        .query_map(params![run, partition], |row| Ok((row.get("id")?, uncertain_of(row)?)))?
        .collect::<Result<_, _>>()?;
    let mut total = 0;
    for (partition, uncertain) in &found {
        total += uncertain.newly_counted;
        tx.prepare_cached(
            "UPDATE partitions SET uncertain_rows = uncertain_rows + ?2, sent_rows = forwarded WHERE id = ?1",
        )?
        .execute(params![partition, uncertain.newly_counted])?;
    }
    if total > 0 {
        add_uncertain(tx, run, total)?;
    }
    Ok(found.into_iter().map(|(_, uncertain)| uncertain).collect())
}

struct Partition {
    number: i64,
    revision: u64,
    complete: bool,
}

fn require_partition(tx: &Transaction<'_>, run: i64, id: &PartitionId) -> Result<Partition, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT partitions.id, revision, partitions.complete FROM partitions JOIN run_tables ON run_tables.id = run_table
         WHERE run = ?1 AND table_name = ?2 AND partition_id = ?3",
    )?;
    let found = statement.query_row(params![run, id.table, id.partition], |row| {
        Ok(Partition {
            number: row.get(0)?,
            revision: row.get(1)?,
            complete: row.get(2)?,
        })
    });
    found.optional()?.ok_or_else(|| failure::partition_unknown(id).into())
}

/// Adds rows to what the run and its latest attempt leave uncertain.
pub(super) fn add_uncertain(tx: &Transaction<'_>, run: i64, rows: u64) -> Result<(), Failure> {
    tx.prepare_cached("UPDATE runs SET uncertain_rows = uncertain_rows + ?2 WHERE id = ?1")?
        .execute(params![run, rows])?;
    tx.prepare_cached(
        "UPDATE attempts SET uncertain_rows = uncertain_rows + ?2 WHERE run = ?1 AND number = (SELECT attempt FROM runs WHERE id = ?1)",
    )?
    .execute(params![run, rows])?;
    Ok(())
}

fn uncertain_of(row: &Row<'_>) -> rusqlite::Result<UncertainRows> {
    Ok(UncertainRows {
        table: row.get("table_name")?,
        partition: row.get("partition_id")?,
        newly_counted: row.get("newly_counted")?,
        window: row.get("window")?,
    })
}
