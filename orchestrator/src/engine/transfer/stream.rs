//! The streams of one attempt at one partition, and the loop between them.
//!
//! Deadlock is excluded by counting: the queue to each destination holds more messages than may ever be unacked, so forwarding a batch never waits,
//! and acks are always taken. Backpressure comes from not asking the source for more while too much is unacked.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::{
    FutureExt as _, StreamExt as _,
    stream::{BoxStream, SelectAll, select_all},
};
use longshore_config::Uncertain;
use longshore_core::{
    Error,
    balance::DestinationCounts,
    error::Scope,
    partition::{Checkpoint, Envelope, PartitionFlow},
};
use longshore_protocol::{batch_stream::Incoming, limits, status::from_status, v1};
use longshore_state::{
    CheckpointCommit, Committed, NewReject, ResentRows, SentMark, Supersession, UnixMicros, Versions,
};
use prost::Message as _;
use tokio::{sync::mpsc, time::Instant};
use tonic::Status;
use v1::{read_request, read_response, write_request, write_response};

use super::{PartitionWork, RunContext, TableContext, tally::Tally, uncommitted::Uncommitted};
use crate::{
    failure::Failure,
    observe::metrics::{CommitCounts, Queued},
    plugin_host::Plugin,
};

/// Batches of a partition that may be unacked: bounds the queue to a destination where batches are tiny.
const MAX_UNACKED_BATCHES: usize = 1_024;

/// Messages that a destination's queue holds besides batches: its `open`, and a barrier for each batch at worst.
const QUEUE: usize = 2 * MAX_UNACKED_BATCHES + 1;

/// How often checkpoints are committed where sending a row twice leaves no trace. Others are committed as soon as they are acked.
const COMMIT_INTERVAL: Duration = Duration::from_millis(200);

/// When a stream ends early but in order, what is on its way may be acked for so long.
const WIND_DOWN_DEADLINE: Duration = Duration::from_secs(5);

/// A partition that has not moved for so long is worth a word about whom it waits for.
const STALL: Duration = Duration::from_secs(30);

/// One answer of one destination, or its stream's end.
type Answer = (usize, Option<Result<v1::WriteResponse, Status>>);

pub(super) struct PartitionStream<'a> {
    context: &'a RunContext,
    table: &'a TableContext,
    work: &'a mut PartitionWork,
    flow: PartitionFlow,
    source: Incoming<v1::ReadResponse>,
    source_requests: mpsc::Sender<v1::ReadRequest>,
    writers: Vec<Writer>,
    answers: SelectAll<BoxStream<'static, Answer>>,
    uncommitted: Uncommitted,
    /// The table with this stream's columns, for whoever sends its rejected rows again; `None`: their values are left out.
    rejected_table: Option<Arc<[u8]>>,
    last_commit: Instant,
    moved: Instant,
    tally: Tally,
    queued: Queued,
}

struct Writer {
    /// `None` after the half-close.
    requests: Option<mpsc::Sender<v1::WriteRequest>>,
    barrier: u64,
    ended: bool,
    /// Whole-row rejects by batch, to be compared with the batch's ack.
    refused: VecDeque<(u64, u64)>,
}

enum Event {
    Source(Result<Option<v1::ReadResponse>, Status>),
    Destination(Answer),
    CommitDue,
    Stalled,
    Cancelled,
}

impl<'a> PartitionStream<'a> {
    pub(super) async fn open(
        context: &'a RunContext,
        table: &'a TableContext,
        work: &'a mut PartitionWork,
    ) -> Result<Self, Failure> {
        let open = v1::ReadOpen {
            run_id: context.run_id.to_string(),
            table: table.table.name.clone(),
            partition: Some(work.partition.clone()),
            resume_from: work.position.clone().into(),
            max_message_bytes: limits::MAX_MESSAGE_BYTES as u64,
            max_batch_rows: table.batch_rows,
        };
        // Two messages wait at most: the latest commits are what counts.
        let (source_requests, requests) = mpsc::channel(2);
        let first = v1::ReadRequest {
            request: Some(read_request::Request::Open(open)),
        };
        source_requests.try_send(first).map_err(|_| closed())?;
        let opened = tokio::select! {
            opened = context.source.read(requests) => opened,
            () = context.cancel.cancelled() => return Err(Failure::Cancelled),
        };
        let source = match opened {
            Ok(source) => source,
            Err(status) => return Err(context.source.explain(of_partition(table, &status)).await.into()),
        };
        let now = Instant::now();
        let mut stream = Self {
            context,
            table,
            work,
            flow: PartitionFlow::new(table.destinations.len()),
            source,
            source_requests,
            writers: Vec::new(),
            answers: SelectAll::new(),
            uncommitted: Uncommitted::new(&table.supersessions),
            rejected_table: None,
            last_commit: now,
            moved: now,
            tally: Tally::new(&table.counters),
            queued: table.metrics.queue(),
        };
        stream.open_writers().await?;
        Ok(stream)
    }

    /// Takes the columns from the source and opens a stream to each destination with them.
    async fn open_writers(&mut self) -> Result<(), Failure> {
        let first = tokio::select! {
            first = self.source.message() => first,
            () = self.context.cancel.cancelled() => return Err(Failure::Cancelled),
        };
        let schema = match first {
            Ok(Some(v1::ReadResponse {
                response: Some(read_response::Response::Schema(schema)),
            })) => schema.arrow_schema,
            Ok(_) => {
                return Err(
                    Error::protocol("schema_missing", "The source's stream does not begin with the columns").into(),
                );
            }
            Err(status) => return Err(self.source_failed(&status).await),
        };
        let keep_rows = self.context.keep_rejected_rows;
        self.rejected_table = keep_rows.then(|| rejected_table(&self.table.table, &schema));
        let mut answers = Vec::new();
        for (index, destination) in self.table.destinations.iter().enumerate() {
            let open = v1::WriteOpen {
                run_id: self.context.run_id.to_string(),
                table: Some(v1::Table {
                    arrow_schema: schema.clone(),
                    ..self.table.table.clone()
                }),
                partition_id: self.work.partition.id.clone(),
                write_mode: destination.write_mode.into(),
                max_message_bytes: limits::MAX_MESSAGE_BYTES as u64,
                uncertain_rows: match self.context.uncertain {
                    Uncertain::Hold if !destination.redelivery_is_idempotent => self.work.uncertain,
                    Uncertain::Hold | Uncertain::Resend => 0,
                },
                hold_uncertain: self.context.uncertain == Uncertain::Hold && !destination.redelivery_is_idempotent,
                dry_run: self.context.dry_run.is_some(),
                keep_rejected_rows: keep_rows,
            };
            let (requests, queue) = mpsc::channel(QUEUE);
            let message = v1::WriteRequest {
                request: Some(write_request::Request::Open(open)),
            };
            requests.try_send(message).map_err(|_| closed())?;
            let opened = tokio::select! {
                opened = destination.plugin.write(queue) => opened,
                () = self.context.cancel.cancelled() => return Err(Failure::Cancelled),
            };
            let stream = match opened {
                Ok(stream) => stream,
                Err(status) => return Err(self.destination_failed(index, &status).await),
            };
            let ending = futures_util::stream::once(async { None });
            answers.push(
                stream
                    .map(Some)
                    .chain(ending)
                    .map(move |answer| (index, answer))
                    .boxed(),
            );
            self.writers.push(Writer {
                requests: Some(requests),
                barrier: 0,
                ended: false,
                refused: VecDeque::new(),
            });
        }
        self.answers = select_all(answers);
        Ok(())
    }

    /// Moves the partition to its end.
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        let mut outcome = self.pump().await;
        if matches!(outcome, Err(Failure::TooManyRejects(_))) {
            // What was refused is what the user needs to see now, and what is on its way must not be sent twice.
            if let Err(failure) = self.wind_down().await {
                outcome = Err(failure);
            }
        }
        if outcome.is_err() {
            // The sync may be lost, and nothing can be counted any more; the first failure is the one to tell of.
            if let Err(failure) = self.count_announced().await {
                tracing::warn!(error = %failure.to_error(), "rows that were announced to be sent once more could not be counted");
            }
            self.tally.take_back();
        }
        outcome
    }

    async fn pump(&mut self) -> Result<(), Failure> {
        loop {
            match self.next_event().await {
                Event::Source(message) => self.take_from_source(message).await?,
                Event::Destination((index, answer)) => self.take_from_destination(index, answer).await?,
                Event::CommitDue => self.commit().await?,
                Event::Stalled => self.report_stall(),
                Event::Cancelled => {
                    self.wind_down().await?;
                    return Err(Failure::Cancelled);
                }
            }
            if self.table.records_before_sending() || self.writers.iter().all(|writer| writer.ended) {
                self.commit().await?;
            }
            if self.flow.complete() && self.writers.iter().all(|writer| writer.ended) {
                return Ok(());
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let wants_more = self.wants_more();
        if !wants_more {
            self.ask_for_acks();
        }
        let commit_due = self.last_commit + COMMIT_INTERVAL;
        let commit_possible = self.flow.commit_possible();
        tokio::select! {
            answer = self.answers.next(), if self.writers.iter().any(|writer| !writer.ended) => match answer {
                Some(answer) => Event::Destination(answer),
                None => Event::CommitDue,
            },
            message = self.source.message(), if wants_more => Event::Source(message),
            () = tokio::time::sleep_until(commit_due), if commit_possible => Event::CommitDue,
            () = tokio::time::sleep_until(self.moved + STALL) => Event::Stalled,
            () = self.context.cancel.cancelled() => Event::Cancelled,
        }
    }

    fn wants_more(&self) -> bool {
        let window_open = self
            .table
            .window_rows
            .is_none_or(|window| self.flow.unacked_rows() < window);
        !self.flow.source_done()
            && window_open
            && self.flow.unacked_bytes() < self.context.max_unacked_bytes
            && !(self.uncommitted.is_heavy() && self.flow.commit_possible())
            && self.flow.unacked_batches() < MAX_UNACKED_BATCHES
    }

    async fn take_from_source(&mut self, message: Result<Option<v1::ReadResponse>, Status>) -> Result<(), Failure> {
        let message = match message {
            Ok(Some(message)) => message,
            Ok(None) => {
                let ended = Error::source("stream_ended", "The source's stream ended before the partition did")
                    .with_table(&*self.table.name);
                return Err(self
                    .context
                    .source
                    .explain(ended.with_scope(Scope::Partition).retryable())
                    .await
                    .into());
            }
            Err(status) => return Err(self.source_failed(&status).await),
        };
        self.moved = Instant::now();
        match message.response {
            Some(read_response::Response::Batch(batch)) => self.forward(batch).await,
            Some(read_response::Response::Checkpoint(checkpoint)) => {
                // Behind a checkpoint of a source that can not resume nothing could go on.
                if self.context.resumable {
                    self.flow.checkpoint(Checkpoint::try_from(checkpoint)?, false)?;
                }
                Ok(())
            }
            Some(read_response::Response::Done(done)) => {
                let end = done.end.ok_or_else(|| {
                    Error::protocol("done_broken", "The source ended a partition without a checkpoint")
                })?;
                self.flow.checkpoint(Checkpoint::try_from(end)?, true)?;
                for writer in &mut self.writers {
                    writer.requests = None;
                }
                Ok(())
            }
            Some(read_response::Response::Schema(_)) | None => {
                Err(Error::protocol("read_broken", "The source sent its columns twice, or an empty message").into())
            }
        }
    }

    async fn forward(&mut self, batch: v1::RecordBatch) -> Result<(), Failure> {
        let (rows, bytes) = (batch.rows, batch.data.len() as u64);
        self.flow.batch(Envelope {
            sequence: batch.sequence,
            rows,
            bytes,
        })?;
        self.context.lease.confirm().await?;
        if self.table.records_before_sending() && self.context.dry_run.is_none() {
            let mark = SentMark {
                partition: self.work.id.clone(),
                rows: self.work.forwarded + self.flow.uncommitted_rows(),
            };
            self.context.store.record_sent(&self.context.hold, vec![mark]).await?;
        }
        for index in 0..self.writers.len() {
            self.send(index, write_request::Request::Batch(batch.clone()))?;
        }
        self.tally.forwarded(rows);
        self.table.metrics.forwarded(bytes);
        self.queued.set(self.flow.unacked_bytes());
        Ok(())
    }

    fn send(&self, index: usize, request: write_request::Request) -> Result<(), Failure> {
        let Some(requests) = &self.writers[index].requests else {
            return Ok(());
        };
        match requests.try_send(v1::WriteRequest { request: Some(request) }) {
            // The stream's end is on its way to us, with the reason.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err(Error::internal("queue_full", "More was sent to a destination than may be unacked").into())
            }
        }
    }

    /// Tells the destinations that nothing more comes until they ack.
    fn ask_for_acks(&mut self) {
        let last = self.flow.last_sequence();
        for index in 0..self.writers.len() {
            if self.writers[index].barrier < last && !self.flow.all_acked(index) {
                self.writers[index].barrier = last;
                // A queue that is full of batches needs no barrier.
                self.send(index, write_request::Request::Barrier(v1::Barrier { sequence: last }))
                    .ok();
            }
        }
    }

    async fn take_from_destination(
        &mut self,
        index: usize,
        answer: Option<Result<v1::WriteResponse, Status>>,
    ) -> Result<(), Failure> {
        let response = match answer {
            Some(Ok(message)) => message.response,
            Some(Err(status)) => return Err(self.destination_failed(index, &status).await),
            None => return self.writer_ended(index).await,
        };
        self.moved = Instant::now();
        match response {
            Some(write_response::Response::Opened(_)) => Ok(()),
            Some(write_response::Response::Rejects(rejects)) => self.keep_rejects(index, rejects.rejects),
            Some(write_response::Response::Ack(ack)) => self.acked(index, ack),
            Some(write_response::Response::Resent(resent)) => self.resent(index, resent.rows).await,
            Some(write_response::Response::Superseded(superseded)) => self.keep_superseded(index, superseded.rows),
            None => Err(Error::protocol("write_broken", "A destination sent an empty message").into()),
        }
    }

    async fn writer_ended(&mut self, index: usize) -> Result<(), Failure> {
        self.writers[index].ended = true;
        if self.flow.source_done() && self.flow.all_acked(index) {
            return Ok(());
        }
        let plugin = &self.table.destinations[index].plugin;
        let message = format!(
            "The destination {} ended its stream before every batch was acked",
            plugin.name
        );
        let ended = Error::protocol("stream_ended", message).with_table(&*self.table.name);
        Err(plugin.explain(ended).await.into())
    }

    fn keep_rejects(&mut self, index: usize, rejects: Vec<v1::Reject>) -> Result<(), Failure> {
        let destination = &self.table.destination_names[index];
        for reject in rejects {
            if reject.sequence == 0 || reject.sequence > self.flow.last_sequence() {
                let message = format!(
                    "The destination {destination} rejected a row of batch {}, which was not sent",
                    reject.sequence
                );
                return Err(Error::protocol("reject_misplaced", message).into());
            }
            if reject.whole_row {
                self.writers[index].count_refused(reject.sequence);
            }
            let refusing = &self.table.destinations[index];
            let refusing = (&refusing.plugin, refusing.identity_column.as_str());
            let reject = new_reject(refusing, reject, self.context.keep_rejected_rows);
            self.uncommitted.reject(&self.table.supersessions, reject);
        }
        Ok(())
    }

    fn keep_superseded(&mut self, index: usize, rows: Vec<v1::SupersedingRow>) -> Result<(), Failure> {
        let destination = &self.table.destination_names[index];
        for row in rows {
            let place = (row.sequence, row.row);
            let versions = versions_of(row, &self.table.destinations[index].identity_column);
            if place.0 == 0 || place.0 > self.flow.last_sequence() || versions.is_empty() {
                let message = format!(
                    "The destination {destination} says that a row of batch {} supersedes others, which was not sent or has no identity",
                    place.0
                );
                return Err(Error::protocol("superseded_misplaced", message).into());
            }
            for versions in versions {
                let superseded = Supersession {
                    destination: destination.clone(),
                    versions,
                };
                self.uncommitted.supersede(&self.table.supersessions, place, superseded);
            }
        }
        Ok(())
    }

    /// Rows are about to be sent once more: counted at once, because no ack may follow.
    async fn resent(&mut self, index: usize, rows: u64) -> Result<(), Failure> {
        let resent = ResentRows {
            partition: self.work.id.clone(),
            destination: self.table.destination_names[index].clone(),
            rows,
        };
        Ok(self.context.store.record_resent(&self.context.hold, resent).await?)
    }

    /// Counts what is announced already when the stream ends early: nobody listens to it any more.
    async fn count_announced(&mut self) -> Result<(), Failure> {
        while let Some(Some((index, answer))) = self.answers.next().now_or_never() {
            if let Some(Ok(v1::WriteResponse {
                response: Some(write_response::Response::Resent(resent)),
            })) = answer
            {
                self.resent(index, resent.rows).await?;
            }
        }
        Ok(())
    }

    fn acked(&mut self, index: usize, ack: v1::Ack) -> Result<(), Failure> {
        if let Some(figures) = &ack.figures {
            let waited = Duration::from_micros(figures.rate_limit_wait_us);
            self.table.metrics.waited(index, waited);
        }
        let before = self.flow.unacked_rows();
        self.flow.ack(index, ack.sequence, DestinationCounts::from(ack))?;
        let refused = self.writers[index].take_refused(ack.sequence);
        if refused != ack.rejected {
            let message = format!(
                "The destination {} counts {} rejected rows in batch {}, and has named {refused}",
                self.table.destination_names[index], ack.rejected, ack.sequence
            );
            return Err(Error::protocol("rejects_unnamed", message).into());
        }
        self.tally.acked(before - self.flow.unacked_rows());
        self.queued.set(self.flow.unacked_bytes());
        if ack.rejected > 0 {
            self.tally.rejected(ack.sequence, ack.rejected);
            self.context.check_rejects_so_far(&self.table.name)?;
        }
        Ok(())
    }

    /// Stores the latest checkpoint that every destination has acked, with the rejects before it.
    async fn commit(&mut self) -> Result<(), Failure> {
        self.last_commit = Instant::now();
        let Some(commit) = self.flow.take_commit() else {
            return Ok(());
        };
        let sequence = commit.checkpoint.sequence;
        let mut passed = self.uncommitted.take_up_to(&self.table.supersessions, sequence);
        // Counted by kind, so that memory and disk do not grow with them.
        let found = match self.context.dry_run {
            Some(_) => std::mem::take(&mut passed.rejects),
            None => Vec::new(),
        };
        let position = commit.checkpoint.position.clone();
        let cursor = commit.checkpoint.cursor.clone();
        let (forwarded, counts) = (commit.forwarded, CommitCounts::from(&commit));
        let committed = self.context.store.commit_checkpoint(
            &self.context.hold,
            CheckpointCommit {
                partition: self.work.id.clone(),
                from_revision: self.work.revision,
                commit,
                destinations: Arc::clone(&self.table.destination_names),
                rejects: passed.rejects,
                rejected_table: self.rejected_table.clone(),
                superseded: passed.superseded,
                sent_rows: None,
                at: UnixMicros::now(),
            },
        );
        let committed = committed.await?;
        warn_of_dropped(committed);
        self.work.revision = committed.revision;
        self.work.position = position;
        self.work.forwarded += forwarded;
        self.tally.committed(sequence, forwarded);
        self.table.counters.moved_to(cursor);
        if let Some(dry_run) = &self.context.dry_run {
            dry_run.keep(&self.table.name, found);
            // Nothing was delivered: a source that let go of it would lose it.
            return Ok(());
        }
        self.table.metrics.committed(&counts);
        let message = v1::ReadRequest {
            request: Some(read_request::Request::Committed(v1::CheckpointCommitted { sequence })),
        };
        // A source that is slow to listen hears of a later commit.
        self.source_requests.try_send(message).ok();
        Ok(())
    }

    /// Ends in order: no rows are read any more, what is on its way may still be acked, what is acked is committed.
    async fn wind_down(&mut self) -> Result<(), Failure> {
        self.ask_for_acks();
        let deadline = Instant::now() + WIND_DOWN_DEADLINE;
        // The checkpoint behind the last rows is mostly on its way: it was not asked for while nothing more was to be read.
        let mut checkpoint_may_come = self.context.resumable;
        loop {
            let acks_may_come = self.flow.unacked_batches() > 0 && self.writers.iter().any(|writer| !writer.ended);
            checkpoint_may_come &= self.flow.awaits_checkpoint();
            if !acks_may_come && !checkpoint_may_come {
                break;
            }
            tokio::select! {
                answer = self.answers.next(), if acks_may_come => {
                    let Some((index, answer)) = answer else { break };
                    match self.take_from_destination(index, answer).await {
                        // One row more or less that is refused changes nothing now.
                        Ok(()) | Err(Failure::TooManyRejects(_)) => {}
                        Err(failure) => return Err(failure),
                    }
                }
                message = self.source.message(), if checkpoint_may_come => {
                    checkpoint_may_come = self.take_checkpoint(message)?;
                }
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        self.commit().await
    }

    /// Takes a checkpoint when that is what came. Otherwise none comes for the rows that were forwarded: `false`.
    fn take_checkpoint(&mut self, message: Result<Option<v1::ReadResponse>, Status>) -> Result<bool, Failure> {
        let response = message.ok().flatten().and_then(|message| message.response);
        let (checkpoint, is_end) = match response {
            Some(read_response::Response::Checkpoint(checkpoint)) => (Some(checkpoint), false),
            Some(read_response::Response::Done(done)) => (done.end, true),
            // Rows that are not forwarded any more, or the stream's end: the stream is given up in any case.
            _ => (None, false),
        };
        let Some(checkpoint) = checkpoint else { return Ok(false) };
        self.flow.checkpoint(Checkpoint::try_from(checkpoint)?, is_end)?;
        Ok(true)
    }

    fn report_stall(&mut self) {
        self.moved = Instant::now();
        let waiting: Vec<&str> = match self.wants_more() {
            true => vec![self.context.source.label()],
            false => (0..self.writers.len())
                .filter(|&index| !self.flow.all_acked(index))
                .map(|index| self.table.destinations[index].plugin.label())
                .collect(),
        };
        let seconds = STALL.as_secs();
        let partition = &*self.work.id.partition;
        tracing::warn!(
            table = &*self.table.name,
            partition,
            waiting_for = waiting.join(", "),
            "nothing has moved for {seconds} s"
        );
    }

    fn source_failed(&self, status: &Status) -> impl Future<Output = Failure> + use<> {
        explained(self.context.source.clone(), of_partition(self.table, status))
    }

    fn destination_failed(&self, index: usize, status: &Status) -> impl Future<Output = Failure> + use<> {
        explained(
            self.table.destinations[index].plugin.clone(),
            of_partition(self.table, status),
        )
    }
}

impl Writer {
    fn count_refused(&mut self, sequence: u64) {
        match self.refused.back_mut() {
            Some((last, count)) if *last == sequence => *count += 1,
            _ => self.refused.push_back((sequence, 1)),
        }
    }

    /// Whole-row rejects of a batch; batches may be refused in any order, so all entries count.
    fn take_refused(&mut self, sequence: u64) -> u64 {
        let refused = self
            .refused
            .iter()
            .filter(|(batch, _)| *batch == sequence)
            .map(|(_, count)| count)
            .sum();
        self.refused.retain(|(batch, _)| *batch != sequence);
        refused
    }
}

/// The ledger is full.
pub(in crate::engine) fn warn_of_dropped(committed: Committed) {
    if committed.dropped_rejects > 0 {
        tracing::warn!(
            dropped = committed.dropped_rejects,
            "the ledger of rejects is full: its oldest entries, which were pending, were dropped and can not be sent again"
        );
    }
    if committed.dropped_rows > 0 {
        tracing::warn!(
            rows = committed.dropped_rows,
            "the ledger of rejects keeps no more bytes: its oldest entries are still named, and their rows can not be sent again"
        );
    }
}

/// Of what a delivered row is the newer version.
pub(in crate::engine) fn versions_of(row: v1::SupersedingRow, identity_column: &str) -> Vec<Versions> {
    let identity = (!row.identity.is_empty()).then(|| Versions::OfIdentity {
        identity: row.identity,
        column: identity_column.to_owned(),
    });
    let of_row = (!row.fingerprint.is_empty()).then(|| Versions::OfRow(row.fingerprint.into()));
    identity.into_iter().chain(of_row).collect()
}

/// A reject as it is recorded. A row that nobody asked for is not.
pub(in crate::engine) fn new_reject(
    (plugin, identity_column): (&Plugin, &str),
    reject: v1::Reject,
    keep_row: bool,
) -> NewReject {
    NewReject {
        destination: plugin.name.clone(),
        key: reject.key,
        primary_key: reject.primary_key,
        rule: reject.rule,
        column: reject.column,
        reason: plugin.cleared(reject.reason),
        whole_row: reject.whole_row,
        identity: reject.identity,
        identity_column: identity_column.to_owned(),
        fingerprint: reject.fingerprint.into(),
        sequence: reject.sequence,
        row: reject.row,
        row_data: match keep_row {
            true => reject.row_data.into(),
            false => Vec::new(),
        },
        superseded: false,
    }
}

/// A table as its rows come on a stream, without what changes from run to run: all rejects of the same columns share one.
fn rejected_table(table: &v1::Table, schema: &bytes::Bytes) -> Arc<[u8]> {
    let table = v1::Table {
        arrow_schema: schema.clone(),
        cursor_candidates: Vec::new(),
        estimated_rows: None,
        estimated_bytes: None,
        ..table.clone()
    };
    table.encode_to_vec().into()
}

async fn explained(plugin: Plugin, error: Error) -> Failure {
    plugin.explain(error).await.into()
}

fn of_partition(table: &TableContext, status: &Status) -> Error {
    let error = from_status(status);
    if error.table.is_empty() {
        error.with_table(&*table.name)
    } else {
        error
    }
}

fn closed() -> Failure {
    Error::internal("channel_closed", "A channel that was just made is closed").into()
}
