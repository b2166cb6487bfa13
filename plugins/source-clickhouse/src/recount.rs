//! What is there already when a run is planned: of the rows that the last run delivered, where it could not remember them one by one; of a table whose first
//! run begins with what comes.

use longshore_sdk::{
    arrow::{
        array::{AsArray as _, UInt8Array},
        datatypes::UInt8Type,
    },
    core::fingerprints::Reconciled,
    incremental::{Baseline, Recount, RowMarks},
    prelude::*,
};

use crate::{
    catalog::Column,
    fingerprint::Fingerprinter,
    plan::Planning,
    read::{delivered, unfit},
    statement::{Reading, Request, counted, there},
    stream::ArrowStream,
    text::{TextReader, Unfit},
    work::Ordered,
};

/// Why rows have no fingerprints.
enum Unknown {
    /// A value of this column can not be delivered; the second number is that of the batch's first row.
    Unfit(String, Unfit, u64),
    /// A column has no form that could be compared.
    Incomparable,
}

/// Counts the rows of the work that lie up to the stored cursor, as a run of it would read them; `table` is as it is delivered. `None`: what changed can not be
/// told.
///
/// # Errors
/// What the server says.
pub(crate) async fn count(
    planning: &Planning<'_>,
    table: &Table,
    work: &Ordered,
    mut recount: Recount,
) -> Result<Option<Reconciled>> {
    let selected = planning.probe.relation.selected(planning.spec)?;
    let reading = counted(work, &recount.up_to, &request(planning, &selected))?;
    let census = &mut recount.census;
    let counted = each_row(planning, table, reading, |hash, marks| {
        census.count(hash, marks.again);
    });
    match counted.await? {
        Ok(()) => Ok(recount.census.finish()),
        // What can not be delivered can not have been: the run itself says what is wrong.
        Err(Unknown::Unfit(..) | Unknown::Incomparable) => Ok(None),
    }
}

/// Takes the rows of the work that are there; `table` is as it is delivered. Rows that can not be compared are not taken: they are new to every run.
///
/// # Errors
/// What the server says; `text_not_utf8`.
pub(crate) async fn baseline(planning: &Planning<'_>, table: &Table, work: &Ordered) -> Result<Baseline> {
    let selected = planning.probe.relation.selected(planning.spec)?;
    let reading = there(work, &request(planning, &selected))?;
    let mut baseline = Baseline::default();
    let taken = each_row(planning, table, reading, |hash, marks| baseline.take(hash, marks));
    match taken.await? {
        Ok(()) => Ok(baseline),
        Err(Unknown::Incomparable) => Ok(Baseline::default()),
        Err(Unknown::Unfit(column, reason, first)) => {
            let name = &planning.probe.relation.shown;
            Err(unfit(name, &column, reason, |row| {
                format!("row number {} of those that are there", first + row as u64 + 1)
            })
            .with_table(name))
        }
    }
}

fn request<'a>(planning: &Planning<'a>, selected: &'a [Column]) -> Request<'a> {
    let probe = &planning.probe;
    Request {
        server: probe.server,
        relation: probe.relation,
        selected,
        filter: probe.filter.clone(),
        resume_from: None,
    }
}

/// Hands over what each row is known by, and where its cursor lies.
async fn each_row(
    planning: &Planning<'_>,
    table: &Table,
    reading: Reading,
    mut take: impl FnMut(u64, RowMarks),
) -> Result<Result<(), Unknown>> {
    let probe = &planning.probe;
    let of_table = |error: Error| error.with_table(&probe.relation.shown);
    let doing = format!("counting rows of table {}", probe.relation.shown);
    let _permit = probe.connector.permit().await;
    let cursor = probe.connector.arrow(probe.server, &reading.statement, None, &doing);
    let mut stream = ArrowStream::begin(cursor.map_err(of_table)?, doing)
        .await
        .map_err(of_table)?;
    let mut fingerprinter = Fingerprinter::new(reading.identity);
    let mut text = TextReader::new(planning.spec.invalid_utf8);
    let mut rows = 0;
    while let Some(sent) = stream.next().await.map_err(of_table)? {
        let batch = match delivered(&mut text, &table.schema, &sent)? {
            Ok(batch) => batch,
            Err((column, reason)) => return Ok(Err(Unknown::Unfit(column.to_owned(), reason, rows))),
        };
        let Some(fingerprints) = fingerprinter.of(&sent, &batch, 0..batch.num_rows())? else {
            return Ok(Err(Unknown::Incomparable));
        };
        let marks = reading.marks;
        let [again, ahead, behind, unsettled] =
            [marks.again, marks.ahead, marks.behind, marks.unsettled].map(|column| {
                let values = column.map(|column| sent.column(column));
                values.and_then(|values| values.as_primitive_opt::<UInt8Type>())
            });
        for row in 0..batch.num_rows() {
            let is_set = |flags: Option<&UInt8Array>| flags.is_some_and(|flags| flags.value(row) != 0);
            let marks = RowMarks {
                again: is_set(again),
                ahead: is_set(ahead),
                behind: is_set(behind),
                unsettled: is_set(unsettled),
            };
            take(fingerprints.of(row), marks);
        }
        rows += batch.num_rows() as u64;
    }
    Ok(Ok(()))
}
