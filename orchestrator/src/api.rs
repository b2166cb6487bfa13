//! HTTP: the API under `/api/v1` and the page.
//!
//! One list of endpoints (`endpoints`) makes the routes, the OpenAPI document and what each asks of its caller, so that none of them can differ from
//! another. A request passes the `guard` (which host and which page it is for), then [`access`] (who asks), then its endpoint. Every answer is cleared of
//! secrets on its way out.

pub mod access;
mod answer;
mod call;
mod endpoint;
mod endpoints;
mod events;
mod freshness;
mod guard;
pub mod hosts;
mod moments;
mod openapi;
mod page;
mod rejects;
mod runs;
mod session;
mod state;
mod syncs;

use std::{sync::Arc, time::Duration};

use axum::{Router, middleware, routing::any};
use bytes::Bytes;
use longshore_config::Secrets;
use longshore_core::{Error, Result};
use longshore_state::StateStore;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::serve::handle::DaemonHandle;
use access::Access;
use answer::Refusal;
use guard::Guard;
use hosts::Hosts;
use runs::RunCounts;

/// Where the API begins. A later, incompatible one gets a number of its own beside it.
pub const ROOT: &str = "/api/v1";

/// Where the daemon listens when nothing is said: on this machine alone.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:4780";

/// Streams of events that are open at once; each costs a little memory and a connection for as long as a page is open.
const STREAMS: usize = 128;

/// After the daemon's end, open connections have so long to be done.
const LINGER: Duration = Duration::from_secs(2);

/// How to serve.
pub struct Options {
    /// Who may do what.
    pub access: Access,
    /// Names beside those of this machine under which the API is reached without tokens.
    pub hosts: Hosts,
    /// What must not leave.
    pub secrets: Secrets,
    /// Served beside the API: metrics, for who may look, and health, for anybody.
    pub beside: Router,
    /// Cancelled when the daemon ends.
    pub end: CancellationToken,
}

/// What every endpoint has at hand.
struct Service {
    daemon: DaemonHandle,
    store: Arc<dyn StateStore>,
    access: Access,
    guard: Guard,
    secrets: Secrets,
    document: Bytes,
    counts: RunCounts,
    streams: Arc<Semaphore>,
    end: CancellationToken,
}

type Shared = Arc<Service>;

/// Serves until `options.end` is cancelled.
///
/// # Errors
/// `listener_failed`: the socket can not be used any more.
pub async fn serve(listener: TcpListener, daemon: DaemonHandle, options: Options) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::config("listener_failed", "The address can not be served any longer").with_cause(&error)
    };
    let address = listener.local_addr().map_err(failed)?;
    let end = options.end.clone();
    let app = app(daemon, options);
    tracing::info!(%address, "listening");
    let served = axum::serve(listener, app).with_graceful_shutdown(end.clone().cancelled_owned());
    let lingering = async {
        end.cancelled().await;
        tokio::time::sleep(LINGER).await;
    };
    tokio::select! {
        served = async { served.await } => served.map_err(failed),
        () = lingering => Ok(()),
    }
}

fn app(daemon: DaemonHandle, options: Options) -> Router {
    let endpoints = endpoints::all();
    let service = Arc::new(Service {
        store: daemon.store(),
        daemon,
        guard: Guard::new(options.access.is_open(), options.hosts),
        access: options.access,
        secrets: options.secrets,
        document: openapi::document(&endpoints).to_string().into(),
        counts: RunCounts::default(),
        streams: Arc::new(Semaphore::new(STREAMS)),
        end: options.end,
    });
    let api = endpoints
        .into_iter()
        .fold(Router::new(), |router, endpoint| {
            router.route(endpoint.path, endpoint.route)
        })
        .method_not_allowed_fallback(|| async { Refusal::method_not_allowed() })
        .fallback(any(|| async { Refusal::path_unknown() }));
    let beside = options.beside.layer(middleware::from_fn_with_state(
        Arc::clone(&service),
        access::before_metrics,
    ));
    Router::new()
        .nest(ROOT, api)
        .merge(page::routes())
        .with_state(Arc::clone(&service))
        .merge(beside)
        .layer(middleware::from_fn_with_state(service, guard::check))
}
