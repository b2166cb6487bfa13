//! The source, driven over the real protocol, and as a process where the process itself is to end.

#![expect(clippy::unwrap_used, reason = "a test that can not go on fails here")]

mod contents;
mod faults;
mod incremental;

use longshore_sdk::{
    arrow::{array::RecordBatch, compute::concat_batches},
    harness::{ReadOutcome, SourceHarness},
};
use longshore_source_generate::Generate;
use serde_json::Value;

async fn generate(spec: Value) -> SourceHarness {
    SourceHarness::configure::<Generate>(spec).await.unwrap()
}

/// The rows of all partitions of a table, read whole.
async fn all_rows(spec: Value, table: &str) -> RecordBatch {
    let (outcomes, _) = generate(spec).await.run("run", table, None).await.unwrap();
    joined(&outcomes)
}

fn joined(outcomes: &[ReadOutcome]) -> RecordBatch {
    let rows: Vec<_> = outcomes.iter().map(ReadOutcome::rows).collect();
    concat_batches(&outcomes[0].schema, &rows).unwrap()
}
