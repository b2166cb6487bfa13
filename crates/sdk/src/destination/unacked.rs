//! The batches of a stream that are not acked yet, as they came: what a reject says of its row is cut out of them, and so no destination has to keep
//! rows for the case that one is refused.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::array::RecordBatch;
use bytes::Bytes;
use longshore_core::error::{Error, Result};
use longshore_protocol::{
    framing::{BatchDecoder, BatchEncoder},
    v1::{self, write_response::Response},
};

use super::reject::Reject;
use crate::row_key::{RowKeys, key_of_row};

/// Rejects that one message holds.
const REJECTS_A_MESSAGE: usize = 1_000;

/// Bytes of rows that one message holds, and a row more.
const ROW_BYTES_A_MESSAGE: usize = 512 * 1024;

/// A larger row is not kept with its reject: the ledger is for mending rows by hand, and a message has to hold it.
const LARGEST_KEPT_ROW: usize = 4 * 1024 * 1024;

/// What a stream has received and not acked. The bytes are those that came: nothing is copied.
pub(super) struct UnackedBatches {
    /// Rejects take their rows along.
    keep_rows: bool,
    key: Vec<String>,
    decoder: Arc<BatchDecoder>,
    batches: Mutex<BTreeMap<u64, Bytes>>,
}

impl UnackedBatches {
    pub(super) fn new(decoder: Arc<BatchDecoder>, key: Vec<String>, keep_rows: bool) -> Self {
        Self {
            keep_rows,
            key,
            decoder,
            batches: Mutex::default(),
        }
    }

    pub(super) fn decoder(&self) -> &Arc<BatchDecoder> {
        &self.decoder
    }

    pub(super) fn keep(&self, sequence: u64, data: Bytes) {
        self.lock().insert(sequence, data);
    }

    pub(super) fn forget(&self, sequence: u64) {
        self.lock().remove(&sequence);
    }

    /// Messages with these rejects, each with what the batch says of its row. They are made one by one, as they are taken: rows of a thousand columns
    /// must not all be in memory twice.
    pub(super) fn messages(&self, rejects: Vec<Reject>) -> RejectMessages<'_> {
        RejectMessages {
            unacked: self,
            rejects: rejects.into_iter(),
            batch: None,
        }
    }

    /// The fingerprints of a batch's rows, by row; `None`: its rows have none.
    pub(super) fn fingerprints(&self, sequence: u64) -> Result<Option<Vec<Option<[u8; 16]>>>> {
        if self.key.is_empty() {
            return Ok(None);
        }
        let batch = self.decode(sequence)?;
        let keys = RowKeys::of(&batch, &self.key);
        Ok(keys.map(|keys| (0..batch.num_rows()).map(|row| keys.fingerprint(row)).collect()))
    }

    fn decode(&self, sequence: u64) -> Result<RecordBatch> {
        let data = self.lock().get(&sequence).cloned();
        let data = data.ok_or_else(|| {
            Error::internal(
                "reject_too_late",
                format!("A row of batch {sequence} was rejected, which is acked already or never came"),
            )
        })?;
        self.decoder.decode(data).map_err(|error| {
            Error::protocol("batch_broken", format!("Batch {sequence} can not be decoded")).with_cause(&error)
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Bytes>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`UnackedBatches::messages`].
pub(super) struct RejectMessages<'a> {
    unacked: &'a UnackedBatches,
    rejects: std::vec::IntoIter<Reject>,
    /// The batch of the last reject: the next one most likely is of the same.
    batch: Option<(u64, RecordBatch)>,
}

impl Iterator for RejectMessages<'_> {
    type Item = Result<Response>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rejects = Vec::new();
        let mut bytes = 0;
        while rejects.len() < REJECTS_A_MESSAGE && bytes < ROW_BYTES_A_MESSAGE {
            let Some(reject) = self.rejects.next() else { break };
            match self.complete(reject) {
                Ok(reject) => {
                    bytes += reject.row_data.len();
                    rejects.push(reject);
                }
                Err(error) => return Some(Err(error)),
            }
        }
        (!rejects.is_empty()).then(|| Ok(Response::Rejects(v1::Rejects { rejects })))
    }
}

impl RejectMessages<'_> {
    fn complete(&mut self, reject: Reject) -> Result<v1::Reject> {
        let (sequence, row) = (reject.sequence, reject.row);
        let batch = self.batch_of(sequence)?.clone();
        let index = usize::try_from(row).unwrap_or(usize::MAX);
        if index >= batch.num_rows() {
            let message = format!(
                "Row {row} of batch {sequence} was rejected, which has {} rows",
                batch.num_rows()
            );
            return Err(Error::internal("reject_unknown_row", message));
        }
        let primary_key = key_of_row(&batch, index, &self.unacked.key);
        let mut complete = v1::Reject::from(reject);
        if complete.rule != longshore_protocol::UNCERTAIN_DELIVERY {
            let keys = RowKeys::of(&batch, &self.unacked.key);
            let fingerprint = keys.and_then(|keys| keys.fingerprint(index));
            complete.fingerprint = fingerprint.map(|bytes| bytes.to_vec().into()).unwrap_or_default();
        }
        if complete.key.is_empty() {
            complete.key = primary_key;
        } else {
            complete.primary_key = primary_key;
        }
        if self.unacked.keep_rows {
            let data = BatchEncoder::compact()
                .encode(&batch.slice(index, 1))
                .map_err(|error| {
                    Error::internal(
                        "row_not_kept",
                        format!("A row of batch {sequence} can not be encoded alone"),
                    )
                    .with_cause(&error)
                })?;
            match data.len() <= LARGEST_KEPT_ROW {
                true => complete.row_data = data,
                false => complete.reason.push_str(&format!(
                    "; the row is larger than {} MiB and is not kept",
                    LARGEST_KEPT_ROW / (1024 * 1024)
                )),
            }
        }
        Ok(complete)
    }

    fn batch_of(&mut self, sequence: u64) -> Result<&RecordBatch> {
        if self.batch.as_ref().is_none_or(|(current, _)| *current != sequence) {
            self.batch = Some((sequence, self.unacked.decode(sequence)?));
        }
        let (_, batch) = self.batch.as_ref().expect("it was just put there");
        Ok(batch)
    }
}
