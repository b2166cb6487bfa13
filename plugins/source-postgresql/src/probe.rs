//! Questions about a table and its cursor.

use std::error::Error as StdError;

use longshore_sdk::{core::cursor::CursorType, prelude::*};
use tokio_postgres::types::{FromSql, Type};

use crate::{
    catalog::{Column, Relation},
    connection::Session,
    plan::{Planning, at_least, failed},
    position::value_of,
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

/// The greatest cursor from `least` on.
pub(crate) async fn newest(
    planning: &Planning<'_>,
    relation: &Relation,
    cursor: &Column,
    cursor_type: CursorType,
    least: Option<&CursorValue>,
) -> Result<Option<CursorValue>> {
    let name = cursor.sql();
    let mut conditions = vec![format!("{name} IS NOT NULL")];
    conditions.extend(relation.filter(planning.spec));
    conditions.extend(least.map(|least| at_least(cursor, least)));
    // `max` does not exist for every type that an index orders.
    let statement = format!(
        "SELECT {} AS \"longshore newest\" FROM {} WHERE {} ORDER BY {name} DESC LIMIT 1",
        cursor_expression(cursor, cursor_type),
        relation.rows_clause(),
        conditions.join(" AND ")
    );
    let row = planning
        .session
        .query_opt(&statement, &[])
        .await
        .map_err(|error| failed(&error, relation))?;
    row.map(|row| value_of(cursor_type, &row.get::<_, Wire>(0).0))
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

/// Whether the columns to deliver may be read.
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
