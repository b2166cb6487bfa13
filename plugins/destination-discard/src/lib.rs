//! A destination that counts rows and throws them away.
//!
//! It shows how fast everything before it is, since it decodes nothing, and it misbehaves on demand: slow, refusing, failing, hanging, gone. Tests use it to
//! see what Longshore does then.

mod faults;
mod pace;
mod spec;

use std::num::NonZeroU64;

use longshore_sdk::{arrow::util::display::array_value_to_string, prelude::*};

use faults::Faults;
use pace::Pace;
pub use spec::{DiscardSpec, FailAfterRows};

/// The rule under which `reject_every` refuses rows.
pub const REJECT_RULE: &str = "reject_every";

/// The destination.
pub struct Discard {
    idempotent: bool,
    reject_every: Option<NonZeroU64>,
    told_secret: Option<String>,
    pace: Pace,
    faults: Faults,
}

impl Destination for Discard {
    const NAME: &'static str = "discard";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const CAPABILITIES: DestinationCapabilities = DestinationCapabilities {
        write_modes: &[WriteMode::Append, WriteMode::Overwrite, WriteMode::OverwriteDeleteStale],
        delete_stale: true,
        preview: false,
        dry_run: true,
        reports_superseded: false,
    };
    type Spec = DiscardSpec;

    fn configure(spec: DiscardSpec) -> Result<Self> {
        Ok(Self {
            idempotent: spec.idempotent,
            reject_every: spec.reject_every,
            told_secret: spec.told_secret.clone(),
            pace: Pace::new(&spec),
            faults: Faults::new(&spec),
        })
    }

    async fn test_connection(&self) -> Vec<Check> {
        vec![Check::passed(
            "discard rows",
            "Rows are counted and thrown away; nothing is connected to",
        )]
    }

    async fn prepare(&self, _: &str, tables: Vec<TableToPrepare>) -> Result<Vec<PreparedTable>> {
        let warnings: Vec<String> = self
            .faults
            .planned()
            .then(|| "The destination's specification asks for faults, which are for tests".to_owned())
            .into_iter()
            .chain(
                self.told_secret
                    .iter()
                    .map(|secret| format!("The secret is told: {secret}")),
            )
            .collect();
        let prepared = tables.into_iter().map(|asked| PreparedTable {
            name: asked.table.name,
            write_mode: asked.write_mode.unwrap_or(WriteMode::Append),
            redelivery_is_idempotent: self.idempotent,
            preferred_batch_rows: None,
            preferred_unacked_rows: None,
            warnings: warnings.clone(),
            age_limit: None,
            identity_column: None,
        });
        Ok(prepared.collect())
    }

    async fn write(&self, partition: WritePartition, mut batches: BatchReceiver, acks: AckSender) -> Result<()> {
        let mut rows = 0;
        while let Some(received) = batches.next().await? {
            // A barrier asks for what is held back, and nothing is.
            let Received::Batch(batch) = received else { continue };
            self.pace.wait().await;
            self.faults.count(batch.rows).await?;
            let rejects = self.rejects(&partition.table, &batch, rows)?;
            let rejected = rejects.len() as u64;
            acks.reject(rejects).await?;
            let counts = DestinationCounts {
                delivered: batch.rows - rejected,
                rejected,
                ..DestinationCounts::default()
            };
            acks.ack(batch.sequence, counts).await?;
            rows += batch.rows;
        }
        tracing::debug!(
            table = partition.table.name,
            partition = partition.partition_id,
            rows,
            "discarded"
        );
        Ok(())
    }

    async fn delete_stale(&self, _: &str, _: &str) -> Result<u64> {
        // Nothing is kept, so nothing is stale.
        Ok(0)
    }

    /// A dry run is a run like any other: nothing is sent in either, and nothing sets a pace.
    async fn estimate(&self, _: &str) -> Result<Estimate> {
        Ok(Estimate::default())
    }
}

impl Discard {
    /// Every `reject_every`-th row of the partition that lies in this batch, which `before` rows came before.
    fn rejects(&self, table: &Table, batch: &ReceivedBatch, before: u64) -> Result<Vec<Reject>> {
        let Some(every) = self.reject_every.map(NonZeroU64::get) else {
            return Ok(Vec::new());
        };
        let first = every - 1 - before % every;
        if first >= batch.rows {
            return Ok(Vec::new());
        }
        let step = usize::try_from(every).unwrap_or(usize::MAX);
        let decoded = batch.decode()?;
        let key: Vec<_> = table
            .primary_key
            .iter()
            .filter_map(|name| decoded.column_by_name(name))
            .collect();
        // A cell that Arrow can not show, such as a time in a named zone, is left out: the reject counts all the same.
        let key_of = |row| {
            key.iter()
                .filter_map(|column| array_value_to_string(column, row).ok())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let rows = (0..decoded.num_rows())
            .skip(usize::try_from(first).unwrap_or(usize::MAX))
            .step_by(step);
        let reject = |row| Reject {
            sequence: batch.sequence,
            row: row as u64,
            key: key_of(row),
            rule: REJECT_RULE.to_owned(),
            column: String::new(),
            reason: match &self.told_secret {
                Some(secret) => format!("The secret is told: {secret}"),
                None => format!("Every row number divisible by {every} is refused, as the specification asks"),
            },
            whole_row: true,
            identity: String::new(),
        };
        Ok(rows.map(reject).collect())
    }
}
