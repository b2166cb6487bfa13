//! One partition's stream of batches in, and of acks and rejects out.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use bytes::Bytes;
use longshore_core::{
    balance::DestinationCounts,
    error::{Error, Result},
};
use longshore_protocol::{
    framing::BatchDecoder,
    status,
    v1::{self, write_request::Request, write_response::Response},
};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::held::HeldRows;
use crate::row_key::key_of_row;

/// Where a destination takes one partition's batches from.
pub struct BatchReceiver {
    requests: Streaming<v1::WriteRequest>,
    held: HeldRows,
    /// Taken off the stream, and not given to the destination yet.
    parked: Option<ReceivedBatch>,
    decoder: Arc<BatchDecoder>,
    received: Arc<AtomicU64>,
}

/// What Longshore sent.
#[derive(Debug)]
pub enum Received {
    /// Rows.
    Batch(ReceivedBatch),
    /// "Do not wait for more: make everything up to this sequence number durable and ack it."
    Barrier(u64),
}

/// A batch as it came. It is decoded only when asked for.
#[derive(Debug)]
pub struct ReceivedBatch {
    /// Its number, to ack it with.
    pub sequence: u64,
    /// Its number of rows.
    pub rows: u64,
    /// Rows at its beginning that are not for the destination.
    left_out: u64,
    data: Bytes,
    decoder: Arc<BatchDecoder>,
}

impl ReceivedBatch {
    /// The rows.
    ///
    /// # Errors
    /// When the bytes are no record batch of the stream's schema, or hold another number of rows than announced.
    pub fn decode(&self) -> Result<RecordBatch> {
        let broken = || Error::protocol("batch_broken", format!("Batch {} can not be decoded", self.sequence));
        let batch = self
            .decoder
            .decode(self.data.clone())
            .map_err(|error| broken().with_cause(&error))?;
        if batch.num_rows() as u64 != self.left_out + self.rows {
            return Err(broken());
        }
        let first = usize::try_from(self.left_out).map_err(|_| broken())?;
        Ok(batch.slice(first, batch.num_rows() - first))
    }

    pub(super) fn leave_out(&mut self, rows: u64) {
        self.left_out += rows;
        self.rows -= rows;
    }

    /// Size of the batch in bytes of Arrow data.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.len()
    }
}

impl BatchReceiver {
    pub(super) fn new(requests: Streaming<v1::WriteRequest>, decoder: BatchDecoder, held: HeldRows) -> Self {
        Self {
            requests,
            held,
            parked: None,
            decoder: Arc::new(decoder),
            received: Arc::default(),
        }
    }

    pub(crate) fn received(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.received)
    }

    /// The stream's columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        self.decoder.schema()
    }

    /// The next batch or barrier; `None` after the last one.
    ///
    /// Cancel safe: when the future is dropped, nothing is lost, and the next call goes on.
    ///
    /// # Errors
    /// When Longshore has given the partition up, or the stream is broken: nothing more is to be sent.
    pub async fn next(&mut self) -> Result<Option<Received>> {
        loop {
            self.held.tell().await?;
            if let Some(batch) = self.parked.take() {
                return Ok(Some(Received::Batch(batch)));
            }
            let message = self.requests.message().await;
            let Some(message) = message.map_err(|status| status::from_status(&status))? else {
                return Ok(None);
            };
            match message.request {
                Some(Request::Batch(batch)) => {
                    let batch = self.in_sequence(batch)?;
                    self.parked = self.held.take_from(batch)?;
                }
                Some(Request::Barrier(barrier)) => return Ok(Some(Received::Barrier(barrier.sequence))),
                Some(Request::Open(_)) | None => {
                    return Err(Error::protocol(
                        "write_broken",
                        "A write stream was opened twice or held an empty message",
                    ));
                }
            }
        }
    }

    fn in_sequence(&self, batch: v1::RecordBatch) -> Result<ReceivedBatch> {
        let previous = self.received.fetch_add(1, Ordering::Relaxed);
        if batch.sequence != previous + 1 {
            return Err(Error::protocol(
                "sequence_broken",
                format!("Batch {} came after batch {previous}", batch.sequence),
            ));
        }
        Ok(ReceivedBatch {
            sequence: batch.sequence,
            rows: batch.rows,
            left_out: 0,
            data: batch.data,
            decoder: Arc::clone(&self.decoder),
        })
    }
}

/// A row, or one column of it, that the destination refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The batch.
    pub sequence: u64,
    /// The row within the batch, from 0.
    pub row: u64,
    /// The row's key as text, so that a person can find it.
    pub key: String,
    /// Stable name of the rule, such as `string_too_long`.
    pub rule: String,
    /// The column at fault; empty for the whole row.
    pub column: String,
    /// What is wrong, with the value's shape but never the value.
    pub reason: String,
    /// `true`: the row was not delivered. `false`: only the column was left out.
    pub whole_row: bool,
}

/// Where a destination sends acks and rejects to. Cheap to clone.
#[derive(Clone)]
pub struct AckSender {
    sender: mpsc::Sender<Result<v1::WriteResponse, Status>>,
    acked: Arc<AtomicU64>,
    /// The batch whose first rows are held, and how many: a stream has one at most.
    held: Arc<OnceLock<(u64, u64)>>,
}

impl AckSender {
    pub(crate) fn new(sender: mpsc::Sender<Result<v1::WriteResponse, Status>>) -> Self {
        Self {
            sender,
            acked: Arc::default(),
            held: Arc::default(),
        }
    }

    /// Rows of this batch are held and rejected already: they count with its ack, and its rows are numbered behind them.
    pub(super) fn count_held(&self, sequence: u64, rows: u64) {
        self.held
            .set((sequence, rows))
            .expect("held rows are the beginning of a stream, so one batch at most is held in part");
    }

    fn held_in(&self, sequence: u64) -> u64 {
        self.held
            .get()
            .filter(|(batch, _)| *batch == sequence)
            .map_or(0, |(_, rows)| *rows)
    }

    pub(crate) fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }

    /// Says that every row of this batch is durable, or rejected and sent before. Batches are acked one by one, in order.
    ///
    /// # Errors
    /// `ack_out_of_order` when a batch was left out; an error when Longshore does not listen any more.
    pub async fn ack(&self, sequence: u64, counts: DestinationCounts) -> Result<()> {
        let message = self.ack_message(sequence, counts)?;
        self.send(message).await
    }

    pub(super) fn ack_message(&self, sequence: u64, counts: DestinationCounts) -> Result<Response> {
        let previous = self.acked.fetch_add(1, Ordering::Relaxed);
        if sequence != previous + 1 {
            return Err(Error::internal(
                "ack_out_of_order",
                format!("Batch {sequence} was acked after batch {previous}"),
            ));
        }
        let DestinationCounts {
            delivered,
            rejected,
            filtered,
        } = counts;
        Ok(Response::Ack(v1::Ack {
            sequence,
            delivered,
            rejected: rejected + self.held_in(sequence),
            filtered,
        }))
    }

    /// Says that so many rows are about to be sent once more, because it is not known whether they arrived, to a target where that leaves a trace.
    /// Call it each time, before they are sent and before the wait that comes first: Longshore counts them at once, whatever becomes of the stream.
    /// Never under [`WritePartition::hold_uncertain`](super::WritePartition::hold_uncertain).
    ///
    /// # Errors
    /// When Longshore does not listen any more: the rows must not be sent, because nobody would count them.
    pub async fn resent(&self, rows: u64) -> Result<()> {
        self.send(Response::Resent(v1::Resent { rows })).await
    }

    /// Says that every row of this batch is durable, as [`Self::ack`] does.
    ///
    /// # Errors
    /// As [`Self::ack`].
    pub async fn delivered(&self, batch: &ReceivedBatch) -> Result<()> {
        let counts = DestinationCounts {
            delivered: batch.rows,
            ..DestinationCounts::default()
        };
        self.ack(batch.sequence, counts).await
    }

    /// Hands rejects to Longshore, which keeps them. Call it before the ack of their batch.
    ///
    /// # Errors
    /// When Longshore does not listen any more.
    pub async fn reject(&self, mut rejects: Vec<Reject>) -> Result<()> {
        if rejects.is_empty() {
            return Ok(());
        }
        for reject in &mut rejects {
            reject.row += self.held_in(reject.sequence);
        }
        self.send(rejects_message(rejects)).await
    }

    pub(crate) async fn opened(&self) -> Result<()> {
        self.send(Response::Opened(v1::WriteOpened {})).await
    }

    /// Room for one message.
    pub(super) async fn permit(&self) -> Result<mpsc::Permit<'_, Result<v1::WriteResponse, Status>>> {
        self.sender
            .reserve()
            .await
            .map_err(|_| Error::internal("writer_gone", "Longshore does not write this partition any more"))
    }

    async fn send(&self, response: Response) -> Result<()> {
        let message = v1::WriteResponse {
            response: Some(response),
        };
        self.permit().await?.send(Ok(message));
        Ok(())
    }
}

pub(super) fn rejects_message(rejects: Vec<Reject>) -> Response {
    Response::Rejects(v1::Rejects {
        rejects: rejects.into_iter().map(Into::into).collect(),
    })
}

impl Reject {
    /// A row that is held because nobody knows whether it arrived: not to be sent again, but named by its key in the table, so that a person can look.
    /// `row` is its place in `batch`, as it was decoded.
    #[must_use]
    pub fn held(sequence: u64, row: u64, (batch, key): (&RecordBatch, &[String]), reason: String) -> Self {
        Self {
            sequence,
            row,
            key: key_of_row(batch, usize::try_from(row).unwrap_or(usize::MAX), key),
            rule: longshore_protocol::UNCERTAIN_DELIVERY.to_owned(),
            column: String::new(),
            reason,
            whole_row: true,
        }
    }
}

impl From<Reject> for v1::Reject {
    fn from(reject: Reject) -> Self {
        Self {
            sequence: reject.sequence,
            row: reject.row,
            key: reject.key,
            rule: reject.rule,
            column: reject.column,
            reason: reject.reason,
            whole_row: reject.whole_row,
        }
    }
}
