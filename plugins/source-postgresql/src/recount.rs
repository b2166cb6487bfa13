//! What is there already when a run is planned: of the rows that the last run delivered, where it could not remember them one by one; of a table whose first
//! run begins with what comes.

use longshore_sdk::{
    core::fingerprints::Reconciled,
    incremental::{Baseline, Recount, RowMarks},
    prelude::*,
};

use crate::{
    catalog::{Column, Relation},
    copy::CopyMessages,
    decode::RowFinder,
    plan::{Planning, failed},
    read::fingerprint,
    statement::{Request, Statement, counted, there},
    work::Ordered,
};

/// Counts the rows of the work that lie up to the stored cursor, as a run of it would read them, in the planning's snapshot. `None`: what changed can not
/// be told.
///
/// # Errors
/// What the server says.
pub(crate) async fn count(
    planning: &Planning<'_>,
    relation: &Relation,
    work: &Ordered,
    mut recount: Recount,
) -> Result<Option<Reconciled>> {
    let selected = relation.selected(planning.spec)?;
    let statement = counted(work, &recount.up_to, &request(planning, relation, &selected))?;
    let census = &mut recount.census;
    each_row(planning, relation, &statement, |hash, marks| {
        census.count(hash, marks.again);
    })
    .await?;
    Ok(recount.census.finish())
}

/// Takes the rows of the work that are there, in the planning's snapshot.
///
/// # Errors
/// What the server says.
pub(crate) async fn baseline(planning: &Planning<'_>, relation: &Relation, work: &Ordered) -> Result<Baseline> {
    let selected = relation.selected(planning.spec)?;
    let statement = there(work, &request(planning, relation, &selected))?;
    let mut baseline = Baseline::default();
    if statement.marks.again.is_some() {
        each_row(planning, relation, &statement, |hash, marks| baseline.take(hash, marks)).await?;
    }
    Ok(baseline)
}

fn request<'a>(planning: &'a Planning<'_>, relation: &'a Relation, selected: &'a [Column]) -> Request<'a> {
    Request {
        relation,
        selected,
        filter: relation.filter(planning.spec),
        snapshot: planning.snapshot,
        resume_from: None,
        continued: None,
    }
}

/// Hands over what each row is known by, and where its cursor lies.
async fn each_row(
    planning: &Planning<'_>,
    relation: &Relation,
    statement: &Statement,
    mut take: impl FnMut(u64, RowMarks),
) -> Result<()> {
    let mut messages = CopyMessages::of(planning.session, &statement.sql, |error| failed(error, relation)).await?;
    let mut rows = RowFinder::default();
    while let Some(message) = messages.next().await? {
        let mut at = 0;
        while at < message.len() {
            let Some(end) = rows.find(&message, at, statement.columns)? else {
                break;
            };
            let row = rows.row(&message, at);
            take(fingerprint(row, statement.identity), statement.marks.of(row));
            at = end;
        }
    }
    Ok(())
}
