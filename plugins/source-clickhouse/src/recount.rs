//! Counts what is there of the rows that the last run delivered, where it could not remember them one by one.

use longshore_sdk::{
    arrow::{
        array::AsArray as _,
        datatypes::{SchemaRef, UInt8Type},
    },
    core::fingerprints::Reconciled,
    incremental::Recount,
    prelude::*,
};

use crate::{
    fingerprint::Fingerprinter,
    plan::Planning,
    read::delivered,
    statement::{Reading, Request, counted},
    stream::ArrowStream,
    text::TextReader,
    work::Ordered,
};

/// Counts the rows of the work that lie up to the stored cursor, as a run of it would read them. `schema` is that of the delivered rows. `None`: what changed can not be told.
///
/// # Errors
/// What the server says.
pub(crate) async fn count(
    planning: &Planning<'_>,
    schema: &SchemaRef,
    work: &Ordered,
    mut recount: Recount,
) -> Result<Option<Reconciled>> {
    let probe = &planning.probe;
    let table = &probe.relation.shown;
    let of_table = |error: Error| error.with_table(table);
    let selected = probe.relation.selected(planning.spec)?;
    let request = Request {
        server: probe.server,
        relation: probe.relation,
        selected: &selected,
        filter: probe.filter.clone(),
        resume_from: None,
    };
    let Reading {
        statement,
        identity,
        marks,
        ..
    } = counted(work, &recount.up_to, &request)?;
    let doing = format!("counting rows of table {table}");
    let _permit = probe.connector.permit().await;
    let cursor = probe.connector.arrow(probe.server, &statement, None, &doing);
    let mut stream = ArrowStream::begin(cursor.map_err(of_table)?, doing)
        .await
        .map_err(of_table)?;
    let mut fingerprinter = Fingerprinter::new(identity);
    let mut text = TextReader::new(planning.spec.invalid_utf8);
    while let Some(sent) = stream.next().await.map_err(of_table)? {
        // What can not be delivered can not have been: the run itself says what is wrong.
        let Ok(batch) = delivered(&mut text, schema, &sent)? else {
            return Ok(None);
        };
        let Some(fingerprints) = fingerprinter.of(&sent, &batch, 0..batch.num_rows())? else {
            return Ok(None);
        };
        let again = marks.again.map(|column| sent.column(column));
        let again = again.and_then(|column| column.as_primitive_opt::<UInt8Type>());
        for row in 0..batch.num_rows() {
            let again = again.is_some_and(|again| again.value(row) != 0);
            recount.census.count(fingerprints.of(row), again);
        }
    }
    Ok(recount.census.finish())
}
