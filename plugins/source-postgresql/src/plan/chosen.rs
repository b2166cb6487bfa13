//! A few rows that somebody wants to see, by the values of a column.

use longshore_sdk::prelude::*;

use super::LARGE_TABLE_ROWS;
use crate::{
    catalog::{Column, Relation},
    names::literal,
    position::constant,
    work::Work,
};

/// One partition for each value: each is looked up by a statement of its own, which an index on the column answers.
///
/// # Errors
/// `row_column_missing`; `row_value_invalid` for a text that is no value of the column's type.
pub(super) fn plan(relation: &Relation, table: Table, rows: &RowSelection) -> Result<TablePlan> {
    let column = relation
        .column(&rows.column)
        .ok_or_else(|| relation.columns().missing(&rows.column, "row_column_missing"))?;
    let mut partitions = Vec::with_capacity(rows.values.len());
    for (index, value) in rows.values.iter().enumerate() {
        let work = Work::Chosen {
            column: column.name.clone(),
            value: wanted(relation, column, value)?,
        };
        partitions.push(work.into_partition(format!("row-{index}"), None)?);
    }
    let mut plan = TablePlan::new(table, partitions);
    let is_large = relation.estimated_rows.is_some_and(|rows| rows >= LARGE_TABLE_ROWS);
    if is_large && !relation.indexed.contains(&column.name) {
        plan.warnings.push(format!(
            "No index of {} begins with {}: the server searches all of it for each value.",
            relation.shown, column.name
        ));
    }
    Ok(plan)
}

/// The value as an SQL constant of the column's type. What has no type of ours is for the server to read.
fn wanted(relation: &Relation, column: &Column, value: &str) -> Result<String> {
    let Some(cursor_type) = column.cursor_type() else {
        return Ok(format!("{}::{}", literal(value), column.cast_name));
    };
    let value = cursor_type.parse(value).map_err(|error| {
        relation
            .columns()
            .row_value_invalid(&column.name, &column.type_name)
            .with_cause(&error)
    })?;
    Ok(constant(&value, &column.cast_name))
}
