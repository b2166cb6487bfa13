//! How a table is read in a run.

mod chosen;
mod full;
mod incremental;
mod range;
mod slices;

use longshore_sdk::prelude::*;

use crate::{
    catalog::{Column, Relation},
    probe::Probe,
    source_state::SourceState,
    spec::Spec,
};

/// A plan stays small however large its table is.
const MAX_PARTITIONS: u64 = 64;

/// What planning looks at.
pub(crate) struct Planning<'a> {
    pub(crate) probe: Probe<'a>,
    pub(crate) spec: &'a Spec,
}

/// Plans a table for a new run, or checks that an interrupted run's plan still holds.
///
/// # Errors
/// What makes the table unreadable; the stored state stays as it is.
pub(crate) async fn plan(planning: &Planning<'_>, table: Table, selection: &TableSelection) -> Result<TablePlan> {
    let relation = planning.probe.relation;
    if let Some(rows) = &selection.rows {
        return chosen::plan(relation, table, rows);
    }
    let cursor = planning.spec.cursor_of(&relation.shown);
    let cursor = cursor.map(|cursor| relation.cursor(cursor)).transpose()?;
    if let (Some((_, described)), Some(state)) = (&cursor, &selection.state) {
        let was = SourceState::of(state)?.map(|state| state.cursor_type);
        described.check_state(state, was.as_deref())?;
    }
    if let Some(resume) = &selection.resume {
        return Ok(TablePlan {
            table,
            ..resume.clone()
        });
    }
    match (cursor, &selection.range) {
        (Some(cursor), None) => incremental::plan(planning, cursor, table, selection.state.as_ref()).await,
        (Some(cursor), Some(range)) => range::plan(planning, cursor, table, range).await,
        (None, None) => full::plan(planning, table).await,
        (None, Some(_)) => Err(Error::config(
            "range_without_cursor",
            format!("Table {} has no cursor that a range could be of", relation.shown),
        )
        .with_table(&relation.shown)
        .with_remedy("Set `cursor`, or leave the table out of the range.")),
    }
}

/// Columns that make the order total with the cursor, where their values can be put into a position.
fn order_key(relation: &Relation, cursor: &Column) -> Vec<String> {
    let usable = |name: &String| {
        relation
            .column(name)
            .is_some_and(|column| column.position_type().is_some() && !column.is_nullable())
    };
    let key = if relation.key().is_empty() {
        &relation.sorting_key
    } else {
        relation.key()
    };
    if !key.iter().all(usable) {
        return Vec::new();
    }
    key.iter().filter(|name| **name != cursor.name).cloned().collect()
}

/// Whether no two rows share the cursor and these columns.
fn is_unique(relation: &Relation, cursor: &Column, key: &[String]) -> bool {
    let mut columns = key.to_vec();
    columns.push(cursor.name.clone());
    !key.is_empty() && relation.is_unique(&columns)
}
