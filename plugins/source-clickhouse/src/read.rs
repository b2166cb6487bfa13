//! Reads a partition: the rows of one query, with checkpoints where a reader can resume.

use std::{ops::Range, sync::Arc};

use longshore_sdk::{
    arrow::{
        array::{ArrayRef, AsArray as _, BooleanArray, RecordBatch},
        compute::filter_record_batch,
        datatypes::{SchemaRef, UInt8Type},
    },
    core::Position,
    incremental::{RowMarks, SeenRows, read_descriptor},
    prelude::*,
};

use crate::{
    blocks,
    connection::Connector,
    fingerprint::Fingerprinter,
    position::value_at,
    run::{Run, RunTable},
    statement::{Marks, Order, Reading, Request, reading},
    stream::ArrowStream,
    text::{TextReader, Unfit},
    work::Work,
};

/// Reads a partition to its end.
pub(crate) async fn read(
    connector: &Connector,
    run: &Run,
    table: &RunTable,
    partition: &ReadPartition,
    output: &mut PartitionWriter,
) -> Result<()> {
    let scoped = |error: Error| error.with_scope(Scope::Partition).with_table(&partition.table);
    output.start(Arc::clone(&table.schema)).await?;
    let work: Work = read_descriptor(&partition.partition.descriptor)?;
    if let Some(left_out) = work.reads_nothing() {
        left_out.count(partition, output);
        return Ok(());
    }
    let resume_from = partition.resume_from.as_deref().map(Position::from_bytes).transpose()?;
    let seen = if let Work::Ordered(ordered) = &work {
        if resume_from.is_none() {
            output.filtered(ordered.skipped_nulls);
        }
        table.known.rows(ordered.known_to.is_some())
    } else {
        SeenRows::default()
    };
    let request = Request {
        server: &run.server,
        relation: &table.relation,
        selected: &table.selected,
        filter: table.filter.clone(),
        resume_from,
    };
    let reading = reading(&work, &request)?;
    tracing::debug!(
        table = partition.table,
        partition = partition.partition.id,
        sql = reading.statement.sql,
        "reading"
    );
    let _permit = connector.permit().await;
    let begun = blocks::begin(connector, run, table, (partition, &reading.statement)).await;
    let (query, stream) = begun.map_err(scoped)?;
    let reader = Reader::new(table, &partition.table, reading, seen);
    reader.copy(stream, output).await.map_err(scoped)?;
    query.finish();
    Ok(())
}

/// The rows of one query on their way.
struct Reader<'a> {
    table: &'a RunTable,
    name: &'a str,
    order: Option<Order>,
    marks: Marks,
    seen: SeenRows,
    text: TextReader,
    fingerprinter: Fingerprinter,
    /// Rows fetched so far.
    rows: u64,
    /// The position of the last row that was sent.
    last: Option<Position>,
    /// Rows were sent since the last checkpoint.
    checkpoint_due: bool,
}

impl<'a> Reader<'a> {
    fn new(table: &'a RunTable, name: &'a str, reading: Reading, seen: SeenRows) -> Self {
        Self {
            table,
            name,
            seen,
            order: reading.order,
            marks: reading.marks,
            text: TextReader::new(table.invalid_utf8),
            fingerprinter: Fingerprinter::new(reading.identity),
            rows: 0,
            last: None,
            checkpoint_due: false,
        }
    }

    async fn copy(mut self, mut stream: ArrowStream, output: &mut PartitionWriter) -> Result<()> {
        while let Some(sent) = stream.next().await? {
            if sent.num_rows() == 0 {
                continue;
            }
            self.take(&sent, output).await?;
            self.rows += sent.num_rows() as u64;
        }
        if self.text.hexadecimal > 0 {
            tracing::warn!(
                table = self.name,
                values = self.text.hexadecimal,
                "strings that are no UTF-8 text were delivered in hexadecimal; `binary_columns` delivers bytes, `invalid_utf8: error` stops instead"
            );
        }
        Ok(())
    }

    /// Takes one of the server's batches over, with a checkpoint at the last place in it where one may lie.
    async fn take(&mut self, sent: &RecordBatch, output: &mut PartitionWriter) -> Result<()> {
        let batch = self.delivered(sent)?;
        let rows = batch.num_rows();
        let Some(order) = &self.order else {
            return output.write(batch).await;
        };
        let change = if order.unique {
            Some(rows)
        } else {
            self.last_change(sent)?
        };
        let Some(change) = change else {
            self.send(sent, &batch, 0..rows, output).await?;
            self.checkpoint_due = true;
            return Ok(());
        };
        if change > 0 {
            self.send(sent, &batch, 0..change, output).await?;
            self.last = Some(self.position(sent, change - 1)?);
            self.checkpoint_due = true;
        }
        self.checkpoint(output).await?;
        if change < rows {
            self.send(sent, &batch, change..rows, output).await?;
            self.checkpoint_due = true;
        }
        self.last = Some(self.position(sent, rows - 1)?);
        Ok(())
    }

    /// The last row whose position differs from that of the row before it; `None` when all rows share it, with the last batch's end too.
    fn last_change(&self, sent: &RecordBatch) -> Result<Option<usize>> {
        let mut here = self.position(sent, sent.num_rows() - 1)?;
        for row in (1..sent.num_rows()).rev() {
            let previous = self.position(sent, row - 1)?;
            if previous != here {
                return Ok(Some(row));
            }
            here = previous;
        }
        Ok(self.last.as_ref().is_some_and(|last| *last != here).then_some(0))
    }

    /// The rows in the form that they are delivered in.
    fn delivered(&mut self, sent: &RecordBatch) -> Result<RecordBatch> {
        match delivered(&mut self.text, &self.table.schema, sent)? {
            Ok(batch) => Ok(batch),
            Err((column, reason)) => Err(unfit(self.name, column, reason, |row| self.describe(sent, row))),
        }
    }

    /// Sends those of the rows that are new.
    async fn send(
        &mut self,
        sent: &RecordBatch,
        batch: &RecordBatch,
        rows: Range<usize>,
        output: &mut PartitionWriter,
    ) -> Result<()> {
        let slice = batch.slice(rows.start, rows.len());
        let flagged = |column: Option<usize>| {
            let values = column.map(|column| sent.column(column).slice(rows.start, rows.len()));
            move |row: usize| {
                let flags = values
                    .as_ref()
                    .and_then(|values| values.as_primitive_opt::<UInt8Type>());
                flags.is_some_and(|flags| flags.value(row) != 0)
            }
        };
        let [again, ahead, behind, unsettled] = [
            self.marks.again,
            self.marks.ahead,
            self.marks.behind,
            self.marks.unsettled,
        ]
        .map(flagged);
        let plain = |row: usize| !again(row) && !unsettled(row);
        if self.seen.lets_all_pass() && (0..slice.num_rows()).all(plain) {
            return output.write(slice).await;
        }
        let fingerprints = self.fingerprinter.of(sent, batch, rows.clone())?;
        let mut new = Vec::with_capacity(slice.num_rows());
        for row in 0..slice.num_rows() {
            let marks = RowMarks {
                again: again(row),
                ahead: ahead(row),
                behind: behind(row),
                unsettled: unsettled(row),
            };
            new.push(match &fingerprints {
                Some(fingerprints) => self.seen.is_new(marks, || fingerprints.of(row), output),
                None => !marks.unsettled,
            });
        }
        if new.iter().all(|new| *new) {
            return output.write(slice).await;
        }
        let new = filter_record_batch(&slice, &BooleanArray::from(new)).map_err(|error| {
            Error::internal("batch_malformed", "Rows can not be left out of a batch").with_cause(&error)
        })?;
        output.write(new).await
    }

    /// Everything up to the last position was sent.
    async fn checkpoint(&mut self, output: &mut PartitionWriter) -> Result<()> {
        if !std::mem::take(&mut self.checkpoint_due) {
            return Ok(());
        }
        let Some(last) = &self.last else { return Ok(()) };
        output.checkpoint(last.to_bytes()?, Some(last.cursor.clone())).await
    }

    fn position(&self, sent: &RecordBatch, row: usize) -> Result<Position> {
        let unreadable = || {
            Error::source(
                "cursor_value_unreadable",
                format!(
                    "The server sent a row of table {} without its place in the order",
                    self.name
                ),
            )
        };
        let order = self.order.as_ref().ok_or_else(unreadable)?;
        let mut values = Vec::with_capacity(order.parts.len());
        for part in &order.parts {
            let column: &ArrayRef = sent.columns().get(part.column).ok_or_else(unreadable)?;
            values.push(value_at(part.cursor_type, column, row)?);
        }
        let mut values = values.into_iter();
        let cursor = values.next().flatten().ok_or_else(unreadable)?;
        Ok(Position {
            cursor,
            key: values.collect(),
        })
    }

    /// Which row it is, in words: its key where one is read, otherwise its number.
    fn describe(&self, sent: &RecordBatch, row: usize) -> String {
        let key: Option<Vec<String>> = self
            .order
            .as_ref()
            .filter(|order| order.parts.len() > 1)
            .and_then(|_| self.position(sent, row).ok())
            .and_then(|position| {
                position
                    .key
                    .iter()
                    .map(|value| value.as_ref().map(ToString::to_string))
                    .collect()
            });
        match key {
            Some(key) => format!("the row with key {}", key.join(", ")),
            None => format!("row number {} of the partition", self.rows + row as u64 + 1),
        }
    }
}

/// Values of a column can not be delivered. `describe` says in words which row it is.
pub(crate) fn unfit(table: &str, column: &str, reason: Unfit, describe: impl FnOnce(usize) -> String) -> Error {
    match reason {
        Unfit::NotUtf8 { row } => Error::source(
            "text_not_utf8",
            format!(
                "Column {column} of table {table} holds bytes that are no UTF-8 text, in {}",
                describe(row)
            ),
        )
        .with_remedy(format!(
            "Name {column} in the table's `binary_columns` to receive its bytes as they are, leave it out with `exclude_columns`, or such rows with \
             `where: isValidUTF8({column})`."
        )),
        Unfit::OtherType => Error::source(
            "schema_changed",
            format!("Column {column} of table {table} changed while it was read"),
        )
        .retryable(),
    }
}

/// Rows in the form that they are delivered in; otherwise the column at fault.
pub(crate) fn delivered<'a>(
    text: &mut TextReader,
    schema: &'a SchemaRef,
    sent: &RecordBatch,
) -> Result<Result<RecordBatch, (&'a str, Unfit)>> {
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (index, field) in schema.fields().iter().enumerate() {
        let values = match sent.columns().get(index) {
            Some(values) => text.delivered(values, field.data_type()),
            None => Err(Unfit::OtherType),
        };
        match values {
            Ok(values) => columns.push(values),
            Err(unfit) => return Ok(Err((field.name(), unfit))),
        }
    }
    let batch = RecordBatch::try_new(Arc::clone(schema), columns);
    batch.map(Ok).map_err(|error| {
        Error::internal("batch_malformed", "The rows of a table do not fit its columns").with_cause(&error)
    })
}
