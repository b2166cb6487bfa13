//! Drives a plugin in the process of a test, over the real protocol, without a socket or an orchestrator.
//!
//! The harness plays Longshore's part: it opens streams, takes batches and checkpoints, sends batches and takes acks, and checks what the
//! contract promises about their order and counts. What passes here passes behind a socket.

mod destination_harness;
mod source_harness;
mod table_reading;

use std::io;

use hyper_util::rt::TokioIo;
use longshore_core::{Error, Result};
use longshore_protocol::{limits, status::from_status, v1};
use tokio::{io::DuplexStream, sync::Mutex, task::JoinHandle};
use tonic::{
    Status,
    transport::{Channel, Endpoint, Server},
};
use tower::service_fn;

use crate::Plugin;
pub use destination_harness::{DestinationHarness, UncertainRows, Written};
pub use source_harness::{Mark, ReadOutcome, SourceHarness};
pub use table_reading::{Rows, TableReading, column, texts};

/// Bytes on the way between the two ends.
const PIPE_BYTES: usize = 1024 * 1024;

/// A plugin served in this process.
pub(crate) struct Served {
    pub(crate) channel: Channel,
    serving: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(plugin: Plugin) -> Result<Self> {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let routes = plugin.into_routes();
        let serving = tokio::spawn(async move {
            let incoming = tokio_stream::once(Ok::<DuplexStream, io::Error>(theirs));
            if let Err(error) = Server::builder().add_routes(routes).serve_with_incoming(incoming).await {
                tracing::error!(%error, "the plugin stopped serving");
            }
        });
        let ours = Mutex::new(Some(TokioIo::new(ours)));
        let ours = std::sync::Arc::new(ours);
        let connect = service_fn(move |_| {
            let ours = std::sync::Arc::clone(&ours);
            async move {
                ours.lock()
                    .await
                    .take()
                    .ok_or_else(|| io::Error::other("the harness connects once"))
            }
        });
        let channel = Endpoint::from_static("http://plugin.invalid")
            .connect_with_connector(connect)
            .await;
        let channel =
            channel.map_err(|error| Error::internal("harness", "The plugin can not be reached").with_cause(&error))?;
        Ok(Self { channel, serving })
    }

    pub(crate) async fn configure(&self, role: v1::Role, spec: &serde_json::Value) -> Result<()> {
        let request = v1::ConfigureRequest {
            spec_json: spec.to_string(),
            invocation_id: "harness".to_owned(),
            role: role.into(),
            telemetry: None,
        };
        let mut client = v1::plugin_client::PluginClient::new(self.channel.clone());
        client.configure(request).await.map_err(|status| from_status(&status))?;
        Ok(())
    }

    pub(crate) async fn test_connection(&self, tables: &[&str]) -> Result<Vec<v1::Check>> {
        let request = v1::TestConnectionRequest {
            tables: tables.iter().map(|&table| table.to_owned()).collect(),
        };
        let mut client = v1::plugin_client::PluginClient::new(self.channel.clone());
        Ok(client
            .test_connection(request)
            .await
            .map_err(failed)?
            .into_inner()
            .checks)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub(crate) fn failed(status: Status) -> Error {
    from_status(&status)
}

pub(crate) fn broken(message: impl Into<String>) -> Error {
    Error::protocol("contract_broken", message)
}

pub(crate) const MAX_MESSAGE_BYTES: u64 = limits::MAX_MESSAGE_BYTES as u64;
