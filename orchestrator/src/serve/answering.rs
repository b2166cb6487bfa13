//! Metrics and health of the daemon, for machines.

use axum::Router;
use tokio::net::TcpListener;

use super::handle::{DaemonHandle, Readiness};
use crate::{
    api::hosts::Hosts,
    observe::{endpoint, metrics::Metrics},
};

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
    let readiness = move || match handle.readiness() {
        Readiness::Ready => endpoint::Readiness::Ready,
        Readiness::Starting => endpoint::Readiness::NotReady("starting"),
        Readiness::StoreUnusable => endpoint::Readiness::NotReady("store_unusable"),
        Readiness::Draining => endpoint::Readiness::NotReady("draining"),
    };
    endpoint::router(metrics, readiness)
}
