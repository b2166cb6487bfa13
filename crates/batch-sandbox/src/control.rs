//! The control API under `/_sandbox`: what tests ask, and what they make happen. The README lists it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::dump;
use crate::endpoint::Endpoint;
use crate::fault::{FaultReport, FaultRule};
use crate::project::{Counts, Project};
use crate::rate_limits::Limit;
use crate::request_log::LoggedRequest;
use crate::sandbox::Sandbox;
use crate::store::{Duplicates, EventSnapshot, ProfileSnapshot};
use crate::strict::Violations;
use crate::sync::locked;

type Shared = State<Arc<Sandbox>>;
type Asked<T> = Result<Query<T>, QueryRejection>;
type Sent<T> = Result<Json<T>, JsonRejection>;

/// The routes, relative to `/_sandbox`.
pub(crate) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/health", get(health))
        .route("/counts", get(counts))
        .route("/profile", get(profile))
        .route("/profile/events", get(events_of_profile))
        .route("/profiles", get(profiles))
        .route("/events", get(events))
        .route("/duplicates", get(duplicates))
        .route("/requests", get(requests))
        .route("/requests/body", get(request_body))
        .route("/violations", get(violations))
        .route("/faults", get(faults).post(set_faults).delete(clear_faults))
        .route("/limits", get(limits).post(set_limits))
        .route("/reset", post(reset))
        .fallback(async || Trouble::not_found("there is no such control route"))
        .method_not_allowed_fallback(async || Trouble::new(StatusCode::METHOD_NOT_ALLOWED, "wrong method"))
}

/// Why a control call failed.
struct Trouble(StatusCode, String);

impl Trouble {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self(status, why.into())
    }

    fn not_found(why: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, why)
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        (self.0, Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

impl From<QueryRejection> for Trouble {
    fn from(rejection: QueryRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<JsonRejection> for Trouble {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

/// The project that a call names; it may leave it out when there is only one.
fn project<'s>(sandbox: &'s Sandbox, key: Option<&str>) -> Result<&'s Arc<Project>, Trouble> {
    if let Some(key) = key {
        return sandbox
            .project(key)
            .ok_or_else(|| Trouble::not_found("there is no such project"));
    }
    let mut projects = sandbox.projects();
    match (projects.next(), projects.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(Trouble::new(
            StatusCode::BAD_REQUEST,
            "several projects: say which with ?project=",
        )),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfProject {
    project: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfProfile {
    project: Option<String>,
    custom_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    project: Option<String>,
    #[serde(default)]
    from: usize,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogPage {
    #[serde(default)]
    from: u64,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRequest {
    sequence: u64,
}

async fn health() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "ok" }))
}

async fn counts(State(sandbox): Shared, query: Asked<OfProject>) -> Result<Json<BTreeMap<String, Counts>>, Trouble> {
    let Query(query) = query?;
    let counted = |project: &Arc<Project>| (project.key().to_owned(), project.counts());
    let counts = match &query.project {
        Some(key) => BTreeMap::from([counted(project(&sandbox, Some(key))?)]),
        None => sandbox.projects().map(counted).collect(),
    };
    Ok(Json(counts))
}

async fn profile(State(sandbox): Shared, query: Asked<OfProfile>) -> Result<Json<ProfileSnapshot>, Trouble> {
    let Query(query) = query?;
    let profile = project(&sandbox, query.project.as_deref())?.profile(&query.custom_id);
    profile
        .map(Json)
        .ok_or_else(|| Trouble::not_found("there is no such profile"))
}

async fn events_of_profile(
    State(sandbox): Shared,
    query: Asked<OfProfile>,
) -> Result<Json<Vec<EventSnapshot>>, Trouble> {
    let Query(query) = query?;
    let project = project(&sandbox, query.project.as_deref())?;
    Ok(Json(project.events_of(&query.custom_id)))
}

async fn profiles(State(sandbox): Shared, query: Asked<Page>) -> Result<Response, Trouble> {
    let Query(query) = query?;
    let project = project(&sandbox, query.project.as_deref())?.clone();
    Ok(dump::lines(project, query.from, query.limit, Project::profiles))
}

async fn events(State(sandbox): Shared, query: Asked<Page>) -> Result<Response, Trouble> {
    let Query(query) = query?;
    let project = project(&sandbox, query.project.as_deref())?.clone();
    Ok(dump::lines(project, query.from, query.limit, Project::events))
}

async fn duplicates(State(sandbox): Shared, query: Asked<Page>) -> Result<Json<Duplicates>, Trouble> {
    let Query(query) = query?;
    let project = project(&sandbox, query.project.as_deref())?.clone();
    let limit = query.limit.unwrap_or(100);
    let comparison = tokio::task::spawn_blocking(move || project.duplicates(limit)).await;
    Ok(Json(comparison.expect(
        "comparing events does not panic, and the runtime outlives it",
    )))
}

async fn requests(State(sandbox): Shared, query: Asked<LogPage>) -> Result<Json<Vec<LoggedRequest>>, Trouble> {
    let Query(query) = query?;
    Ok(Json(sandbox.requests(query.from, query.limit.unwrap_or(usize::MAX))))
}

async fn request_body(State(sandbox): Shared, query: Asked<OfRequest>) -> Result<Response, Trouble> {
    let Query(query) = query?;
    let body = sandbox.request_body(query.sequence);
    let body = body.ok_or_else(|| Trouble::not_found("the body of this request is not kept"))?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

async fn violations(State(sandbox): Shared) -> Result<Json<Violations>, Trouble> {
    if !sandbox.options.strict {
        let why = "violations are recorded in strict mode only";
        return Err(Trouble::new(StatusCode::CONFLICT, why));
    }
    Ok(Json(sandbox.violations()))
}

#[derive(Serialize)]
struct Rules {
    rules: Vec<FaultReport>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRules {
    rules: Vec<FaultRule>,
}

async fn faults(State(sandbox): Shared) -> Json<Rules> {
    Json(Rules {
        rules: sandbox.faults(),
    })
}

async fn set_faults(State(sandbox): Shared, sent: Sent<NewRules>) -> Result<Json<Rules>, Trouble> {
    let Json(NewRules { rules }) = sent?;
    sandbox.set_faults(rules);
    Ok(faults(State(sandbox)).await)
}

async fn clear_faults(State(sandbox): Shared) -> Json<Rules> {
    // The answer says how often each rule fired before it went.
    let last = faults(State(sandbox.clone())).await;
    sandbox.set_faults(Vec::new());
    last
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLimits {
    project: Option<String>,
    update: Option<Limit>,
    mass_update: Option<Limit>,
}

#[derive(Serialize)]
struct Limits {
    update: Limit,
    mass_update: Limit,
}

async fn limits(State(sandbox): Shared) -> Json<BTreeMap<String, Limits>> {
    let limits = sandbox.projects().map(|project| {
        let mut limits = locked(&project.rate_limits);
        let of_project = Limits {
            update: limits.limit(Endpoint::Update),
            mass_update: limits.limit(Endpoint::MassUpdate),
        };
        (project.key().to_owned(), of_project)
    });
    Json(limits.collect())
}

async fn set_limits(State(sandbox): Shared, sent: Sent<NewLimits>) -> Result<Json<BTreeMap<String, Limits>>, Trouble> {
    let Json(new) = sent?;
    let projects: Vec<_> = match &new.project {
        Some(key) => vec![project(&sandbox, Some(key))?],
        None => sandbox.projects().collect(),
    };
    for project in projects {
        for (endpoint, limit) in [(Endpoint::Update, new.update), (Endpoint::MassUpdate, new.mass_update)] {
            if let Some(limit) = limit {
                sandbox.set_limit(project, endpoint, limit);
            }
        }
    }
    Ok(limits(State(sandbox)).await)
}

async fn reset(State(sandbox): Shared, query: Asked<OfProject>) -> Result<StatusCode, Trouble> {
    let Query(query) = query?;
    match &query.project {
        Some(key) => sandbox.reset(Some(project(&sandbox, Some(key))?)),
        None => sandbox.reset(None),
    }
    Ok(StatusCode::NO_CONTENT)
}
