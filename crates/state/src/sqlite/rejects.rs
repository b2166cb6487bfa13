//! The ledger of refused rows: what is recorded, and what is read.

use rusqlite::{OptionalExtension as _, Row, Statement, ToSql, Transaction, named_params, params, types::Type};

use super::{bounds, failure::Failure, holds, retries, rows::damaged};
use crate::{
    checkpoint::CheckpointCommit,
    failure,
    hold::Hold,
    moment::UnixMicros,
    reject::{
        KeptReject, NewReject, Page, Reject, RejectCount, RejectFilter, RejectStatus, RejectedIdentities, Retryable,
        Versions,
    },
};

/// The conditions of a [`RejectFilter`].
const MATCHING: &str = "(:sync IS NULL OR rejects.sync = :sync) AND (:table IS NULL OR table_name = :table)
     AND (:destination IS NULL OR destination = :destination)
     AND (:run_id IS NULL OR run = (SELECT id FROM runs WHERE run_id = :run_id))
     AND (:rule IS NULL OR rule = :rule) AND (:column IS NULL OR column_name = :column) AND (:status IS NULL OR rejects.status = :status)
     AND (:ids IS NULL OR rejects.id IN (SELECT value FROM json_each(:ids))) AND (:before IS NULL OR rejects.id < :before)";

/// A reject without its row.
const COLUMNS: &str = "rejects.id, rejects.sync, table_name, partition_id, at, destination, key, primary_key, rule, column_name, reason, whole_row,
     identity, identity_column, fingerprint, sequence, row_number, rejects.status, attempts, tried_at, uncertain, resolved_at,
     row_data IS NOT NULL AS row_kept, row_table,
     (SELECT run_id FROM runs WHERE runs.id = run) AS run_id, (SELECT run_id FROM runs WHERE runs.id = resolved_run) AS resolved_run_id";

/// Records a commit's rejects and what its rows supersede; returns what was dropped to make room.
pub(super) fn record(
    tx: &Transaction<'_>,
    hold: &Hold,
    run: i64,
    commit: &CheckpointCommit,
) -> Result<bounds::Dropped, Failure> {
    let table = &*commit.partition.table;
    // Before the new ones are there: a reject behind the superseding row is newer than it.
    for superseded in &commit.superseded {
        let older = Older {
            sync: &hold.sync,
            table,
            destination: &superseded.destination,
            versions: &superseded.versions,
            before: i64::MAX,
        };
        supersede(tx, run, &older, commit.at)?;
    }
    if commit.rejects.is_empty() {
        return Ok(bounds::Dropped::default());
    }
    let row_table = commit.rejected_table.as_deref();
    let row_table = row_table.map(|document| table_number(tx, document)).transpose()?;
    let place = Recording {
        hold,
        run,
        table,
        partition: &commit.partition.partition,
        row_table,
        origin: None,
        at: commit.at,
    };
    place.insert(tx, &commit.rejects)?;
    bounds::keep(tx, &hold.sync)
}

/// Under which run and table rejects are recorded.
pub(super) struct Recording<'a> {
    pub(super) hold: &'a Hold,
    pub(super) run: i64,
    pub(super) table: &'a str,
    pub(super) partition: &'a str,
    pub(super) row_table: Option<i64>,
    /// The reject whose row was sent again; `None`: the row was read.
    pub(super) origin: Option<i64>,
    pub(super) at: UnixMicros,
}

impl Recording<'_> {
    /// Records rejects, with the counts of their run and of the ledger.
    pub(super) fn insert(&self, tx: &Transaction<'_>, rejects: &[NewReject]) -> Result<(), Failure> {
        let mut row_bytes = 0;
        for reject in rejects {
            row_bytes += self.insert_one(tx, reject)?;
        }
        tx.prepare_cached("UPDATE runs SET rejects = rejects + ?2 WHERE id = ?1")?
            .execute(params![self.run, rejects.len() as u64])?;
        bounds::add(tx, &self.hold.sync, rejects.len() as u64, row_bytes)
    }

    /// Returns how many bytes of its row are kept.
    fn insert_one(&self, tx: &Transaction<'_>, reject: &NewReject) -> Result<u64, Failure> {
        // What a retry leaves out is no newer than other rejects of its row.
        let uncertain = self.origin.is_none() && self.replace_earlier(tx, reject)?;
        let resolved = reject.superseded.then_some(self.at.0);
        let row_data = Some(&reject.row_data).filter(|data| !data.is_empty() && !reject.superseded);
        tx.prepare_cached(
            "INSERT INTO rejects (run, sync, table_name, partition_id, at, destination, key, primary_key, rule, column_name, reason, whole_row,
                identity, identity_column, fingerprint, sequence, row_number, status, resolved_at, resolved_run, row_data, row_table, uncertain, origin)
             VALUES (:run, :sync, :table, :partition, :at, :destination, :key, :primary_key, :rule, :column, :reason, :whole_row,
                :identity, :identity_column, :fingerprint, :sequence, :row, iif(:resolved IS NULL, 'pending', 'superseded'), :resolved,
                iif(:resolved IS NULL, NULL, :run), :row_data, iif(:row_data IS NULL, NULL, :row_table), :uncertain, :origin)",
        )?
        .execute(named_params! {
            ":run": self.run,
            ":sync": self.hold.sync,
            ":table": self.table,
            ":partition": self.partition,
            ":at": self.at.0,
            ":destination": reject.destination,
            ":key": reject.key,
            ":primary_key": reject.primary_key,
            ":rule": reject.rule,
            ":column": reject.column,
            ":reason": reject.reason,
            ":whole_row": reject.whole_row,
            ":identity": reject.identity,
            ":identity_column": reject.identity_column,
            ":fingerprint": reject.fingerprint,
            ":uncertain": uncertain,
            ":origin": self.origin,
            ":sequence": reject.sequence,
            ":row": reject.row,
            ":resolved": resolved,
            ":row_data": row_data,
            ":row_table": self.row_table,
        })?;
        Ok(row_data.map_or(0, |data| data.len() as u64))
    }

    /// A row that was read again and refused again has the rejects of its last run alone: what earlier runs recorded of it is superseded. Returns whether the
    /// row may be at the target already.
    fn replace_earlier(&self, tx: &Transaction<'_>, reject: &NewReject) -> Result<bool, Failure> {
        if reject.fingerprint.is_empty() {
            return Ok(false);
        }
        let mut earlier = tx.prepare_cached(
            "SELECT id, uncertain FROM rejects
             WHERE sync = ?1 AND table_name = ?2 AND destination = ?3 AND fingerprint = ?4 AND fingerprint <> x'' AND status = 'pending'
               AND run <> ?5",
        )?;
        let place = params![
            self.hold.sync,
            self.table,
            reject.destination,
            reject.fingerprint,
            self.run
        ];
        let earlier = earlier.query_map(place, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let earlier: Vec<(i64, bool)> = earlier.collect::<Result<_, _>>()?;
        for (id, _) in &earlier {
            resolve(tx, &self.hold.sync, *id, "superseded", (Some(self.run), self.at))?;
        }
        Ok(earlier.iter().any(|(_, uncertain)| *uncertain))
    }
}

/// The number of a table's description, which is stored once.
fn table_number(tx: &Transaction<'_>, document: &[u8]) -> Result<i64, Failure> {
    tx.prepare_cached("INSERT INTO reject_tables (document) VALUES (?1) ON CONFLICT (document) DO NOTHING")?
        .execute([document])?;
    let mut statement = tx.prepare_cached("SELECT id FROM reject_tables WHERE document = ?1")?;
    Ok(statement.query_row([document], |row| row.get(0))?)
}

/// Pending rejects that are older than a delivered row, which is a newer version of theirs.
pub(super) struct Older<'a> {
    pub(super) sync: &'a str,
    pub(super) table: &'a str,
    pub(super) destination: &'a str,
    pub(super) versions: &'a Versions,
    /// Only those of rows with a lower number.
    pub(super) before: i64,
}

/// Marks older rejects as superseded. Their rows are of no more use.
pub(super) fn supersede(tx: &Transaction<'_>, run: i64, older: &Older<'_>, at: UnixMicros) -> Result<(), Failure> {
    let Older {
        sync,
        table,
        destination,
        versions,
        before,
    } = *older;
    let pending = "SELECT id FROM rejects WHERE sync = ?1 AND table_name = ?2 AND destination = ?3 AND status = 'pending' AND coalesce(origin, id) < ?4";
    let number = |row: &Row<'_>| row.get(0);
    let found: rusqlite::Result<Vec<i64>> = match versions {
        Versions::OfIdentity { identity, column } => {
            let mut found = tx.prepare_cached(&format!(
                "{pending} AND identity = ?5 AND identity <> '' AND identity_column = ?6"
            ))?;
            found
                .query_map(params![sync, table, destination, before, identity, column], number)?
                .collect()
        }
        Versions::OfRow(fingerprint) => {
            let mut found = tx.prepare_cached(&format!("{pending} AND fingerprint = ?5 AND fingerprint <> x''"))?;
            found
                .query_map(params![sync, table, destination, before, fingerprint], number)?
                .collect()
        }
    };
    for id in found? {
        resolve(tx, sync, id, "superseded", (Some(run), at))?;
    }
    Ok(())
}

/// Gives up pending rejects by a person's wish; returns how many.
pub(super) fn discard(tx: &Transaction<'_>, sync: &str, ids: &[i64], at: UnixMicros) -> Result<u64, Failure> {
    // What a broken run was sending is counted first: it may have arrived.
    let mut broken =
        tx.prepare_cached("SELECT DISTINCT sent_run FROM rejects WHERE sync = ?1 AND sent_run IS NOT NULL")?;
    let broken: Vec<i64> = broken.query_map([sync], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for run in broken {
        retries::count_uncertain(tx, run)?;
    }
    let mut pending = tx.prepare_cached("SELECT 1 FROM rejects WHERE id = ?1 AND sync = ?2 AND status = 'pending'")?;
    for &id in ids {
        if !pending.exists(params![id, sync])? {
            return Err(failure::reject_not_pending(id).into());
        }
        resolve(tx, sync, id, "discarded", (None, at))?;
    }
    Ok(ids.len() as u64)
}

/// Ends a pending reject, and lets go of its row.
pub(super) fn resolve(
    tx: &Transaction<'_>,
    sync: &str,
    id: i64,
    status: &str,
    (run, at): (Option<i64>, UnixMicros),
) -> Result<(), Failure> {
    bounds::release_row(tx, sync, id)?;
    tx.prepare_cached(
        "UPDATE rejects SET status = ?2, resolved_run = ?3, resolved_at = ?4, sent_run = NULL WHERE id = ?1",
    )?
    .execute(params![id, status, run, at.0])?;
    Ok(())
}

pub(super) fn list(tx: &Transaction<'_>, filter: &RejectFilter, limit: u32) -> Result<Vec<Reject>, Failure> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM rejects WHERE {MATCHING} ORDER BY rejects.id DESC LIMIT :limit"
    ))?;
    bind(&mut statement, filter)?;
    bind_one(&mut statement, ":limit", limit)?;
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(reject_of(row)?);
    }
    Ok(found)
}

pub(super) fn get(tx: &Transaction<'_>, id: i64) -> Result<Option<KeptReject>, Failure> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {COLUMNS}, row_data FROM rejects WHERE rejects.id = ?1"
    ))?;
    Ok(statement.query_row([id], kept_of).optional()?)
}

pub(super) fn count_pending(tx: &Transaction<'_>, sync: &str) -> Result<u64, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT count(*) FROM rejects INDEXED BY rejects_pending WHERE sync = ?1 AND status = 'pending'",
    )?;
    Ok(statement.query_row([sync], |row| row.get(0))?)
}

pub(super) fn count(tx: &Transaction<'_>, filter: &RejectFilter) -> Result<Vec<RejectCount>, Failure> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT sync, table_name, destination, rule, column_name, status, count(*) AS rejects FROM rejects WHERE {MATCHING}
         GROUP BY sync, table_name, destination, rule, column_name, status
         ORDER BY rejects DESC, sync, table_name, destination, rule, column_name, status"
    ))?;
    bind(&mut statement, filter)?;
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(RejectCount {
            sync: row.get("sync")?,
            table: row.get("table_name")?,
            destination: row.get("destination")?,
            rule: row.get("rule")?,
            column: row.get("column_name")?,
            status: status_of(row)?,
            rejects: row.get("rejects")?,
        });
    }
    Ok(found)
}

/// Rejects with their rows, oldest first.
pub(super) fn page(tx: &Transaction<'_>, filter: &RejectFilter, page: Page) -> Result<Vec<KeptReject>, Failure> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {COLUMNS}, row_data FROM rejects WHERE {MATCHING} AND rejects.id > :after ORDER BY rejects.id LIMIT :limit"
    ))?;
    bind(&mut statement, filter)?;
    bind_one(&mut statement, ":after", page.after)?;
    bind_one(&mut statement, ":limit", page.rejects)?;
    collect_page(statement.raw_query(), page.bytes)
}

/// Pending whole rows that are kept, apart from what is held.
const WHOLE_ROWS: &str = "rejects.sync = :sync AND table_name = :table AND destination = :destination AND rejects.status = 'pending' AND whole_row
     AND row_data IS NOT NULL AND rule <> :held_rule";

/// No newer version of the row can have been delivered without being noticed. A row that had no identity for want of one in the very column has none now either.
const VERSION_KNOWN: &str =
    "(:replaces_by IS NULL OR version_known AND NOT (identity = '' AND identity_column = :replaces_by))";

/// Rows are going to be delivered under identities of a column. Newer versions of rows that were refused under another column can not be told from then on.
pub(super) fn forget_versions(tx: &Transaction<'_>, hold: &Hold, replaced: &RejectedIdentities) -> Result<(), Failure> {
    holds::fence(tx, hold)?;
    tx.prepare_cached(
        "UPDATE rejects SET version_known = 0
         WHERE sync = ?1 AND table_name = ?2 AND destination = ?3 AND status = 'pending' AND version_known
           AND identity_column <> ?4",
    )?
    .execute(params![
        hold.sync,
        replaced.table,
        replaced.destination,
        replaced.identity_column
    ])?;
    Ok(())
}

/// How many a run leaves alone because nobody knows whether newer versions of their rows were delivered.
pub(super) fn of_unknown_version(tx: &Transaction<'_>, retryable: &Retryable) -> Result<u64, Failure> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT count(*) FROM rejects INDEXED BY rejects_to_retry WHERE {WHOLE_ROWS} AND NOT {VERSION_KNOWN}"
    ))?;
    let counted = statement.query_row(
        named_params! {
            ":sync": retryable.sync,
            ":table": retryable.table,
            ":destination": retryable.destination,
            ":held_rule": retryable.held_rule,
            ":replaces_by": retryable.replaces_by,
        },
        |row| row.get(0),
    );
    Ok(counted?)
}

/// Rejects that a run may try again by itself, with their rows, those first that were tried least.
pub(super) fn retryable(
    tx: &Transaction<'_>,
    retryable: &Retryable,
    (rejects, bytes): (u32, u64),
) -> Result<Vec<KeptReject>, Failure> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {COLUMNS}, row_data FROM rejects INDEXED BY rejects_to_retry
         WHERE {WHOLE_ROWS} AND {VERSION_KNOWN} AND (:uncertain_too OR NOT uncertain)
           AND row_table NOT IN (SELECT value FROM json_each(:except_tables))
           AND run IS NOT :run AND tried_run IS NOT :run
         ORDER BY attempts, rejects.id LIMIT :limit"
    ))?;
    let run: Option<i64> = tx
        .prepare_cached("SELECT id FROM runs WHERE run_id = ?1")?
        .query_row([&retryable.run_id], |row| row.get(0))
        .optional()?;
    let rows = statement.query(named_params! {
        ":sync": retryable.sync,
        ":table": retryable.table,
        ":destination": retryable.destination,
        ":held_rule": retryable.held_rule,
        ":replaces_by": retryable.replaces_by,
        ":uncertain_too": retryable.uncertain_too,
        ":except_tables": numbers(&retryable.except_tables),
        ":run": run.unwrap_or(0),
        ":limit": rejects,
    })?;
    collect_page(rows, bytes)
}

/// As `json_each` takes them.
fn numbers(numbers: &[i64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("[{}]", numbers.join(","))
}

fn collect_page(mut rows: rusqlite::Rows<'_>, most_bytes: u64) -> Result<Vec<KeptReject>, Failure> {
    let mut found = Vec::new();
    let mut bytes = 0;
    while bytes < most_bytes
        && let Some(row) = rows.next()?
    {
        let kept = kept_of(row)?;
        bytes += kept.row_data.len() as u64;
        found.push(kept);
    }
    Ok(found)
}

/// Identities that have pending rejects, in their order, behind one of them.
pub(super) fn identities(
    tx: &Transaction<'_>,
    rejected: &RejectedIdentities,
    after: &str,
    limit: u32,
) -> Result<Vec<String>, Failure> {
    let RejectedIdentities {
        sync,
        table,
        destination,
        identity_column,
    } = rejected;
    let mut statement = tx.prepare_cached(
        "SELECT DISTINCT identity FROM rejects
         WHERE sync = ?1 AND table_name = ?2 AND destination = ?3 AND identity_column = ?4 AND status = 'pending' AND identity > ?5
         ORDER BY identity LIMIT ?6",
    )?;
    let place = params![sync, table, destination, identity_column, after, limit];
    let found = statement.query_map(place, |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Fingerprints of rows that have pending rejects, in their order, behind one of them.
pub(super) fn fingerprints(
    tx: &Transaction<'_>,
    (sync, table, destination): (&str, &str, &str),
    after: &[u8],
    limit: u32,
) -> Result<Vec<Vec<u8>>, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT DISTINCT fingerprint FROM rejects
         WHERE sync = ?1 AND table_name = ?2 AND destination = ?3 AND status = 'pending' AND fingerprint <> x'' AND fingerprint > ?4
         ORDER BY fingerprint LIMIT ?5",
    )?;
    let found = statement.query_map(params![sync, table, destination, after, limit], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn table(tx: &Transaction<'_>, number: i64) -> Result<Option<Vec<u8>>, Failure> {
    let mut statement = tx.prepare_cached("SELECT document FROM reject_tables WHERE id = ?1")?;
    Ok(statement.query_row([number], |row| row.get(0)).optional()?)
}

fn bind(statement: &mut Statement<'_>, filter: &RejectFilter) -> Result<(), Failure> {
    let ids = filter.ids.as_deref().map(numbers);
    bind_one(statement, ":sync", &filter.sync)?;
    bind_one(statement, ":table", &filter.table)?;
    bind_one(statement, ":destination", &filter.destination)?;
    bind_one(statement, ":run_id", &filter.run_id)?;
    bind_one(statement, ":rule", &filter.rule)?;
    bind_one(statement, ":column", &filter.column)?;
    bind_one(statement, ":status", filter.status.map(|status| status.as_str()))?;
    bind_one(statement, ":ids", ids)?;
    bind_one(statement, ":before", filter.before)
}

fn bind_one(statement: &mut Statement<'_>, name: &str, value: impl ToSql) -> Result<(), Failure> {
    let index = statement
        .parameter_index(name)?
        .expect("every statement with these conditions has these parameters");
    Ok(statement.raw_bind_parameter(index, value)?)
}

fn kept_of(row: &Row<'_>) -> rusqlite::Result<KeptReject> {
    Ok(KeptReject {
        reject: reject_of(row)?,
        row_data: row.get::<_, Option<Vec<u8>>>("row_data")?.unwrap_or_default(),
    })
}

fn reject_of(row: &Row<'_>) -> rusqlite::Result<Reject> {
    let status = status_of(row)?;
    Ok(Reject {
        id: row.get("id")?,
        sync: row.get("sync")?,
        run_id: row.get("run_id")?,
        table: row.get("table_name")?,
        partition: row.get("partition_id")?,
        at: UnixMicros(row.get("at")?),
        status,
        attempts: row.get("attempts")?,
        tried_at: row.get::<_, Option<i64>>("tried_at")?.map(UnixMicros),
        uncertain: row.get("uncertain")?,
        resolved_run: row.get("resolved_run_id")?,
        resolved_at: row.get::<_, Option<i64>>("resolved_at")?.map(UnixMicros),
        row_kept: row.get("row_kept")?,
        row_table: row.get("row_table")?,
        reject: NewReject {
            destination: row.get("destination")?,
            key: row.get("key")?,
            primary_key: row.get("primary_key")?,
            rule: row.get("rule")?,
            column: row.get("column_name")?,
            reason: row.get("reason")?,
            whole_row: row.get("whole_row")?,
            identity: row.get("identity")?,
            identity_column: row.get("identity_column")?,
            fingerprint: row.get("fingerprint")?,
            sequence: row.get("sequence")?,
            row: row.get("row_number")?,
            row_data: Vec::new(),
            superseded: false,
        },
    })
}

fn status_of(row: &Row<'_>) -> rusqlite::Result<RejectStatus> {
    let status: String = row.get("status")?;
    status.parse().map_err(|error| damaged("status", Type::Text, error))
}
