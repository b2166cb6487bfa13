//! The statement that reads a partition, and what its columns are for.

use longshore_sdk::{
    core::{Position, cursor::CursorType},
    prelude::*,
};

use crate::{
    catalog::{Column, Relation},
    connection::{Server, Statement},
    position::{Parameters, expression},
    predicate::{after, comparison, ordered, unsettled, within},
    work::{Ordered, Work},
};

/// Size in bytes that the server's blocks, which become batches, are best made of.
const BLOCK_BYTES: u64 = 1 << 20;

/// Rows of a block, at most: as many as the server makes by itself.
const MAX_BLOCK_ROWS: u64 = 65_409;

/// Rows of a block when the size of a row is not known.
const BLOCK_ROWS_UNKNOWN: u64 = 16_384;

/// A block that is larger than this, in bytes, was made without knowing the size of its rows: it is worth asking once more for smaller ones.
const TOO_LARGE: u64 = 16 << 20;

/// How many rows the server puts into one block.
pub(crate) const BLOCK_SETTING: &str = "max_block_size";

/// A statement with the meaning of its columns: those to deliver come first.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) statement: Statement,
    /// Cursor and key, for a partition that is read in their order.
    pub(crate) order: Option<Order>,
    /// So many columns in front say which row it is: those to deliver, then cursor and key where they are not delivered.
    pub(crate) identity: usize,
    pub(crate) marks: Marks,
    /// How large the server's blocks become is not known: of views and queries nobody knows the size of a row.
    pub(crate) blocks_are_guessed: bool,
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
        blocks_are_guessed: row_bytes(request).is_none(),
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
        blocks_are_guessed: row_bytes(request).is_none(),
    })
}

/// The statement that reads, of the rows of a partition that were counted, what a fingerprint is made of, in no order.
///
/// # Errors
/// `cursor_column_missing`.
pub(crate) fn counted(work: &Ordered, up_to: &CursorValue, request: &Request<'_>) -> Result<Reading> {
    let cursor = column(request.relation, &work.cursor)?;
    let key = work.key.iter().map(|name| column(request.relation, name));
    let (mut expressions, _) = identity(request, cursor, &key.collect::<Result<Vec<_>>>()?)?;
    let identity = expressions.len();
    let mut parameters = Parameters::default();
    let again = again(work, cursor, &mut parameters, &mut expressions);
    let mut conditions = ordered(&mut parameters, cursor, work);
    conditions.push(comparison(&mut parameters, cursor, "<=", up_to));
    Ok(Reading {
        statement: finished(select(&expressions, request, conditions), parameters, request),
        order: None,
        identity,
        marks: Marks {
            again,
            ..Marks::default()
        },
        blocks_are_guessed: row_bytes(request).is_none(),
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
    let mut settings = vec![(BLOCK_SETTING, block_rows(request).to_string())];
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

/// Bytes of a row, before compression; `None`: not known.
fn row_bytes(request: &Request<'_>) -> Option<u64> {
    let bytes: u64 = request.selected.iter().map(|column| column.uncompressed_bytes).sum();
    match (bytes, request.relation.estimated_rows?) {
        (0, _) | (_, 0) => None,
        (bytes, rows) => Some(bytes / rows),
    }
}

fn block_rows(request: &Request<'_>) -> u64 {
    row_bytes(request).map_or(BLOCK_ROWS_UNKNOWN, rows_of)
}

/// Rows of a block, when each has so many bytes.
fn rows_of(row_bytes: u64) -> u64 {
    (BLOCK_BYTES / row_bytes.max(1)).clamp(1, MAX_BLOCK_ROWS)
}

/// The statement with smaller blocks, where its first one, of so many rows and bytes, is too large for a process that holds two of them.
pub(crate) fn in_smaller_blocks(statement: &Statement, (rows, bytes): (u64, u64)) -> Option<Statement> {
    if rows <= 1 || bytes <= TOO_LARGE {
        return None;
    }
    let mut smaller = statement.clone();
    let setting = smaller.settings.iter_mut().find(|(name, _)| *name == BLOCK_SETTING)?;
    setting.1 = rows_of(bytes / rows).to_string();
    Some(smaller)
}

pub(crate) fn column<'a>(relation: &'a Relation, name: &str) -> Result<&'a Column> {
    relation
        .column(name)
        .ok_or_else(|| relation.names().cursor_missing(name))
}
