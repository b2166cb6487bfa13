//! Holding a sync.

use longshore_core::fencing;
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params};

use super::{
    LivenessProbe,
    failure::Failure,
    rows::{json, to_json},
};
use crate::{
    failure,
    hold::{Acquisition, CurrentHold, Hold, Holder},
    moment::UnixMicros,
};

pub(super) fn acquire(
    tx: &Transaction<'_>,
    sync: &str,
    holder: Holder,
    now: UnixMicros,
    lease_until: UnixMicros,
    probe: &LivenessProbe,
) -> Result<Acquisition, Failure> {
    let previous = current(tx, sync)?;
    if let Some(held) = previous.as_ref().filter(|held| held.stands(now, probe(&held.holder))) {
        return Ok(Acquisition::HeldBy(held.clone()));
    }
    let generation = tx.query_row(
        "INSERT INTO holds (sync, generation, holder, since, lease_until) VALUES (:sync, 1, :holder, :since, :lease_until)
         ON CONFLICT (sync) DO UPDATE
         SET generation = generation + 1, holder = excluded.holder, since = excluded.since, lease_until = excluded.lease_until
         RETURNING generation",
        named_params! {":sync": sync, ":holder": to_json(&holder)?, ":since": now.0, ":lease_until": lease_until.0},
        |row| row.get(0),
    )?;
    Ok(Acquisition::Acquired {
        hold: Hold {
            sync: sync.to_owned(),
            generation,
        },
        taken_over_from: previous,
    })
}

pub(super) fn renew(tx: &Transaction<'_>, hold: &Hold, lease_until: UnixMicros) -> Result<(), Failure> {
    let renewed = tx
        .prepare_cached("UPDATE holds SET lease_until = ?3 WHERE sync = ?1 AND generation = ?2 AND holder IS NOT NULL")?
        .execute(params![hold.sync, hold.generation, lease_until.0])?;
    if renewed == 0 {
        return Err(failure::run_lost(hold).into());
    }
    Ok(())
}

pub(super) fn release(tx: &Transaction<'_>, hold: &Hold) -> Result<(), Failure> {
    tx.execute(
        "UPDATE holds SET holder = NULL, since = NULL, lease_until = NULL WHERE sync = ?1 AND generation = ?2",
        params![hold.sync, hold.generation],
    )?;
    Ok(())
}

pub(super) fn current(tx: &Transaction<'_>, sync: &str) -> Result<Option<CurrentHold>, Failure> {
    let read = |row: &Row<'_>| {
        Ok(CurrentHold {
            holder: json(row, "holder")?,
            since: UnixMicros(row.get("since")?),
            lease_until: UnixMicros(row.get("lease_until")?),
            generation: row.get("generation")?,
        })
    };
    let mut statement = tx.prepare_cached(
        "SELECT holder, since, lease_until, generation FROM holds WHERE sync = ?1 AND holder IS NOT NULL",
    )?;
    Ok(statement.query_row([sync], read).optional()?)
}

/// Refuses whoever does not have the latest hold. The first statement of every write of a run.
pub(super) fn fence(tx: &Transaction<'_>, hold: &Hold) -> Result<(), Failure> {
    let stored = tx
        .prepare_cached("SELECT generation, holder IS NOT NULL FROM holds WHERE sync = ?1")?
        .query_row([&hold.sync], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (latest, held) = stored.unwrap_or((0, false));
    Ok(fencing::fence(latest, held, hold.generation).map_err(|_| failure::run_lost(hold))?)
}

/// For a change by hand: refuses while a hold stands, and fences every process that ever held the sync.
pub(super) fn fence_everybody(
    tx: &Transaction<'_>,
    sync: &str,
    now: UnixMicros,
    probe: &LivenessProbe,
) -> Result<(), Failure> {
    if let Some(held) = current(tx, sync)?
        && held.stands(now, probe(&held.holder))
    {
        return Err(failure::sync_held(sync, &held).into());
    }
    tx.execute(
        "UPDATE holds SET generation = generation + 1, holder = NULL, since = NULL, lease_until = NULL WHERE sync = ?1",
        [sync],
    )?;
    Ok(())
}
