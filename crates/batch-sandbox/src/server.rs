//! Sockets: listening, connections, and closing one in the middle of a call.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt;

use crate::answer::CutConnection;
use crate::options::Options;
use crate::sandbox::Sandbox;
use crate::{api, control};

/// Pause after a failed accept (too many open files): trying again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No project was given.
    #[error("a sandbox needs at least one project")]
    NoProject,
    /// The address is not on loopback, and nothing allows that.
    #[error("{0} is not a loopback address; other machines could reach it, which has to be allowed explicitly")]
    NotLoopback(SocketAddr),
    /// The address can not be listened on.
    #[error("can not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A sandbox that listens. Dropping it ends it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    sandbox: Arc<Sandbox>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sandbox {
    /// Starts listening. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When there is no project, or the address can not be used.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        if options.projects.is_empty() {
            return Err(StartError::NoProject);
        }
        if !options.address.ip().is_loopback() && !options.allow_remote {
            return Err(StartError::NotLoopback(options.address));
        }
        let listen = |source| StartError::Listen {
            address: options.address,
            source,
        };
        let listener = TcpListener::bind(options.address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let sandbox = Arc::new(Self::new(options));
        let router = Router::new()
            .nest("/_sandbox", control::routes())
            .fallback(api::answer)
            .with_state(sandbox.clone());
        let (stop, stopped) = watch::channel(false);
        Ok(Running {
            address,
            sandbox,
            stop,
            task: tokio::spawn(serve(listener, router, stopped)),
        })
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its state.
    pub fn sandbox(&self) -> &Arc<Sandbox> {
        &self.sandbox
    }

    /// Closes the listener and every connection, at once. Calls that are being answered are not waited for.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "the server's task did not end well");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn serve(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    // Dropping the set closes the connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, router.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task did not end well");
                }
            }
        }
    }
}

/// Serves one connection, HTTP/1.1 or HTTP/2 with prior knowledge, until either side closes it.
async fn converse(stream: TcpStream, router: Router) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not switch off Nagle's algorithm");
    }
    let cut = Arc::new(Notify::new());
    let cutting = cut.clone();
    let service = tower::service_fn(move |request: Request<_>| {
        let router = router.clone();
        let cutting = cutting.clone();
        async move {
            let Ok(response) = router.oneshot(request.map(Body::new)).await;
            if response.extensions().get::<CutConnection>().is_some() {
                cutting.notify_one();
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(response)
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::select! {
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(error, "a connection ended early");
            }
        }
        // Dropping the connection closes its socket, with every call on it.
        () = cut.notified() => {}
    }
}
