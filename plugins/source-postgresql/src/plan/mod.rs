//! How a table is read in a run.

mod chosen;
mod full;
mod incremental;
mod order;

use std::sync::Arc;

use longshore_sdk::{arrow::datatypes::Schema, core::cursor::CursorType, incremental::CursorColumn, prelude::*};

use crate::{
    catalog::{self, Column, Relation},
    connection::Session,
    probe,
    snapshot::Snapshot,
    source_state::SourceState,
    spec::Spec,
};

pub(crate) use incremental::failed;
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
    // Before anything is looked up in the table: from here on nobody rewrites it.
    probe::may_read(planning.session, spec, relation).await?;
    if let Some(rows) = &selection.rows {
        return chosen::plan(relation, table, rows);
    }
    let Some(cursor) = spec.cursor_of(&relation.shown) else {
        if selection.range.is_some() {
            return Err(Error::config(
                "range_without_cursor",
                format!("Table {} has no cursor that a range could be of", relation.shown),
            )
            .with_table(&relation.shown)
            .with_remedy("Set `cursor`, or leave the table out of the range."));
        }
        return match &selection.resume {
            Some(resume) => Ok(TablePlan {
                table,
                ..resume.clone()
            }),
            None => full::plan(planning, relation, table).await,
        };
    };
    let (cursor, cursor_type) = cursor_column(relation, cursor)?;
    let described = described(relation, cursor, cursor_type);
    if let Some(state) = &selection.state {
        let was = SourceState::of(state)?.map(|state| state.cursor_type);
        described.check_state(state, was.as_deref())?;
    }
    match &selection.resume {
        Some(resume) => Ok(TablePlan {
            table,
            ..resume.clone()
        }),
        None => incremental::plan(planning, relation, (cursor, described), table, selection).await,
    }
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

/// The cursor column with the type of its values.
///
/// # Errors
/// `cursor_column_missing`, `cursor_unusable`.
pub(crate) fn cursor_column<'a>(relation: &'a Relation, name: &str) -> Result<(&'a Column, CursorType)> {
    let Some(column) = relation.column(name) else {
        return Err(relation.columns().cursor_missing(name));
    };
    let Some(cursor_type) = column.cursor_type() else {
        let mut usable: Vec<(u8, &str)> = relation
            .columns
            .iter()
            .filter_map(|column| Some((column.cursor_rank()?, column.name.as_str())))
            .collect();
        usable.sort_unstable();
        let instead: Vec<&str> = usable.into_iter().map(|(_, name)| name).collect();
        return Err(CursorColumn::unusable(
            &relation.shown,
            name,
            &column.type_name,
            &instead,
        ));
    };
    Ok((column, cursor_type))
}

/// The cursor column as messages name it.
pub(crate) fn described<'a>(relation: &'a Relation, cursor: &'a Column, cursor_type: CursorType) -> CursorColumn<'a> {
    CursorColumn {
        table: &relation.shown,
        name: &cursor.name,
        type_name: &cursor.type_name,
        cursor_type,
    }
}

/// The relation with a name, described and checked.
pub(crate) async fn relation(planning: &Planning<'_>, table: &str) -> Result<Relation> {
    catalog::relation(planning.session, planning.spec, table).await
}
