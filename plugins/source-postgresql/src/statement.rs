//! The statement that reads a partition, and what its columns are for.

use longshore_sdk::{
    core::{Position, cursor::CursorType},
    incremental::Unsettled,
    prelude::*,
};

use crate::{
    catalog::{Column, Relation},
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
    /// This partition also reads what was written since the first attempt's snapshot: see [`pages`].
    pub(crate) with_moved: Option<Moved>,
}

/// What may have gone from places not yet read to places already read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Rows written since.
    Rows,
    /// Everything: the heap was rewritten.
    Heap,
}

pub(crate) fn statement(work: &Work, request: &Request<'_>) -> Result<Statement> {
    match work {
        Work::Whole => Ok(plain(request, Vec::new())),
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

/// Some pages of a heap. When a later snapshot goes on where another began, rows may have moved to pages that were read before: one of the partitions reads them too.
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
    let heap = format!("ONLY {}", work.heap);
    let rows = request.relation.rows_clause();
    let filter = request.filter.as_ref();
    let sql = match request.with_moved {
        None => select(&expressions, &heap, conditions, filter),
        Some(Moved::Heap) => select(&expressions, &rows, of_cursor, filter),
        Some(Moved::Rows) => {
            let moved = WrittenSince::new(work.first_xmin, request.snapshot.xmax);
            conditions.push(format!("NOT {}", moved.sql()));
            let own = select(&expressions, &heap, conditions, filter);
            let everywhere = of_cursor.into_iter().chain([moved.sql().to_owned()]).collect();
            format!("{own} UNION ALL {}", select(&expressions, &rows, everywhere, filter))
        }
    };
    Ok(Statement {
        sql,
        columns: expressions.len(),
        order: None,
        marks: columns.marks,
        identity: columns.identity,
    })
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
    let mut conditions = bounds(work, cursor);
    conditions.extend(since(&work.since, cursor, request.snapshot));
    conditions.push(compared(cursor, "<=", up_to));
    let rows = request.relation.rows_clause();
    Ok(Statement {
        sql: select(&columns.expressions, &rows, conditions, request.filter.as_ref()),
        columns: columns.expressions.len(),
        order: None,
        marks: columns.marks,
        identity: columns.identity,
    })
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
