//! Conditions that somebody is told of.

use rusqlite::{Row, Transaction, named_params, params};

use super::{
    failure::Failure,
    rows::{json, to_json},
};
use crate::{alert::StoredAlert, moment::UnixMicros};

pub(super) fn list(tx: &Transaction<'_>, sync: Option<&str>) -> Result<Vec<StoredAlert>, Failure> {
    let mut statement =
        tx.prepare_cached("SELECT * FROM alerts WHERE ?1 IS NULL OR sync = ?1 ORDER BY sync, condition")?;
    let alerts = statement.query_map([sync], alert_of)?;
    Ok(alerts.collect::<Result<_, _>>()?)
}

pub(super) fn set(tx: &Transaction<'_>, alert: &StoredAlert) -> Result<(), Failure> {
    tx.prepare_cached(
        "REPLACE INTO alerts (sync, condition, firing, since, told, message)
         VALUES (:sync, :condition, :firing, :since, :told, :message)",
    )?
    .execute(named_params! {
        ":sync": alert.sync,
        ":condition": alert.condition,
        ":firing": alert.firing,
        ":since": alert.since.0,
        ":told": alert.told,
        ":message": to_json(&alert.message)?,
    })?;
    Ok(())
}

pub(super) fn remove(tx: &Transaction<'_>, sync: &str, condition: &str) -> Result<(), Failure> {
    tx.prepare_cached("DELETE FROM alerts WHERE sync = ?1 AND condition = ?2")?
        .execute(params![sync, condition])?;
    Ok(())
}

fn alert_of(row: &Row<'_>) -> rusqlite::Result<StoredAlert> {
    Ok(StoredAlert {
        sync: row.get("sync")?,
        condition: row.get("condition")?,
        firing: row.get("firing")?,
        since: UnixMicros(row.get("since")?),
        told: row.get("told")?,
        message: json(row, "message")?,
    })
}
