//! Which rows a replay sends, and what speaks against it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use longshore_core::Error;
use longshore_state::{Reject, RejectFilter, RejectStatus, RowPlace, StateStore};

use super::Replay;
use crate::{engine::retry::RetryTarget, figures::counted};

/// Rejects that are read at once.
const PAGE: u32 = 5_000;

/// A row with its rejects.
pub(super) struct RejectedRow {
    /// One for the whole row, or one for each column that was left out; oldest first.
    pub(super) ids: Vec<i64>,
    pub(super) table: String,
    pub(super) destination: String,
    /// The table as the row came.
    pub(super) row_table: i64,
    /// The row was not delivered; otherwise it was, without some columns.
    whole_row: bool,
    /// The column of what the row would replace; `None`: it is not known what.
    identity_column: Option<String>,
}

/// The rows of a replay, oldest first.
pub(super) struct Selection {
    pub(super) rows: Vec<RejectedRow>,
    /// Rejects that match and have no row.
    without_row: u64,
}

impl Selection {
    pub(super) fn warning(&self) -> Option<String> {
        (self.without_row > 0).then(|| {
            format!(
                "{} without a row (`rejects: {{ values: omit }}`, a destination that hands none over, or the ledger's bound) and can not be sent again",
                counted(self.without_row, "reject is", "rejects are")
            )
        })
    }
}

/// The pending rejects that a replay means, by row. All of a row's rejects go with it: it is delivered as a whole.
///
/// # Errors
/// - `reject_not_pending`: one that is asked for by its number does not exist, or something came of it.
/// - `row_not_kept`: one that is asked for by its number has no row.
/// - `nothing_to_replay`.
pub(super) async fn select(store: &dyn StateStore, sync: &str, replay: &Replay) -> Result<Selection, Error> {
    let filter = RejectFilter {
        sync: Some(sync.to_owned()),
        status: Some(RejectStatus::Pending),
        ..replay.filter.clone()
    };
    let meant: BTreeSet<i64> = all(store, filter).await?.into_iter().map(|reject| reject.id).collect();
    let asked = replay.filter.ids.iter().flatten();
    if let Some(id) = asked.copied().find(|id| !meant.contains(id)) {
        let message = format!("The reject {id} is not pending in the ledger of sync {sync}");
        return Err(Error::config("reject_not_pending", message)
            .with_remedy("`longshore rejects show` says what became of it. Nothing was sent."));
    }
    let pending = RejectFilter {
        sync: Some(sync.to_owned()),
        table: replay.filter.table.clone(),
        destination: replay.filter.destination.clone(),
        status: Some(RejectStatus::Pending),
        ..RejectFilter::default()
    };
    let selection = group(all(store, pending).await?, &meant);
    for row in &selection.rows {
        let mut mended = row.ids.iter().filter_map(|id| replay.mended.get(id));
        let first = mended.next();
        if mended.any(|other| Some(other) != first) {
            let message = format!(
                "The row of reject {} was mended in two ways: several rejects are about it",
                row.ids[0]
            );
            return Err(Error::config("mended_twice", message)
                .with_remedy("Mend it in one of their lines and remove the others. Nothing was sent."));
        }
    }
    if selection.without_row > 0 && replay.filter.ids.is_some() {
        let message = "A reject that is to be sent again is without its row";
        return Err(Error::config("row_not_kept", message).with_remedy(
            "`longshore rejects show` says so of each. Leave it out, or let its cursor move. Nothing was sent.",
        ));
    }
    if selection.rows.is_empty() {
        let message = match selection.without_row {
            0 => format!("The ledger of sync {sync} has no pending reject like this"),
            1 => format!("The ledger of sync {sync} has one pending reject like this, without its row"),
            rejects => {
                format!("The ledger of sync {sync} has {rejects} pending rejects like this, all without their rows")
            }
        };
        return Err(Error::config("nothing_to_replay", message)
            .with_remedy("`longshore rejects list --status pending` shows what there is."));
    }
    Ok(selection)
}

/// Everything that matches, oldest first.
async fn all(store: &dyn StateStore, mut filter: RejectFilter) -> Result<Vec<Reject>, Error> {
    let mut found = Vec::new();
    loop {
        let page = store.list_rejects(&filter, PAGE).await?;
        filter.before = page.last().map(|reject| reject.id);
        let was_last = page.len() < PAGE as usize;
        found.extend(page);
        if was_last {
            found.reverse();
            return Ok(found);
        }
    }
}

fn group(pending: Vec<Reject>, meant: &BTreeSet<i64>) -> Selection {
    let mut rows = BTreeMap::<i64, RejectedRow>::new();
    let mut places = HashMap::<RowPlace, i64>::new();
    let mut without_row = 0;
    for reject in pending {
        let is_meant = meant.contains(&reject.id);
        let Some(row_table) = reject.row_table.filter(|_| reject.row_kept) else {
            without_row += u64::from(is_meant);
            continue;
        };
        let first = *places.entry(reject.place()).or_insert(reject.id);
        let row = rows.entry(first).or_insert_with(|| RejectedRow {
            ids: Vec::new(),
            table: reject.table,
            destination: reject.reject.destination,
            row_table,
            whole_row: reject.reject.whole_row,
            identity_column: (!reject.reject.identity.is_empty()).then_some(reject.reject.identity_column),
        });
        row.ids.push(reject.id);
        row.whole_row |= reject.reject.whole_row;
    }
    let rows = rows
        .into_values()
        .filter(|row| row.ids.iter().any(|id| meant.contains(id)));
    Selection {
        rows: rows.collect(),
        without_row,
    }
}

/// Refuses what would do harm, unless the user insists.
///
/// # Errors
/// - `would_repeat`: rows that were delivered without a column would be there twice.
/// - `newer_unknown`: the destination does not say when a newer row was delivered.
pub(super) fn check(
    rows: &[RejectedRow],
    targets: &BTreeMap<(String, String), RetryTarget>,
    insist: bool,
) -> Result<(), Error> {
    if insist {
        return Ok(());
    }
    for row in rows {
        let Some(target) = targets.get(&(row.table.clone(), row.destination.clone())) else {
            continue;
        };
        let (table, destination) = (&row.table, &row.destination);
        if !row.whole_row && !target.redelivery_is_idempotent {
            let message = format!(
                "The reject {} is of a column: the rest of the row is at {destination} already, which adds rows, so that it would be there twice",
                row.ids[0]
            );
            return Err(Error::config("would_repeat", message)
                .with_table(table)
                .with_remedy(
                    "Choose others, with --sync, --table, --destination or --id, or add --insist to send it all the same. Nothing of this sync was sent.",
                ));
        }
        if target.redelivery_is_idempotent && !target.reports_superseded() {
            let message = format!(
                "The destination {destination} replaces rows and does not say when a newer one was delivered, so the reject {} may be an old version",
                row.ids[0]
            );
            return Err(Error::config("newer_unknown", message)
                .with_table(table)
                .with_remedy("Make sure that it is not, and add --insist. Nothing was sent."));
        }
    }
    Ok(())
}

/// Says of how many rows nobody knows whether a newer version was delivered, because they were refused for what would tell which one they are.
pub(super) fn unknown_versions(
    rows: &[RejectedRow],
    targets: &BTreeMap<(String, String), RetryTarget>,
) -> Option<String> {
    let version_is_unknown = |row: &&RejectedRow| {
        let target = targets.get(&(row.table.clone(), row.destination.clone()));
        target.is_some_and(|target| {
            target.redelivery_is_idempotent && row.identity_column.as_ref() != Some(&target.identity_column)
        })
    };
    let unknown = rows.iter().filter(version_is_unknown);
    let ids: Vec<String> = unknown.map(|row| row.ids[0].to_string()).collect();
    let first = ids.get(..ids.len().min(5)).unwrap_or_default().join(", ");
    (!ids.is_empty()).then(|| {
        format!(
            "{} ({first}{}) had no usable id at the destination when refused, so it is not known whether a newer version was delivered since: what is replaced is as old as what \
             replaces it",
            counted(ids.len() as u64, "rejected row", "rejected rows"),
            if ids.len() > 5 { ", …" } else { "" }
        )
    })
}
