//! A few rows that somebody wants to see, by the values of a column.

use longshore_sdk::prelude::*;

use crate::{catalog::Relation, work::Work};

/// Beyond so many rows it is worth saying that the server looks at all of them.
const LARGE_TABLE_ROWS: u64 = 1_000_000;

/// One partition for each value.
///
/// # Errors
/// `row_column_missing`; `row_column_unusable` for a column that is no string, number, date, time or UUID; `row_value_invalid` for a text that is no value of its
/// type.
pub(super) fn plan(relation: &Relation, table: Table, rows: &RowSelection) -> Result<TablePlan> {
    let names = relation.names();
    let column = relation
        .column(&rows.column)
        .ok_or_else(|| names.missing(&rows.column, "row_column_missing"))?;
    let of = &column.of.text;
    let value_type = column.position_type().ok_or_else(|| {
        Error::config(
            "row_column_unusable",
            format!(
                "Rows of table {} can not be looked up by column {}, which is {of}",
                relation.shown, column.name
            ),
        )
        .with_table(&relation.shown)
        .with_remedy("Name a column of strings, whole numbers, decimals, dates, times or UUIDs.")
    })?;
    let mut partitions = Vec::with_capacity(rows.values.len());
    for (index, value) in rows.values.iter().enumerate() {
        let value = value_type
            .parse(value)
            .map_err(|error| names.row_value_invalid(&column.name, of).with_cause(&error))?;
        let work = Work::Chosen {
            column: column.name.clone(),
            value,
        };
        partitions.push(work.into_partition(format!("row-{index}"), None)?);
    }
    let mut plan = TablePlan::new(table, partitions);
    let is_large = relation.estimated_rows.is_some_and(|rows| rows >= LARGE_TABLE_ROWS);
    if is_large && !relation.is_sorted_by(&column.name) {
        plan.warnings.push(format!(
            "{} is not sorted by {}: the server may look at all of it for each value.",
            relation.shown, column.name
        ));
    }
    Ok(plan)
}
