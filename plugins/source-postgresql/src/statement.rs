//! The statement that reads a partition, and what its columns are for.

use longshore_sdk::{
    core::{Position, cursor::CursorType},
    incremental::{RowMarks, Unsettled},
    prelude::*,
};

use crate::{
    catalog::{Column, Relation},
    decode::Row,
    names::literal,
    places::{Moved, Places},
    position::constant,
    predicate::{WrittenSince, after},
    probe::cursor_expression,
    snapshot::Snapshot,
    work::{Again, Ordered, Pages, Since, Work},
};

/// A statement with the meaning of its columns: those to deliver come first.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    /// All columns, those to deliver and those that only the reader needs.
    pub(crate) columns: usize,
    /// Cursor and key, for a partition that is read in their order.
    pub(crate) order: Option<Order>,
    pub(crate) marks: Marks,
    /// So many columns in front say which row it is and what it holds: those to deliver, cursor and key.
    pub(crate) identity: usize,
}

/// The columns that say where a row's cursor lies: see [`RowMarks`](longshore_sdk::incremental::RowMarks).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) again: Option<usize>,
    pub(crate) ahead: Option<usize>,
    pub(crate) behind: Option<usize>,
    pub(crate) unsettled: Option<usize>,
}

impl Marks {
    /// What they say of a row.
    pub(crate) fn of(&self, row: Row<'_>) -> RowMarks {
        let is_set = |column: Option<usize>| column.is_some_and(|column| row.field(column) == Some(&[1]));
        RowMarks {
            again: is_set(self.again),
            ahead: is_set(self.ahead),
            behind: is_set(self.behind),
            unsettled: is_set(self.unsettled),
        }
    }
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
    pub(crate) relation: &'a Relation,
    pub(crate) selected: &'a [Column],
    /// The condition of the options.
    pub(crate) filter: Option<String>,
    /// The snapshot that is read now.
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) resume_from: Option<Position>,
    /// Another attempt goes on with pages: see [`pages`].
    pub(crate) continued: Option<Continued<'a>>,
}

/// What an attempt that is not a run's first knows of the run's pages.
pub(crate) struct Continued<'a> {
    pub(crate) places: &'a Places,
    /// This partition reads what may have moved.
    pub(crate) reads_moved: bool,
}

/// The condition that no row meets.
const NOTHING: &str = "false";

pub(crate) fn statement(work: &Work, request: &Request<'_>) -> Result<Statement> {
    match work {
        Work::Whole => Ok(plain(request, Vec::new())),
        Work::LeftOut { .. } => Ok(plain(request, vec![NOTHING.to_owned()])),
        Work::NullCursors { cursor } => Ok(plain(
            request,
            vec![format!("{} IS NULL", column(request.relation, cursor)?.sql())],
        )),
        Work::Chosen { column: name, value } => Ok(plain(
            request,
            vec![format!("{} = {value}", column(request.relation, name)?.sql())],
        )),
        Work::Pages(work) => pages(work, request),
        Work::Ordered(work) => ordered(work, request),
    }
}

fn plain(request: &Request<'_>, conditions: Vec<String>) -> Statement {
    let sql = select(
        &expressions(request.selected),
        &request.relation.rows_clause(),
        conditions,
        request.filter.as_ref(),
    );
    Statement {
        sql,
        columns: request.selected.len(),
        order: None,
        marks: Marks::default(),
        identity: request.selected.len(),
    }
}

/// Some pages of a heap. When a later snapshot goes on where another began, rows may have moved to pages that were read before. One of the partitions that
/// are left reads what may have moved, wherever it is, and all of them leave it out of their own pages: so each row of this snapshot is read by one of
/// them, or was read before. The table is complete only with that partition, in whichever attempt.
fn pages(work: &Pages, request: &Request<'_>) -> Result<Statement> {
    let (columns, of_cursor) = match &work.of_cursor {
        None => (CursorColumns::none(request), Vec::new()),
        Some(ordered) => {
            let cursor = column(request.relation, &ordered.cursor)?;
            let mut conditions = bounds(ordered, cursor);
            // A first run has delivered nothing before, so that it need not look at what is too new.
            let too_new = ordered.unsettled.as_ref().map(|interval| unsettled(cursor, interval));
            conditions.extend(too_new.map(|too_new| format!("NOT {too_new}")));
            (CursorColumns::of(ordered, request)?, conditions)
        }
    };
    let expressions = columns.expressions;
    let mut conditions = of_cursor.clone();
    if work.from > 0 {
        conditions.push(format!("ctid >= '({},0)'::pg_catalog.tid", work.from));
    }
    if let Some(to) = work.to {
        conditions.push(format!("ctid < '({to},0)'::pg_catalog.tid"));
    }
    let rows = request.relation.rows_clause();
    let filter = request.filter.as_ref();
    let of_heap = |heap: &str, conditions| select(&expressions, &format!("ONLY {heap}"), conditions, filter);
    let mut parts = Vec::with_capacity(2);
    match &request.continued {
        None => parts.push(of_heap(&work.heap, conditions)),
        Some(Continued { places, reads_moved }) => {
            let name = places.name(&work.heap);
            let (own, everywhere) = match places.moved {
                Moved::Rows => {
                    let written = WrittenSince::new(work.first_xmin, request.snapshot.xmax);
                    conditions.push(format!("NOT {}", written.sql()));
                    let moved = elsewhere(&written, &places.unplanned);
                    (name, reads_moved.then_some(Some(moved)))
                }
                // A heap that is not found may be there under another name.
                Moved::Server if *reads_moved || name.is_none() => (None, Some(None)),
                Moved::Server => (name, None),
            };
            parts.extend(own.map(|heap| of_heap(heap, conditions)));
            parts.extend(everywhere.map(|moved| {
                let conditions = of_cursor.into_iter().chain(moved).collect();
                select(&expressions, &rows, conditions, filter)
            }));
        }
    }
    if parts.is_empty() {
        parts.push(select(&expressions, &rows, vec![NOTHING.to_owned()], None));
    }
    Ok(Statement {
        sql: parts.join(" UNION ALL "),
        columns: expressions.len(),
        order: None,
        marks: columns.marks,
        identity: columns.identity,
    })
}

/// The rows that pages of a plan do not have: those written since, and those of heaps that the plan does not know.
fn elsewhere(written: &WrittenSince, unplanned: &[String]) -> String {
    if unplanned.is_empty() {
        return written.sql().to_owned();
    }
    let heaps: Vec<String> = unplanned
        .iter()
        .map(|heap| format!("{}::pg_catalog.regclass", literal(heap)))
        .collect();
    format!("({} OR tableoid IN ({}))", written.sql(), heaps.join(", "))
}

/// The columns of a read of a table with a cursor.
struct CursorColumns {
    /// Those to deliver, then cursor and key where they are not among them, then marks.
    expressions: Vec<String>,
    parts: Vec<OrderPart>,
    marks: Marks,
    /// See [`Statement::identity`].
    identity: usize,
}

impl CursorColumns {
    /// Of a read without a cursor.
    fn none(request: &Request<'_>) -> Self {
        Self {
            expressions: expressions(request.selected),
            parts: Vec::new(),
            marks: Marks::default(),
            identity: request.selected.len(),
        }
    }

    fn of(work: &Ordered, request: &Request<'_>) -> Result<Self> {
        let cursor = column(request.relation, &work.cursor)?;
        let mut expressions = expressions(request.selected);
        let mut parts = Vec::with_capacity(1 + work.key.len());
        for name in std::iter::once(&work.cursor).chain(&work.key) {
            let part = column(request.relation, name)?;
            let cursor_type = part.cursor_type().unwrap_or(CursorType::Text);
            let expression = if part.cursor_type().is_some() {
                cursor_expression(part, cursor_type)
            } else {
                format!("{}::pg_catalog.text", part.sql())
            };
            let delivered = request
                .selected
                .iter()
                .position(|column| column.name == part.name && column.expression() == expression);
            let column = delivered.unwrap_or_else(|| {
                expressions.push(expression);
                expressions.len() - 1
            });
            parts.push(OrderPart { column, cursor_type });
        }
        let identity = expressions.len();
        let mut columns = Self {
            expressions,
            parts,
            marks: Marks::default(),
            identity,
        };
        columns.marks.again = columns.mark(again(&work.again, cursor, request.snapshot));
        // Only what is remembered needs it.
        let ahead_of = work.ahead_of.as_ref().filter(|_| columns.marks.again.is_some());
        columns.marks.ahead = columns.mark(ahead_of.map(|value| compared(cursor, ">", value)));
        Ok(columns)
    }

    /// Adds a column where there is something to say.
    fn mark(&mut self, expression: Option<String>) -> Option<usize> {
        self.expressions.push(expression?);
        Some(self.expressions.len() - 1)
    }
}

/// Which rows a read of a table with a cursor looks at, whatever was delivered before.
fn bounds(work: &Ordered, cursor: &Column) -> Vec<String> {
    let mut conditions = vec![format!("{} IS NOT NULL", cursor.sql())];
    if let Some(from) = &work.from {
        conditions.push(compared(cursor, ">=", from));
    }
    conditions.push(compared(cursor, "<=", &work.up_to));
    conditions
}

/// Whether a row is too new to be delivered.
fn unsettled(cursor: &Column, interval: &Unsettled) -> String {
    let newer = compared(cursor, ">", &interval.after);
    let past = compared(cursor, "<=", &interval.up_to);
    format!("({newer} AND {past})")
}

fn ordered(work: &Ordered, request: &Request<'_>) -> Result<Statement> {
    let relation = request.relation;
    let cursor = column(relation, &work.cursor)?;
    let key = work
        .key
        .iter()
        .map(|name| column(relation, name))
        .collect::<Result<Vec<_>>>()?;
    let mut columns = CursorColumns::of(work, request)?;
    columns.marks.behind = columns.mark(work.known_to.as_ref().map(|value| compared(cursor, "<=", value)));
    columns.marks.unsettled = columns.mark(work.unsettled.as_ref().map(|interval| unsettled(cursor, interval)));
    let CursorColumns {
        expressions,
        parts,
        marks,
        identity,
    } = columns;
    let mut conditions = bounds(work, cursor);
    conditions.extend(since(&work.since, cursor, request.snapshot));
    if let Some(position) = &request.resume_from {
        conditions.push(format!("({})", after(position, cursor, &key, work.unique)?));
    }
    let order: Vec<String> = std::iter::once(cursor.sql())
        .chain(key.iter().map(|column| column.sql()))
        .collect();
    let rows = select(
        &expressions,
        &relation.rows_clause(),
        conditions,
        request.filter.as_ref(),
    );
    Ok(Statement {
        sql: format!("{rows} ORDER BY {}", order.join(", ")),
        columns: expressions.len(),
        order: Some(Order {
            parts,
            unique: work.unique,
        }),
        marks,
        identity,
    })
}

/// The conditions of the rows that partitions read together, apart from those of the table's options. Partitions that divide the same rows share theirs.
///
/// # Errors
/// `cursor_column_missing` for a plan whose columns are gone.
pub(crate) fn conditions(work: &Work, relation: &Relation, snapshot: &Snapshot) -> Result<Vec<String>> {
    Ok(match work {
        Work::Whole => Vec::new(),
        Work::LeftOut { .. } => vec![NOTHING.to_owned()],
        Work::NullCursors { cursor } => vec![format!("{} IS NULL", column(relation, cursor)?.sql())],
        Work::Chosen { column: name, value } => vec![format!("{} = {value}", column(relation, name)?.sql())],
        Work::Pages(work) => match &work.of_cursor {
            Some(ordered) => bounds(ordered, column(relation, &ordered.cursor)?),
            None => Vec::new(),
        },
        Work::Ordered(work) => {
            let cursor = column(relation, &work.cursor)?;
            let mut conditions = bounds(work, cursor);
            conditions.extend(since(&work.since, cursor, snapshot));
            conditions
        }
    })
}

/// The statement that reads, of the rows of a partition up to the stored cursor, what a fingerprint is made of, in no order.
///
/// # Errors
/// `cursor_column_missing`.
pub(crate) fn counted(work: &Ordered, up_to: &CursorValue, request: &Request<'_>) -> Result<Statement> {
    let cursor = column(request.relation, &work.cursor)?;
    let columns = CursorColumns::of(work, request)?;
    Ok(unordered(
        work,
        columns,
        cursor,
        Some(compared(cursor, "<=", up_to)),
        request,
    ))
}

/// The same of all rows of the work, with what says which of them are too new.
///
/// # Errors
/// `cursor_column_missing`.
pub(crate) fn there(work: &Ordered, request: &Request<'_>) -> Result<Statement> {
    let cursor = column(request.relation, &work.cursor)?;
    let mut columns = CursorColumns::of(work, request)?;
    columns.marks.unsettled = columns.mark(work.unsettled.as_ref().map(|interval| unsettled(cursor, interval)));
    Ok(unordered(work, columns, cursor, None, request))
}

fn unordered(
    work: &Ordered,
    columns: CursorColumns,
    cursor: &Column,
    bound: Option<String>,
    request: &Request<'_>,
) -> Statement {
    let mut conditions = bounds(work, cursor);
    conditions.extend(since(&work.since, cursor, request.snapshot));
    conditions.extend(bound);
    let rows = request.relation.rows_clause();
    Statement {
        sql: select(&columns.expressions, &rows, conditions, request.filter.as_ref()),
        columns: columns.expressions.len(),
        order: None,
        marks: columns.marks,
        identity: columns.identity,
    }
}

fn since(since: &Since, cursor: &Column, snapshot: &Snapshot) -> Vec<String> {
    match since {
        Since::Beginning => Vec::new(),
        Since::After(value) => vec![compared(cursor, ">", value)],
        Since::Window { from } => vec![compared(cursor, ">=", from)],
        Since::Transaction {
            delivered_to,
            window_from,
            xmin,
        } => {
            let beyond = compared(cursor, ">", delivered_to);
            let written = WrittenSince::new(*xmin, snapshot.xmax);
            if written == WrittenSince::Nothing {
                return vec![beyond];
            }
            // The window as a condition of its own lets an index find it.
            let window = window_from.as_ref().map(|from| compared(cursor, ">=", from));
            window
                .into_iter()
                .chain([format!("({beyond} OR {})", written.sql())])
                .collect()
        }
    }
}

fn again(again: &Again, cursor: &Column, snapshot: &Snapshot) -> Option<String> {
    match again {
        Again::Never => None,
        Again::Window { from } => Some(compared(cursor, ">=", from)),
        Again::Transaction { window_from, xmin } => {
            let written = WrittenSince::new(*xmin, snapshot.xmax);
            if written == WrittenSince::Nothing {
                return None;
            }
            let window = window_from
                .as_ref()
                .map_or_else(|| "true".to_owned(), |from| compared(cursor, ">=", from));
            Some(format!("({window} AND {})", written.sql()))
        }
    }
}

fn compared(cursor: &Column, operator: &str, value: &CursorValue) -> String {
    format!("{} {operator} {}", cursor.sql(), constant(value, &cursor.cast_name))
}

fn expressions(columns: &[Column]) -> Vec<String> {
    columns.iter().map(Column::expression).collect()
}

fn select(expressions: &[String], from: &str, mut conditions: Vec<String>, filter: Option<&String>) -> String {
    conditions.extend(filter.cloned());
    // Names of their own: ORDER BY would take an expression's result for the column it is made of.
    let named: Vec<String> = expressions
        .iter()
        .enumerate()
        .map(|(index, expression)| format!("{expression} AS \"longshore {index}\""))
        .collect();
    let mut sql = format!("SELECT {} FROM {from}", named.join(", "));
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    sql
}

fn column<'a>(relation: &'a Relation, name: &str) -> Result<&'a Column> {
    relation
        .column(name)
        .ok_or_else(|| relation.columns().cursor_missing(name))
}
