//! Rows of which nobody knows whether an earlier attempt delivered them, and that the user wants held: kept from the destination, and handed back to
//! Longshore as rejects, which keeps them where they can be looked at.

use longshore_core::{balance::DestinationCounts, error::Result};

use super::stream::{AckSender, ReceivedBatch, Reject};
use crate::row_key::key_of_row;

/// Rejects that one message holds.
const REJECTS_A_MESSAGE: usize = 1_000;

/// The rows of a stream's beginning that are held.
pub(super) struct HeldRows {
    left: u64,
    key: Vec<String>,
    acks: AckSender,
}

impl HeldRows {
    pub(super) fn new(rows: u64, key: Vec<String>, acks: AckSender) -> Self {
        Self { left: rows, key, acks }
    }

    /// What of a batch is for the destination; `None` when all of it is held, and acked.
    pub(super) async fn keep_from(&mut self, mut batch: ReceivedBatch) -> Result<Option<ReceivedBatch>> {
        let held = self.left.min(batch.rows);
        if held == 0 {
            return Ok(Some(batch));
        }
        self.reject(&batch, held).await?;
        self.left -= held;
        if held < batch.rows {
            self.acks.count_held(batch.sequence, held);
            batch.leave_out(held);
            return Ok(Some(batch));
        }
        let counts = DestinationCounts {
            rejected: held,
            ..DestinationCounts::default()
        };
        self.acks.ack(batch.sequence, counts).await?;
        Ok(None)
    }

    async fn reject(&self, batch: &ReceivedBatch, rows: u64) -> Result<()> {
        let decoded = batch.decode()?;
        let reject = |row: u64| Reject {
            sequence: batch.sequence,
            row,
            key: key_of_row(&decoded, usize::try_from(row).unwrap_or(usize::MAX), &self.key),
            rule: longshore_protocol::UNCERTAIN_DELIVERY.to_owned(),
            column: String::new(),
            reason: "an earlier attempt may have delivered the row already".to_owned(),
            whole_row: true,
        };
        let rejects: Vec<Reject> = (0..rows).map(reject).collect();
        for message in rejects.chunks(REJECTS_A_MESSAGE) {
            self.acks.send_rejects(message.to_vec()).await?;
        }
        Ok(())
    }
}
