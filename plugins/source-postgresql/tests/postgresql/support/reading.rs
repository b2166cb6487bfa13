//! Runs of one table, as Longshore would do them.

use longshore_sdk::{arrow::array::RecordBatch, harness::TableReading};
use longshore_source_postgresql::PostgreSql;
use serde_json::Value;

/// A table of a source, from run to run.
pub(crate) type Reading = TableReading<PostgreSql>;

/// All rows of a table that is read whole.
pub(crate) async fn read_all(spec: Value, table: &str) -> RecordBatch {
    Reading::new(spec, table).await.run().await.batch
}
