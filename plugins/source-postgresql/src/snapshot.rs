//! The instant that a run sees, and what identifies it later.

use std::time::SystemTime;

use longshore_sdk::{core::cursor::CursorType, incremental::ServerClock, prelude::*};

use crate::{connection::Session, errors::from_postgres};

/// A snapshot of the database, exported by the connection that holds it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// What other connections import it by.
    pub(crate) id: String,
    /// Every transaction below has ended and is seen, or was rolled back. 64 bits.
    pub(crate) xmin: u64,
    /// No transaction from here on is seen. 64 bits.
    pub(crate) xmax: u64,
    /// No transaction from here on has begun to write. 64 bits. Later than `xmax` while the latest transactions are all open.
    pub(crate) next_transaction: u64,
    /// The server's clock, in UTC and in the time zone that it gives its users by default.
    pub(crate) clock: ServerClock,
    /// How long ago the oldest transaction began that was open when the snapshot was taken, in microseconds, as far as this user may see it.
    pub(crate) oldest_transaction_age: i64,
    /// How long ago the oldest prepared transaction was prepared, in microseconds. When it began nobody knows.
    pub(crate) oldest_prepared_age: Option<i64>,
    /// It replays what another server has written.
    pub(crate) is_standby: bool,
    /// On a standby, the primary's clock as of what was replayed, in microseconds since 1970 UTC: what the primary did later is yet to come.
    pub(crate) replayed_to: Option<i64>,
    /// Identifies the cluster; `None` when the user may not see it.
    pub(crate) system_identifier: Option<String>,
    /// Changes when a standby is promoted; `None` when the user may not see it.
    pub(crate) timeline: Option<u32>,
    /// 15 for PostgreSQL 15.4.
    pub(crate) server_version: u32,
}

// The age of the first transaction says which is the next one, and gives no number away itself.
// `txid_…` names exist in every supported version and mean the same as the newer `pg_…` names.
const SNAPSHOT: &str = "\
SELECT pg_catalog.pg_export_snapshot(), pg_catalog.txid_snapshot_xmin(s), pg_catalog.txid_snapshot_xmax(s), pg_catalog.now(), \
       (pg_catalog.now() AT TIME ZONE pg_catalog.current_setting('longshore.time_zone')) AT TIME ZONE 'UTC', \
       pg_catalog.current_setting('server_version_num')::pg_catalog.int4, pg_catalog.age('3'::pg_catalog.xid) \
FROM pg_catalog.txid_current_snapshot() s";

// Asked before the snapshot is taken. A transaction that is open then and has ended before it was asked for would be known to nobody, and what was replayed
// since would be taken for seen; what begins in between is younger than this answer.
const BEFORE: &str = "\
SELECT least(pg_catalog.clock_timestamp(), \
             (SELECT min(xact_start) FROM pg_catalog.pg_stat_activity WHERE pid <> pg_catalog.pg_backend_pid() AND backend_type <> 'autovacuum worker')), \
       (SELECT min(prepared) FROM pg_catalog.pg_prepared_xacts), \
       pg_catalog.pg_is_in_recovery(), pg_catalog.pg_last_xact_replay_timestamp()";

const MAY_SEE_CONTROL_DATA: &str = "\
SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') \
   AND pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE') \
   AND pg_catalog.has_function_privilege('pg_catalog.pg_control_recovery()', 'EXECUTE')";

// A primary knows its timeline at once. A standby has it from what it receives (when the user may see that), from what it has flushed, and at the latest
// from its last checkpoint; the greatest is the newest.
const CONTROL_DATA: &str = "\
SELECT (SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()), \
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END, \
       greatest((SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()), \
                (SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery()), \
                (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver)), \
       (SELECT checkpoint_time FROM pg_catalog.pg_control_checkpoint())";

impl Snapshot {
    /// Begins the session's transaction and exports its snapshot.
    pub(crate) async fn take(session: &Session) -> Result<Self> {
        let failed = |error: tokio_postgres::Error| from_postgres(&error, "opening the run's snapshot");
        let before = session.query_one(BEFORE, &[]).await.map_err(failed)?;
        session.begin(None).await?;
        let row = session.query_one(SNAPSHOT, &[]).await.map_err(failed)?;
        let clock = ServerClock {
            at: microseconds(row.get(3)),
            local: microseconds(row.get(4)),
        };
        let age = |since: SystemTime| clock.at.saturating_sub(microseconds(since)).max(0);
        let control = ControlData::of(session).await?;
        let last_replayed: Option<SystemTime> = before.get(3);
        Ok(Self {
            id: row.get(0),
            xmin: whole(row.get(1)),
            xmax: whole(row.get(2)),
            next_transaction: next_transaction(whole(row.get(2)), row.get(6)),
            clock,
            oldest_transaction_age: age(before.get(0)),
            oldest_prepared_age: before.get::<_, Option<SystemTime>>(1).map(age),
            is_standby: before.get(2),
            replayed_to: before
                .get::<_, bool>(2)
                .then(|| last_replayed.or(control.checkpoint).map(microseconds))
                .flatten(),
            system_identifier: control.system_identifier,
            timeline: control.timeline,
            server_version: u32::try_from(row.get::<_, i32>(5)).unwrap_or(0) / 10_000,
        })
    }

    /// Up to where the primary's own clock is known to have been replayed, as a value of a cursor's type; `None` on a primary.
    pub(crate) fn replayed_as(&self, cursor_type: CursorType) -> Option<CursorValue> {
        self.clock.moment(cursor_type, self.replayed_to?)
    }
}

/// What identifies a server, as far as the user may see it.
#[derive(Default)]
struct ControlData {
    system_identifier: Option<String>,
    timeline: Option<u32>,
    checkpoint: Option<SystemTime>,
}

impl ControlData {
    async fn of(session: &Session) -> Result<Self> {
        let failed = |error: tokio_postgres::Error| from_postgres(&error, "identifying the server");
        let allowed = session.query_one(MAY_SEE_CONTROL_DATA, &[]).await.map_err(failed)?;
        if !allowed.get::<_, bool>(0) {
            return Ok(Self::default());
        }
        let row = session.query_one(CONTROL_DATA, &[]).await.map_err(failed)?;
        let of_primary = row
            .get::<_, Option<String>>(1)
            .and_then(|hex| u32::from_str_radix(&hex, 16).ok());
        let of_standby = row
            .get::<_, Option<i32>>(2)
            .and_then(|timeline| u32::try_from(timeline).ok());
        Ok(Self {
            system_identifier: row.get(0),
            timeline: of_primary.or(of_standby),
            checkpoint: row.get(3),
        })
    }
}

/// The number of 64 bits that is so far from 3 in its lower 32 and not below `xmax`.
fn next_transaction(xmax: u64, age_of_the_first: i32) -> u64 {
    let low = age_of_the_first.wrapping_add(3).cast_unsigned();
    #[expect(clippy::cast_possible_truncation, reason = "the lower 32 bits are meant")]
    let ahead = low.wrapping_sub(xmax as u32);
    xmax + u64::from(ahead)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_transaction_is_found_across_a_wraparound() {
        assert_eq!(next_transaction(731, 728), 731);
        assert_eq!(next_transaction(731, 738), 741);
        // 5 and 2³² + 5 have the same lower bits.
        assert_eq!(next_transaction((1 << 32) - 3, 2), (1 << 32) + 5);
        assert_eq!(next_transaction(3 << 32 | 0x8000_0000, i32::MIN), 3 << 32 | 0x8000_0003);
    }
}
