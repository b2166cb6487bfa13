//! Reads a partition: the rows of one `COPY`, decoded into batches, with checkpoints where a reader can resume.

use std::sync::Arc;

use bytes::Bytes;
use longshore_sdk::{
    arrow::{array::RecordBatch, datatypes::SchemaRef},
    core::Position,
    incremental::{SeenRows, read_descriptor},
    prelude::*,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    catalog::Kind,
    connection::{Connector, Session},
    copy::CopyMessages,
    decode::{ColumnDecoder, PendingRows, Row, RowFinder, decoder},
    errors::{from_postgres, of_partition, snapshot_gone},
    position::{same, value_of},
    run::{Run, RunTable},
    statement::{Continued, Order, Request, Statement, statement},
    work::Work,
};

/// Reads a partition in the run's snapshot.
pub(crate) async fn read(
    connector: &Connector,
    run: &Run,
    table: &RunTable,
    partition: &ReadPartition,
    output: &mut PartitionWriter,
) -> Result<()> {
    let scoped = |error: Error| of_partition(error, &partition.table);
    output.start(Arc::clone(&table.schema)).await?;
    let work: Work = read_descriptor(&partition.partition.descriptor)?;
    if let Some(left_out) = work.reads_nothing() {
        left_out.count(partition, output);
        return Ok(());
    }
    if run.holder.is_closed() {
        return Err(scoped(snapshot_gone()));
    }
    let session = connector.connect().await.map_err(scoped)?;
    session.begin(Some(&run.snapshot.id)).await.map_err(scoped)?;
    if let Some(setting) = planner_setting(&work, table) {
        session
            .batch_execute(setting)
            .await
            .map_err(|error| scoped(from_postgres(&error, "preparing the read")))?;
    }
    let resume_from = partition.resume_from.as_deref().map(Position::from_bytes).transpose()?;
    let of_cursor = match &work {
        Work::Ordered(ordered) => Some(ordered),
        Work::Pages(pages) => pages.of_cursor.as_ref(),
        Work::NullCursors { .. } | Work::Whole | Work::LeftOut { .. } | Work::Chosen { .. } => None,
    };
    if let Some(ordered) = of_cursor.filter(|_| resume_from.is_none()) {
        output.filtered(ordered.skipped_nulls);
    }
    // Pages are read by a first run, which has seen nothing.
    let seen = match &work {
        Work::Ordered(ordered) => table.known.rows(ordered.known_to.is_some()),
        _ => SeenRows::default(),
    };
    let request = Request {
        relation: &table.relation,
        selected: &table.selected,
        filter: table.filter.clone(),
        snapshot: &run.snapshot,
        resume_from,
        continued: table.places.as_ref().map(|places| Continued {
            places,
            reads_moved: matches!(work, Work::Pages(_)) && table.reads_moved(&partition.partition.id),
        }),
    };
    let statement = statement(&work, &request)?;
    tracing::debug!(
        table = partition.table,
        partition = partition.partition.id,
        sql = statement.sql,
        "reading"
    );
    let reader = Reader::new(table, &partition.table, statement, seen);
    session.set_running(true);
    let result = reader.copy(&session, output).await;
    session.set_running(false);
    result
}

/// Where an index has the order that is asked for, the server must not sort a large table on its disk instead: the first row would wait for the last
/// one, and again after each interruption. With a condition of the user's, another index may serve it better, and the choice is the server's.
fn planner_setting(work: &Work, table: &RunTable) -> Option<&'static str> {
    let Work::Ordered(ordered) = work else { return None };
    let relation = &table.relation;
    let on_disk = matches!(
        relation.kind,
        Kind::Table | Kind::PartitionedTable | Kind::MaterializedView
    );
    let served = on_disk && table.filter.is_none() && relation.indexed.contains(&ordered.cursor);
    served.then_some("SET LOCAL enable_sort = off")
}

/// The rows of one statement on their way into batches.
struct Reader<'a> {
    table: &'a str,
    schema: SchemaRef,
    names: Vec<&'a str>,
    statement: Statement,
    decoders: Vec<Box<dyn ColumnDecoder>>,
    seen: SeenRows,
    /// The rows of the next batch, and what they take.
    pending: PendingRows,
    pending_bytes: usize,
    /// Rows fetched so far.
    rows: u64,
    /// The last row's position as it came over the wire, one value for each part of the order.
    last: Vec<Option<Vec<u8>>>,
    has_last: bool,
    /// A batch was sent; a checkpoint follows where the position changes.
    checkpoint_due: bool,
}

impl<'a> Reader<'a> {
    fn new(table: &'a RunTable, name: &'a str, statement: Statement, seen: SeenRows) -> Self {
        Self {
            table: name,
            schema: Arc::clone(&table.schema),
            names: table.selected.iter().map(|column| column.name.as_str()).collect(),
            decoders: table
                .selected
                .iter()
                .map(|column| decoder(&column.representation))
                .collect(),
            seen,
            last: vec![None; statement.order.as_ref().map_or(0, |order| order.parts.len())],
            pending: PendingRows::new(statement.columns),
            statement,
            pending_bytes: 0,
            rows: 0,
            has_last: false,
            checkpoint_due: false,
        }
    }

    async fn copy(mut self, session: &Session, output: &mut PartitionWriter) -> Result<()> {
        let table = self.table;
        let failed = |error: &tokio_postgres::Error| {
            from_postgres(error, &format!("reading table {table}"))
                .with_scope(Scope::Partition)
                .with_table(table)
        };
        let mut messages = CopyMessages::of(session, &self.statement.sql, failed).await?;
        let mut finder = RowFinder::default();
        while let Some(message) = messages.next().await? {
            let mut at = 0;
            while at < message.len() {
                let Some(end) = finder.find(&message, at, self.statement.columns)? else {
                    break;
                };
                let row = finder.row(&message, at);
                if self.checkpoint_due && !self.at_last_position(row) {
                    self.send(output).await?;
                    self.checkpoint(output).await?;
                }
                self.take(&message, row, output);
                at = end;
                if self.pending.len() >= output.max_rows() || self.pending_bytes >= output.target_bytes() {
                    self.cut(row, output).await?;
                }
            }
        }
        self.send(output).await
    }

    /// Takes one row over.
    fn take(&mut self, message: &Bytes, row: Row<'_>, output: &mut PartitionWriter) {
        self.rows += 1;
        if self.statement.order.as_ref().is_some_and(|order| !order.unique) {
            self.remember_position(row);
        }
        if self.is_new(row, output) {
            self.pending.push(message, self.rows, row);
            self.pending_bytes += row.bytes_of_first(self.decoders.len());
        }
    }

    /// Whether a row is to be delivered. Remembers it when the next run may see it again.
    fn is_new(&mut self, row: Row<'_>, output: &mut PartitionWriter) -> bool {
        let marks = self.statement.marks.of(row);
        let identity = self.statement.identity;
        self.seen.is_new(marks, || fingerprint(row, identity), output)
    }

    /// A batch is full: `row` is its last row.
    async fn cut(&mut self, row: Row<'_>, output: &mut PartitionWriter) -> Result<()> {
        self.send(output).await?;
        match &self.statement.order {
            Some(order) if order.unique => {
                self.remember_position(row);
                self.checkpoint(output).await
            }
            Some(_) => {
                self.checkpoint_due = true;
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn send(&mut self, output: &mut PartitionWriter) -> Result<()> {
        if self.pending.len() == 0 {
            return Ok(());
        }
        let columns = self.pending.decode(&self.decoders).map_err(|(column, bad)| {
            let row = self.describe(bad.row);
            bad.error.at(self.table, self.names[column], &row)
        })?;
        self.pending.clear();
        self.pending_bytes = 0;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|error| {
            Error::internal(
                "batch_malformed",
                format!("The rows of table {} do not fit its columns", self.table),
            )
            .with_cause(&error)
        })?;
        output.write(batch).await
    }

    /// Everything up to the last remembered position was sent.
    async fn checkpoint(&mut self, output: &mut PartitionWriter) -> Result<()> {
        self.checkpoint_due = false;
        let Some(order) = &self.statement.order else {
            return Ok(());
        };
        let mut values = Vec::with_capacity(order.parts.len());
        for (part, wire) in order.parts.iter().zip(&self.last) {
            values.push(
                wire.as_deref()
                    .map(|wire| value_of(part.cursor_type, wire))
                    .transpose()?,
            );
        }
        let mut values = values.into_iter();
        // A NULL cursor is never part of an ordered read.
        let Some(Some(cursor)) = values.next() else {
            return Ok(());
        };
        let position = Position {
            cursor: cursor.clone(),
            key: values.collect(),
        };
        output.checkpoint(position.to_bytes()?, Some(cursor)).await
    }

    fn remember_position(&mut self, row: Row<'_>) {
        let Some(order) = &self.statement.order else { return };
        for (part, last) in order.parts.iter().zip(&mut self.last) {
            match (row.field(part.column), last) {
                (Some(value), Some(last)) => {
                    last.clear();
                    last.extend_from_slice(value);
                }
                (value, last) => *last = value.map(<[u8]>::to_vec),
            }
        }
        self.has_last = true;
    }

    fn at_last_position(&self, row: Row<'_>) -> bool {
        let Some(order) = &self.statement.order else {
            return false;
        };
        self.has_last && same_position(order, &self.last, row)
    }

    /// Which of the pending rows it is, in words: its key where one is read, otherwise its number.
    fn describe(&self, index: usize) -> String {
        let row = self.pending.row(index);
        let number = format!("row number {} of the partition", self.pending.number(index));
        let Some(order) = self.statement.order.as_ref().filter(|order| order.parts.len() > 1) else {
            return number;
        };
        let key: Option<Vec<String>> = order.parts[1..]
            .iter()
            .map(|part| {
                value_of(part.cursor_type, row.field(part.column)?)
                    .ok()
                    .map(|value| value.to_string())
            })
            .collect();
        key.map_or(number, |key| format!("the row with key {}", key.join(", ")))
    }
}

/// What a row is known by from run to run.
///
/// Cursor and key are part of it even where they are not delivered: another row that merely looks the same must not be taken for one that was delivered. The number of
/// fields in front is not, because runs differ in the columns that mark rows.
pub(crate) fn fingerprint(row: Row<'_>, identity: usize) -> u64 {
    xxh3_64(row.first(identity))
}

fn same_position(order: &Order, last: &[Option<Vec<u8>>], row: Row<'_>) -> bool {
    order
        .parts
        .iter()
        .zip(last)
        .all(|(part, last)| match (row.field(part.column), last.as_deref()) {
            (Some(value), Some(last)) => same(part.cursor_type, value, last),
            (value, last) => value.is_none() && last.is_none(),
        })
}
