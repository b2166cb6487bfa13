//! The plugin's specification.

use std::{
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
};

use schemars::JsonSchema;
use serde::Deserialize;

/// How rows are thrown away. `{}` does so as fast as they come.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DiscardSpec {
    /// Milliseconds before each ack: a slow destination.
    pub ack_delay: u64,
    /// Batches acked in a second at most, over all partitions.
    pub batches_per_second: Option<NonZeroU32>,
    /// Whether a row that arrives twice leaves no trace. `false` makes Longshore treat the destination as one that appends: it records rows before it sends them.
    pub idempotent: bool,
    /// Refuse every so many-th row of a partition as a whole, under the rule `reject_every`.
    pub reject_every: Option<NonZeroU64>,
    /// For tests: a secret, which the plugin tells in warnings and in the reasons of rejects.
    #[schemars(extend("writeOnly" = true))]
    pub told_secret: Option<String>,
    /// For tests: fail a write with a typed error.
    pub fail_after_rows: Option<FailAfterRows>,
    /// For tests: end the process with exit status 3, without a word, instead of acking the batch that holds this row.
    /// Rows are counted over everything that the process receives.
    pub exit_after_rows: Option<NonZeroU64>,
    /// For tests: never ack the batch that holds this row, nor take another one in its partition.
    pub hang_after_rows: Option<NonZeroU64>,
    /// For tests: a file that is made when a fault fires. Where it exists already, no fault fires: a second try succeeds.
    pub once_file: Option<PathBuf>,
}

impl Default for DiscardSpec {
    fn default() -> Self {
        Self {
            ack_delay: 0,
            batches_per_second: None,
            idempotent: true,
            reject_every: None,
            told_secret: None,
            fail_after_rows: None,
            exit_after_rows: None,
            hang_after_rows: None,
            once_file: None,
        }
    }
}

/// A write that fails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailAfterRows {
    /// Fail instead of acking the batch that holds this row. Rows are counted over everything that the process receives.
    pub rows: NonZeroU64,
    /// Code of the error.
    #[serde(default = "injected")]
    pub code: String,
    /// Whether the error invites another try.
    #[serde(default)]
    pub retryable: bool,
}

fn injected() -> String {
    "fault_injected".to_owned()
}
