//! The plugin as Longshore starts it, since only a process can end.

use std::{process::Stdio, time::Duration};

use longshore_sdk::protocol::{
    framing::BatchEncoder,
    v1::{
        self, destination_client::DestinationClient, plugin_client::PluginClient, write_request::Request,
        write_response::Response,
    },
};
use serde_json::json;
use tokio::{process::Command, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use super::{rows, table};

const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_process_asked_to_exit_is_gone_before_it_acks_the_batch_with_that_row() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("plugin.sock");
    let mut process = Command::new(env!("CARGO_BIN_EXE_longshore-destination-discard"))
        .args(["serve", "--network", "unix", "--log-level", "error", "--address"])
        .arg(&socket)
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let endpoint = Endpoint::from_shared(format!("unix:{}", socket.display())).unwrap();
    let channel = timeout(DEADLINE, connected(&endpoint)).await.unwrap();
    let configure = v1::ConfigureRequest {
        spec_json: json!({ "exit_after_rows": 15 }).to_string(),
        invocation_id: String::new(),
        role: v1::Role::Destination.into(),
        telemetry: None,
    };
    PluginClient::new(channel.clone()).configure(configure).await.unwrap();

    assert_eq!(rows_acked(channel).await, 10);
    let status = timeout(DEADLINE, process.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(3));
}

/// Writes a batch of ten rows, and another one once it is acked; answers how many rows were acked before the stream broke.
async fn rows_acked(channel: Channel) -> u64 {
    let mut encoder = BatchEncoder::default();
    let mut batch = |sequence, first| {
        Request::Batch(v1::RecordBatch {
            sequence,
            rows: 10,
            data: encoder.encode(&rows(first, 10)).unwrap(),
        })
    };
    let open = v1::WriteOpen {
        table: Some(table().try_into().unwrap()),
        write_mode: v1::WriteMode::Append.into(),
        ..v1::WriteOpen::default()
    };
    let (requests, stream) = tokio::sync::mpsc::channel(2);
    let send = async |request| {
        requests
            .send(v1::WriteRequest { request: Some(request) })
            .await
            .unwrap()
    };
    send(Request::Open(open)).await;
    send(batch(1, 0)).await;
    let mut client = DestinationClient::new(channel);
    let mut responses = client.write(ReceiverStream::new(stream)).await.unwrap().into_inner();
    let mut acked = 0;
    loop {
        match responses.message().await {
            Ok(Some(v1::WriteResponse {
                response: Some(Response::Ack(ack)),
            })) => {
                acked += ack.delivered;
                // Only now: an ack that is still in the process when it ends is lost with it.
                send(batch(2, 10)).await;
            }
            Ok(Some(_)) => {}
            Ok(None) => panic!("the partition ended well"),
            Err(_) => return acked,
        }
    }
}

async fn connected(endpoint: &Endpoint) -> Channel {
    let mut poll = tokio::time::interval(Duration::from_millis(5));
    loop {
        poll.tick().await;
        if let Ok(channel) = endpoint.connect().await {
            return channel;
        }
    }
}
