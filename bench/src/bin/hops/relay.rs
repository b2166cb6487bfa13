//! The process in the middle: where Longshore itself would be.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use futures_util::stream;
use hyper_util::rt::TokioIo;
use longshore_protocol::{
    limits,
    v1::{
        self, destination_client::DestinationClient, read_response, source_client::SourceClient, write_request,
        write_response,
    },
};
use longshore_tests::{Context, Failure, PATIENCE, Result, eventually};
use tokio::{
    net::UnixStream,
    process::{Child, Command},
};
use tokio_stream::StreamExt as _;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::Load;

pub(crate) async fn run(load: Load) -> Result<()> {
    let folder = tempfile::tempdir().context("a temporary directory can not be made")?;
    let (source_socket, sink_socket) = (folder.path().join("source"), folder.path().join("sink"));
    let sizes = [
        "--bytes".to_owned(),
        load.bytes.to_string(),
        "--message-bytes".to_owned(),
        load.message_bytes.to_string(),
    ];
    let source = start("source", &source_socket, &sizes)?;
    let sink = start("sink", &sink_socket, &[])?;
    let carried = pass_on(to_socket(&source_socket).await?, to_socket(&sink_socket).await?).await?;
    for child in [source, sink] {
        end(child).await?;
    }
    if carried != load.bytes {
        return Err(Failure::new(format!("{carried} of {} bytes arrived", load.bytes)));
    }
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{{\"bytes\":{carried}}}").context("the result can not be printed")
}

/// Everything that the source sends goes to the sink. Gives the number of bytes that the sink has acked.
async fn pass_on(source: Channel, sink: Channel) -> Result<u64> {
    let mut source = SourceClient::new(source)
        .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
        .max_encoding_message_size(limits::MAX_MESSAGE_BYTES);
    let mut sink = DestinationClient::new(sink)
        .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
        .max_encoding_message_size(limits::MAX_MESSAGE_BYTES);
    let read = source
        .read(stream::empty())
        .await
        .context("the source does not answer")?;
    // An error of the source ends the stream early; the count of bytes shows it.
    let requests = read.into_inner().map_while(|response| match response.ok()?.response? {
        read_response::Response::Batch(batch) => Some(v1::WriteRequest {
            request: Some(write_request::Request::Batch(batch)),
        }),
        _ => None,
    });
    let written = sink.write(requests).await.context("the sink does not answer")?;
    let mut acks = written.into_inner();
    let mut carried = 0;
    while let Some(response) = acks.message().await.context("the sink fails")? {
        if let Some(write_response::Response::Ack(ack)) = response.response {
            carried += ack.delivered;
        }
    }
    Ok(carried)
}

fn start(role: &str, socket: &Path, arguments: &[String]) -> Result<Child> {
    let program = std::env::current_exe().context("the path of the running program is unknown")?;
    let mut command = Command::new(program);
    command
        .arg(role)
        .arg("--socket")
        .arg(socket)
        .args(arguments)
        .stdin(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().context(format!("the {role} can not be started"))
}

async fn end(mut child: Child) -> Result<()> {
    drop(child.stdin.take());
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
    let status = ended
        .context("one end does not stop")?
        .context("one end can not be waited for")?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("one end fails ({status})")))
}

/// As the orchestrator connects to plugins.
async fn to_socket(path: &Path) -> Result<Channel> {
    let path: PathBuf = path.to_owned();
    eventually("one end listens", PATIENCE, async || path.exists().then_some(())).await?;
    let connect = service_fn(move |_| {
        let path = path.clone();
        async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
    });
    let endpoint = Endpoint::from_static("http://plugin.invalid")
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .max_frame_size(limits::FRAME_BYTES);
    let connected = endpoint.connect_with_connector(connect).await;
    connected.context("one end does not take a connection")
}
