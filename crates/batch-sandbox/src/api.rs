//! The emulated endpoints: from the head of a call to its answer.
//!
//! Order of the checks: route, method, authentication, headers, size, faults on demand, structure, rate limit, values.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;

use crate::answer::{self, Refusal};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::fault::FaultKind;
use crate::gzip;
use crate::project::{InFlight, Project};
use crate::request::{self, Identifier, Malformed, Operation};
use crate::sandbox::Sandbox;
use crate::strict::ViolationKind;
use crate::sync::locked;
use crate::validation::PartialError;

/// Bodies up to this size are dealt with on the connection's own task; larger ones would hold up its neighbours.
const INLINE_BODY_BYTES: usize = 256 * 1024;

/// Answers everything that is not part of the control API.
pub(crate) async fn answer(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    let mut call = Call::arrived(sandbox);
    match receive(&mut call, request).await {
        Ok(response) => response,
        Err(refusal) => {
            call.refused(&refusal);
            refusal.into_response()
        }
    }
}

async fn receive(call: &mut Call, request: Request) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    let sandbox = call.sandbox().clone();
    let (version, endpoint) = route(head.uri.path()).ok_or_else(Refusal::route_not_found)?;
    if !sandbox.options.versions.iter().any(|known| known == version) {
        return Err(Refusal::route_not_found());
    }
    call.entry.version = Some(version.to_owned());
    call.entry.endpoint = Some(endpoint);
    if head.method != Method::POST {
        return Err(Refusal::method_not_allowed());
    }
    let project = authenticated(&sandbox, &head.headers).ok_or_else(Refusal::authentication_invalid)?;
    call.entry.project = Some(project.key().to_owned());
    check_content_type(&head.headers)?;
    let is_compressed = is_compressed(&head.headers, sandbox.options.accept_gzip)?;

    let most = sandbox.options.max_body_bytes;
    let sent = read_body(body, most).await?;
    call.entry.bytes = sent.len();
    call.body = Some(sent.clone());
    let body = if is_compressed {
        gzip::decompressed(&sent, most)?
    } else {
        sent
    };

    let work = Work {
        sandbox,
        project,
        endpoint,
        body,
    };
    let fault = work.sandbox.fault_for(endpoint, work.project.key());
    call.entry.fault = fault.as_ref().map(|fault| fault.name().to_owned());
    match fault {
        None => Ok(work.run(call, 0).await?.answer(call)),
        Some(fault) => spoilt(call, work, fault).await,
    }
}

/// The same call with something wrong.
async fn spoilt(call: &mut Call, work: Work, fault: FaultKind) -> Result<Response, Refusal> {
    match fault {
        FaultKind::CutBefore => Ok(answer::cut()),
        FaultKind::CutAfter => {
            work.run(call, 0).await?;
            Ok(answer::cut())
        }
        FaultKind::Status {
            status,
            retry_after_s,
            error_code,
            applied,
        } => {
            if applied {
                work.run(call, 0).await?;
            }
            let refusal = Refusal::on_demand(status, error_code);
            call.refused(&refusal);
            Ok(refusal.with_retry_after(retry_after_s))
        }
        FaultKind::Slow { ms, applied: true } => {
            let done = work.run(call, 0).await?;
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(done.answer(call))
        }
        FaultKind::Slow { ms, applied: false } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(work.run(call, 0).await?.answer(call))
        }
        FaultKind::PartialErrors { operations } => Ok(work.run(call, operations).await?.answer(call)),
        FaultKind::Garbled => {
            work.run(call, 0).await?;
            call.answered(202);
            Ok(answer::garbled())
        }
    }
}

/// A call that passed every check but those of its content.
struct Work {
    sandbox: Arc<Sandbox>,
    project: Arc<Project>,
    endpoint: Endpoint,
    body: Bytes,
}

/// What a body holds.
#[derive(Clone, Copy)]
struct Size {
    operations: usize,
    events: usize,
}

/// A call whose body was looked at.
struct Performed {
    size: Option<Size>,
    /// When the bucket let it in.
    admitted_at: Option<Duration>,
    outcome: Result<Done, Refusal>,
}

impl Performed {
    fn refused(size: Option<Size>, refusal: Refusal) -> Self {
        Self {
            size,
            admitted_at: None,
            outcome: Err(refusal),
        }
    }
}

/// A call that took effect.
struct Done {
    errors: Vec<PartialError>,
    /// Claims on the call's profiles, held until the answer leaves.
    in_flight: Option<InFlight>,
}

impl Done {
    fn answer(self, call: &mut Call) -> Response {
        call.answered(202);
        call.entry.partial_errors = self.errors.len();
        let response = answer::accepted(&self.errors);
        drop(self.in_flight);
        response
    }
}

impl Work {
    async fn run(self, call: &mut Call, refused_on_demand: usize) -> Result<Done, Refusal> {
        let number = call.entry.sequence;
        let now = self.sandbox.options.clock.wall();
        let performed = if self.body.len() <= INLINE_BODY_BYTES {
            self.perform(number, now, refused_on_demand)
        } else {
            let task = tokio::task::spawn_blocking(move || self.perform(number, now, refused_on_demand));
            task.await
                .expect("applying a call does not panic, and the runtime outlives it")
        };
        if let Some(size) = performed.size {
            call.entry.operations = Some(size.operations);
            call.entry.events = Some(size.events);
        }
        let microseconds = |at: Duration| u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        call.entry.admitted_us = performed.admitted_at.map(microseconds);
        call.entry.applied = performed.outcome.is_ok();
        performed.outcome
    }

    fn perform(self, number: u64, now: DateTime<Utc>, refused_on_demand: usize) -> Performed {
        let operations = match request::operations(&self.body, self.endpoint.operations_per_call()) {
            Ok(operations) => operations,
            Err(Malformed(why)) => return Performed::refused(None, Refusal::malformed(why)),
        };
        let size = Size {
            operations: operations.len(),
            events: operations.iter().map(|operation| operation.events.len()).sum(),
        };
        let elapsed = self.sandbox.options.clock.elapsed();
        if !locked(&self.project.rate_limits).admit(self.endpoint, size.operations as u64, elapsed) {
            return Performed::refused(Some(size), Refusal::too_many_requests());
        }
        let in_flight = self.sandbox.options.strict.then(|| {
            self.look_for_violations(number, &operations);
            self.project.claim(&operations)
        });
        let errors = self.project.apply(operations, now, refused_on_demand);
        for error in &errors {
            self.sandbox.violation(crate::strict::Violation {
                request: number,
                project: self.project.key().to_owned(),
                kind: ViolationKind::PartialError,
                reason: error.reason.clone(),
                error: Some(error.clone()),
            });
        }
        Performed {
            size: Some(size),
            admitted_at: Some(elapsed),
            outcome: Ok(Done { errors, in_flight }),
        }
    }

    /// What is allowed, or not documented to be refused, but which a careful client never does.
    fn look_for_violations(&self, number: u64, operations: &[Operation<'_>]) {
        let violation = |kind, reason: &str| {
            self.sandbox.violation(crate::strict::Violation {
                request: number,
                project: self.project.key().to_owned(),
                kind,
                reason: reason.to_owned(),
                error: None,
            });
        };
        if operations.is_empty() {
            violation(ViolationKind::EmptyCall, "the call has no operations");
        }
        let mut seen = std::collections::HashSet::with_capacity(operations.len());
        for operation in operations {
            if let Identifier::CustomId(custom_id) = &operation.identifier
                && !seen.insert(&**custom_id)
            {
                violation(ViolationKind::RepeatedCustomId, "a custom id occurs twice in one call");
            }
        }
    }
}

/// `/{version}/profiles/{endpoint}`
fn route(path: &str) -> Option<(&str, Endpoint)> {
    let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
    let endpoint = Endpoint::at(rest.strip_prefix("profiles/")?)?;
    Some((version, endpoint))
}

fn authenticated(sandbox: &Sandbox, headers: &HeaderMap) -> Option<Arc<Project>> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let project = sandbox.project(text("x-batch-project")?)?;
    let token = text(header::AUTHORIZATION.as_str())?.strip_prefix("Bearer ")?;
    (token == project.rest_api_key).then(|| project.clone())
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = sent.and_then(|sent| sent.split(';').next()).map(str::trim);
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    Err(Refusal::unsupported("the Content-Type must be application/json"))
}

fn is_compressed(headers: &HeaderMap, accept_gzip: bool) -> Result<bool, Refusal> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(false);
    };
    if encoding.as_bytes().eq_ignore_ascii_case(b"identity") {
        return Ok(false);
    }
    if accept_gzip && encoding.as_bytes().eq_ignore_ascii_case(b"gzip") {
        return Ok(true);
    }
    Err(Refusal::unsupported("compressed bodies are not known to be supported"))
}

async fn read_body(body: Body, most: usize) -> Result<Bytes, Refusal> {
    let mut chunks = body.into_data_stream();
    let mut first: Option<Bytes> = None;
    let mut joined = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal::malformed("the body ended early"))?;
        let so_far = joined.len().max(first.as_ref().map_or(0, Bytes::len));
        if so_far + chunk.len() > most {
            return Err(Refusal::too_large(most));
        }
        match &first {
            // Most bodies come in one piece, which is not copied.
            None => first = Some(chunk),
            Some(first) => {
                if joined.is_empty() {
                    joined.extend_from_slice(first);
                }
                joined.extend_from_slice(&chunk);
            }
        }
    }
    if joined.is_empty() {
        return Ok(first.unwrap_or_default());
    }
    Ok(joined.freeze())
}
