//! Metrics and health of the daemon, for machines.

use axum::Router;
use tokio::net::TcpListener;

use super::handle::{DaemonHandle, Readiness};
use crate::observe::{endpoint, metrics::Metrics};

/// Answers `/metrics`, `/healthz` and `/readyz` until it is dropped.
pub(super) async fn answer_machines(handle: DaemonHandle, metrics: Metrics, listener: TcpListener) {
    if let Err(error) = axum::serve(listener, machines(handle, metrics)).await {
        tracing::error!(%error, "metrics and health are not answered any more");
    }
}

/// `/metrics`, `/healthz` and `/readyz`, to mount wherever they are answered.
pub(super) fn machines(handle: DaemonHandle, metrics: Metrics) -> Router {
    let readiness = move || match handle.readiness() {
        Readiness::Ready => endpoint::Readiness::Ready,
        Readiness::Starting => endpoint::Readiness::NotReady("starting"),
        Readiness::StoreUnusable => endpoint::Readiness::NotReady("store_unusable"),
        Readiness::Draining => endpoint::Readiness::NotReady("draining"),
    };
    endpoint::router(metrics, readiness)
}
