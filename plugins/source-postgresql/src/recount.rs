//! Counts what is there of the rows that the last run delivered, where it could not remember them one by one.

use longshore_sdk::{core::fingerprints::Reconciled, incremental::Recount, prelude::*};

use crate::{
    catalog::Relation,
    copy::CopyMessages,
    decode::RowFinder,
    plan::{Planning, failed},
    read::fingerprint,
    statement::{Request, counted},
    work::Ordered,
};

/// Counts the rows of the work that lie up to the stored cursor, as a run of it would read them, in the planning's snapshot. `None`: what changed can not be told.
///
/// # Errors
/// What the server says.
pub(crate) async fn count(
    planning: &Planning<'_>,
    relation: &Relation,
    work: &Ordered,
    mut recount: Recount,
) -> Result<Option<Reconciled>> {
    let request = Request {
        relation,
        selected: &relation.selected(planning.spec)?,
        filter: relation.filter(planning.spec),
        snapshot: planning.snapshot,
        resume_from: None,
        with_moved: None,
    };
    let statement = counted(work, &recount.up_to, &request)?;
    let mut messages = CopyMessages::of(planning.session, &statement.sql, |error| failed(error, relation)).await?;
    let mut rows = RowFinder::default();
    while let Some(message) = messages.next().await? {
        let mut at = 0;
        while at < message.len() {
            let Some(end) = rows.find(&message, at, statement.columns)? else {
                break;
            };
            let row = rows.row(&message, at);
            let again = statement.marks.again.and_then(|column| row.field(column));
            let hash = fingerprint(row, statement.identity);
            recount.census.count(hash, again == Some(&[1]));
            at = end;
        }
    }
    Ok(recount.census.finish())
}
