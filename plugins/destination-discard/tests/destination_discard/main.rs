//! The destination, driven over the real protocol.

#![expect(clippy::unwrap_used, reason = "a test that can not go on fails here")]

mod process;

use std::{sync::Arc, time::Duration};

use longshore_destination_discard::{Discard, REJECT_RULE};
use longshore_sdk::{
    arrow::array::{ArrayRef, Int64Array, RecordBatch},
    harness::DestinationHarness,
    prelude::*,
};
use serde_json::{Value, json};

fn rows(first: i64, count: i64) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + count));
    RecordBatch::try_from_iter([("id", ids)]).unwrap()
}

fn table() -> Table {
    let mut table = Table::new("numbers", rows(0, 1).schema());
    table.primary_key = vec!["id".to_owned()];
    table
}

async fn discard(spec: Value) -> DestinationHarness {
    DestinationHarness::configure::<Discard>(spec).await.unwrap()
}

#[tokio::test]
async fn everything_is_counted_as_delivered() {
    let written = discard(json!({}))
        .await
        .write(table(), WriteMode::Append, &[rows(0, 10), rows(10, 5)])
        .await
        .unwrap();
    assert_eq!(written.counts.delivered, 15);
    assert!(written.rejects.is_empty());
}

#[tokio::test]
async fn a_partition_without_rows_ends_well() {
    let written = discard(json!({}))
        .await
        .write(table(), WriteMode::Overwrite, &[])
        .await
        .unwrap();
    assert_eq!(written.counts.total(), 0);
}

#[tokio::test]
async fn every_write_mode_is_taken_and_the_idempotence_asked_for_is_reported() {
    for (spec, idempotent) in [(json!({}), true), (json!({ "idempotent": false }), false)] {
        let destination = discard(spec).await;
        for mode in [WriteMode::Append, WriteMode::Overwrite, WriteMode::OverwriteDeleteStale] {
            let prepared = destination.prepare(table(), Some(mode)).await.unwrap();
            assert_eq!(prepared.write_mode(), mode.into());
            assert_eq!(prepared.redelivery_is_idempotent, idempotent);
            assert!(prepared.warnings.is_empty());
        }
        let natural = destination.prepare(table(), None).await.unwrap();
        assert_eq!(natural.write_mode(), WriteMode::Append.into());
    }
}

#[tokio::test]
async fn every_nth_row_is_refused_with_its_key_across_batches() {
    let batches = [rows(1, 4), rows(5, 1), rows(6, 2), rows(8, 3)];
    let written = discard(json!({ "reject_every": 3 }))
        .await
        .write(table(), WriteMode::Append, &batches)
        .await
        .unwrap();
    assert_eq!((written.counts.delivered, written.counts.rejected), (7, 3));
    let refused: Vec<_> = written
        .rejects
        .iter()
        .map(|reject| (reject.sequence, reject.row, reject.key.as_str()))
        .collect();
    assert_eq!(refused, [(1, 2, "3"), (3, 0, "6"), (4, 1, "9")]);
    assert!(
        written
            .rejects
            .iter()
            .all(|reject| reject.rule == REJECT_RULE && reject.whole_row)
    );
}

#[tokio::test]
async fn a_failure_asked_for_arrives_typed_and_only_once_with_a_once_file() {
    let directory = tempfile::tempdir().unwrap();
    let once_file = directory.path().join("fired");
    let fault = json!({ "rows": 5, "code": "disk_full", "retryable": true });
    let destination = discard(json!({ "fail_after_rows": fault, "once_file": once_file })).await;

    let prepared = destination.prepare(table(), None).await.unwrap();
    assert_eq!(prepared.warnings.len(), 1);
    let batches = [rows(0, 4), rows(4, 4)];
    let error = destination
        .write(table(), WriteMode::Append, &batches)
        .await
        .unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), ("disk_full", true));
    assert!(once_file.exists());
    let written = destination.write(table(), WriteMode::Append, &batches).await.unwrap();
    assert_eq!(written.counts.delivered, 8);
}

#[tokio::test]
async fn without_a_once_file_a_failure_comes_again() {
    let destination = discard(json!({ "fail_after_rows": { "rows": 1 } })).await;
    for _ in 0..2 {
        let error = destination
            .write(table(), WriteMode::Append, &[rows(0, 1)])
            .await
            .unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), ("fault_injected", false));
    }
}

#[tokio::test]
async fn a_hanging_destination_acks_nothing_more() {
    let destination = discard(json!({ "hang_after_rows": 2 })).await;
    let table = table();
    let batches = [rows(0, 1), rows(1, 1)];
    let writing = destination.write(table, WriteMode::Append, &batches);
    assert!(tokio::time::timeout(Duration::from_millis(200), writing).await.is_err());
}

#[tokio::test]
async fn acks_come_no_sooner_than_asked() {
    let batches = [rows(0, 1), rows(1, 1), rows(2, 1)];
    for spec in [json!({ "ack_delay": 20 }), json!({ "batches_per_second": 40 })] {
        let destination = discard(spec.clone()).await;
        let begin = std::time::Instant::now();
        destination.write(table(), WriteMode::Append, &batches).await.unwrap();
        assert!(
            begin.elapsed() >= Duration::from_millis(49),
            "{spec}: {:?}",
            begin.elapsed()
        );
    }
}

#[tokio::test]
async fn an_unknown_option_is_refused_by_name() {
    let refused = DestinationHarness::configure::<Discard>(json!({ "ack_delays": 1 })).await;
    let error = refused.err().unwrap();
    assert_eq!(error.code, "spec_invalid");
    assert!(error.message.contains("ack_delays"), "{}", error.message);
}

#[tokio::test]
async fn the_connection_test_passes() {
    let checks = discard(json!({})).await.test_connection().await.unwrap();
    assert_eq!(checks.len(), 1);
}
