//! Batches as they come, encoded: on a task of its own, so that the next rows are made ready while requests are filled and answered.

use std::sync::Arc;

use chrono::Utc;
use longshore_sdk::prelude::*;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    encode::rows::{Encoded, encode},
    mapping::TablePlan,
};

/// Encoded batches that wait to be taken: enough to overlap, and no more rows on the way than that.
const AHEAD: usize = 1;

/// What came.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Rows, as they are sent.
    Batch {
        sequence: u64,
        /// How many there were, refused ones included.
        rows: u64,
        encoded: Encoded,
    },
    /// Nothing waits for more rows until all before it are sent.
    Barrier,
    /// Nothing comes any more.
    End,
}

/// The arrivals of one stream, in order.
pub(crate) struct Arrivals {
    queue: mpsc::Receiver<Result<Arrival>>,
    /// Ends with this value.
    _encoding: JoinSet<()>,
}

impl Arrivals {
    pub(crate) fn of(batches: BatchReceiver, plan: Arc<TablePlan>) -> Self {
        let (sender, queue) = mpsc::channel(AHEAD);
        let mut encoding = JoinSet::new();
        encoding.spawn(encode_all(batches, plan, sender));
        Self {
            queue,
            _encoding: encoding,
        }
    }

    /// The next one. Cancel safe: when the future is dropped nothing is lost, and the next call goes on.
    ///
    /// # Errors
    /// When the stream is broken, or a batch is: nothing comes behind it.
    pub(crate) async fn next(&mut self) -> Result<Arrival> {
        let gone = || {
            Error::internal(
                "encoding_ended",
                "The task that encodes batches ended before the stream did",
            )
        };
        self.queue.recv().await.ok_or_else(gone)?
    }
}

async fn encode_all(mut batches: BatchReceiver, plan: Arc<TablePlan>, queue: mpsc::Sender<Result<Arrival>>) {
    loop {
        let arrival = arrive(&mut batches, &plan).await;
        let is_last = matches!(arrival, Ok(Arrival::End) | Err(_));
        // Nobody takes it when the stream has failed for another reason.
        if queue.send(arrival).await.is_err() || is_last {
            return;
        }
    }
}

async fn arrive(batches: &mut BatchReceiver, plan: &Arc<TablePlan>) -> Result<Arrival> {
    let received = match batches.next().await? {
        Some(Received::Batch(received)) => received,
        Some(Received::Barrier(_)) => return Ok(Arrival::Barrier),
        None => return Ok(Arrival::End),
    };
    Ok(Arrival::Batch {
        sequence: received.sequence,
        rows: received.rows,
        encoded: encode(plan, received.sequence, &received.decode()?, Utc::now())?,
    })
}
