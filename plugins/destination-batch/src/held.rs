//! Rows that are held, because nobody knows whether Batch took them: named by their key in the table, which a custom id alone is not.

use std::collections::HashMap;

use longshore_sdk::{arrow::array::RecordBatch, prelude::*};

use crate::sending::delivery::HeldRow;

/// The batches of a stream that are not acked yet, kept as they came for as long as a row of theirs may have to be named.
#[derive(Debug)]
pub(crate) struct HeldRows {
    key: Vec<String>,
    batches: HashMap<u64, RecordBatch>,
}

impl HeldRows {
    /// For a table with this key.
    pub(crate) fn new(key: Vec<String>) -> Self {
        Self {
            key,
            batches: HashMap::new(),
        }
    }

    pub(crate) fn keep(&mut self, sequence: u64, batch: RecordBatch) {
        self.batches.insert(sequence, batch);
    }

    pub(crate) fn forget(&mut self, sequence: u64) {
        self.batches.remove(&sequence);
    }

    /// The reject of a row whose batch is kept.
    pub(crate) fn reject(&self, held: &HeldRow) -> Reject {
        let batch = self
            .batches
            .get(&held.sequence)
            .expect("a batch is kept until all its rows are done");
        let reason = format!(
            "Batch may have taken the event already ({}), so it was not sent again",
            held.answer
        );
        Reject::held(held.sequence, held.row, (batch, &self.key), reason)
    }
}
