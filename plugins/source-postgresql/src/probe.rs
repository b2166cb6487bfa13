//! Questions about a table and its cursor.

use std::error::Error as StdError;

use longshore_sdk::{core::cursor::CursorType, incremental::CursorColumn, prelude::*};
use tokio_postgres::types::{FromSql, Type};

use crate::{
    catalog::{Column, Relation},
    connection::Session,
    plan::{Planning, failed},
    position::{constant, value_of},
    spec::Spec,
};

/// A value as it came over the wire.
struct Wire(Vec<u8>);

impl<'a> FromSql<'a> for Wire {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The expression that [`value_of`] reads: decimals as text, everything else as it is.
pub(crate) fn cursor_expression(column: &Column, cursor_type: CursorType) -> String {
    if cursor_type == CursorType::Decimal {
        format!("{}::pg_catalog.text", column.sql())
    } else {
        column.sql()
    }
}

/// The conditions for a cursor in a range.
pub(crate) fn in_range(cursor: &Column, range: &CursorRange) -> Vec<String> {
    let name = cursor.sql();
    let compared =
        |operator: &str, value: &CursorValue| format!("{name} {operator} {}", constant(value, &cursor.cast_name));
    std::iter::once(format!("{name} IS NOT NULL"))
        .chain(range.from.as_ref().map(|from| compared(">=", from)))
        .chain(range.to.as_ref().map(|to| compared("<", to)))
        .collect()
}

/// Values of `numeric` that are none. They come in no order with others here, and the cursor must not stop at one.
const NO_NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// See [`NO_NUMBERS`].
pub(crate) fn is_no_number(value: &CursorValue) -> bool {
    matches!(value, CursorValue::Decimal(text) if NO_NUMBERS.contains(&text.as_str()))
}

/// The condition for a `numeric` cursor that is a number.
pub(crate) fn is_a_number(cursor: &Column) -> String {
    format!(
        "{}::pg_catalog.text <> ALL ('{{{}}}'::pg_catalog.text[])",
        cursor.sql(),
        NO_NUMBERS.join(",")
    )
}

/// The greatest cursor of the rows that meet these conditions.
pub(crate) async fn newest(
    planning: &Planning<'_>,
    relation: &Relation,
    cursor: &Column,
    described: &CursorColumn<'_>,
    mut conditions: Vec<String>,
) -> Result<Option<CursorValue>> {
    let name = cursor.sql();
    conditions.extend(relation.filter(planning.spec));
    // `max` does not exist for every type that an index orders.
    let statement = format!(
        "SELECT {} AS \"longshore newest\" FROM {} WHERE {} ORDER BY {name} DESC LIMIT 1",
        cursor_expression(cursor, described.cursor_type),
        relation.rows_clause(),
        conditions.join(" AND ")
    );
    let row = planning
        .session
        .query_opt(&statement, &[])
        .await
        .map_err(|error| failed(&error, relation))?;
    row.map(|row| value_of(described.cursor_type, &row.get::<_, Wire>(0).0))
        .transpose()
}

/// How many rows have no cursor.
pub(crate) async fn null_cursors(session: &Session, spec: &Spec, relation: &Relation, cursor: &Column) -> Result<u64> {
    let mut conditions = vec![format!("{} IS NULL", cursor.sql())];
    conditions.extend(relation.filter(spec));
    let statement = format!(
        "SELECT pg_catalog.count(*) FROM {} WHERE {}",
        relation.rows_clause(),
        conditions.join(" AND ")
    );
    let row = session
        .query_one(&statement, &[])
        .await
        .map_err(|error| failed(&error, relation))?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}

/// Whether the columns to deliver may be read. In a transaction, it also locks every table that they come from (ACCESS SHARE, as reading them does).
pub(crate) async fn may_read(session: &Session, spec: &Spec, relation: &Relation) -> Result<()> {
    let columns: Vec<String> = relation.selected(spec)?.iter().map(Column::expression).collect();
    let filter = relation
        .filter(spec)
        .map(|filter| format!(" WHERE {filter}"))
        .unwrap_or_default();
    let statement = format!(
        "SELECT {} FROM {}{filter} LIMIT 0",
        columns.join(", "),
        relation.rows_clause()
    );
    session
        .query(&statement, &[])
        .await
        .map(drop)
        .map_err(|error| failed(&error, relation))
}
