//! What happens, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    http::StatusCode,
    response::{
        IntoResponse as _, Response,
        sse::{Event as SentEvent, KeepAlive, Sse},
    },
};
use futures_util::{StreamExt as _, stream};
use longshore_core::Error;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::{Service, answer::Refusal, call::Call, moments::Moment, syncs::ShownTable};
use crate::{in_clear, serve::handle::Event};

/// A sign of life while nothing happens, so that neither side waits for a peer that is gone.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

pub(super) async fn stream(call: Call) -> Result<Response, Refusal> {
    let service = call.service;
    let place = Arc::clone(&service.streams).try_acquire_owned().map_err(|_| {
        let error = Error::config(
            "streams_exhausted",
            "As many streams of events are open as this Longshore allows",
        )
        .with_remedy("Close pages that nobody looks at, or ask GET /syncs every few seconds.");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error)
    })?;
    let events = service.daemon.events();
    let end = service.end.clone();
    let sent = stream::unfold((events, service, place), |(mut events, service, place)| async move {
        let event = match events.recv().await {
            Ok(event) => written(&service, &event),
            Err(RecvError::Lagged(missed)) => SentEvent::default()
                .event("missed_events")
                .data(json!({ "missed": missed }).to_string()),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok::<_, Infallible>(event), (events, service, place)))
    });
    let until_the_end = sent.take_until(end.cancelled_owned());
    let keep_alive = KeepAlive::new().interval(SIGN_OF_LIFE);
    Ok(Sse::new(until_the_end).keep_alive(keep_alive).into_response())
}

fn written(service: &Service, event: &Event) -> SentEvent {
    let (name, mut data) = named(event);
    in_clear::redact(&service.secrets, &mut data);
    SentEvent::default().event(name).data(data.to_string())
}

/// The name of an event, and its data with times as the rest of the API writes them.
fn named(event: &Event) -> (&'static str, Value) {
    match event {
        Event::RunQueued { sync, due_at } => ("run_queued", json!({ "sync": sync, "due_at": due_at.map(Moment) })),
        Event::RunStarted {
            sync,
            kind,
            run_id,
            attempt,
        } => (
            "run_started",
            json!({ "sync": sync, "kind": kind, "run_id": run_id, "attempt": attempt }),
        ),
        Event::Progress { sync, run_id, tables } => {
            let tables: Vec<ShownTable> = tables.iter().map(ShownTable::from).collect();
            ("progress", json!({ "sync": sync, "run_id": run_id, "tables": tables }))
        }
        Event::BrokeOff {
            sync,
            run_id,
            error,
            next_at,
        } => (
            "broke_off",
            json!({ "sync": sync, "run_id": run_id, "error": error, "next_at": Moment(*next_at) }),
        ),
        Event::TriesAgain { sync, run_id } => ("tries_again", json!({ "sync": sync, "run_id": run_id })),
        Event::RunEnded(ended) => (
            "run_ended",
            json!({
                "sync": ended.sync,
                "kind": ended.kind,
                "outcome": ended.outcome,
                "report": ended.report,
                "error": ended.error,
                "retry_at": ended.retry_at.map(Moment),
                "tries": ended.tries,
            }),
        ),
        Event::Missed {
            sync,
            first_due_at,
            last_due_at,
        } => (
            "missed",
            json!({ "sync": sync, "first_due_at": Moment(*first_due_at), "last_due_at": Moment(*last_due_at) }),
        ),
        Event::Paused { sync, paused } => ("paused", json!({ "sync": sync, "paused": paused })),
        Event::Reloaded => ("reloaded", json!({})),
        Event::ReloadRefused { diagnostics } => ("reload_refused", json!({ "diagnostics": diagnostics })),
        Event::Readiness { readiness } => ("readiness", json!({ "readiness": readiness })),
    }
}
