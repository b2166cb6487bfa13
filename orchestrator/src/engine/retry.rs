//! Rejects sent again: by the next run before its partitions start, and by a replay.
//!
//! Rows go as they are stored, one to a batch, in the order in which they were recorded, through a `Write` stream of their own. They are marked before they
//! are sent and settled when it is known what became of them, a page at a time, so that a crash loses none, and tells how many an append target may hold
//! twice. They are no part of the law of the run's own rows and have one of their own: retried = redelivered + rejected + filtered.

mod page;

use std::{collections::HashMap, sync::Arc};

use longshore_config::Uncertain;
use longshore_core::{
    Domain, Error, Scope,
    balance::{self, DestinationCounts},
};
use longshore_protocol::{UNCERTAIN_DELIVERY, v1};
use longshore_state::{Hold, KeptReject, RejectedIdentities, Retryable, StateStore};
use prost::Message as _;
use tokio_util::sync::CancellationToken;

use super::{hold::Lease, plan::PlannedTable, session::Session};
use crate::{failure::Failure, figures::counted, plugin_host::Plugin};
use page::send_page;

/// Rejects that are sent, and settled, together; fewer where the destination wants fewer rows on their way.
pub(super) const PAGE_ROWS: u32 = 1_000;

/// Rejects of a table that one run tries for one destination: a ledger full of rows that stay bad must not keep every run from what is new. Those that were
/// tried least come first, so that each has its turn.
const ROWS_A_RUN: u32 = 10_000;

/// Bytes of rows after which a page is full.
const PAGE_BYTES: u64 = 8 * 1024 * 1024;

/// Identities that one call names to a destination.
const IDENTITIES_A_CALL: u32 = 1_000;

/// What everything that sends rejects again shares.
pub(super) struct RetryContext {
    pub(super) store: Arc<dyn StateStore>,
    pub(super) hold: Hold,
    pub(super) lease: Lease,
    pub(super) run_id: Arc<str>,
    /// What becomes of rows that an append target may have.
    pub(super) uncertain: Uncertain,
    /// Rejected rows are kept, values and all.
    pub(super) keep_rejected_rows: bool,
    /// The user wants to stop, or the sync is lost.
    pub(super) cancel: CancellationToken,
}

/// Where rejects of a table go.
pub(super) struct RetryTarget {
    pub(super) table: String,
    pub(super) plugin: Plugin,
    pub(super) write_mode: v1::WriteMode,
    pub(super) redelivery_is_idempotent: bool,
    pub(super) preferred_unacked_rows: u64,
    /// The column that identities come from.
    pub(super) identity_column: String,
}

/// A row to send again.
pub(super) struct RetryRow {
    /// The rejects of the row.
    pub(super) ids: Vec<i64>,
    /// The table as the row came.
    pub(super) row_table: i64,
    pub(super) data: bytes::Bytes,
}

impl RetryTarget {
    /// A destination's table, as it was prepared.
    pub(super) fn new(plugin: &Plugin, prepared: &v1::PreparedTable) -> Self {
        Self {
            table: prepared.name.clone(),
            plugin: plugin.clone(),
            write_mode: prepared.write_mode(),
            redelivery_is_idempotent: prepared.redelivery_is_idempotent,
            preferred_unacked_rows: prepared.preferred_unacked_rows,
            identity_column: prepared.identity_column.clone(),
        }
    }

    /// It says when a newer row supersedes a rejected one.
    pub(super) fn reports_superseded(&self) -> bool {
        let destination = self.plugin.description.destination.as_ref();
        destination.is_some_and(|destination| destination.reports_superseded)
    }

    /// Those of its pending rejects.
    fn identities(&self, sync: &str) -> RejectedIdentities {
        RejectedIdentities {
            sync: sync.to_owned(),
            table: self.table.clone(),
            destination: self.plugin.name.clone(),
            identity_column: self.identity_column.clone(),
        }
    }

    /// Rows sent together: no more than the destination wants on their way, where a crash would leave them uncertain.
    pub(super) fn page_rows(&self) -> u32 {
        match u32::try_from(self.preferred_unacked_rows) {
            Ok(rows @ 1..) if !self.redelivery_is_idempotent => rows.min(PAGE_ROWS),
            _ => PAGE_ROWS,
        }
    }
}

/// What is done with the ledger before partitions start.
#[derive(Clone, Copy)]
pub(super) struct Ledgering {
    /// Rejects are sent again.
    pub(super) retries: bool,
    /// Rows that are delivered are newer than what is pending, so that they supersede it.
    pub(super) supersedes: bool,
}

/// What a run does with the ledger before its partitions start: sends again what may be, and tells the destinations what is pending. Returns what the user
/// should know. A row that a destination refuses, or that makes it fail, stays pending and is no reason to keep good rows waiting.
///
/// # Errors
/// Those of the store, and [`Failure::Cancelled`].
pub(super) async fn retry_and_watch(
    context: &RetryContext,
    session: &Session,
    planned: &[PlannedTable],
    prepared: &[Vec<v1::PreparedTable>],
    ledgering: Ledgering,
) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    for (destination, answers) in session.destinations.iter().zip(prepared) {
        debug_assert_eq!(answers.len(), planned.len(), "prepare has checked the answers");
        for answer in answers {
            let target = RetryTarget::new(&destination.plugin, answer);
            let newer_is_known = !target.redelivery_is_idempotent || target.reports_superseded();
            if ledgering.retries && newer_is_known {
                // Among the rows that are sent again, one may be the newer version of another.
                watch(context, &target, true).await?;
                warnings.extend(retry(context, &target).await?);
            }
            begin_delivering(context, &target, ledgering.supersedes).await?;
        }
    }
    Ok(warnings)
}

/// Before rows are delivered: newer versions of what was recorded under another column go unnoticed from now on, and the destination hears what is pending.
/// Without `supersedes`, a row that is delivered is newer than its own older versions alone.
pub(super) async fn begin_delivering(
    context: &RetryContext,
    target: &RetryTarget,
    supersedes: bool,
) -> Result<(), Failure> {
    if target.redelivery_is_idempotent {
        let identities = target.identities(&context.hold.sync);
        context.store.forget_versions(&context.hold, &identities).await?;
    }
    watch(context, target, supersedes).await
}

/// Sends the rejects of a table again that a run may try by itself; says what stays because the destination failed or refused its columns.
async fn retry(context: &RetryContext, target: &RetryTarget) -> Result<Vec<String>, Failure> {
    let mut retryable = Retryable {
        sync: context.hold.sync.clone(),
        table: target.table.clone(),
        destination: target.plugin.name.clone(),
        run_id: context.run_id.to_string(),
        uncertain_too: context.uncertain == Uncertain::Resend,
        except_tables: Vec::new(),
        held_rule: UNCERTAIN_DELIVERY,
        replaces_by: target.redelivery_is_idempotent.then(|| target.identity_column.clone()),
    };
    let mut tables = RejectedTables::default();
    let unknown = context.store.rejects_of_unknown_version(&retryable).await?;
    let mut warnings: Vec<String> = of_unknown_version(target, unknown).into_iter().collect();
    let mut left = ROWS_A_RUN;
    loop {
        let limit = target.page_rows().min(left);
        let page = context.store.retryable_rejects(&retryable, limit, PAGE_BYTES).await?;
        left -= u32::try_from(page.len()).unwrap_or(left).min(left);
        let mut rows: Vec<RetryRow> = page.into_iter().filter_map(row_of).collect();
        if rows.is_empty() {
            return Ok(warnings);
        }
        // An old version goes before a newer one, however often each was tried.
        rows.sort_by_key(|row| row.ids[0]);
        let sent = send(context, target, &mut tables, rows).await?;
        let Some((row_table, error)) = sent.failed else {
            continue;
        };
        tracing::warn!(table = target.table, destination = target.plugin.name, %error, code = error.code, "rejects could not be sent again");
        warnings.push(format!(
            "rejected rows of table {} could not be sent again to {} and stay in the ledger: {error}",
            target.table, target.plugin.name
        ));
        if error.retryable || error.scope == Scope::Run && error.domain != Domain::Config {
            return Ok(warnings);
        }
        // Columns that it does not take any more are no reason to leave rows with other columns.
        retryable.except_tables.push(row_table);
    }
}

/// What is said of rows that wait for a person: a newer version of them may have been delivered, and nobody could know.
fn of_unknown_version(target: &RetryTarget, rows: u64) -> Option<String> {
    let from = match target.identity_column.as_str() {
        "" => String::new(),
        column => format!(" from column {column}"),
    };
    (rows > 0).then(|| {
        format!(
            "{} of table {} had no usable id{from} when refused by {}, so it is not known whether a newer version was delivered since: a run does not send such rows \
             by itself. `longshore rejects replay` sends them, `longshore rejects discard` gives them up",
            counted(rows, "rejected row", "rejected rows"),
            target.table,
            target.plugin.name
        )
    })
}

/// The row of a whole-row reject.
fn row_of(kept: KeptReject) -> Option<RetryRow> {
    Some(RetryRow {
        ids: vec![kept.reject.id],
        row_table: kept.reject.row_table?,
        data: kept.row_data.into(),
    })
}

/// What became of rows that were sent.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) counts: DestinationCounts,
    /// Columns that were left out again of rows that were delivered.
    pub(super) columns: u64,
    /// Why the rows behind those that are counted were not all sent or answered, and the columns they have: they stay pending.
    pub(super) failed: Option<(i64, Error)>,
}

/// Sends rows in their order, those with the same columns together, up to the first that the destination fails at, and checks that each is accounted for.
///
/// # Errors
/// `unbalanced`, those of the store, and [`Failure::Cancelled`].
pub(super) async fn send(
    context: &RetryContext,
    target: &RetryTarget,
    tables: &mut RejectedTables,
    rows: Vec<RetryRow>,
) -> Result<Sent, Failure> {
    let mut sent = Sent::default();
    let mut rows = rows.into_iter().peekable();
    while let Some(first) = rows.next() {
        let row_table = first.row_table;
        let mut same = vec![first];
        while let Some(next) = rows.next_if(|row| row.row_table == row_table) {
            same.push(next);
        }
        let table = tables.get(context.store.as_ref(), row_table).await?;
        let page = send_page(context, target, table, same).await?;
        balance::check_retried(&target.table, page.settled, page.counts)?;
        sent.counts += page.counts;
        sent.columns += page.columns;
        if let Some(error) = page.error {
            sent.failed = Some((row_table, error));
            break;
        }
    }
    Ok(sent)
}

/// Tables as rejected rows came, read from the store once each.
#[derive(Default)]
pub(super) struct RejectedTables(HashMap<i64, v1::Table>);

impl RejectedTables {
    /// # Errors
    /// `row_unreadable`: the store does not have it, or it was written by somebody else.
    pub(super) async fn get(&mut self, store: &dyn StateStore, number: i64) -> Result<v1::Table, Error> {
        if let Some(table) = self.0.get(&number) {
            return Ok(table.clone());
        }
        let unreadable = || {
            Error::internal(
                "row_unreadable",
                "The columns that a rejected row was recorded with can not be read",
            )
        };
        let document = store.rejected_table(number).await?.ok_or_else(unreadable)?;
        let table = v1::Table::decode(document.as_slice()).map_err(|error| unreadable().with_cause(&error))?;
        self.0.insert(number, table.clone());
        Ok(table)
    }
}

/// Tells a destination which rows have rejects, and, where rows are replaced and `identities` matter, which identities: so that it says when it delivers a
/// newer one. A new process knows none of them.
async fn watch(context: &RetryContext, target: &RetryTarget, identities: bool) -> Result<(), Failure> {
    if !target.reports_superseded() {
        return Ok(());
    }
    let rejected = target.identities(&context.hold.sync);
    let mut after = Vec::new();
    loop {
        let store = &context.store;
        let fingerprints = store.rejected_rows(&rejected, &after, IDENTITIES_A_CALL).await?;
        let Some(last) = fingerprints.last() else { break };
        after.clone_from(last);
        let fingerprints = fingerprints.into_iter().map(Into::into).collect();
        tell(context, target, Vec::new(), fingerprints).await?;
    }
    if !identities || !target.redelivery_is_idempotent {
        return Ok(());
    }
    let mut after = String::new();
    loop {
        let store = &context.store;
        let identities = store.rejected_identities(&rejected, &after, IDENTITIES_A_CALL).await?;
        let Some(last) = identities.last() else { return Ok(()) };
        after.clone_from(last);
        tell(context, target, identities, Vec::new()).await?;
    }
}

async fn tell(
    context: &RetryContext,
    target: &RetryTarget,
    identities: Vec<String>,
    fingerprints: Vec<bytes::Bytes>,
) -> Result<(), Failure> {
    let request = v1::WatchIdentitiesRequest {
        table: target.table.clone(),
        identities,
        fingerprints,
    };
    let mut client = target.plugin.destination();
    let watched = tokio::select! {
        watched = client.watch_identities(request) => watched,
        () = context.cancel.cancelled() => return Err(Failure::Cancelled),
    };
    match watched {
        Ok(_) => Ok(()),
        // Without it, an old version could be sent over a newer one by the next run.
        Err(status) => {
            let error = longshore_protocol::status::from_status(&status);
            Err(target.plugin.explain(error).await.into())
        }
    }
}
