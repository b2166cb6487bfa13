//! What the SDK adds to a reject, and how a newer row supersedes older ones.

use std::sync::Arc;

use longshore_protocol::framing::{BatchDecoder, encode_schema};
use longshore_sdk::{
    arrow::array::{ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray},
    arrow::datatypes::Int64Type,
    harness::{DestinationHarness, UncertainRows},
    prelude::*,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Rejects rows whose name begins with "bad", and holds what comes behind the ack of a batch for one batch when asked to.
#[derive(Deserialize, JsonSchema)]
struct Choosy {
    /// Rejects a row that its batch does not have.
    #[serde(default)]
    beyond: bool,
    /// Rejects behind the ack.
    #[serde(default)]
    too_late: bool,
}

impl Destination for Choosy {
    const NAME: &'static str = "choosy";
    const VERSION: &'static str = "1.0.0";
    const CAPABILITIES: DestinationCapabilities = DestinationCapabilities {
        reports_superseded: true,
        ..DestinationCapabilities::APPEND
    };
    type Spec = Self;

    fn configure(spec: Self) -> Result<Self> {
        Ok(spec)
    }

    async fn test_connection(&self) -> Vec<Check> {
        Vec::new()
    }

    async fn prepare(&self, _: &str, tables: Vec<TableToPrepare>) -> Result<Vec<PreparedTable>> {
        Ok(tables.iter().map(PreparedTable::appended_to).collect())
    }

    async fn write(&self, _: WritePartition, mut batches: BatchReceiver, acks: AckSender) -> Result<()> {
        while let Some(next) = batches.next().await? {
            let Received::Batch(batch) = next else { continue };
            let rows = batch.decode()?;
            let names = rows.column(1).as_string::<i32>();
            let mut delivered = Vec::new();
            let mut rejects = Vec::new();
            for row in 0..batch.rows {
                let name = names.value(usize::try_from(row).unwrap());
                match name.strip_prefix("bad ") {
                    Some(identity) => rejects.push(reject(batch.sequence, row, identity)),
                    None => delivered.push((row, name)),
                }
            }
            if self.beyond {
                rejects.push(reject(batch.sequence, batch.rows, ""));
            }
            let counts = DestinationCounts {
                delivered: delivered.len() as u64,
                rejected: rejects.len() as u64,
                filtered: 0,
            };
            if self.too_late {
                acks.ack(batch.sequence, counts).await?;
                acks.reject(rejects).await?;
                continue;
            }
            acks.reject(rejects).await?;
            acks.superseding(batch.sequence, &delivered).await?;
            acks.ack(batch.sequence, counts).await?;
        }
        Ok(())
    }
}

fn reject(sequence: u64, row: u64, identity: &str) -> Reject {
    Reject {
        sequence,
        row,
        key: "the name".to_owned(),
        rule: "bad".to_owned(),
        reason: "it is bad".to_owned(),
        whole_row: true,
        identity: identity.to_owned(),
        ..Reject::default()
    }
}

fn batch(first: i64, names: &[&str]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((first..).take(names.len())));
    let names: ArrayRef = Arc::new(StringArray::from(names.to_vec()));
    RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap()
}

fn table() -> Table {
    Table {
        primary_key: vec!["id".to_owned()],
        ..Table::new("t", batch(0, &[""]).schema())
    }
}

async fn choosy(spec: serde_json::Value) -> DestinationHarness {
    DestinationHarness::configure::<Choosy>(spec).await.unwrap()
}

#[tokio::test]
async fn a_reject_takes_its_row_and_its_primary_key_along() {
    let destination = choosy(json!({})).await;
    let batches = [batch(1, &["a", "bad b", "c"]), batch(4, &["bad d"])];
    let written = destination.write(table(), WriteMode::Append, &batches).await.unwrap();
    let decoder = BatchDecoder::new(&encode_schema(&table().schema).unwrap()).unwrap();
    for (reject, id) in written.rejects.iter().zip([2, 4]) {
        assert_eq!(
            (&*reject.key, reject.primary_key.clone()),
            ("the name", format!("id = {id}"))
        );
        let row = decoder.decode(reject.row_data.clone()).unwrap();
        assert_eq!(
            (row.num_rows(), row.column(0).as_primitive::<Int64Type>().value(0)),
            (1, id)
        );
    }
    assert_eq!(written.rejects.len(), 2);
}

#[tokio::test]
async fn values_stay_where_they_are_unless_they_are_asked_for() {
    let destination = choosy(json!({})).await;
    let wish = UncertainRows {
        leave_values_out: true,
        ..UncertainRows::default()
    };
    let (written, end) = destination
        .write_to_the_end(table(), WriteMode::Append, &[batch(1, &["bad b"])], wish)
        .await;
    end.unwrap();
    assert_eq!(
        (written.rejects[0].row_data.len(), &*written.rejects[0].primary_key),
        (0, "id = 1")
    );
}

#[tokio::test]
async fn held_rows_are_kept_like_others_and_rows_behind_them_keep_their_place() {
    let destination = choosy(json!({})).await;
    let wish = UncertainRows {
        delivered_before: 2,
        hold: true,
        ..UncertainRows::default()
    };
    let (written, end) = destination
        .write_to_the_end(table(), WriteMode::Append, &[batch(1, &["a", "b", "c", "bad d"])], wish)
        .await;
    end.unwrap();
    let keys: Vec<(u64, &str, &str)> = written
        .rejects
        .iter()
        .map(|reject| (reject.row, &*reject.key, &*reject.primary_key))
        .collect();
    assert_eq!(keys, [(0, "id = 1", ""), (1, "id = 2", ""), (3, "the name", "id = 4")]);
    assert!(written.rejects.iter().all(|reject| !reject.row_data.is_empty()));
}

#[tokio::test]
async fn a_newer_row_is_said_to_supersede_those_before_it() {
    let destination = choosy(json!({})).await;
    destination.watch_identities("t", &["from before"]).await.unwrap();
    let batches = [
        batch(1, &["ada", "bad ada", "bad bob", "from before"]),
        batch(5, &["ada", "ada", "eve"]),
    ];
    let written = destination.write(table(), WriteMode::Append, &batches).await.unwrap();
    let said: Vec<(u64, u64, &str)> = written
        .superseding
        .iter()
        .map(|row| (row.sequence, row.row, &*row.identity))
        .collect();
    assert_eq!(said, [(1, 3, "from before"), (2, 0, "ada")]);
    let other_stream = destination
        .write(table(), WriteMode::Append, &[batch(9, &["bob"])])
        .await
        .unwrap();
    assert_eq!(other_stream.superseding[0].identity, "bob");
}

#[tokio::test]
async fn a_row_that_its_batch_does_not_have_or_that_is_acked_can_not_be_rejected() {
    for (spec, code) in [
        (json!({ "beyond": true }), "reject_unknown_row"),
        (json!({ "too_late": true }), "reject_too_late"),
    ] {
        let destination = choosy(spec).await;
        let written = destination
            .write(table(), WriteMode::Append, &[batch(1, &["bad b"])])
            .await;
        assert_eq!(written.unwrap_err().code, code);
    }
}
