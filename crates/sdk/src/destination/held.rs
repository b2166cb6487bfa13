//! Rows of which nobody knows whether an earlier attempt delivered them, and that the user wants held: kept from the destination, and handed back to
//! Longshore as rejects, which keeps them where they can be looked at.

use std::collections::VecDeque;

use longshore_core::{balance::DestinationCounts, error::Result};
use longshore_protocol::v1::{self, write_response::Response};

use super::{
    reject::Reject,
    stream::{AckSender, ReceivedBatch},
};

/// The rows of a stream's beginning that are held.
pub(super) struct HeldRows {
    left: u64,
    acks: AckSender,
    /// What is still to be said of rows that are held.
    outbox: VecDeque<Response>,
}

impl HeldRows {
    pub(super) fn new(rows: u64, acks: AckSender) -> Self {
        Self {
            left: rows,
            acks,
            outbox: VecDeque::new(),
        }
    }

    /// Takes the rows to be held out of a batch; `None` when nothing is left of it for the destination. [`Self::tell`] says what became of them.
    pub(super) fn take_from(&mut self, mut batch: ReceivedBatch) -> Result<Option<ReceivedBatch>> {
        let held = self.left.min(batch.rows);
        if held == 0 {
            return Ok(Some(batch));
        }
        let reason = "an earlier attempt may have delivered the row already";
        let rejects = (0..held).map(|row| Reject::held(batch.sequence, row, reason.to_owned()));
        for message in self.acks.unacked().messages(rejects.collect()) {
            self.outbox.push_back(message?);
        }
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
        self.outbox.push_back(self.acks.ack_message(batch.sequence, counts)?);
        Ok(None)
    }

    /// Sends what is to be said. Dropped half-way, it goes on where it was when it is called again.
    pub(super) async fn tell(&mut self) -> Result<()> {
        while !self.outbox.is_empty() {
            let permit = self.acks.permit().await?;
            let message = self.outbox.pop_front().map(|response| v1::WriteResponse {
                response: Some(response),
            });
            if let Some(message) = message {
                permit.send(Ok(message));
            }
        }
        Ok(())
    }
}
