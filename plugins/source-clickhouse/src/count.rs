//! How many rows a run is going to read, and how many of them are old: one query.

use std::collections::BTreeSet;

use longshore_sdk::{
    arrow::{array::AsArray as _, datatypes::UInt64Type},
    core::interval::Interval,
    incremental::read_descriptor,
    prelude::*,
};

use crate::{
    connection::{Connector, Statement},
    position::Parameters,
    predicate::{ordered, unsettled},
    run::{Run, RunTable},
    statement::column,
    stream::ArrowStream,
    work::Work,
};

/// What makes a count of a table whose engine merges rows an estimate.
const SUPERSEDED: &str = "rows that are superseded by others and not merged away yet are counted too";

/// Counts the rows of a run's table. Whoever stops waiting has the query ended at the server.
///
/// # Errors
/// `count_column_unusable`: the column has no times. What the server says.
pub(crate) async fn count(connector: &Connector, run: &Run, table: &RunTable, wanted: &CountRows) -> Result<RowCount> {
    let relation = &table.relation;
    let mut parameters = Parameters::default();
    let old = is_old(&mut parameters, table, wanted)?;
    let Some(rows) = selected(&mut parameters, table)? else {
        return Ok(RowCount::default());
    };
    let conditions = std::iter::once(rows)
        .chain(relation.state_condition())
        .chain(table.filter.clone());
    let statement = Statement {
        sql: format!(
            "SELECT count() AS {}, countIf({old}) AS {} FROM {} WHERE {}",
            relation.alias(0),
            relation.alias(1),
            relation.from,
            conditions.collect::<Vec<_>>().join(" AND ")
        ),
        parameters: parameters.into_vec(),
        settings: vec![("max_execution_time", wanted.timeout.as_secs().max(1).to_string())],
    };
    let query = run.queries.begin(&wanted.run_id);
    let doing = format!("counting rows of table {}", relation.shown);
    let of_table = |error: Error| error.with_table(&relation.shown);
    let cursor = connector
        .arrow(&run.server, &statement, Some(&query.id), &doing)
        .map_err(of_table)?;
    let mut stream = ArrowStream::begin(cursor, doing).await.map_err(of_table)?;
    let mut counted = None;
    while let Some(batch) = stream.next().await.map_err(of_table)? {
        let number = |place: usize| Some(batch.column(place).as_primitive_opt::<UInt64Type>()?.value(0));
        if batch.num_rows() > 0 {
            counted = number(0).zip(number(1));
        }
    }
    query.finish();
    let (rows, before) = counted.ok_or_else(|| {
        Error::source(
            "schema_unexpected",
            format!("The server did not say how many rows table {} has", relation.shown),
        )
    })?;
    Ok(RowCount {
        rows,
        before,
        estimated: relation.merged.then(|| SUPERSEDED.to_owned()),
    })
}

/// The condition for an old row. NULL, where a value is none or can not be read as a time: such a row is not old.
fn is_old(parameters: &mut Parameters, table: &RunTable, wanted: &CountRows) -> Result<String> {
    let names = table.relation.names();
    let column = table
        .relation
        .column(&wanted.column)
        .ok_or_else(|| names.missing(&wanted.column, "count_column_unusable"))?;
    let name = column.sql();
    let time = match column.of.bare().name.as_str() {
        "DateTime" | "DateTime64" => name,
        "Date" | "Date32" => format!("toDateTime64({name}, 0, 'UTC')"),
        "String" => format!("parseDateTime64BestEffortOrNull({name}, 6, 'UTC')"),
        _ => return Err(names.no_times(&column.name, &column.of.text)),
    };
    Ok(format!("{time} < {}", parameters.instant(&wanted.before)))
}

/// Which rows the run reads; `None`: none at all. Partitions that divide the same rows share their condition.
fn selected(parameters: &mut Parameters, table: &RunTable) -> Result<Option<String>> {
    let relation = &table.relation;
    let mut alternatives = BTreeSet::new();
    let mut is_ordered = false;
    for partition in &table.partitions {
        let work: Work = read_descriptor(&partition.descriptor)?;
        if work.reads_nothing().is_some() {
            continue;
        }
        match work {
            Work::LeftOut { .. } => {}
            Work::Whole | Work::Slice { .. } => {
                alternatives.insert("1".to_owned());
            }
            Work::NullCursors { cursor } => {
                alternatives.insert(format!("{} IS NULL", column(relation, &cursor)?.sql()));
            }
            Work::Chosen { .. } => {
                return Err(Error::protocol(
                    "count_of_chosen_rows",
                    "Rows that were chosen one by one are not counted",
                ));
            }
            // The pieces of what is new are counted as a whole.
            Work::Ordered(_) if is_ordered => {}
            Work::Ordered(mut work) => {
                is_ordered = true;
                // A range that somebody names is in its pieces alone.
                if work.up_to.is_some() {
                    work.within = Interval::default();
                } else {
                    work.within = whole_range(table)?;
                }
                let cursor = column(relation, &work.cursor)?;
                let mut conditions = ordered(parameters, cursor, &work);
                if let Some(interval) = &work.unsettled {
                    conditions.push(format!("NOT {}", unsettled(parameters, cursor, interval)));
                }
                alternatives.insert(match conditions.is_empty() {
                    true => "1".to_owned(),
                    false => format!("({})", conditions.join(" AND ")),
                });
            }
        }
    }
    let alternatives: Vec<String> = alternatives.into_iter().collect();
    Ok((!alternatives.is_empty()).then(|| format!("({})", alternatives.join(" OR "))))
}

/// From the beginning of the first piece to the end of the last: the pieces touch.
fn whole_range(table: &RunTable) -> Result<Interval> {
    let mut range: Option<Interval> = None;
    for partition in &table.partitions {
        if let Work::Ordered(work) = read_descriptor(&partition.descriptor)? {
            range = Some(match range {
                Some(range) => Interval {
                    from: range.from,
                    to: work.within.to,
                },
                None => work.within,
            });
        }
    }
    Ok(range.unwrap_or_default())
}
