//! A tiny endpoint that answers what a test tells it to.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::Value as Json;
use tokio::{net::TcpListener, task::JoinHandle};

/// What it was sent: paths, headers and operations.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) headers: HeaderMap,
    pub(crate) path: String,
    pub(crate) operations: Vec<Json>,
}

impl Seen {
    pub(crate) fn ids(&self) -> Vec<String> {
        self.operations
            .iter()
            .map(|operation| operation["identifiers"]["custom_id"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) retry_after: Option<&'static str>,
}

pub(crate) fn answer(status: u16, body: impl Into<String>) -> Answer {
    Answer {
        status,
        body: body.into(),
        retry_after: None,
    }
}

pub(crate) fn success() -> Answer {
    answer(202, r#"{"code":"SUCCESS"}"#)
}

/// A running endpoint; it ends with the test.
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: JoinHandle<()>,
}

impl Endpoint {
    /// Answers each request by a function of the request and of how many came before it.
    pub(crate) async fn start(decide: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = Arc::clone(&seen);
        let decide = Arc::new(decide);
        let handler = move |method: axum::http::Method, uri: axum::http::Uri, headers: HeaderMap, body: Bytes| {
            let (log, decide) = (Arc::clone(&log), Arc::clone(&decide));
            async move {
                if method == axum::http::Method::GET {
                    return StatusCode::NOT_FOUND.into_response();
                }
                let operations = serde_json::from_slice(&body).unwrap();
                let request = Seen {
                    headers,
                    path: uri.path().to_owned(),
                    operations,
                };
                let mut log = log.lock().unwrap();
                let answer = decide(&request, log.len());
                log.push(request);
                respond(answer)
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await.unwrap() });
        Self { address, seen, server }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn respond(answer: Answer) -> Response {
    let mut response = (StatusCode::from_u16(answer.status).unwrap(), answer.body).into_response();
    if let Some(seconds) = answer.retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.parse().unwrap());
    }
    response
}
