//! The examples work, and are as short as they are said to be.

use std::collections::HashMap;

use longshore_sdk::{
    arrow::array::RecordBatch,
    protocol::{
        framing::BatchDecoder,
        v1::{
            self, destination_client::DestinationClient, plugin_client::PluginClient, read_request,
            read_response::Response, source_client::SourceClient, write_request, write_response,
        },
    },
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};

use crate::plugin_process::PluginProcess;

const MOST_LINES: usize = 59;

#[test]
fn each_example_is_shorter_than_sixty_lines() {
    for name in ["source", "destination"] {
        let path = format!("{}/examples/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        let lines = std::fs::read_to_string(path).unwrap().lines().count();
        assert!(lines <= MOST_LINES, "{name}.rs has {lines} lines");
    }
}

#[tokio::test]
async fn the_source_is_read_and_a_second_run_finds_nothing() {
    let plugin = PluginProcess::start("source").await;
    plugin.configure(v1::Role::Source, &json!({})).await.unwrap();
    checks_pass(&plugin).await;
    let mut source = SourceClient::new(plugin.channel.clone());
    let tables = source
        .list_tables(v1::ListTablesRequest::default())
        .await
        .unwrap()
        .into_inner()
        .tables;
    assert_eq!(
        (tables[0].name.as_str(), tables[0].cursor.as_str()),
        ("countries", "joined")
    );

    let first = open_run(&mut source, None).await;
    assert_eq!(rows(&read(&mut source, &first, 0).await), 4);
    let again = open_run(&mut source, first.completed_state.clone()).await;
    assert_eq!(rows(&read(&mut source, &again, 0).await), 0);
    assert_eq!(again.completed_state, first.completed_state);
}

#[tokio::test]
async fn batches_hold_no_more_rows_than_were_asked_for() {
    let plugin = PluginProcess::start("source").await;
    plugin.configure(v1::Role::Source, &json!({})).await.unwrap();
    let mut source = SourceClient::new(plugin.channel.clone());
    let plan = open_run(&mut source, None).await;
    for (most, batches) in [
        (1, vec![1, 1, 1, 1]),
        (2, vec![2, 2]),
        (3, vec![2, 2]),
        (4, vec![4]),
        (0, vec![4]),
    ] {
        let read: Vec<_> = read(&mut source, &plan, most)
            .await
            .iter()
            .map(RecordBatch::num_rows)
            .collect();
        assert_eq!(read, batches, "at most {most}");
    }
}

#[tokio::test]
async fn the_rows_of_the_source_become_lines_of_the_destination() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("countries.jsonl");
    let (from, to) = (
        PluginProcess::start("source").await,
        PluginProcess::start("destination").await,
    );
    from.configure(v1::Role::Source, &json!({})).await.unwrap();
    to.configure(v1::Role::Destination, &json!({ "path": path }))
        .await
        .unwrap();
    checks_pass(&to).await;

    let mut source = SourceClient::new(from.channel.clone());
    let plan = open_run(&mut source, None).await;
    // Ended, it would tell the source that nobody reads any more.
    let (_open, mut responses) = open_read_stream(&mut source, &plan, 2).await;
    let (requests, mut answers) = open_write_stream(to.channel.clone()).await;
    let mut sent = 0;
    while let Some(message) = responses.message().await.unwrap() {
        if let Some(Response::Batch(batch)) = message.response {
            sent = batch.sequence;
            let request = Some(write_request::Request::Batch(batch));
            requests.send(v1::WriteRequest { request }).await.unwrap();
        }
    }
    drop(requests);
    let mut delivered = 0;
    let mut acked = 0;
    while let Some(message) = answers.message().await.unwrap() {
        if let Some(write_response::Response::Ack(ack)) = message.response {
            (acked, delivered) = (ack.sequence, delivered + ack.delivered);
        }
    }
    assert_eq!((acked, delivered), (sent, 4));
    let lines = std::fs::read_to_string(path).unwrap();
    let lines: Vec<HashMap<String, String>> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[1],
        HashMap::from([("joined".into(), "2002".into()), ("name".into(), "Timor-Leste".into())])
    );
}

#[tokio::test]
async fn the_destination_says_when_its_file_can_not_be_made() {
    let plugin = PluginProcess::start("destination").await;
    plugin
        .configure(v1::Role::Destination, &json!({ "path": "/nowhere/lines" }))
        .await
        .unwrap();
    let checks = test_connection(&plugin).await;
    assert_eq!(checks[0].outcome(), v1::check::Outcome::Failed);
    assert!(checks[0].message.contains("No such file"), "{}", checks[0].message);
}

async fn checks_pass(plugin: &PluginProcess) {
    let checks = test_connection(plugin).await;
    assert!(!checks.is_empty());
    assert!(
        checks.iter().all(|check| check.outcome() == v1::check::Outcome::Passed),
        "{checks:?}"
    );
}

async fn test_connection(plugin: &PluginProcess) -> Vec<v1::Check> {
    let mut client = PluginClient::new(plugin.channel.clone());
    let answer = client
        .test_connection(v1::TestConnectionRequest::default())
        .await
        .unwrap();
    answer.into_inner().checks
}

async fn open_run(source: &mut SourceClient<Channel>, state: Option<v1::TableState>) -> v1::TablePlan {
    let selection = v1::TableSelection {
        name: "countries".to_owned(),
        state,
        ..v1::TableSelection::default()
    };
    let run = v1::OpenRunRequest {
        run_id: "run".to_owned(),
        attempt: 1,
        tables: vec![selection],
    };
    source.open_run(run).await.unwrap().into_inner().tables.remove(0)
}

async fn open_read_stream(
    source: &mut SourceClient<Channel>,
    plan: &v1::TablePlan,
    max_batch_rows: u64,
) -> (mpsc::Sender<v1::ReadRequest>, Streaming<v1::ReadResponse>) {
    let open = v1::ReadOpen {
        run_id: "run".to_owned(),
        table: "countries".to_owned(),
        partition: plan.partitions.first().cloned(),
        max_batch_rows,
        ..v1::ReadOpen::default()
    };
    let (requests, stream) = mpsc::channel(1);
    let request = Some(read_request::Request::Open(open));
    requests.send(v1::ReadRequest { request }).await.unwrap();
    let responses = source.read(ReceiverStream::new(stream)).await.unwrap().into_inner();
    (requests, responses)
}

async fn read(source: &mut SourceClient<Channel>, plan: &v1::TablePlan, max_batch_rows: u64) -> Vec<RecordBatch> {
    let (_open, mut responses) = open_read_stream(source, plan, max_batch_rows).await;
    let (mut decoder, mut batches, mut done) = (None, Vec::new(), false);
    while let Some(message) = responses.message().await.unwrap() {
        match (message.response.unwrap(), &decoder) {
            (Response::Schema(schema), None) => decoder = Some(BatchDecoder::new(&schema.arrow_schema).unwrap()),
            (Response::Batch(batch), Some(decoder)) => batches.push(decoder.decode(batch.data).unwrap()),
            (Response::Done(_), Some(_)) => done = true,
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert!(done);
    batches
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// Opens a stream of countries to a destination, and waits until it says so.
pub(crate) async fn open_write_stream(
    channel: Channel,
) -> (mpsc::Sender<v1::WriteRequest>, Streaming<v1::WriteResponse>) {
    let table = PluginProcess::start("source").await;
    table.configure(v1::Role::Source, &json!({})).await.unwrap();
    let plan = open_run(&mut SourceClient::new(table.channel.clone()), None).await;
    let open = v1::WriteOpen {
        run_id: "run".to_owned(),
        table: plan.table,
        partition_id: "all".to_owned(),
        write_mode: v1::WriteMode::Append.into(),
        max_message_bytes: 0,
        ..v1::WriteOpen::default()
    };
    let (requests, stream) = mpsc::channel(1);
    let request = Some(write_request::Request::Open(open));
    requests.send(v1::WriteRequest { request }).await.unwrap();
    let mut client = DestinationClient::new(channel);
    let mut answers = client.write(ReceiverStream::new(stream)).await.unwrap().into_inner();
    let opened = answers.message().await.unwrap().unwrap().response;
    assert!(matches!(opened, Some(write_response::Response::Opened(_))));
    (requests, answers)
}
