//! What a destination may and may not do with its stream.

use std::{sync::Arc, time::Duration};

use longshore_sdk::{
    arrow::array::{ArrayRef, Int64Array, RecordBatch},
    harness::{DestinationHarness, UncertainRows},
    prelude::*,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A destination that does with each batch what its specification says.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Behaviour {
    Ack,
    /// Gives up every wait at once, and waits again.
    AckImpatiently,
    ForgetTheLast,
    AckBackwards,
    Miscount,
}

#[derive(Deserialize, JsonSchema)]
struct Misbehaved {
    behaviour: Behaviour,
}

impl Destination for Misbehaved {
    const NAME: &'static str = "misbehaved";
    const VERSION: &'static str = "1.0.0";
    const CAPABILITIES: DestinationCapabilities = DestinationCapabilities::APPEND;
    type Spec = Self;

    fn configure(spec: Self) -> Result<Self> {
        Ok(spec)
    }

    async fn test_connection(&self) -> Vec<Check> {
        Vec::new()
    }

    async fn prepare(&self, _: &str, tables: Vec<TableToPrepare>) -> Result<Vec<PreparedTable>> {
        // One table too many for whoever asks for one.
        Ok(tables.iter().chain(&tables).map(PreparedTable::appended_to).collect())
    }

    async fn write(&self, _: WritePartition, mut batches: BatchReceiver, acks: AckSender) -> Result<()> {
        let mut received = Vec::new();
        let patience = match self.behaviour {
            Behaviour::AckImpatiently => Duration::ZERO,
            _ => Duration::MAX,
        };
        loop {
            let next = match tokio::time::timeout(patience, batches.next()).await {
                Ok(Ok(Some(next))) => next,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            if let Received::Batch(batch) = next {
                received.push(batch);
            }
        }
        match self.behaviour {
            Behaviour::Ack | Behaviour::AckImpatiently => {}
            Behaviour::ForgetTheLast => drop(received.pop()),
            Behaviour::AckBackwards => received.reverse(),
            Behaviour::Miscount => {
                let counts = DestinationCounts {
                    delivered: 1,
                    ..DestinationCounts::default()
                };
                return acks.ack(1, counts).await;
            }
        }
        for batch in &received {
            acks.delivered(batch).await?;
        }
        Ok(())
    }
}

fn batch() -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    RecordBatch::try_from_iter([("id", ids)]).unwrap()
}

async fn misbehaved(behaviour: Behaviour) -> DestinationHarness {
    let spec = json!({ "behaviour": behaviour });
    DestinationHarness::configure::<Misbehaved>(spec).await.unwrap()
}

async fn written(behaviour: Behaviour) -> Result<DestinationCounts> {
    let table = Table::new("t", batch().schema());
    let destination = misbehaved(behaviour).await;
    let written = destination.write(table, WriteMode::Append, &[batch(), batch()]).await?;
    Ok(written.counts)
}

#[tokio::test]
async fn every_batch_is_acked_with_its_rows() {
    assert_eq!(written(Behaviour::Ack).await.unwrap().delivered, 4);
}

#[tokio::test]
async fn batches_that_were_not_acked_acked_backwards_or_miscounted_are_errors() {
    assert_eq!(
        written(Behaviour::ForgetTheLast).await.unwrap_err().code,
        "batches_unacked"
    );
    assert_eq!(
        written(Behaviour::AckBackwards).await.unwrap_err().code,
        "ack_out_of_order"
    );
    assert_eq!(written(Behaviour::Miscount).await.unwrap_err().code, "ack_miscounted");
}

#[tokio::test]
async fn preparing_another_number_of_tables_and_undeclared_abilities_are_errors() {
    let destination = misbehaved(Behaviour::Ack).await;
    let table = Table::new("t", batch().schema());
    assert_eq!(
        destination.prepare(table.clone(), None).await.unwrap_err().code,
        "prepare_incomplete"
    );
    assert_eq!(
        destination.preview(table, &[batch()]).await.unwrap_err().code,
        "not_declared"
    );
}

#[tokio::test]
async fn rows_that_may_be_there_already_are_held_and_named() {
    held_and_named(Behaviour::Ack).await;
}

#[tokio::test]
async fn a_wait_for_batches_can_be_given_up_at_any_time() {
    held_and_named(Behaviour::AckImpatiently).await;
}

async fn held_and_named(behaviour: Behaviour) {
    let batches = [batch(), batch(), batch()];
    for (uncertain, rejected) in [
        (0, vec![]),
        (3, vec![(1, 0), (1, 1), (2, 0)]),
        (4, vec![(1, 0), (1, 1), (2, 0), (2, 1)]),
    ] {
        let table = Table {
            primary_key: vec!["id".to_owned()],
            ..Table::new("t", batch().schema())
        };
        let destination = misbehaved(behaviour).await;
        let wish = UncertainRows {
            delivered_before: uncertain,
            hold: true,
            ..UncertainRows::default()
        };
        let (written, end) = destination
            .write_to_the_end(table, WriteMode::Append, &batches, wish)
            .await;
        end.unwrap();
        assert_eq!(
            (written.counts.rejected, written.counts.delivered),
            (uncertain, 6 - uncertain)
        );
        let places: Vec<(u64, u64)> = written
            .rejects
            .iter()
            .map(|reject| (reject.sequence, reject.row))
            .collect();
        assert_eq!(places, rejected);
        assert!(
            written
                .rejects
                .iter()
                .all(|reject| reject.whole_row && reject.rule == "uncertain_delivery")
        );
        assert!(
            written
                .rejects
                .iter()
                .all(|reject| reject.key == format!("id = {}", reject.row + 1))
        );
    }
}

#[tokio::test]
async fn a_destination_that_does_not_declare_dry_runs_is_never_given_one() {
    let table = || Table::new("t", batch().schema());
    let mut destination = misbehaved(Behaviour::Ack).await;
    assert_eq!(destination.estimate().await.unwrap_err().code, "not_declared");
    destination.set_dry_run(true);
    let refused = [
        destination.prepare(table(), None).await.unwrap_err(),
        destination
            .write(table(), WriteMode::Append, &[batch()])
            .await
            .unwrap_err(),
    ];
    assert!(refused.iter().all(|error| error.code == "not_declared"), "{refused:?}");
}
