//! Sends one partition's batches and checkpoints: coalesced when small, split when large, counted always.

use arrow::{
    array::{Array as _, RecordBatch},
    compute::concat_batches,
    datatypes::SchemaRef,
};
use longshore_core::{
    balance::SourceCounts,
    cursor::CursorValue,
    error::{Error, Result, Scope},
    fingerprints::Fingerprints,
    partition::Checkpoint,
};
use longshore_protocol::{
    framing::{self, BatchEncoder, FramingError},
    limits,
    v1::{self, read_response::Response},
};
use tokio::sync::{mpsc, watch};
use tonic::Status;

use crate::row_key::key_of_row;

/// Where a source writes one partition to.
pub struct PartitionWriter {
    sender: mpsc::Sender<Result<v1::ReadResponse, Status>>,
    committed: watch::Receiver<u64>,
    key: Vec<String>,
    limits: BatchLimits,
    schema: Option<SchemaRef>,
    encoder: BatchEncoder,
    pending: PendingBatches,
    sequence: u64,
    counts: SourceCounts,
    fingerprints: Fingerprints,
    last_position: Vec<u8>,
    last_cursor: Option<CursorValue>,
}

/// What one message may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimits {
    pub(crate) max_bytes: usize,
    pub(crate) target_bytes: usize,
    pub(crate) max_rows: usize,
}

impl BatchLimits {
    /// The limits that a `ReadOpen` asks for; zero means no wish.
    pub(crate) fn new(max_message_bytes: u64, max_batch_rows: u64) -> Self {
        let asked = |value: u64, default: usize| match usize::try_from(value) {
            Ok(0) | Err(_) => default,
            Ok(value) => value.min(default),
        };
        let max_bytes = asked(max_message_bytes, limits::MAX_MESSAGE_BYTES).saturating_sub(limits::ENVELOPE_BYTES);
        Self {
            max_bytes,
            target_bytes: limits::TARGET_BATCH_BYTES.min(max_bytes),
            max_rows: asked(max_batch_rows, limits::MAX_BATCH_ROWS),
        }
    }
}

#[derive(Default)]
struct PendingBatches {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl PartitionWriter {
    pub(crate) fn new(
        sender: mpsc::Sender<Result<v1::ReadResponse, Status>>,
        committed: watch::Receiver<u64>,
        key: Vec<String>,
        limits: BatchLimits,
    ) -> Self {
        Self {
            sender,
            committed,
            key,
            limits,
            schema: None,
            encoder: BatchEncoder::default(),
            pending: PendingBatches::default(),
            sequence: 0,
            counts: SourceCounts::default(),
            fingerprints: Fingerprints::default(),
            last_position: Vec::new(),
            last_cursor: None,
        }
    }

    /// Declares the columns. Must come first, also for a partition that turns out empty.
    ///
    /// # Errors
    /// When it is called twice, when the schema can not be sent, or when nobody reads any more.
    pub async fn start(&mut self, schema: SchemaRef) -> Result<()> {
        if self.schema.is_some() {
            return Err(Error::internal(
                "started_twice",
                "PartitionWriter::start was called twice",
            ));
        }
        let arrow_schema = framing::encode_schema(&schema).map_err(|error| unsendable(&error))?;
        self.schema = Some(schema);
        self.send(Response::Schema(v1::ReadSchema { arrow_schema })).await
    }

    /// Size in bytes that a batch is best built at: near it, a batch is neither copied nor split.
    #[must_use]
    pub fn target_bytes(&self) -> usize {
        self.limits.target_bytes
    }

    /// Rows that a batch should not exceed: larger ones are split.
    #[must_use]
    pub fn max_rows(&self) -> usize {
        self.limits.max_rows
    }

    /// Sends rows, in order. Small batches are put together, large ones are split.
    ///
    /// # Errors
    /// `row_too_large` for a row that no message can hold, with its key; `batch_mismatched` for a batch of other columns; an error when nobody
    /// reads any more.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let schema = self
            .schema
            .as_ref()
            .ok_or_else(|| Error::internal("not_started", "PartitionWriter::start was not called"))?;
        if batch.schema_ref() != schema {
            return Err(Error::internal(
                "batch_mismatched",
                "A batch has other columns than its partition",
            ));
        }
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        self.counts.read += rows as u64;
        let bytes = slice_bytes(&batch);
        if self.pending.rows > 0 && self.overfull_with(rows, bytes) {
            self.flush().await?;
        }
        self.pending.rows += rows;
        self.pending.bytes += bytes;
        self.pending.batches.push(batch);
        // From half the target on, waiting for more would cost more in copying than it saves in messages.
        if self.pending.bytes >= self.limits.target_bytes / 2 || self.pending.rows >= self.limits.max_rows {
            self.flush().await?;
        }
        Ok(())
    }

    /// Counts rows that were fetched and left out by a declared rule.
    pub fn filtered(&mut self, rows: u64) {
        self.counts.read += rows;
        self.counts.filtered += rows;
    }

    /// Counts rows that were fetched and left out because an earlier run had delivered them.
    pub fn deduplicated(&mut self, rows: u64) {
        self.counts.read += rows;
        self.counts.deduplicated += rows;
    }

    /// Remembers a row, delivered or deduplicated, that the next run may see again. See [`longshore_core::fingerprints`].
    pub fn fingerprint(&mut self, hash: u64) {
        self.fingerprints.insert(hash);
    }

    /// The same of a row that is ahead of the cursor of the plan's `completed_state`.
    pub fn fingerprint_ahead(&mut self, hash: u64) {
        self.fingerprints.insert_ahead(hash);
    }

    /// Marks: "everything written so far is enough to resume from `position`". Sends what is pending first.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn checkpoint(&mut self, position: impl Into<Vec<u8>>, cursor: Option<CursorValue>) -> Result<()> {
        self.flush().await?;
        self.last_position = position.into();
        self.last_cursor = cursor;
        let checkpoint = self.take_checkpoint();
        self.send(Response::Checkpoint(checkpoint.into())).await
    }

    /// The sequence number of the last checkpoint that Longshore has committed, as it moves.
    #[must_use]
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    /// Sends what is pending and says that the partition is read to its end.
    pub(crate) async fn finish(mut self) -> Result<()> {
        if self.schema.is_none() {
            return Err(Error::internal("not_started", "PartitionWriter::start was not called"));
        }
        self.flush().await?;
        let end = self.take_checkpoint();
        self.send(Response::Done(v1::ReadDone { end: Some(end.into()) })).await
    }

    fn take_checkpoint(&mut self) -> Checkpoint {
        Checkpoint {
            sequence: self.sequence,
            position: self.last_position.clone(),
            cursor: self.last_cursor.clone(),
            fingerprints: std::mem::take(&mut self.fingerprints),
            counts: self.counts,
        }
    }

    fn overfull_with(&self, rows: usize, bytes: usize) -> bool {
        self.pending.rows + rows > self.limits.max_rows || self.pending.bytes + bytes > self.limits.target_bytes
    }

    async fn flush(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let batch = match pending.batches.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            several => concat_batches(several[0].schema_ref(), several).map_err(|error| {
                Error::internal("batches_unjoinable", "Small batches can not be put together").with_cause(&error)
            })?,
        };
        let by_rows = batch.num_rows().div_ceil(self.limits.max_rows);
        let by_bytes = pending.bytes / (2 * self.limits.target_bytes) + 1;
        let pieces = by_rows.max(by_bytes);
        let rows = batch.num_rows().div_ceil(pieces);
        let mut at = 0;
        while at < batch.num_rows() {
            let length = rows.min(batch.num_rows() - at);
            self.send_rows(batch.slice(at, length)).await?;
            at += length;
        }
        Ok(())
    }

    /// Sends these rows in one message, or in halves when they do not fit.
    async fn send_rows(&mut self, batch: RecordBatch) -> Result<()> {
        let mut rest = vec![batch];
        while let Some(batch) = rest.pop() {
            let data = self.encoder.encode(&batch).map_err(|error| unsendable(&error))?;
            if data.len() <= self.limits.max_bytes {
                self.send_encoded(batch.num_rows() as u64, data).await?;
                continue;
            }
            if batch.num_rows() == 1 {
                return Err(self.row_too_large(&batch, data.len()));
            }
            let half = batch.num_rows() / 2;
            rest.push(batch.slice(half, batch.num_rows() - half));
            rest.push(batch.slice(0, half));
        }
        Ok(())
    }

    async fn send_encoded(&mut self, rows: u64, data: bytes::Bytes) -> Result<()> {
        self.sequence += 1;
        self.counts.emitted += rows;
        self.send(Response::Batch(v1::RecordBatch {
            sequence: self.sequence,
            rows,
            data,
        }))
        .await
    }

    async fn send(&mut self, response: Response) -> Result<()> {
        let message = v1::ReadResponse {
            response: Some(response),
        };
        self.sender
            .send(Ok(message))
            .await
            .map_err(|_| Error::internal("reader_gone", "Longshore does not read this partition any more"))
    }

    fn row_too_large(&self, row: &RecordBatch, bytes: usize) -> Error {
        let key = key_of_row(row, 0, &self.key);
        let largest = row
            .columns()
            .iter()
            .zip(row.schema_ref().fields())
            .max_by_key(|(column, _)| column.to_data().get_slice_memory_size().unwrap_or(0))
            .map_or("", |(_, field)| field.name());
        let which = if key.is_empty() {
            format!("row number {} of the partition", self.counts.emitted + 1)
        } else {
            key
        };
        Error::source(
            "row_too_large",
            format!(
                "The row with {which} takes {bytes} bytes, a message holds {}; its largest column is {largest}",
                self.limits.max_bytes
            ),
        )
        .with_scope(Scope::Row)
        .with_remedy(format!(
            "Leave the column {largest} out with the table's `columns` option, or shorten it in a view."
        ))
    }
}

fn unsendable(error: &FramingError) -> Error {
    Error::internal(
        "batch_unsendable",
        "A batch can not be put into the form of the contract",
    )
    .with_cause(error)
}

/// Bytes that the rows of this batch take, also when it is a slice of a larger one.
fn slice_bytes(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| {
            column
                .to_data()
                .get_slice_memory_size()
                .unwrap_or_else(|_| column.get_array_memory_size())
        })
        .sum()
}
