//! One page of rejects through one stream: marked, sent, settled.

use std::{collections::HashMap, time::Duration};

use longshore_config::Uncertain;
use longshore_core::{Error, balance::DestinationCounts};
use longshore_protocol::{REJECTS_PARTITION, limits, status::from_status, v1};
use longshore_state::{RetriedFate, RetriedRow, RetryMark, RetrySettlement, UnixMicros, Versions};
use tokio::{sync::mpsc, time::Instant};
use tonic::Streaming;
use v1::{write_request::Request, write_response::Response};

use super::{RetryContext, RetryRow, RetryTarget};
use crate::{
    engine::transfer::{new_reject, versions_of, warn_of_dropped},
    failure::Failure,
};

/// When the user stops, what is on its way may be answered for so long.
const WIND_DOWN_DEADLINE: Duration = Duration::from_secs(5);

/// A stream that has not moved for so long is worth a word.
const STALL: Duration = Duration::from_secs(30);

/// What became of a page.
pub(super) struct SentPage {
    /// Rows whose fate is stored.
    pub(super) settled: u64,
    /// The destination's counts of them.
    pub(super) counts: DestinationCounts,
    /// Columns that were left out of those that were delivered.
    pub(super) columns: u64,
    /// Why the others are not.
    pub(super) error: Option<Error>,
}

/// Why a page is not answered in full.
enum Stop {
    /// The destination refused, failed, or broke the contract: a reason to leave these rows alone, and none to stop the run.
    Destination(Error),
    /// The user, or the store.
    Here(Failure),
}

/// Sends rows of the same columns, and stores what became of those that were answered.
///
/// # Errors
/// Those of the store; [`Failure::Cancelled`], when what was answered is stored.
pub(super) async fn send_page(
    context: &RetryContext,
    target: &RetryTarget,
    table: v1::Table,
    rows: Vec<RetryRow>,
) -> Result<SentPage, Failure> {
    if context.cancel.is_cancelled() {
        return Err(Failure::Cancelled);
    }
    context.lease.confirm().await?;
    let mark = RetryMark {
        run_id: context.run_id.to_string(),
        ids: rows.iter().flat_map(|row| row.ids.iter().copied()).collect(),
        appends: !target.redelivery_is_idempotent,
        at: UnixMicros::now(),
    };
    context.store.mark_retry(&context.hold, mark).await?;
    let mut answers = Answers::new(context, target, &rows);
    let ended = answers.exchange(table, &rows).await;
    let (settled, counts, columns) = (answers.fates.len() as u64, answers.counts, answers.columns);
    let fates = std::mem::take(&mut answers.fates);
    let mut supersedes = std::mem::take(&mut answers.supersedes);
    let answered = rows.into_iter().zip(fates).zip(1..);
    let settlement = RetrySettlement {
        run_id: context.run_id.to_string(),
        table: target.table.clone(),
        destination: target.plugin.name.clone(),
        rows: answered
            .map(|((row, fate), sequence)| RetriedRow {
                ids: row.ids,
                fate,
                supersedes: supersedes.remove(&sequence).unwrap_or_default(),
            })
            .collect(),
        at: UnixMicros::now(),
    };
    if settled > 0 {
        warn_of_dropped(context.store.settle_retry(&context.hold, settlement).await?);
    }
    let error = match ended {
        Ok(()) => None,
        Err(Stop::Destination(error)) => Some(error),
        Err(Stop::Here(failure)) => return Err(failure),
    };
    Ok(SentPage {
        settled,
        counts,
        columns,
        error,
    })
}

/// What a destination answers, row by row: each row is a batch of its own, so a batch's number says which.
struct Answers<'a> {
    context: &'a RetryContext,
    target: &'a RetryTarget,
    rows: u64,
    /// Rejects of batches that are not acked yet.
    rejects: Vec<v1::Reject>,
    fates: Vec<RetriedFate>,
    /// Of what the rows are newer versions, by batch.
    supersedes: HashMap<u64, Vec<Versions>>,
    counts: DestinationCounts,
    columns: u64,
    opened: bool,
}

impl<'a> Answers<'a> {
    fn new(context: &'a RetryContext, target: &'a RetryTarget, rows: &[RetryRow]) -> Self {
        Self {
            context,
            target,
            rows: rows.len() as u64,
            rejects: Vec::new(),
            fates: Vec::with_capacity(rows.len()),
            supersedes: HashMap::new(),
            counts: DestinationCounts::default(),
            columns: 0,
            opened: false,
        }
    }

    /// Sends everything, and takes answers until the stream ends.
    async fn exchange(&mut self, table: v1::Table, rows: &[RetryRow]) -> Result<(), Stop> {
        let hold = self.context.uncertain == Uncertain::Hold && !self.target.redelivery_is_idempotent;
        let open = v1::WriteOpen {
            run_id: self.context.run_id.to_string(),
            table: Some(table),
            // A source's partitions have ids of its own choice; none is told of this one, so the two can not meet.
            partition_id: REJECTS_PARTITION.to_owned(),
            write_mode: self.target.write_mode.into(),
            max_message_bytes: limits::MAX_MESSAGE_BYTES as u64,
            uncertain_rows: 0,
            hold_uncertain: hold,
            keep_rejected_rows: self.context.keep_rejected_rows,
            dry_run: false,
        };
        let batches = rows.iter().zip(1..).map(|(row, sequence)| {
            Request::Batch(v1::RecordBatch {
                sequence,
                rows: 1,
                data: row.data.clone(),
            })
        });
        let requests: Vec<Request> = std::iter::once(Request::Open(open)).chain(batches).collect();
        // All of the page is in memory already, and nothing comes behind it.
        let (sender, queue) = mpsc::channel(requests.len());
        for request in requests {
            let message = v1::WriteRequest { request: Some(request) };
            sender
                .try_send(message)
                .expect("the channel was just made, for as many messages, and its other end is here");
        }
        drop(sender);
        let opened = tokio::select! {
            opened = self.target.plugin.write(queue) => opened,
            () = self.context.cancel.cancelled() => return Err(Stop::Here(Failure::Cancelled)),
        };
        match opened {
            Ok(answers) => self.take_all(answers).await,
            Err(status) => Err(Stop::Destination(
                self.target.plugin.explain(from_status(&status)).await,
            )),
        }
    }

    async fn take_all(&mut self, mut answers: Streaming<v1::WriteResponse>) -> Result<(), Stop> {
        let mut give_up_at = None;
        loop {
            let wait_until = give_up_at.unwrap_or_else(|| Instant::now() + STALL);
            let message = tokio::select! {
                message = answers.message() => message,
                () = self.context.cancel.cancelled(), if give_up_at.is_none() => {
                    give_up_at = Some(Instant::now() + WIND_DOWN_DEADLINE);
                    continue;
                }
                () = tokio::time::sleep_until(wait_until) => {
                    if give_up_at.is_some() {
                        return Err(Stop::Here(Failure::Cancelled));
                    }
                    tracing::warn!(table = self.target.table, waiting_for = self.target.plugin.label(), "no reject that was sent again was answered for {} s", STALL.as_secs());
                    continue;
                }
            };
            match message {
                Ok(Some(message)) => self.take(message.response).await?,
                Ok(None) if self.fates.len() as u64 == self.rows => break,
                Ok(None) => {
                    let message = "The destination ended the stream of rejects before every row was acked";
                    let ended = Error::protocol("stream_ended", message).with_table(&self.target.table);
                    return Err(Stop::Destination(self.target.plugin.explain(ended).await));
                }
                Err(status) => {
                    return Err(Stop::Destination(
                        self.target.plugin.explain(from_status(&status)).await,
                    ));
                }
            }
        }
        match give_up_at {
            Some(_) => Err(Stop::Here(Failure::Cancelled)),
            None => Ok(()),
        }
    }

    async fn take(&mut self, response: Option<Response>) -> Result<(), Stop> {
        match response {
            Some(Response::Opened(_)) if !self.opened => {
                self.opened = true;
                Ok(())
            }
            Some(Response::Rejects(rejects)) => {
                self.rejects.extend(rejects.rejects);
                Ok(())
            }
            Some(Response::Ack(ack)) => self.acked(ack),
            Some(Response::Superseded(superseded)) => {
                for row in superseded.rows {
                    let sequence = row.sequence;
                    let versions = versions_of(row, &self.target.identity_column);
                    self.supersedes.entry(sequence).or_default().extend(versions);
                }
                Ok(())
            }
            Some(Response::Resent(resent)) => {
                let (run_id, table) = (&self.context.run_id, &self.target.table);
                let destination = &self.target.plugin.name;
                let store = &self.context.store;
                let recorded = store.record_retry_resent(&self.context.hold, run_id, table, destination, resent.rows);
                recorded.await.map_err(|error| Stop::Here(error.into()))
            }
            Some(Response::Opened(_)) | None => {
                Err(self.broken("write_broken", "opened a stream twice, or sent an empty message"))
            }
        }
    }

    fn acked(&mut self, ack: v1::Ack) -> Result<(), Stop> {
        let counts = DestinationCounts::from(ack);
        if ack.sequence != self.fates.len() as u64 + 1 || ack.sequence > self.rows {
            return Err(self.broken("ack_out_of_order", "acked a row out of its order"));
        }
        if counts.total() != 1 {
            return Err(self.broken(
                "ack_miscounted",
                "accounts for another number of rows than one in a batch of one",
            ));
        }
        let (of_row, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.rejects)
            .into_iter()
            .partition(|reject| reject.sequence == ack.sequence);
        self.rejects = others;
        let (whole, columns): (Vec<_>, Vec<_>) = of_row.into_iter().partition(|reject| reject.whole_row);
        let keep = self.context.keep_rejected_rows;
        let destination = (&self.target.plugin, self.target.identity_column.as_str());
        let named = |reject| new_reject(destination, reject, keep);
        let fate = match (counts.rejected, whole.into_iter().next()) {
            (1, Some(whole)) => RetriedFate::RejectedAgain(Box::new(named(whole))),
            (0, None) if counts.filtered == 1 => RetriedFate::Filtered,
            (0, None) => {
                self.columns += columns.len() as u64;
                RetriedFate::Redelivered(columns.into_iter().map(named).collect())
            }
            _ => {
                return Err(self.broken(
                    "rejects_unnamed",
                    "counts a rejected row that it has not named, or names one that it does not count",
                ));
            }
        };
        self.fates.push(fate);
        self.counts += counts;
        Ok(())
    }

    fn broken(&self, code: &str, what: &str) -> Stop {
        let message = format!("The destination {} {what}", self.target.plugin.name);
        Stop::Destination(Error::protocol(code, message).with_table(&self.target.table))
    }
}
