//! One request, through to what became of each of its rows.

use std::collections::HashSet;

use bytes::Bytes;
use chrono::Utc;
use longshore_sdk::prelude::*;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::{
    client::Reply,
    gate::Passage,
    pacer::Turn,
    project::Project,
    request::{Endpoint, Request, body_of},
};
use crate::{
    answers::{self, AnswerRule, Consequence, partial, success},
    operation::Operation,
    spec::Target,
};

/// A request that is over.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// Every operation of the request, perhaps divided.
    pub(crate) operations: Vec<Operation>,
    /// What the API refused.
    pub(crate) rejects: Vec<Reject>,
    /// Events, as (sequence, row), that may be there twice: an answer was lost and they were sent again.
    pub(crate) uncertain: HashSet<(u64, u64)>,
}

impl Delivered {
    /// The rows refused as a whole, as (sequence, row).
    pub(crate) fn refused_rows(&self) -> HashSet<(u64, u64)> {
        self.rejects
            .iter()
            .filter(|reject| reject.whole_row)
            .map(|reject| (reject.sequence, reject.row))
            .collect()
    }
}

/// What one answer means for the operations it was about.
enum Outcome {
    Taken(Vec<success::PartialError>),
    /// The request as a whole is at fault, for this reason.
    Refused(&'static AnswerRule, String),
}

/// Sends a request until every row of it is delivered or refused. Its profiles stay claimed, and it keeps its passage, all the while: nothing overtakes it.
///
/// # Errors
/// When it can not be decided: attempts are used up (retryable), or the project is stopped (not retryable).
pub(crate) async fn deliver(
    project: &Project,
    endpoint: Endpoint,
    request: Request,
    passage: Passage,
) -> Result<Delivered> {
    let Request {
        operations,
        body,
        claim,
    } = request;
    let mut delivered = Delivered {
        operations: Vec::with_capacity(operations.len()),
        rejects: Vec::new(),
        uncertain: HashSet::new(),
    };
    // A stack: the earlier half of a divided request is sent before the later one.
    let mut to_send = vec![(operations, body)];
    while let Some((operations, body)) = to_send.pop() {
        match send(
            project,
            endpoint,
            &operations,
            body,
            (&passage, &mut delivered.uncertain),
        )
        .await?
        {
            Outcome::Taken(errors) => {
                let now = Utc::now();
                let rejects = errors
                    .iter()
                    .flat_map(|error| partial::rejects_of(error, &operations[error.bulk_index], now));
                delivered.rejects.extend(rejects);
                delivered.operations.extend(operations);
            }
            Outcome::Refused(rule, reason) => match divide(operations) {
                Ok((earlier, later)) => {
                    for half in [later, earlier] {
                        let body = body_of(&half);
                        to_send.push((half, body));
                    }
                }
                Err(single) => {
                    let rejects = single
                        .rows()
                        .iter()
                        .map(|row| partial::refused_row(row, rule.code, reason.clone()));
                    delivered.rejects.extend(rejects);
                    delivered.operations.push(single);
                }
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

/// Sends one body until it is answered for good.
async fn send(
    project: &Project,
    endpoint: Endpoint,
    operations: &[Operation],
    body: Bytes,
    (passage, uncertain_events): (&Passage, &mut HashSet<(u64, u64)>),
) -> Result<Outcome> {
    let (mut attempts, mut refusals) = (0, 0);
    loop {
        let turn = project.pacer.turn(endpoint, operations.len()).await;
        project.check_running()?;
        let sent = Instant::now();
        let reply = project.client.post(endpoint, body.clone()).await;
        let rule = reply.ending.rule();
        match rule.consequence {
            Consequence::Read => return read(project, operations, &reply, turn, passage, sent),
            Consequence::Divide => {
                let reason = format!("Batch refused the row{}", answers::describe(reply.ending, &reply.body));
                info!(
                    operations = operations.len(),
                    answer = rule.code,
                    "a request was refused as a whole; looking for the row at fault"
                );
                return Ok(Outcome::Refused(rule, reason));
            }
            Consequence::Stop => {
                let error = answers::error(reply.ending, &reply.body);
                project.stop(&error);
                return Err(error);
            }
            Consequence::Pause => {
                passage.failed(sent);
                refusals += 1;
                if let Some(pause) = project
                    .pacer
                    .refused(turn, reply.retry_after, rand::random(), Instant::now())
                {
                    warn!(
                        pause_ms = pause.as_millis() as u64,
                        "Batch answers \"too many requests\": everything for this project pauses"
                    );
                }
                if refusals >= project.retries.rate_limited_attempts {
                    return Err(answers::error(reply.ending, &reply.body));
                }
            }
            Consequence::Again { uncertain } => {
                passage.failed(sent);
                attempts += 1;
                if uncertain {
                    warn_of_repeat(operations, rule.code);
                    uncertain_events.extend(events_of(operations));
                }
                wait_to_retry(project, attempts, &reply).await?;
            }
        }
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
        warn_of_repeat(operations, "answer_unreadable");
        let error = answers::error(reply.ending, &[]);
        project.stop(&error);
        return Err(error);
    };
    project.pacer.accepted(turn);
    passage.succeeded(sent.elapsed());
    if !errors.is_empty() {
        info!(
            errors = errors.len(),
            operations = operations.len(),
            "Batch took a request and refused parts of it"
        );
    }
    Ok(Outcome::Taken(errors))
}

async fn wait_to_retry(project: &Project, attempts: u32, reply: &Reply) -> Result<()> {
    let give_up = || {
        let error = answers::error(reply.ending, &reply.body);
        reply
            .cause
            .as_ref()
            .map_or_else(|| error.clone(), |cause| error.clone().with_cause(cause))
    };
    let backoff = project
        .retries
        .transient
        .delay_before(attempts + 1, rand::random())
        .ok_or_else(give_up)?;
    let delay = reply.retry_after.map_or(backoff, |asked| {
        asked.clamp(backoff, project.retries.transient.max_delay.max(backoff))
    });
    let rule = reply.ending.rule();
    warn!(
        attempt = attempts,
        delay_ms = delay.as_millis() as u64,
        answer = rule.code,
        "a request to Batch failed and is tried again"
    );
    sleep(delay).await;
    Ok(())
}

/// The events of a request, as (sequence, row). Attributes bear being sent twice; an event sent twice is there twice.
fn events_of(operations: &[Operation]) -> impl Iterator<Item = (u64, u64)> {
    let events = operations
        .iter()
        .filter(|operation| operation.target() == Target::ProfileEvents);
    events.flat_map(Operation::rows).map(|row| (row.sequence(), row.row()))
}

fn warn_of_repeat(operations: &[Operation], answer: &str) {
    let events = events_of(operations).count();
    if events == 0 {
        return;
    }
    warn!(
        operations = operations.len(),
        uncertain_events = events,
        answer,
        "it is uncertain whether Batch took these events; sending them again may repeat them"
    );
}
