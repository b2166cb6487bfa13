//! The instant that a run sees, and what identifies it later.

use std::time::SystemTime;

use longshore_sdk::{core::cursor::CursorType, incremental::ServerClock, prelude::*};

use crate::{connection::Session, errors::from_postgres};

/// A snapshot of the database, exported by the connection that holds it.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// What other connections import it by.
    pub(crate) id: String,
    /// Every transaction below has ended and is seen, or was rolled back. 64 bits.
    pub(crate) xmin: u64,
    /// No transaction from here on is seen. 64 bits.
    pub(crate) xmax: u64,
    /// The server's clock, in UTC and in the time zone that it gives its users by default.
    pub(crate) clock: ServerClock,
    /// When the oldest open transaction that this user may see began, in microseconds since 1970 UTC.
    pub(crate) oldest_transaction: Option<i64>,
    /// Identifies the cluster; `None` when the user may not see it.
    pub(crate) system_identifier: Option<String>,
    /// Changes when a standby is promoted; `None` when the user may not see it.
    pub(crate) timeline: Option<u32>,
    /// 15 for PostgreSQL 15.4.
    pub(crate) server_version: u32,
}

// `txid_…` names exist in every supported version and mean the same as the newer `pg_…` names.
const SNAPSHOT: &str = "\
SELECT pg_catalog.pg_export_snapshot(), pg_catalog.txid_snapshot_xmin(s), pg_catalog.txid_snapshot_xmax(s), pg_catalog.now(), \
       (pg_catalog.now() AT TIME ZONE pg_catalog.current_setting('longshore.time_zone')) AT TIME ZONE 'UTC', \
       pg_catalog.current_setting('server_version_num')::pg_catalog.int4 \
FROM pg_catalog.txid_current_snapshot() s";

const OLDEST_TRANSACTION: &str = "\
SELECT least((SELECT min(xact_start) FROM pg_catalog.pg_stat_activity WHERE pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend'), \
             (SELECT min(prepared) FROM pg_catalog.pg_prepared_xacts))";

const MAY_SEE_CONTROL_DATA: &str = "\
SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') \
   AND pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE')";

// A primary knows its timeline at once; a standby when it has replayed a checkpoint.
const CONTROL_DATA: &str = "\
SELECT (SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()), \
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END, \
       (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())";

impl Snapshot {
    /// Exports the snapshot of the session's transaction, which [`Session::begin`] has begun.
    pub(crate) async fn export(session: &Session) -> Result<Self> {
        let failed = |error: tokio_postgres::Error| from_postgres(&error, "opening the run's snapshot");
        let row = session.query_one(SNAPSHOT, &[]).await.map_err(failed)?;
        let oldest: Option<SystemTime> = session.query_one(OLDEST_TRANSACTION, &[]).await.map_err(failed)?.get(0);
        let (system_identifier, timeline) = control_data(session).await?;
        Ok(Self {
            id: row.get(0),
            xmin: whole(row.get(1)),
            xmax: whole(row.get(2)),
            clock: ServerClock {
                at: microseconds(row.get(3)),
                local: microseconds(row.get(4)),
            },
            oldest_transaction: oldest.map(microseconds),
            system_identifier,
            timeline,
            server_version: u32::try_from(row.get::<_, i32>(5)).unwrap_or(0) / 10_000,
        })
    }

    /// When the oldest open transaction began, as a value of a cursor's type.
    pub(crate) fn oldest_transaction_as(&self, cursor_type: CursorType) -> Option<CursorValue> {
        self.clock.moment(cursor_type, self.oldest_transaction?)
    }
}

async fn control_data(session: &Session) -> Result<(Option<String>, Option<u32>)> {
    let failed = |error: tokio_postgres::Error| from_postgres(&error, "identifying the server");
    if !session
        .query_one(MAY_SEE_CONTROL_DATA, &[])
        .await
        .map_err(failed)?
        .get::<_, bool>(0)
    {
        return Ok((None, None));
    }
    let row = session.query_one(CONTROL_DATA, &[]).await.map_err(failed)?;
    let of_primary = row
        .get::<_, Option<String>>(1)
        .and_then(|hex| u32::from_str_radix(&hex, 16).ok());
    Ok((
        row.get(0),
        of_primary.or_else(|| u32::try_from(row.get::<_, i32>(2)).ok()),
    ))
}

fn microseconds(at: SystemTime) -> i64 {
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |microseconds| -microseconds),
    }
}

fn whole(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
