//! Faults on demand. What ends a process is tried on a process.

use std::{
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use longshore_sdk::{
    core::Scope,
    protocol::v1::{
        self, plugin_client::PluginClient, read_request::Request, read_response::Response, source_client::SourceClient,
    },
};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tonic::transport::{Channel, Endpoint};

use super::generate;

const DEADLINE: Duration = Duration::from_secs(20);
const SIGABRT: i32 = 6;

#[tokio::test]
async fn a_failure_asked_for_arrives_typed_and_only_once_with_a_once_file() {
    let directory = tempfile::tempdir().unwrap();
    let fault = json!({ "rows": 15, "code": "lost_connection", "retryable": true });
    let spec = json!({
        "checkpoint_rows": 10,
        "tables": [{ "name": "t", "rows": 100 }],
        "fail_after_rows": fault,
        "once_file": directory.path().join("fired"),
    });
    let source = generate(spec).await;
    let error = source.run("1", "t", None).await.unwrap_err();
    assert_eq!(error.code, "lost_connection");
    assert_eq!((error.retryable, error.scope), (true, Scope::Partition));
    let (outcomes, _) = source.run("2", "t", None).await.unwrap();
    assert_eq!(outcomes[0].rows().num_rows(), 100);
}

#[tokio::test]
async fn a_hanging_source_does_not_end_its_partition() {
    let spec = json!({ "tables": [{ "name": "t", "rows": 5 }], "hang_after_rows": 5 });
    let source = generate(spec).await;
    let reading = source.run("1", "t", None);
    assert!(tokio::time::timeout(Duration::from_millis(200), reading).await.is_err());
}

#[tokio::test]
async fn a_crash_ends_the_process_by_a_signal_after_rows_were_sent() {
    let spec =
        json!({ "checkpoint_rows": 1_000, "tables": [{ "name": "t", "rows": 50_000 }], "crash_after_rows": 20_000 });
    let mut process = Process::start().await;
    process.configure(spec).await.unwrap();
    let rows = process.read_until_it_fails("t").await;
    assert!((1..=20_000).contains(&rows), "{rows} rows arrived");
    assert_eq!(process.ended().await.signal(), Some(SIGABRT));
}

#[tokio::test]
async fn a_process_asked_to_exit_at_its_start_is_gone_when_it_is_configured_but_once() {
    let directory = tempfile::tempdir().unwrap();
    let spec = json!({ "tables": [], "exit_at_start": true, "once_file": directory.path().join("fired") });
    let mut first = Process::start().await;
    first.configure(spec.clone()).await.unwrap_err();
    assert_eq!(first.ended().await.code(), Some(3));
    Process::start().await.configure(spec).await.unwrap();
}

#[tokio::test]
async fn a_process_that_hangs_at_its_start_does_not_answer_to_its_specification_and_ends_with_its_lifeline() {
    let mut process = Process::start().await;
    let configuring = process.configure(json!({ "tables": [], "hang_at_start": true }));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), configuring)
            .await
            .is_err()
    );
    process.lifeline_cut();
    assert_eq!(process.ended().await.code(), Some(0));
}

/// The plugin as Longshore starts it.
struct Process {
    child: Child,
    channel: Channel,
    _directory: tempfile::TempDir,
}

impl Process {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("plugin.sock");
        let child = Command::new(env!("CARGO_BIN_EXE_longshore-source-generate"))
            .args(["serve", "--network", "unix", "--log-level", "error", "--address"])
            .arg(&socket)
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let channel = tokio::time::timeout(DEADLINE, connected(&socket)).await.unwrap();
        Self {
            child,
            channel,
            _directory: directory,
        }
    }

    async fn configure(&self, spec: Value) -> Result<(), tonic::Status> {
        let role = v1::Role::Source.into();
        let request = v1::ConfigureRequest {
            spec_json: spec.to_string(),
            invocation_id: String::new(),
            role,
            telemetry: None,
        };
        PluginClient::new(self.channel.clone())
            .configure(request)
            .await
            .map(drop)
    }

    /// Reads a table's only partition; answers how many rows came before the stream broke.
    async fn read_until_it_fails(&self, table: &str) -> u64 {
        let mut client = SourceClient::new(self.channel.clone());
        let selection = v1::TableSelection {
            name: table.to_owned(),
            ..v1::TableSelection::default()
        };
        let run = v1::OpenRunRequest {
            run_id: "1".to_owned(),
            attempt: 1,
            tables: vec![selection],
        };
        let plan = client.open_run(run).await.unwrap().into_inner().tables.remove(0);
        let open = v1::ReadOpen {
            table: table.to_owned(),
            partition: plan.partitions.into_iter().next(),
            ..v1::ReadOpen::default()
        };
        let (requests, stream) = tokio::sync::mpsc::channel(1);
        requests
            .send(v1::ReadRequest {
                request: Some(Request::Open(open)),
            })
            .await
            .unwrap();
        let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
        let mut responses = client.read(stream).await.unwrap().into_inner();
        let mut rows = 0;
        loop {
            match responses.message().await {
                Ok(Some(message)) => {
                    if let Some(Response::Batch(batch)) = message.response {
                        rows += batch.rows;
                    }
                }
                Ok(None) => panic!("the partition ended well"),
                Err(_) => return rows,
            }
        }
    }

    fn lifeline_cut(&mut self) {
        drop(self.child.stdin.take());
    }

    async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(DEADLINE, self.child.wait())
            .await
            .unwrap()
            .unwrap()
    }
}

/// A connection to a socket as soon as it listens.
async fn connected(socket: &Path) -> Channel {
    let endpoint = Endpoint::from_shared(format!("unix:{}", socket.display())).unwrap();
    let mut poll = tokio::time::interval(Duration::from_millis(5));
    loop {
        poll.tick().await;
        if let Ok(channel) = endpoint.connect().await {
            return channel;
        }
    }
}
