//! Events that the source `generate` makes, and how many bytes they are on their way.

use std::{path::PathBuf, process::Stdio};

use futures_util::{StreamExt as _, stream};
use hyper_util::rt::TokioIo;
use longshore_protocol::{
    limits,
    v1::{self, plugin_client::PluginClient, read_request, read_response, source_client::SourceClient},
};
use longshore_tests::{Context, PATIENCE, Result, binaries, eventually};
use serde_json::{Value, json};
use tokio::{
    net::UnixStream,
    process::{Child, Command},
};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// The table's name.
pub(super) const TABLE: &str = "events";

/// Options of the plugin for so many events.
pub(super) fn spec(rows: u64, partitions: u8) -> Value {
    json!({ "tables": [{ "name": TABLE, "rows": rows, "columns": "shop_events", "partitions": partitions }] })
}

/// Reads so many events from the plugin, without an orchestrator, and adds up their messages.
pub(super) async fn count_bytes(rows: u64) -> Result<u64> {
    let folder = tempfile::tempdir().context("a temporary directory can not be made")?;
    let socket = folder.path().join("source");
    let plugin = start(&socket)?;
    let channel = connect(socket).await?;
    let configure = v1::ConfigureRequest {
        spec_json: spec(rows, 1).to_string(),
        role: v1::Role::Source.into(),
        ..v1::ConfigureRequest::default()
    };
    let configured = PluginClient::new(channel.clone()).configure(configure).await;
    configured.context("the source `generate` refuses its options")?;
    let bytes = read(channel).await;
    drop(plugin);
    bytes
}

fn start(socket: &std::path::Path) -> Result<Child> {
    Command::new(binaries::program("longshore-source-generate")?)
        .args(["serve", "--network", "unix", "--log-level", "error", "--address"])
        .arg(socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("the source `generate` can not be started")
}

async fn connect(socket: PathBuf) -> Result<Channel> {
    eventually("the source `generate` listens", PATIENCE, async || {
        socket.exists().then_some(())
    })
    .await?;
    let connect = service_fn(move |_| {
        let socket = socket.clone();
        async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(socket).await?)) }
    });
    let endpoint = Endpoint::from_static("http://plugin.invalid");
    let connected = endpoint.connect_with_connector(connect).await;
    connected.context("the source `generate` takes no connection")
}

async fn read(channel: Channel) -> Result<u64> {
    let run_id = "count".to_owned();
    let mut client = SourceClient::new(channel).max_decoding_message_size(limits::MAX_MESSAGE_BYTES);
    let table = v1::TableSelection {
        name: TABLE.to_owned(),
        ..v1::TableSelection::default()
    };
    let open = v1::OpenRunRequest {
        run_id: run_id.clone(),
        attempt: 1,
        tables: vec![table],
    };
    let opened = client.open_run(open).await.context("the run can not be opened")?;
    let plan = opened.into_inner().tables.pop().context("the run has a table")?;
    let mut bytes = 0;
    for partition in plan.partitions {
        let open = v1::ReadOpen {
            run_id: run_id.clone(),
            table: TABLE.to_owned(),
            partition: Some(partition),
            max_message_bytes: limits::MAX_MESSAGE_BYTES as u64,
            ..v1::ReadOpen::default()
        };
        let request = v1::ReadRequest {
            request: Some(read_request::Request::Open(open)),
        };
        // The end of the requests would give the partition up.
        let read = client.read(stream::iter([request]).chain(stream::pending())).await;
        let mut responses = read.context("a partition can not be read")?.into_inner();
        while let Some(response) = responses.message().await.context("a partition breaks off")? {
            if let Some(read_response::Response::Batch(batch)) = response.response {
                bytes += batch.data.len() as u64;
            }
        }
    }
    Ok(bytes)
}
