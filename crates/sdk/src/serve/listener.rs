//! The socket a plugin listens on.

use std::path::PathBuf;

use longshore_core::{Error, Result};
use longshore_protocol::limits;
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::{
    service::Routes,
    transport::{Certificate, Identity, Server, ServerTlsConfig},
};

use super::command_line::{Network, Serve};

pub(crate) enum Listener {
    Unix(UnixListener),
    Tcp {
        listener: TcpListener,
        tls: Option<Box<ServerTlsConfig>>,
    },
}

impl Listener {
    pub(super) async fn bind(serve: &Serve) -> Result<Self> {
        let unable = |error: std::io::Error| {
            Error::config(
                "address_unusable",
                format!("The plugin can not listen on {}", serve.address),
            )
            .with_cause(&error)
        };
        if serve.network == Network::Unix {
            return Ok(Self::Unix(
                UnixListener::bind(PathBuf::from(&serve.address)).map_err(unable)?,
            ));
        }
        let tls = tls_config(serve).await?;
        let listener = TcpListener::bind(&serve.address).await.map_err(unable)?;
        let address = listener.local_addr().map_err(unable)?;
        if tls.is_none() && !address.ip().is_loopback() {
            return Err(Error::config(
                "tls_required",
                format!("{address} can be reached from other machines, and the specification holds secrets"),
            )
            .with_remedy("Give --tls-certificate, --tls-key and --tls-client-ca, or listen on 127.0.0.1."));
        }
        tracing::info!(%address, tls = tls.is_some(), "listening");
        Ok(Self::Tcp {
            listener,
            tls: tls.map(Box::new),
        })
    }
}

pub(crate) async fn serve(
    listener: Listener,
    routes: Routes,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let server = Server::builder()
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .max_frame_size(limits::FRAME_BYTES);
    match listener {
        Listener::Unix(listener) => {
            let mut server = server;
            server
                .add_routes(routes)
                .serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop)
                .await
        }
        Listener::Tcp { listener, tls } => {
            let mut server = match tls {
                Some(tls) => server.tls_config(*tls)?,
                None => server,
            };
            server
                .add_routes(routes)
                .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop)
                .await
        }
    }
}

async fn tls_config(serve: &Serve) -> Result<Option<ServerTlsConfig>> {
    let (Some(certificate), Some(key), Some(client_ca)) =
        (&serve.tls_certificate, &serve.tls_key, &serve.tls_client_ca)
    else {
        return Ok(None);
    };
    let read = async |path: &PathBuf| {
        let unreadable = |error: std::io::Error| {
            Error::config(
                "tls_file_unreadable",
                format!("The file {} can not be read", path.display()),
            )
            .with_cause(&error)
        };
        tokio::fs::read(path).await.map_err(unreadable)
    };
    let identity = Identity::from_pem(read(certificate).await?, read(key).await?);
    let client_ca = Certificate::from_pem(read(client_ca).await?);
    Ok(Some(
        ServerTlsConfig::new().identity(identity).client_ca_root(client_ca),
    ))
}
