//! One partition of a dry run: rows in, requests counted, acks back.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use longshore_sdk::prelude::*;
use tokio::time::timeout;
use tracing::{debug, info};

use super::DryRun;
use crate::{
    acks::AckTracker,
    encode::rows::encode,
    operation::Operation,
    sender::{MEMORY, Writing, rows_worth_holding},
    sending::{
        claims::Claims,
        pool::Pool,
        project::Project,
        request::{Request, RequestLimits},
    },
    spec::RateLimits,
};

/// While rows may still come, a request is over only when none has come for so long: they would have come while it waited for its turn.
const PATIENCE: Duration = Duration::from_millis(20);

/// Takes a partition to its end, sending nothing.
///
/// # Errors
/// What the stream or a broken batch says.
pub(crate) async fn write(
    run: &DryRun,
    project: &Project,
    rates: &RateLimits,
    writing: Writing,
    mut batches: BatchReceiver,
    acks: AckSender,
) -> Result<()> {
    let mut stream = Stream {
        run,
        rates,
        limits: project.request_limits(writing.endpoint),
        writing,
        acks,
        pool: Pool::default(),
        tracker: AckTracker::default(),
        claims: Arc::default(),
        in_flight: VecDeque::new(),
        is_flushing: false,
        is_asked_for_acks: false,
        is_ended: false,
    };
    while !stream.is_done() {
        stream.fill();
        stream.step(&mut batches).await?;
    }
    Ok(())
}

struct Stream<'a> {
    run: &'a DryRun,
    rates: &'a RateLimits,
    writing: Writing,
    limits: RequestLimits,
    acks: AckSender,
    pool: Pool,
    tracker: AckTracker,
    /// Of this stream alone: that a profile is in flight for another one delays a request, and changes no count.
    claims: Arc<Claims>,
    /// Requests that would be on their way, oldest first.
    in_flight: VecDeque<Request>,
    /// Nothing waits for more rows until all are in requests.
    is_flushing: bool,
    /// Longshore has sent what it may and waits for an ack.
    is_asked_for_acks: bool,
    is_ended: bool,
}

impl Stream<'_> {
    fn is_done(&self) -> bool {
        self.is_ended && self.pool.rows() == 0 && self.in_flight.is_empty()
    }

    fn takes_rows(&self) -> bool {
        !self.is_ended && self.pool.rows() < rows_worth_holding(self.limits) && self.tracker.memory() < MEMORY
    }

    /// Makes the requests that would go now.
    fn fill(&mut self) {
        let takes_rows = self.takes_rows();
        while self.in_flight.len() < self.writing.concurrency
            && self.pool.ready() > 0
            && (self.pool.ready() >= self.limits.operations || self.is_flushing || !takes_rows)
        {
            let Some(request) = self.pool.take(self.limits, self.claims.claim()) else {
                break;
            };
            debug!(
                operations = request.operations.len(),
                bytes = request.body.len(),
                "request of a dry run"
            );
            self.run
                .count(&self.writing.plan.table, self.writing.endpoint, &request);
            self.in_flight.push_back(request);
        }
        if self.pool.rows() == 0 {
            self.is_flushing = false;
        }
    }

    /// Takes rows while there is room, and lets the oldest request end when there is none, or when none come.
    async fn step(&mut self, batches: &mut BatchReceiver) -> Result<()> {
        if self.is_done() {
            return Ok(());
        }
        let is_idle = self.in_flight.is_empty() && self.pool.rows() == 0;
        if !is_idle && (!self.takes_rows() || self.is_asked_for_acks) {
            return self.settle_oldest().await;
        }
        let received = if is_idle {
            batches.next().await?
        } else {
            match timeout(PATIENCE, batches.next()).await {
                Ok(received) => received?,
                Err(_) => return self.settle_oldest().await,
            }
        };
        match received {
            Some(Received::Batch(batch)) => self.take(&batch).await,
            Some(Received::Barrier(_)) => {
                self.is_flushing = true;
                self.is_asked_for_acks = true;
                Ok(())
            }
            None => {
                self.is_ended = true;
                Ok(())
            }
        }
    }

    async fn take(&mut self, received: &ReceivedBatch) -> Result<()> {
        self.is_asked_for_acks = false;
        let batch = received.decode()?;
        let now = self.run.now(self.rates, self.writing.endpoint, self.pool.ready());
        let encoded = encode(&self.writing.plan, received.sequence, &batch, now)?;
        if encoded.undated > 0 {
            info!(events = encoded.undated, table = %self.writing.plan.table, "late events would be sent without their time (late_events: send_without_time)");
        }
        let counts = DestinationCounts {
            rejected: encoded.rejected,
            filtered: encoded.filtered,
            ..DestinationCounts::default()
        };
        let outstanding = received.rows - encoded.rejected - encoded.filtered;
        let memory = encoded.batch.memory();
        self.tracker
            .open(received.sequence, outstanding, counts, encoded.rejects, memory);
        for row in encoded.batch.rows() {
            self.pool.push(row);
        }
        self.ack().await
    }

    /// The oldest request is over, and its profiles can go again. Without one, what waits goes as it is.
    async fn settle_oldest(&mut self) -> Result<()> {
        let Some(request) = self.in_flight.pop_front() else {
            self.is_flushing = true;
            return Ok(());
        };
        self.pool.release(request.operations.iter().map(Operation::custom_id));
        for row in request.operations.iter().flat_map(|operation| operation.rows()) {
            self.tracker.row_done(row.sequence(), false);
        }
        drop(request);
        self.ack().await
    }

    async fn ack(&mut self) -> Result<()> {
        while let Some(done) = self.tracker.next_done() {
            self.is_asked_for_acks = false;
            self.acks.reject(done.rejects).await?;
            self.acks.ack(done.sequence, done.counts).await?;
        }
        Ok(())
    }
}
