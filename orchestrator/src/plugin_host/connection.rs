//! Channels to plugins.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use longshore_config::TlsFiles;
use longshore_core::{Error, Result};
use longshore_protocol::limits;
use tokio::net::UnixStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tower::service_fn;

/// How often a plugin with open calls is asked whether it lives.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// A plugin that does not say so within this is given up: its process is stopped, or its machine is gone.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// A channel that connects to a Unix socket when it is first used.
pub(super) fn to_socket(path: &Path) -> Channel {
    let path: PathBuf = path.to_owned();
    let connect = service_fn(move |_| {
        let path = path.clone();
        async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
    });
    // The name is never looked up: the connector above knows where to go.
    sized(Endpoint::from_static("http://plugin.invalid")).connect_with_connector_lazy(connect)
}

/// A channel that connects to HOST:PORT when it is first used.
///
/// Without certificates, only this machine's own addresses are allowed: the specification holds secrets.
pub(super) async fn to_address(address: &str, tls: Option<&TlsFiles>) -> Result<Channel> {
    let bad = |error: &(dyn std::error::Error + 'static)| {
        Error::config(
            "address_invalid",
            format!("`{address}` is no address such as plugins.example.com:7777"),
        )
        .with_cause(error)
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let endpoint = sized(Endpoint::from_shared(format!("{scheme}://{address}")).map_err(|error| bad(&error))?);
    let Some(tls) = tls else {
        let host = endpoint.uri().host().unwrap_or_default();
        if !is_this_machine(host) {
            return Err(Error::config(
                "tls_required",
                format!("The plugin at {address} is on another machine, and its specification holds secrets"),
            )
            .with_remedy("Give the certificates of a mutual TLS connection in `tls`.")
            .with_field("/spec/path"));
        }
        return Ok(endpoint.connect_lazy());
    };
    let identity = Identity::from_pem(read(&tls.certificate).await?, read(&tls.key).await?);
    let authority = Certificate::from_pem(read(&tls.ca).await?);
    let config = ClientTlsConfig::new().ca_certificate(authority).identity(identity);
    let endpoint = endpoint.tls_config(config).map_err(|error| {
        Error::config("tls_invalid", "The certificates of `tls` can not be used")
            .with_cause(&error)
            .with_field("/spec/tls")
    })?;
    Ok(endpoint.connect_lazy())
}

fn sized(endpoint: Endpoint) -> Endpoint {
    endpoint
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .max_frame_size(limits::FRAME_BYTES)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

async fn read(path: &str) -> Result<Vec<u8>> {
    tokio::fs::read(path).await.map_err(|error| {
        Error::config("tls_file_unreadable", format!("The file {path} can not be read"))
            .with_cause(&error)
            .with_field("/spec/tls")
    })
}
