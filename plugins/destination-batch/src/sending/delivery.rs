//! One request, through to what became of each of its rows.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use longshore_sdk::prelude::*;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::{
    client::Reply,
    gate::Passage,
    pacer::Turn,
    project::Project,
    request::{Endpoint, Request, body_of},
};
use crate::{
    answers::{self, AnswerRule, Consequence, Ending, REFUSED_ALONE, partial, success},
    encode::batch::Row,
    limits::EVENT_LEAD,
    operation::Operation,
    spec::{LateEvents, Target},
};

/// A request that is over.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// Every operation of the request, perhaps divided.
    pub(crate) operations: Vec<Operation>,
    /// What the API refused.
    pub(crate) rejects: Vec<Reject>,
    /// Events that Batch may have taken and that were not sent again, because they are to be held.
    pub(crate) held: Vec<HeldRow>,
    /// Events that became too old while they waited, as (sequence, row), where such events are to be left out.
    pub(crate) filtered: Vec<(u64, u64)>,
}

/// An event of which nobody knows whether Batch took it.
#[derive(Debug)]
pub(crate) struct HeldRow {
    pub(crate) sequence: u64,
    pub(crate) row: u64,
    /// Code of what came instead of an answer that says so.
    pub(crate) answer: &'static str,
}

impl HeldRow {
    /// The reject that names it.
    pub(crate) fn reject(&self) -> Reject {
        let reason = format!(
            "Batch may have taken the event already ({}), so it was not sent again",
            self.answer
        );
        Reject::held(self.sequence, self.row, reason)
    }
}

impl Delivered {
    /// Operations that Batch took, but for what these errors are about.
    fn take(&mut self, operations: Vec<Operation>, mut errors: Vec<success::PartialError>) {
        errors.sort_by_key(|error| error.bulk_index);
        for errors in errors.chunk_by(|one, next| one.bulk_index == next.bulk_index) {
            let operation = &operations[errors[0].bulk_index];
            self.rejects.extend(partial::rejects_of(errors, operation));
        }
        self.operations.extend(operations);
    }

    /// A row that Batch refused although it stood alone.
    ///
    /// # Errors
    /// When too many rows of the source in a row were refused so: then it is not the rows. Nothing of the request is acked, so nothing of it is lost.
    /// Rejects do not count: that they are refused again is no wonder, and must not keep what is read from being sent.
    fn refuse(&mut self, single: Operation, reply: &Reply, origin: Origin, project: &Project) -> Result<()> {
        if origin == Origin::Source && project.refused_alone() >= REFUSED_ALONE {
            let error = answers::error(reply.ending, &reply.body);
            let error = Error {
                message: format!("{}, and {REFUSED_ALONE} rows in a row alone", error.message),
                ..error
            };
            project.stop(&error);
            return Err(error);
        }
        let code = reply.ending.rule().code;
        let reason = format!("Batch refused the row{}", answers::describe(reply.ending, &reply.body));
        let rows = single.rows().iter();
        self.rejects
            .extend(rows.map(|row| partial::refused_row(row, code, reason.clone())));
        self.operations.push(single);
        Ok(())
    }

    /// Does with events that have become too old what `late_events` says, and gives back what is to be sent.
    fn take_out_overdue(&mut self, operations: Vec<Operation>, now: DateTime<Utc>) -> Vec<Operation> {
        let mut on_time = Vec::with_capacity(operations.len());
        for operation in operations {
            let (sent, overdue) = operation.without_overdue(now);
            on_time.extend(sent);
            let Some(overdue) = overdue else { continue };
            debug!(
                events = overdue.rows().len(),
                "events became too old while they waited to be sent"
            );
            for row in overdue.rows() {
                if row.plan().late_events == LateEvents::Skip {
                    self.filtered.push((row.sequence(), row.row()));
                } else {
                    self.rejects.push(partial::overdue_row(row));
                }
            }
            self.operations.push(overdue);
        }
        on_time
    }

    /// The rows that count as rejected, as (sequence, row): refused as a whole, or held.
    pub(crate) fn rejected_rows(&self) -> HashSet<(u64, u64)> {
        let refused = self.rejects.iter().filter(|reject| reject.whole_row);
        let refused = refused.map(|reject| (reject.sequence, reject.row));
        refused
            .chain(self.held.iter().map(|held| (held.sequence, held.row)))
            .collect()
    }
}

/// What one answer means for the operations it was about.
enum Outcome {
    Taken(Vec<success::PartialError>),
    /// Not sent: some of its events had become too old by now.
    Overdue(DateTime<Utc>),
    /// The request as a whole is at fault, with this answer.
    Refused(Reply),
    /// Nobody knows, and it is not to be sent again, after this.
    Held(&'static AnswerRule),
}

/// Where the rows of a stream come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The source: nobody knows them yet.
    Source,
    /// The ledger: they were refused before.
    Rejects,
}

impl Origin {
    pub(crate) fn of(partition: &WritePartition) -> Self {
        match partition.sends_rejects_again() {
            true => Self::Rejects,
            false => Self::Source,
        }
    }
}

/// How the requests of one stream are sent.
#[derive(Clone)]
pub(crate) struct Sending<'a> {
    pub(crate) project: &'a Project,
    pub(crate) endpoint: Endpoint,
    pub(crate) origin: Origin,
    /// Where events are announced before they are sent again without knowing whether they arrived.
    pub(crate) acks: AckSender,
    /// Such events are held instead.
    pub(crate) hold_uncertain: bool,
}

/// Sends a request until every row of it is delivered, refused or held. Its profiles stay claimed, and it keeps its passage, all the while: nothing overtakes it.
///
/// # Errors
/// When it can not be decided: attempts are used up (retryable), or the project is stopped (not retryable).
pub(crate) async fn deliver(sending: Sending<'_>, request: Request, passage: Passage) -> Result<Delivered> {
    let Request {
        operations,
        body,
        claim,
    } = request;
    let mut delivered = Delivered {
        operations: Vec::with_capacity(operations.len()),
        rejects: Vec::new(),
        held: Vec::new(),
        filtered: Vec::new(),
    };
    // A stack: the earlier half of a divided request is sent before the later one.
    let mut to_send = vec![(operations, body)];
    while let Some((operations, body)) = to_send.pop() {
        match sending.send(&operations, body, &passage).await? {
            Outcome::Taken(errors) => delivered.take(operations, errors),
            Outcome::Held(rule) => {
                let held = events_of(&operations).map(|row| HeldRow {
                    sequence: row.sequence(),
                    row: row.row(),
                    answer: rule.code,
                });
                delivered.held.extend(held);
                delivered.operations.extend(operations);
            }
            Outcome::Overdue(now) => {
                let on_time = delivered.take_out_overdue(operations, now);
                if !on_time.is_empty() {
                    let body = body_of(&on_time);
                    to_send.push((on_time, body));
                }
            }
            Outcome::Refused(reply) => match divide(operations) {
                Ok((earlier, later)) => {
                    for half in [later, earlier] {
                        let body = body_of(&half);
                        to_send.push((half, body));
                    }
                }
                Err(single) => delivered.refuse(single, &reply, sending.origin, sending.project)?,
            },
        }
    }
    drop(claim);
    Ok(delivered)
}

/// Two halves of a request; the operation alone when it holds one row.
fn divide(mut operations: Vec<Operation>) -> Result<(Vec<Operation>, Vec<Operation>), Operation> {
    if operations.len() > 1 {
        let later = operations.split_off(operations.len() / 2);
        return Ok((operations, later));
    }
    let only = operations.pop().expect("a request has an operation");
    only.split().map(|(earlier, later)| (vec![earlier], vec![later]))
}

impl Sending<'_> {
    /// Sends one body until it is answered for good.
    async fn send(&self, operations: &[Operation], body: Bytes, passage: &Passage) -> Result<Outcome> {
        let project = self.project;
        let (mut attempts, mut refusals) = (0, 0);
        loop {
            wait_for_its_time(operations).await;
            let waiting = Instant::now();
            let turn = project.pacer.turn(self.endpoint, operations.len()).await;
            self.acks.waited_for_rate_limit(waiting.elapsed());
            project.check_running()?;
            // Only now: a pause, or waits between attempts, may have taken long. What was taken from the bucket for this turn is not used, which is rare.
            let now = Utc::now();
            if operations.iter().any(|operation| operation.has_overdue(now)) {
                return Ok(Outcome::Overdue(now));
            }
            let sent = Instant::now();
            let reply = project.client.post(self.endpoint, body.clone()).await;
            if matches!(reply.ending, Ending::Answered(_)) {
                project.pacer.arrived(turn);
            }
            let rule = reply.ending.rule();
            match rule.consequence {
                Consequence::Read => return read(project, operations, &reply, turn, passage, sent),
                Consequence::Divide => {
                    info!(
                        operations = operations.len(),
                        answer = rule.code,
                        "a request was refused as a whole; looking for the row at fault"
                    );
                    return Ok(Outcome::Refused(reply));
                }
                Consequence::Stop => {
                    let error = answers::error(reply.ending, &reply.body);
                    project.stop(&error);
                    return Err(error);
                }
                Consequence::Pause => {
                    passage.failed(sent);
                    refusals += 1;
                    pause(project, turn, &reply);
                    if refusals >= project.retries.rate_limited_attempts {
                        return Err(answers::error(reply.ending, &reply.body));
                    }
                }
                Consequence::Again { uncertain } => {
                    passage.failed(sent);
                    attempts += 1;
                    let events = if uncertain { events_of(operations).count() } else { 0 };
                    if events > 0 && self.hold_uncertain {
                        return self.hold(events, &reply, sent).await;
                    }
                    self.wait_to_send_again(events, attempts, &reply).await?;
                }
            }
        }
    }

    /// Waits before a request goes once more. The events that may be there already are announced first: the wait is their time to be recorded.
    ///
    /// # Errors
    /// When attempts are used up, and nothing was announced; when nobody listens to what is announced.
    async fn wait_to_send_again(&self, events: usize, attempts: u32, reply: &Reply) -> Result<()> {
        let delay = delay_after(self.project, attempts, reply)?;
        let answer = reply.ending.rule().code;
        let delay_ms = delay.as_millis() as u64;
        warn!(
            attempt = attempts,
            delay_ms, answer, "a request to Batch failed and is tried again"
        );
        if events > 0 {
            warn!(
                uncertain_events = events,
                answer, "it is uncertain whether Batch took these events; sending them again may repeat them"
            );
            self.acks.resent(events as u64).await?;
        }
        sleep(delay).await;
        Ok(())
    }

    /// Gives up the events of a request that Batch may have taken. Waits as if the request were sent again, longer with each loss in a row: while the
    /// network is down, every request would end like this, and the table end in the ledger.
    ///
    /// # Errors
    /// When there were as many losses in a row as a request has attempts. The next attempt of the run holds what is not acked.
    async fn hold(&self, events: usize, reply: &Reply, sent: Instant) -> Result<Outcome> {
        let rule = reply.ending.rule();
        let losses = self.project.lost(sent);
        let delay = delay_after(self.project, losses, reply)?;
        warn!(
            held_events = events,
            answer = rule.code,
            losses,
            "it is uncertain whether Batch took these events; they are held and not sent again"
        );
        sleep(delay).await;
        Ok(Outcome::Held(rule))
    }
}

/// Waits until no event of a request is ahead of this machine's clock any more. [`EVENT_LEAD`] bounds it, and a clock that is set back in the meantime does
/// not lengthen it: then Batch decides.
async fn wait_for_its_time(operations: &[Operation]) {
    let Some(latest) = operations.iter().filter_map(Operation::latest).max() else {
        return;
    };
    let ahead = (latest - Utc::now()).min(EVENT_LEAD).to_std().unwrap_or_default();
    if !ahead.is_zero() {
        debug!(
            wait_ms = ahead.as_millis() as u64,
            "an event is ahead of this machine's clock and waits for its time"
        );
        sleep(ahead).await;
    }
}

fn pause(project: &Project, turn: Turn, reply: &Reply) {
    let pause = project
        .pacer
        .refused(turn, reply.retry_after, rand::random(), Instant::now());
    if let Some(pause) = pause {
        warn!(
            pause_ms = pause.as_millis() as u64,
            "Batch answers \"too many requests\": everything for this project pauses"
        );
    }
}

fn read(
    project: &Project,
    operations: &[Operation],
    reply: &Reply,
    turn: Turn,
    passage: &Passage,
    sent: Instant,
) -> Result<Outcome> {
    let Some(errors) = success::read(&reply.body, operations.len()) else {
        warn!(
            operations = operations.len(),
            events = events_of(operations).count(),
            "Batch seems to have taken a request, and its answer can not be read"
        );
        let error = answers::error(reply.ending, &[]);
        project.stop(&error);
        return Err(error);
    };
    project.pacer.accepted(turn);
    passage.succeeded(sent.elapsed());
    project.answered();
    if !errors.is_empty() {
        info!(
            errors = errors.len(),
            operations = operations.len(),
            "Batch took a request and refused parts of it"
        );
    }
    Ok(Outcome::Taken(errors))
}

/// The wait before the next attempt.
///
/// # Errors
/// When attempts are used up.
fn delay_after(project: &Project, attempts: u32, reply: &Reply) -> Result<Duration> {
    let policy = project.retries.transient;
    let Some(backoff) = policy.delay_before(attempts + 1, rand::random()) else {
        let error = answers::error(reply.ending, &reply.body);
        return Err(match &reply.cause {
            Some(cause) => error.with_cause(cause),
            None => error,
        });
    };
    let asked = reply.retry_after;
    Ok(asked.map_or(backoff, |asked| asked.clamp(backoff, policy.max_delay.max(backoff))))
}

/// The events of a request. Attributes bear being sent twice; an event sent twice is there twice.
fn events_of(operations: &[Operation]) -> impl Iterator<Item = &Row> {
    let events = operations
        .iter()
        .filter(|operation| operation.target() == Target::ProfileEvents);
    events.flat_map(Operation::rows)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use longshore_sdk::arrow::{
        array::{ArrayRef, RecordBatch, StringArray},
        datatypes::{DataType, Field, Schema},
    };
    use serde_json::json;

    use super::*;
    use crate::{encode::rows::encode, mapping::TablePlan, sending::client::Client, spec::Spec};

    fn spec() -> Spec {
        let spec = json!({
            "target": "profile_attributes",
            "project_key": "p",
            "rest_api_key": "r",
            "base_url": "http://127.0.0.1:9",
        });
        serde_json::from_value(spec).unwrap()
    }

    fn profile() -> Operation {
        let schema = Arc::new(Schema::new(vec![Field::new("custom_id", DataType::Utf8, false)]));
        let ids: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![ids]).unwrap();
        let plan = Arc::new(TablePlan::new(&Table::new("t", schema), &spec()).unwrap());
        let mut rows = encode(&plan, 1, &batch, Utc::now()).unwrap().batch.rows();
        Operation::new(rows.next().unwrap())
    }

    #[test]
    fn rejects_that_are_refused_again_do_not_stop_the_project_and_do_not_count() {
        let client = Client::new(&spec(), spec().check().unwrap()).unwrap();
        let project = Project::new(&spec(), client);
        let reply = Reply {
            ending: Ending::Answered(400),
            body: Bytes::new(),
            retry_after: None,
            cause: None,
        };
        let mut delivered = Delivered {
            operations: Vec::new(),
            rejects: Vec::new(),
            held: Vec::new(),
            filtered: Vec::new(),
        };
        let mut refuse = |origin| delivered.refuse(profile(), &reply, origin, &project);
        for _ in 0..2 * REFUSED_ALONE {
            refuse(Origin::Rejects).unwrap();
        }
        for _ in 1..REFUSED_ALONE {
            refuse(Origin::Source).unwrap();
        }
        project.check_running().unwrap();
        assert_eq!(refuse(Origin::Source).unwrap_err().code, "request_malformed");
        project.check_running().unwrap_err();
        assert_eq!(delivered.rejects.len(), 3 * REFUSED_ALONE as usize - 1);
    }
}
