//! One partition's stream of batches in, and of acks and rejects out.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream::BoxStream};
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
use tonic::Status;

use super::{
    held::HeldRows,
    identities::{Place, Rejected},
    reject::Reject,
    unacked::UnackedBatches,
};

/// Rows that one message about superseded ones holds.
const SUPERSEDING_ROWS_A_MESSAGE: usize = 1_000;

/// What Longshore sends on a stream, in order.
pub(super) type WriteRequests = BoxStream<'static, Result<v1::WriteRequest, Status>>;

/// Where a destination takes one partition's batches from.
pub struct BatchReceiver {
    requests: WriteRequests,
    held: HeldRows,
    /// Taken off the stream, and not given to the destination yet.
    parked: Option<ReceivedBatch>,
    unacked: Arc<UnackedBatches>,
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
    pub(super) fn new(requests: WriteRequests, unacked: Arc<UnackedBatches>, held: HeldRows) -> Self {
        Self {
            requests,
            held,
            parked: None,
            unacked,
            received: Arc::default(),
        }
    }

    pub(crate) fn received(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.received)
    }

    /// The stream's columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        self.unacked.decoder().schema()
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
            let message = self.requests.try_next().await;
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
        self.unacked.keep(batch.sequence, batch.data.clone());
        Ok(ReceivedBatch {
            sequence: batch.sequence,
            rows: batch.rows,
            left_out: 0,
            data: batch.data,
            decoder: Arc::clone(self.unacked.decoder()),
        })
    }
}

/// Where a destination sends acks and rejects to. Cheap to clone.
#[derive(Clone)]
pub struct AckSender {
    sender: mpsc::Sender<Result<v1::WriteResponse, Status>>,
    acked: Arc<AtomicU64>,
    /// The batch whose first rows are held, and how many: a stream has one at most.
    held: Arc<OnceLock<(u64, u64)>>,
    unacked: Arc<UnackedBatches>,
    rejected: Rejected,
    /// Rows that were refused as a whole, of batches that are not acked yet.
    refused: Arc<Mutex<BTreeSet<(u64, u64)>>>,
    /// The stream's number within the process.
    stream: u64,
    /// Microseconds since the last ack.
    rate_limit_wait: Arc<AtomicU64>,
}

impl AckSender {
    pub(super) fn new(
        sender: mpsc::Sender<Result<v1::WriteResponse, Status>>,
        unacked: Arc<UnackedBatches>,
        rejected: Rejected,
        stream: u64,
    ) -> Self {
        Self {
            sender,
            acked: Arc::default(),
            held: Arc::default(),
            unacked,
            rejected,
            refused: Arc::default(),
            stream,
            rate_limit_wait: Arc::default(),
        }
    }

    pub(super) fn unacked(&self) -> &Arc<UnackedBatches> {
        &self.unacked
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
        self.supersede_versions(sequence, counts).await?;
        let message = self.ack_message(sequence, counts)?;
        self.send(message).await
    }

    /// Says which delivered rows have older versions of themselves in the ledger. Of rows that were filtered, nobody says which they are: nothing is said then.
    async fn supersede_versions(&self, sequence: u64, counts: DestinationCounts) -> Result<()> {
        let refused = self.take_refused(sequence);
        if counts.delivered == 0 || counts.filtered > 0 || !self.rejected.rows.is_watching() {
            return Ok(());
        }
        let Some(fingerprints) = self.unacked.fingerprints(sequence)? else {
            return Ok(());
        };
        let held = self.held_in(sequence);
        let delivered = (0..)
            .zip(fingerprints)
            .filter(|(row, _)| *row >= held && !refused.contains(row));
        let superseding = delivered.filter_map(|(row, fingerprint)| {
            let fingerprint = fingerprint?;
            let found = self.rejected.rows.supersedes(&fingerprint, self.place(sequence, row));
            found.then(|| v1::SupersedingRow {
                sequence,
                row,
                identity: String::new(),
                fingerprint: fingerprint.to_vec().into(),
            })
        });
        let superseding = superseding.collect();
        self.send_superseding(superseding).await
    }

    fn take_refused(&self, sequence: u64) -> BTreeSet<u64> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = refused.split_off(&(sequence + 1, 0));
        let taken = std::mem::replace(&mut *refused, behind);
        taken.into_iter().map(|(_, row)| row).collect()
    }

    async fn send_superseding(&self, superseding: Vec<v1::SupersedingRow>) -> Result<()> {
        for rows in superseding.chunks(SUPERSEDING_ROWS_A_MESSAGE) {
            let rows = rows.to_vec();
            self.send(Response::Superseded(v1::Superseded { rows })).await?;
        }
        Ok(())
    }

    pub(super) fn ack_message(&self, sequence: u64, counts: DestinationCounts) -> Result<Response> {
        let previous = self.acked.fetch_add(1, Ordering::Relaxed);
        if sequence != previous + 1 {
            return Err(Error::internal(
                "ack_out_of_order",
                format!("Batch {sequence} was acked after batch {previous}"),
            ));
        }
        self.unacked.forget(sequence);
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
            figures: self.take_figures(),
        }))
    }

    /// Counts time for which a request of this stream waited for a rate limit; it is shown to users with the next ack.
    pub fn waited_for_rate_limit(&self, time: Duration) {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.rate_limit_wait.fetch_add(microseconds, Ordering::Relaxed);
    }

    fn take_figures(&self) -> Option<v1::WriteFigures> {
        let rate_limit_wait_us = self.rate_limit_wait.swap(0, Ordering::Relaxed);
        (rate_limit_wait_us > 0).then_some(v1::WriteFigures { rate_limit_wait_us })
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

    /// Hands rejects to Longshore, which keeps them. Call it before the ack of their batch. The SDK adds each row's primary key, and the row itself where
    /// the user wants rejected rows kept.
    ///
    /// # Errors
    /// - `reject_too_late`, `reject_unknown_row`: the batch is acked already, never came, or has no such row.
    /// - When Longshore does not listen any more.
    pub async fn reject(&self, mut rejects: Vec<Reject>) -> Result<()> {
        for reject in &mut rejects {
            reject.row += self.held_in(reject.sequence);
            let place = self.place(reject.sequence, reject.row);
            self.rejected.identities.rejected(reject.identity.as_bytes(), place);
            if reject.whole_row {
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                refused.insert((reject.sequence, reject.row));
            }
        }
        for message in self.unacked.messages(rejects) {
            let message = message?;
            if let Response::Rejects(v1::Rejects { rejects }) = &message {
                for reject in rejects {
                    let place = self.place(reject.sequence, reject.row);
                    self.rejected.rows.rejected(&reject.fingerprint, place);
                }
            }
            self.send(message).await?;
        }
        Ok(())
    }

    /// Whether the ledger of rejects may hold rows that a delivered one supersedes. When not, [`Self::superseding`] has nothing to find.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        self.rejected.identities.is_watching()
    }

    /// Says which rows of a batch were delivered, by row and [identity](Reject::identity), so that older rejected versions of the same are not sent over
    /// them. Call it behind [`Self::reject`] and before the ack of the batch, in the order of the rows; only where a later row replaces an earlier one.
    ///
    /// # Errors
    /// When Longshore does not listen any more.
    pub async fn superseding(&self, sequence: u64, delivered: &[(u64, &str)]) -> Result<()> {
        let held = self.held_in(sequence);
        let superseding = delivered.iter().filter_map(|&(row, identity)| {
            let row = row + held;
            let place = self.place(sequence, row);
            let found = self.rejected.identities.supersedes(identity.as_bytes(), place);
            found.then(|| v1::SupersedingRow {
                sequence,
                row,
                identity: identity.to_owned(),
                fingerprint: Bytes::new(),
            })
        });
        let superseding = superseding.collect();
        self.send_superseding(superseding).await
    }

    fn place(&self, sequence: u64, row: u64) -> Place {
        Place {
            stream: self.stream,
            sequence,
            row,
        }
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
