//! Runs and attempts.

use longshore_core::Error;
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params, types::Type};

use super::{
    checkpoints,
    failure::Failure,
    holds, plans, retries,
    rows::{damaged, json, json_option, to_json, to_json_option},
    turns,
};
use crate::{
    failure,
    hold::{Hold, Holder},
    moment::UnixMicros,
    run::{
        Attempt, AttemptOrigin, AttemptOutcome, FailedStart, MAX_FAILED_STARTS, NewRun, Run, RunDetails, RunEnd,
        RunFilter, RunKind, RunStatus, StartedAttempt,
    },
};

/// Whether a run may be gone on with: the latest of its sync, not complete, not given up. What failed before it had a run is none.
const INTERRUPTED: &str =
    "SELECT * FROM (SELECT * FROM runs WHERE sync = ?1 AND kind = 'sync' AND configuration <> '' ORDER BY id DESC LIMIT 1)
     WHERE resumable AND status IN ('running', 'failed', 'cancelled')";

pub(super) fn begin(tx: &Transaction<'_>, hold: &Hold, run: &NewRun) -> Result<(), Failure> {
    holds::fence(tx, hold)?;
    if find(tx, &run.run_id)?.is_some() {
        return Err(failure::run_exists(&run.run_id).into());
    }
    let resumable = match run.kind {
        RunKind::Sync => {
            give_up(tx, &hold.sync)?;
            true
        }
        // What a replay has not sent is still pending in the ledger: nothing of it needs to be gone on with.
        RunKind::Replay => false,
    };
    let holder = to_json(&run.holder)?;
    tx.execute(
        "INSERT INTO runs (run_id, kind, resumable, sync, status, generation, attempt, started_at, configuration, again, holder)
         VALUES (:run_id, :kind, :resumable, :sync, 'running', :generation, 1, :started_at, :configuration, :again, :holder)",
        named_params! {
            ":run_id": run.run_id,
            ":kind": run.kind.as_str(),
            ":resumable": resumable,
            ":sync": hold.sync,
            ":generation": hold.generation,
            ":started_at": run.started_at.0,
            ":configuration": run.configuration,
            ":again": to_json_option(run.again.as_ref())?,
            ":holder": holder,
        },
    )?;
    insert_attempt(tx, tx.last_insert_rowid(), 1, run.started_at, &holder)
}

pub(super) fn begin_attempt(
    tx: &Transaction<'_>,
    hold: &Hold,
    run_id: &str,
    holder: &Holder,
    now: UnixMicros,
) -> Result<StartedAttempt, Failure> {
    holds::fence(tx, hold)?;
    let interrupted = tx
        .query_row(INTERRUPTED, [&hold.sync], |row| {
            Ok((row.get::<_, i64>("id")?, run_of(row)?))
        })
        .optional()?;
    let Some((run, record)) = interrupted.filter(|(_, record)| record.run_id == run_id) else {
        return Err(failure::run_not_resumable(run_id, &hold.sync).into());
    };
    let uncertain = checkpoints::count_uncertain(tx, run)?;
    let uncertain_retries = retries::count_uncertain(tx, run)?;
    let (number, holder) = (record.attempt + 1, to_json(holder)?);
    tx.execute(
        "UPDATE runs SET status = 'running', generation = ?2, attempt = ?3, holder = ?4, ended_at = NULL, error = NULL, summary = NULL
         WHERE id = ?1",
        params![run, hold.generation, number, holder],
    )?;
    insert_attempt(tx, run, number, now, &holder)?;
    Ok(StartedAttempt {
        number,
        uncertain,
        uncertain_retries,
    })
}

pub(super) fn record_failed_start(tx: &Transaction<'_>, hold: &Hold, failed: &FailedStart) -> Result<String, Failure> {
    holds::fence(tx, hold)?;
    let (holder, error) = (to_json(&failed.holder)?, to_json(&failed.error)?);
    let joined = failed
        .turn
        .map(|turn| failed_start_before(tx, &hold.sync, turn))
        .transpose()?;
    let (run, run_id, number) = match joined.flatten() {
        Some((run, run_id, attempt)) => (run, run_id, attempt + 1),
        None => {
            tx.execute(
                "INSERT INTO runs (run_id, kind, resumable, sync, status, generation, attempt, started_at, configuration, holder)
                 VALUES (:run_id, 'sync', 0, :sync, 'failed', :generation, 1, :started_at, '', :holder)",
                named_params! {
                    ":run_id": failed.run_id,
                    ":sync": hold.sync,
                    ":generation": hold.generation,
                    ":started_at": failed.started_at.0,
                    ":holder": holder,
                },
            )?;
            (tx.last_insert_rowid(), failed.run_id.clone(), 1)
        }
    };
    tx.execute(
        "UPDATE runs SET generation = ?2, attempt = ?3, holder = ?4, ended_at = ?5, error = ?6, summary = ?7 WHERE id = ?1",
        params![run, hold.generation, number, holder, failed.ended_at.0, error, to_json(&failed.summary)?],
    )?;
    insert_attempt(tx, run, number, failed.started_at, &holder)?;
    tx.execute(
        "UPDATE attempts SET ended_at = ?3, error = ?4, origin = ?5, status = 'failed' WHERE run = ?1 AND number = ?2",
        params![run, number, failed.ended_at.0, error, to_json(&failed.origin)?],
    )?;
    if let Some(turn) = failed.turn {
        turns::link_failed_start(tx, turn, &hold.sync, &run_id)?;
    }
    Ok(run_id)
}

/// The sync's latest run, when it is a try of this turn that failed before it had one.
fn failed_start_before(tx: &Transaction<'_>, sync: &str, turn: i64) -> Result<Option<(i64, String, u32)>, Failure> {
    let found = tx.query_row(
        "SELECT id, run_id, attempt FROM runs
         WHERE id = (SELECT max(id) FROM runs WHERE sync = ?1) AND kind = 'sync' AND configuration = '' AND attempt < ?3
         AND EXISTS (SELECT 1 FROM turns WHERE id = ?2 AND sync = ?1 AND status = 'open' AND tries > 0)",
        params![sync, turn, MAX_FAILED_STARTS],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    );
    Ok(found.optional()?)
}

pub(super) fn finish(tx: &Transaction<'_>, hold: &Hold, end: &RunEnd) -> Result<(), Failure> {
    let run = require_open(tx, hold, &end.run_id)?;
    if end.status == RunStatus::Running {
        return Err(failure::run_still_running(&end.run_id).into());
    }
    checkpoints::count_uncertain(tx, run)?;
    retries::count_uncertain(tx, run)?;
    if end.status.is_complete() {
        let incomplete = "SELECT count(*) FROM run_tables WHERE run = ?1 AND NOT complete";
        let incomplete: u64 = tx.query_row(incomplete, [run], |row| row.get(0))?;
        if incomplete > 0 {
            return Err(failure::run_incomplete(&end.run_id, incomplete).into());
        }
        plans::drop_payload(tx, run)?;
    }
    let error = to_json_option(end.error.as_ref())?;
    tx.execute(
        "UPDATE runs SET status = :status, ended_at = :ended_at, error = :error, summary = :summary WHERE id = :run",
        named_params! {
            ":run": run,
            ":status": end.status.as_str(),
            ":ended_at": end.ended_at.0,
            ":error": error,
            ":summary": to_json(&end.summary)?,
        },
    )?;
    tx.execute(
        "UPDATE attempts SET ended_at = ?2, error = ?3, status = ?4 WHERE run = ?1 AND number = (SELECT attempt FROM runs WHERE id = ?1)",
        params![run, end.ended_at.0, error, end.status.as_str()],
    )?;
    Ok(())
}

pub(super) fn describe_attempt(
    tx: &Transaction<'_>,
    hold: &Hold,
    run_id: &str,
    origin: &AttemptOrigin,
) -> Result<(), Failure> {
    let run = require_open(tx, hold, run_id)?;
    tx.execute(
        "UPDATE attempts SET origin = ?2 WHERE run = ?1 AND number = (SELECT attempt FROM runs WHERE id = ?1)",
        params![run, to_json(origin)?],
    )?;
    Ok(())
}

/// Makes sure that no run of the sync can be gone on with; returns how many incomplete tables they had planned.
pub(super) fn give_up(tx: &Transaction<'_>, sync: &str) -> Result<u64, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT id, status = 'running' FROM runs WHERE sync = ?1 AND resumable AND status IN ('running', 'failed', 'cancelled')",
    )?;
    let open: Vec<(i64, bool)> = statement
        .query_map([sync], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut tables = 0;
    for (run, running) in open {
        checkpoints::count_uncertain(tx, run)?;
        retries::count_uncertain(tx, run)?;
        let planned = "SELECT count(*) FROM run_tables WHERE run = ?1 AND NOT complete";
        tables += tx.query_row(planned, [run], |row| row.get::<_, u64>(0))?;
        plans::drop_payload(tx, run)?;
        tx.execute("UPDATE runs SET resumable = 0 WHERE id = ?1", [run])?;
        if running {
            let error: Error = failure::run_abandoned();
            tx.execute(
                "UPDATE runs SET status = 'failed', error = ?2 WHERE id = ?1",
                params![run, to_json(&error)?],
            )?;
        }
    }
    Ok(tables)
}

/// Ends the replays of a sync whose process died; returns how many rows they may have delivered without hearing of it.
pub(super) fn close_replays(tx: &Transaction<'_>, hold: &Hold) -> Result<u64, Failure> {
    holds::fence(tx, hold)?;
    let mut statement = tx.prepare_cached(
        "SELECT id FROM runs WHERE sync = ?1 AND kind = 'replay' AND status = 'running' AND generation < ?2",
    )?;
    let open: Vec<i64> = statement
        .query_map(params![hold.sync, hold.generation], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut uncertain = 0;
    for run in open {
        uncertain += retries::count_uncertain(tx, run)?;
        tx.execute(
            "UPDATE runs SET status = 'failed', error = ?2 WHERE id = ?1",
            params![run, to_json(&failure::replay_abandoned())?],
        )?;
    }
    Ok(uncertain)
}

/// The number of a run that runs under this hold.
pub(super) fn require_open(tx: &Transaction<'_>, hold: &Hold, run_id: &str) -> Result<i64, Failure> {
    holds::fence(tx, hold)?;
    let mut statement = tx.prepare_cached(
        "SELECT id FROM runs WHERE run_id = ?1 AND sync = ?2 AND generation = ?3 AND status = 'running'",
    )?;
    let run = statement.query_row(params![run_id, hold.sync, hold.generation], |row| row.get(0));
    run.optional()?
        .ok_or_else(|| failure::run_not_open(run_id, hold).into())
}

pub(super) fn interrupted(tx: &Transaction<'_>, sync: &str) -> Result<Option<RunDetails>, Failure> {
    let found = tx.query_row(INTERRUPTED, [sync], |row| Ok((row.get("id")?, run_of(row)?)));
    found
        .optional()?
        .map(|(run, record)| details(tx, run, record))
        .transpose()
}

pub(super) fn get(tx: &Transaction<'_>, run_id: &str) -> Result<Option<RunDetails>, Failure> {
    let found = tx.query_row("SELECT * FROM runs WHERE run_id = ?1", [run_id], |row| {
        Ok((row.get("id")?, run_of(row)?))
    });
    found
        .optional()?
        .map(|(run, record)| details(tx, run, record))
        .transpose()
}

pub(super) fn list(tx: &Transaction<'_>, filter: &RunFilter, limit: u32) -> Result<Vec<Run>, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT * FROM runs
         WHERE (?1 IS NULL OR sync = ?1) AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR started_at >= ?3)
         AND (?5 IS NULL OR id < (SELECT id FROM runs WHERE run_id = ?5)) AND (?6 IS NULL OR kind = ?6) ORDER BY id DESC LIMIT ?4",
    )?;
    let status = filter.status.map(RunStatus::as_str);
    let since = filter.since.map(|since| since.0);
    let kind = filter.kind.map(RunKind::as_str);
    let runs = statement.query_map(params![filter.sync, status, since, limit, filter.before, kind], run_of)?;
    Ok(runs.collect::<Result<_, _>>()?)
}

fn find(tx: &Transaction<'_>, run_id: &str) -> Result<Option<i64>, Failure> {
    let found = tx.query_row("SELECT id FROM runs WHERE run_id = ?1", [run_id], |row| row.get(0));
    Ok(found.optional()?)
}

fn insert_attempt(
    tx: &Transaction<'_>,
    run: i64,
    number: u32,
    started_at: UnixMicros,
    holder: &str,
) -> Result<(), Failure> {
    tx.execute(
        "INSERT INTO attempts (run, number, started_at, holder) VALUES (?1, ?2, ?3, ?4)",
        params![run, number, started_at.0, holder],
    )?;
    Ok(())
}

fn details(tx: &Transaction<'_>, run: i64, record: Run) -> Result<RunDetails, Failure> {
    let mut statement = tx.prepare_cached("SELECT * FROM attempts WHERE run = ?1 ORDER BY number")?;
    let attempts = statement
        .query_map([run], |row| attempt_of(row, &record))?
        .collect::<Result<_, _>>()?;
    Ok(RunDetails {
        run: record,
        attempts,
        tables: plans::progress(tx, run)?,
        retries: retries::of_run(tx, run)?,
    })
}

fn run_of(row: &Row<'_>) -> rusqlite::Result<Run> {
    let status: String = row.get("status")?;
    let kind: String = row.get("kind")?;
    Ok(Run {
        run_id: row.get("run_id")?,
        kind: match kind.as_str() {
            "replay" => RunKind::Replay,
            _ => RunKind::Sync,
        },
        sync: row.get("sync")?,
        status: status.parse().map_err(|error| damaged("status", Type::Text, error))?,
        attempt: row.get("attempt")?,
        started_at: UnixMicros(row.get("started_at")?),
        ended_at: row.get::<_, Option<i64>>("ended_at")?.map(UnixMicros),
        configuration: row.get("configuration")?,
        again: json_option(row, "again")?,
        holder: json(row, "holder")?,
        error: json_option(row, "error")?,
        summary: json_option(row, "summary")?,
        uncertain_rows: row.get("uncertain_rows")?,
        rejects: row.get("rejects")?,
        dropped_rejects: row.get("dropped_rejects")?,
        dropped_rows: row.get("dropped_rows")?,
    })
}

fn attempt_of(row: &Row<'_>, run: &Run) -> rusqlite::Result<Attempt> {
    let number = row.get("number")?;
    let status: Option<String> = row.get("status")?;
    let status = status.map(|status| status.parse::<RunStatus>()).transpose();
    let status = status.map_err(|error| damaged("status", Type::Text, error))?;
    let ended_at = row.get::<_, Option<i64>>("ended_at")?.map(UnixMicros);
    let error: Option<Error> = json_option(row, "error")?;
    Ok(Attempt {
        number,
        started_at: UnixMicros(row.get("started_at")?),
        ended_at,
        holder: json(row, "holder")?,
        origin: json_option(row, "origin")?,
        outcome: outcome(run, number, status, ended_at.is_some(), error.as_ref()),
        error,
        uncertain_rows: row.get("uncertain_rows")?,
    })
}

/// How an attempt ended. Earlier versions recorded no status: of theirs, the latest attempt's is the run's, and the others broke off.
fn outcome(run: &Run, number: u32, status: Option<RunStatus>, ended: bool, error: Option<&Error>) -> AttemptOutcome {
    let is_latest = number == run.attempt;
    match status {
        Some(status) => status.into(),
        None if is_latest && run.status == RunStatus::Running => AttemptOutcome::Running,
        None if !ended => AttemptOutcome::Died,
        None if is_latest => run.status.into(),
        None if error.is_some_and(|error| error.code == "cancelled") => AttemptOutcome::Cancelled,
        None => AttemptOutcome::Failed,
    }
}
