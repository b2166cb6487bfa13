//! Writes one partition: rows in, requests out, acks back.
//!
//! One loop owns everything of the stream. It holds no more rows than keep the project busy, fills requests while it has rows to fill them with, and acks a
//! batch as soon as its rows and those of all batches before it are done.

use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use longshore_sdk::prelude::*;
use tokio::{
    sync::futures::OwnedNotified,
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, info};

use crate::{
    acks::AckTracker,
    arrivals::{Arrival, Arrivals},
    encode::{batch::EncodedBatch, rows::Encoded},
    mapping::TablePlan,
    sending::{
        delivery::{Delivered, HeldRow, Origin, Sending, deliver},
        gate::Passage,
        pool::Pool,
        project::Project,
        request::{Endpoint, RequestLimits},
    },
    spec::Target,
};

/// How long a request that is not full waits for more rows, unless configured.
pub(crate) const LINGER: Duration = Duration::from_millis(200);
/// Encoded rows that one stream keeps in memory, in bytes: several of the largest requests.
pub(crate) const MEMORY: usize = 24 * 1024 * 1024;
/// After a failure, requests that are on their way may still end, so that as few rows as possible are sent twice.
const DRAIN: Duration = Duration::from_secs(3);

/// What a stream needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Writing {
    pub(crate) plan: Arc<TablePlan>,
    pub(crate) endpoint: Endpoint,
    pub(crate) origin: Origin,
    pub(crate) linger: Duration,
    /// Requests in flight at most: with it the stream knows how many rows are worth holding.
    pub(crate) concurrency: usize,
    /// Rows of which nobody knows whether Batch took them are held; otherwise they are sent again.
    pub(crate) hold_uncertain: bool,
}

/// Writes a partition to its end.
///
/// # Errors
/// What ended it early; the batches acked until then are done.
pub(crate) async fn write(project: &Project, writing: Writing, batches: BatchReceiver, acks: AckSender) -> Result<()> {
    let mut arrivals = Arrivals::of(batches, Arc::clone(&writing.plan));
    let mut stream = Stream::new(project, writing, acks);
    let result = stream.run(&mut arrivals).await;
    if result.is_err() {
        // Those that do not end in time are sent again by the next attempt.
        let _ = timeout(DRAIN, stream.drain()).await;
    }
    result
}

/// Rows that a stream lets wait: enough for every request that may be in flight, and for the next ones; more would only take memory and, for events, widen
/// what a crash leaves uncertain.
pub(crate) fn rows_worth_holding(limits: RequestLimits) -> usize {
    (limits.operations * 2).max(1_000)
}

struct Stream<'a> {
    project: &'a Project,
    writing: Writing,
    limits: RequestLimits,
    acks: AckSender,
    pool: Pool,
    tracker: AckTracker,
    /// Profiles that are not acked yet: those of them that were delivered supersede what the ledger has of them.
    profiles: HashMap<u64, Arc<EncodedBatch>>,
    in_flight: FuturesUnordered<BoxFuture<'a, Result<Delivered>>>,
    /// Since when profiles wait for a request to become full.
    waiting_since: Option<Instant>,
    /// A barrier has come: nothing waits for more rows until all are sent.
    is_flushing: bool,
    /// Rows have waited long enough: the next request goes as it is.
    is_overdue: bool,
    is_ended: bool,
    /// All profiles that could go are in flight for another stream; resolves when some are released.
    blocked: Option<Pin<Box<OwnedNotified>>>,
}

/// What the loop does next.
enum Step {
    Settle(Result<Delivered>),
    Send(Passage),
    Take(Arrival),
    Flush,
    Unblock,
}

impl<'a> Stream<'a> {
    fn new(project: &'a Project, writing: Writing, acks: AckSender) -> Self {
        let limits = project.request_limits(writing.endpoint);
        Self {
            project,
            writing,
            limits,
            acks,
            pool: Pool::default(),
            tracker: AckTracker::default(),
            profiles: HashMap::new(),
            in_flight: FuturesUnordered::new(),
            waiting_since: None,
            is_flushing: false,
            is_overdue: false,
            is_ended: false,
            blocked: None,
        }
    }

    async fn run(&mut self, arrivals: &mut Arrivals) -> Result<()> {
        while !(self.is_ended && self.pool.rows() == 0 && self.in_flight.is_empty()) {
            match self.step(arrivals).await? {
                Step::Settle(delivered) => self.settle(delivered?).await?,
                Step::Send(passage) => self.send(passage),
                Step::Take(Arrival::Batch {
                    sequence,
                    rows,
                    encoded,
                }) => self.take(sequence, rows, encoded).await?,
                Step::Take(Arrival::Barrier) => self.is_flushing = true,
                Step::Take(Arrival::End) => self.is_ended = true,
                Step::Flush => self.is_overdue = true,
                Step::Unblock => self.blocked = None,
            }
            if self.pool.rows() == 0 {
                self.is_flushing = false;
            }
            if self.pool.ready() == 0 {
                self.waiting_since = None;
            } else if self.waiting_since.is_none() {
                self.waiting_since = Some(Instant::now());
            }
        }
        Ok(())
    }

    /// Waits for what can happen next; answers before requests before rows. Every wait can be given up without loss.
    async fn step(&mut self, arrivals: &mut Arrivals) -> Result<Step> {
        let takes_rows = self.takes_rows();
        let wants_to_send = self.blocked.is_none() && self.wants_to_send(takes_rows);
        let flush_at = self
            .waiting_since
            .filter(|_| !wants_to_send && self.blocked.is_none())
            .map(|since| since + self.writing.linger);
        let gate = &self.project.gate;
        tokio::select! {
            biased;
            Some(delivered) = self.in_flight.next() => Ok(Step::Settle(delivered)),
            passage = gate.pass(), if wants_to_send => Ok(Step::Send(passage)),
            arrival = arrivals.next(), if takes_rows => arrival.map(Step::Take),
            () = sleep_until(flush_at.unwrap_or_else(Instant::now)), if flush_at.is_some() => Ok(Step::Flush),
            () = async { if let Some(released) = &mut self.blocked { released.await } }, if self.blocked.is_some() => Ok(Step::Unblock),
        }
    }

    fn takes_rows(&self) -> bool {
        !self.is_ended && self.pool.rows() < rows_worth_holding(self.limits) && self.tracker.memory() < MEMORY
    }

    fn wants_to_send(&self, takes_rows: bool) -> bool {
        let is_full = self.pool.ready() >= self.limits.operations;
        self.pool.ready() > 0
            && (is_full || self.is_flushing || self.is_overdue || !takes_rows)
            && self.in_flight.len() < self.writing.concurrency
    }

    async fn take(&mut self, sequence: u64, rows: u64, encoded: Encoded) -> Result<()> {
        if self.writing.plan.target == Target::ProfileAttributes {
            self.profiles.insert(sequence, Arc::clone(&encoded.batch));
        }
        if encoded.undated > 0 {
            info!(events = encoded.undated, table = %self.writing.plan.table, "late events are sent without their time (late_events: send_without_time)");
        }
        let outstanding = rows - encoded.rejected - encoded.filtered;
        let counts = DestinationCounts {
            rejected: encoded.rejected,
            filtered: encoded.filtered,
            ..DestinationCounts::default()
        };
        self.tracker
            .open(sequence, outstanding, counts, encoded.rejects, encoded.batch.memory());
        for row in encoded.batch.rows() {
            self.pool.push(row);
        }
        self.ack().await
    }

    fn send(&mut self, passage: Passage) {
        // Asked for before looking, so that a release in between is not missed.
        let released = self.project.claims.released();
        let Some(request) = self.pool.take(self.limits, self.project.claims.claim()) else {
            self.blocked = Some(Box::pin(released));
            return;
        };
        self.waiting_since = None;
        self.is_overdue = false;
        debug!(
            operations = request.operations.len(),
            bytes = request.body.len(),
            "request"
        );
        let sending = Sending {
            project: self.project,
            endpoint: self.writing.endpoint,
            origin: self.writing.origin,
            acks: self.acks.clone(),
            hold_uncertain: self.writing.hold_uncertain,
        };
        self.in_flight.push(deliver(sending, request, passage).boxed());
    }

    async fn settle(&mut self, delivered: Delivered) -> Result<()> {
        let rejected = delivered.rejected_rows();
        self.pool
            .release(delivered.operations.iter().map(crate::operation::Operation::custom_id));
        for row in delivered.operations.iter().flat_map(|operation| operation.rows()) {
            let place = (row.sequence(), row.row());
            if delivered.filtered.contains(&place) {
                self.tracker.row_filtered(row.sequence());
            } else {
                self.tracker.row_done(row.sequence(), rejected.contains(&place));
            }
        }
        let held = delivered.held.iter().map(HeldRow::reject);
        for reject in held.chain(delivered.rejects) {
            self.tracker.reject(reject);
        }
        self.ack().await
    }

    async fn ack(&mut self) -> Result<()> {
        while let Some(done) = self.tracker.next_done() {
            let refused = done.rejects.iter().filter(|reject| reject.whole_row);
            let refused: HashSet<u64> = refused.map(|reject| reject.row).collect();
            self.acks.reject(done.rejects).await?;
            if let Some(profiles) = self.profiles.remove(&done.sequence)
                && self.acks.is_watching()
            {
                let mut delivered: Vec<(u64, &str)> = profiles.custom_ids().collect();
                delivered.retain(|(row, _)| !refused.contains(row));
                self.acks.superseding(done.sequence, &delivered).await?;
            }
            self.acks.ack(done.sequence, done.counts).await?;
        }
        Ok(())
    }

    /// Waits for what is on its way, and acks what that completes.
    async fn drain(&mut self) {
        while let Some(delivered) = self.in_flight.next().await {
            let Ok(delivered) = delivered else { continue };
            if self.settle(delivered).await.is_err() {
                return;
            }
        }
    }
}
