//! The statement that reads a partition, and what its columns are for.

use longshore_sdk::{
    core::{Position, cursor::CursorType},
    prelude::*,
};

use crate::{
    blocks,
    catalog::{Column, Relation},
    connection::{Server, Statement},
    position::{Parameters, expression},
    predicate::{after, comparison, ordered, unsettled, within},
    work::{Ordered, Work},
};

/// A statement with the meaning of its columns: those to deliver come first.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) statement: Statement,
    /// Cursor and key, for a partition that is read in their order.
    pub(crate) order: Option<Order>,
    /// So many columns in front say which row it is: those to deliver, then cursor and key where they are not delivered.
    pub(crate) identity: usize,
    pub(crate) marks: Marks,
}

/// The columns that say where a row's cursor lies: see [`RowMarks`](longshore_sdk::incremental::RowMarks).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) again: Option<usize>,
    pub(crate) ahead: Option<usize>,
    pub(crate) behind: Option<usize>,
    pub(crate) unsettled: Option<usize>,
}

/// Where the order's columns are.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) parts: Vec<OrderPart>,
    /// No two rows have the same position.
    pub(crate) unique: bool,
}

/// One column of the order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderPart {
    pub(crate) column: usize,
    pub(crate) cursor_type: CursorType,
}

/// What a statement is made for.
pub(crate) struct Request<'a> {
    pub(crate) server: &'a Server,
    pub(crate) relation: &'a Relation,
    pub(crate) selected: &'a [Column],
    /// The condition of the options.
    pub(crate) filter: Option<String>,
    pub(crate) resume_from: Option<Position>,
}

/// # Errors
/// `cursor_column_missing` for a plan whose columns are gone; `position_unreadable`.
pub(crate) fn reading(work: &Work, request: &Request<'_>) -> Result<Reading> {
    let mut parameters = Parameters::default();
    let conditions = match work {
        Work::Ordered(work) => return in_order(work, request),
        Work::Whole => Vec::new(),
        Work::LeftOut { .. } => vec!["0".to_owned()],
        Work::NullCursors { cursor } => vec![format!("{} IS NULL", column(request.relation, cursor)?.tested())],
        Work::Slice {
            column: name,
            within: interval,
        } => within(&mut parameters, column(request.relation, name)?, interval),
        Work::Chosen { column: name, value } => {
            vec![comparison(&mut parameters, column(request.relation, name)?, "=", value)]
        }
    };
    let sql = select(&delivered(request), request, conditions);
    Ok(Reading {
        statement: finished(sql, parameters, request),
        order: None,
        identity: request.selected.len(),
        marks: Marks::default(),
    })
}

fn in_order(work: &Ordered, request: &Request<'_>) -> Result<Reading> {
    let relation = request.relation;
    let cursor = column(relation, &work.cursor)?;
    let key = work
        .key
        .iter()
        .map(|name| column(relation, name))
        .collect::<Result<Vec<_>>>()?;
    let (mut expressions, parts) = identity(request, cursor, &key)?;
    let identity = expressions.len();
    let mut parameters = Parameters::default();
    let marks = marks(work, cursor, &mut parameters, &mut expressions);
    let mut conditions = ordered(&mut parameters, cursor, work);
    if let Some(position) = &request.resume_from {
        conditions.extend(after(&mut parameters, position, cursor, &key)?);
    }
    let order: Vec<String> = std::iter::once(&cursor)
        .chain(&key)
        .map(|column| column.sql())
        .collect();
    let sql = format!(
        "{} ORDER BY {}",
        select(&expressions, request, conditions),
        order.join(", ")
    );
    Ok(Reading {
        statement: finished(sql, parameters, request),
        order: Some(Order {
            parts,
            unique: work.unique,
        }),
        identity,
        marks,
    })
}

/// The statement that reads, of the rows of a partition that were counted, what a fingerprint is made of, in no order.
///
/// # Errors
/// `cursor_column_missing`.
pub(crate) fn counted(work: &Ordered, up_to: &CursorValue, request: &Request<'_>) -> Result<Reading> {
    let again_only = |cursor: &Column, parameters: &mut Parameters, expressions: &mut Vec<String>| Marks {
        again: again(work, cursor, parameters, expressions),
        ..Marks::default()
    };
    unordered(work, Some(up_to), request, again_only)
}

/// The same of all rows of the work, with all that is known of where their cursors lie.
///
/// # Errors
/// `cursor_column_missing`.
pub(crate) fn there(work: &Ordered, request: &Request<'_>) -> Result<Reading> {
    unordered(work, None, request, |cursor, parameters, expressions| {
        marks(work, cursor, parameters, expressions)
    })
}

fn unordered(
    work: &Ordered,
    up_to: Option<&CursorValue>,
    request: &Request<'_>,
    marks: impl FnOnce(&Column, &mut Parameters, &mut Vec<String>) -> Marks,
) -> Result<Reading> {
    let cursor = column(request.relation, &work.cursor)?;
    let key = work.key.iter().map(|name| column(request.relation, name));
    let (mut expressions, _) = identity(request, cursor, &key.collect::<Result<Vec<_>>>()?)?;
    let identity = expressions.len();
    let mut parameters = Parameters::default();
    let marks = marks(cursor, &mut parameters, &mut expressions);
    let mut conditions = ordered(&mut parameters, cursor, work);
    conditions.extend(up_to.map(|value| comparison(&mut parameters, cursor, "<=", value)));
    Ok(Reading {
        statement: finished(select(&expressions, request, conditions), parameters, request),
        order: None,
        identity,
        marks,
    })
}

/// What says which row it is and what it holds, with the places of cursor and key in it. They belong to it even where they are not delivered: another row that merely
/// looks the same must not be taken for one that was delivered.
fn identity(request: &Request<'_>, cursor: &Column, key: &[&Column]) -> Result<(Vec<String>, Vec<OrderPart>)> {
    let mut expressions = delivered(request);
    let mut parts = Vec::with_capacity(1 + key.len());
    for part in std::iter::once(&cursor).chain(key) {
        let cursor_type = part.position_type().ok_or_else(|| {
            Error::source(
                "cursor_type_changed",
                format!(
                    "Column {} of table {} is {} now",
                    part.name, request.relation.shown, part.of.text
                ),
            )
        })?;
        let expression = expression(part);
        let column = expressions
            .iter()
            .position(|known| *known == expression)
            .unwrap_or_else(|| {
                expressions.push(expression);
                expressions.len() - 1
            });
        parts.push(OrderPart { column, cursor_type });
    }
    Ok((expressions, parts))
}

/// Adds the columns that say where a row's cursor lies, those that are needed.
fn marks(work: &Ordered, cursor: &Column, parameters: &mut Parameters, expressions: &mut Vec<String>) -> Marks {
    let again = again(work, cursor, parameters, expressions);
    let mut compare = |operator: &str, value: Option<&CursorValue>| {
        let value = value?;
        expressions.push(comparison(parameters, cursor, operator, value));
        Some(expressions.len() - 1)
    };
    let ahead = compare(">", work.ahead_of.as_ref());
    let behind = compare("<=", work.known_to.as_ref());
    let unsettled = work.unsettled.as_ref().map(|interval| {
        expressions.push(unsettled(parameters, cursor, interval));
        expressions.len() - 1
    });
    Marks {
        again,
        ahead,
        behind,
        unsettled,
    }
}

fn again(work: &Ordered, cursor: &Column, parameters: &mut Parameters, expressions: &mut Vec<String>) -> Option<usize> {
    let from = work.again_from.as_ref()?;
    expressions.push(comparison(parameters, cursor, ">=", from));
    Some(expressions.len() - 1)
}

fn delivered(request: &Request<'_>) -> Vec<String> {
    request.selected.iter().map(Column::expression).collect()
}

fn select(expressions: &[String], request: &Request<'_>, mut conditions: Vec<String>) -> String {
    conditions.extend(request.relation.state_condition());
    conditions.extend(request.filter.clone());
    let named: Vec<String> = expressions
        .iter()
        .enumerate()
        .map(|(index, expression)| format!("{expression} AS {}", request.relation.alias(index)))
        .collect();
    let mut sql = format!("SELECT {} FROM {}", named.join(", "), request.relation.from);
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    sql
}

fn finished(sql: String, parameters: Parameters, request: &Request<'_>) -> Statement {
    let relation = request.relation;
    let mut settings = vec![(blocks::SETTING, blocks::rows(relation).to_string())];
    if relation.merged {
        // As a setting it also reaches the tables under views and queries, and leaves alone those that have nothing to merge.
        settings.push(("final", "1".to_owned()));
    }
    if relation.engine.is_replicated() && request.server.knows("select_sequential_consistency") {
        settings.push(("select_sequential_consistency", "1".to_owned()));
    }
    Statement {
        sql,
        parameters: parameters.into_vec(),
        settings,
    }
}

pub(crate) fn column<'a>(relation: &'a Relation, name: &str) -> Result<&'a Column> {
    relation
        .column(name)
        .ok_or_else(|| relation.names().cursor_missing(name))
}
