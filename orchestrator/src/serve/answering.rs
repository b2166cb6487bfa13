//! Metrics and health of the daemon, for machines.

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
};
use tokio::net::TcpListener;

use super::handle::{DaemonHandle, Readiness};
use crate::{
    api::hosts::Hosts,
    observe::{
        endpoint::{self, METRICS},
        metrics::Metrics,
    },
};

/// Prometheus gives a scrape ten seconds.
const STATE_WITHIN: Duration = Duration::from_secs(2);

/// Where metrics and health are answered by themselves, to whoever reaches the address.
pub struct MetricsHttp {
    /// The address.
    pub listener: TcpListener,
    /// The names under which it may be asked.
    pub hosts: Hosts,
}

/// Answers `/metrics`, `/healthz` and `/readyz` until it is dropped.
pub(super) async fn answer_machines(handle: DaemonHandle, metrics: Metrics, http: MetricsHttp) {
    let machines = http.hosts.guard(machines(handle, metrics));
    if let Err(error) = axum::serve(http.listener, machines).await {
        tracing::error!(%error, "metrics and health are not answered any more");
    }
}

/// `/metrics`, `/healthz` and `/readyz`, to mount wherever they are answered.
pub(super) fn machines(handle: DaemonHandle, metrics: Metrics) -> Router {
    let asked = handle.clone();
    let known = metrics.clone();
    // Before the metrics are written: `longshore sync` beside the daemon moves cursors too.
    let refreshed = middleware::from_fn(move |request: Request, next: Next| {
        let (asked, known) = (asked.clone(), known.clone());
        async move {
            if request.uri().path() == METRICS {
                refresh(&asked, &known).await;
            }
            next.run(request).await
        }
    });
    let readiness = move || match handle.readiness() {
        Readiness::Ready => endpoint::Readiness::Ready,
        Readiness::Starting => endpoint::Readiness::NotReady("starting"),
        Readiness::StoreUnusable => endpoint::Readiness::NotReady("store_unusable"),
        Readiness::Draining => endpoint::Readiness::NotReady("draining"),
    };
    endpoint::router(metrics, readiness).layer(refreshed)
}

/// Takes what the state says now. A state that does not answer is no reason to answer nothing: the rest is true without it.
async fn refresh(handle: &DaemonHandle, metrics: &Metrics) {
    let store = handle.store();
    let syncs = handle.views().into_iter().map(|sync| sync.name).collect();
    match tokio::time::timeout(STATE_WITHIN, metrics.know_stored(store.as_ref(), &syncs)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "metrics are as of what was last known of the state"),
        Err(_) => tracing::debug!("metrics are as of what was last known of the state, which does not answer"),
    }
}
