//! How a table is read in a run.

mod full;
mod incremental;
mod order;

use std::sync::Arc;

use longshore_sdk::{arrow::datatypes::Schema, prelude::*};

use crate::{
    catalog::{self, Column, Relation},
    connection::Session,
    snapshot::Snapshot,
    spec::{Spec, options_pointer},
};

pub(crate) use incremental::{at_least, failed, null_cursors};
pub(crate) use order::missing_index;

/// What planning looks at.
pub(crate) struct Planning<'a> {
    pub(crate) session: &'a Session,
    pub(crate) spec: &'a Spec,
    pub(crate) snapshot: &'a Snapshot,
}

/// Beyond so many rows a missing index is worth a warning.
pub(crate) const LARGE_TABLE_ROWS: u64 = 1_000_000;

/// Plans a table for a new run, or checks that an interrupted run's plan still holds.
///
/// # Errors
/// What makes the table unreadable; the stored state stays as it is.
pub(crate) async fn plan(
    planning: &Planning<'_>,
    relation: &Relation,
    selection: &TableSelection,
) -> Result<TablePlan> {
    let spec = planning.spec;
    let table = offered(relation, spec)?;
    let Some(cursor) = spec.cursor_of(&relation.shown) else {
        return match &selection.resume {
            Some(resume) => Ok(TablePlan {
                table,
                ..resume.clone()
            }),
            None => full::plan(planning, relation, table).await,
        };
    };
    let cursor = cursor_column(relation, cursor)?;
    if let Some(state) = &selection.state {
        incremental::check_state(relation, cursor, state)?;
    }
    match &selection.resume {
        Some(resume) => Ok(TablePlan {
            table,
            ..resume.clone()
        }),
        None => incremental::plan(planning, relation, cursor, table, selection.state.as_ref()).await,
    }
}

/// `table_options` name a table that does not exist.
pub(crate) fn options_of_nothing(name: &str, cause: &Error) -> Error {
    Error::config(
        "table_options_unused",
        format!("`table_options` has options for {name}, which does not exist"),
    )
    .with_field(options_pointer(name))
    .with_remedy(cause.remedy.clone())
}

/// The table as it is offered to destinations.
///
/// # Errors
/// `column_missing`, `no_columns`.
pub(crate) fn offered(relation: &Relation, spec: &Spec) -> Result<Table> {
    let columns = relation.selected(spec)?;
    if columns.is_empty() {
        return Err(
            Error::source("no_columns", format!("{} has no columns to read", relation.shown))
                .with_table(&relation.shown),
        );
    }
    let selected = |name: &String| columns.iter().any(|column| column.name == *name);
    let mut candidates: Vec<(u8, &String)> = columns
        .iter()
        .filter_map(|column| Some((column.cursor_rank()?, &column.name)))
        .collect();
    candidates.sort();
    Ok(Table {
        name: relation.shown.clone(),
        schema: Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Vec<_>>())),
        // A part of a key identifies nothing.
        primary_key: if relation.key.iter().all(selected) {
            relation.key.clone()
        } else {
            Vec::new()
        },
        cursor: spec
            .cursor_of(&relation.shown)
            .filter(|cursor| relation.column(cursor).is_some())
            .map(str::to_owned),
        cursor_candidates: candidates.into_iter().map(|(_, name)| name.clone()).collect(),
        kind: relation.kind.name().to_owned(),
        estimated_rows: relation.estimated_rows,
        estimated_bytes: Some(relation.pages * relation.block_bytes).filter(|bytes| *bytes > 0),
    })
}

/// The cursor column, usable.
///
/// # Errors
/// `cursor_column_missing`, `cursor_unusable`.
pub(crate) fn cursor_column<'a>(relation: &'a Relation, name: &str) -> Result<&'a Column> {
    let Some(column) = relation.column(name) else {
        let mut error = relation.column_missing(name, "cursor_column_missing");
        error.message = format!("Table {} has no column {name}, which is its cursor", relation.shown);
        error
            .remedy
            .push_str(" Set the table's own `cursor` in `table_options`; `cursor: null` reads it whole in every run.");
        return Err(error);
    };
    if column.cursor_type().is_none() {
        let mut usable: Vec<(u8, &str)> = relation
            .columns
            .iter()
            .filter_map(|column| Some((column.cursor_rank()?, column.name.as_str())))
            .collect();
        usable.sort_unstable();
        let instead: Vec<&str> = usable.into_iter().map(|(_, name)| name).collect();
        let remedy = if instead.is_empty() {
            "Set the table's `cursor: null` to read it whole.".to_owned()
        } else {
            format!("Usable are: {}.", instead.join(", "))
        };
        return Err(Error::config(
            "cursor_unusable",
            format!(
                "Column {name} of table {} has the type {}, which can not serve as a cursor",
                relation.shown, column.type_name
            ),
        )
        .with_table(&relation.shown)
        .with_remedy(remedy));
    }
    Ok(column)
}

/// The relation with a name, described and checked.
pub(crate) async fn relation(planning: &Planning<'_>, table: &str) -> Result<Relation> {
    catalog::relation(planning.session, planning.spec, table).await
}
