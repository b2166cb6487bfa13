//! The plugin's specification.

use std::{
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
};

use schemars::JsonSchema;
use serde::Deserialize;

/// What is generated. The same specification yields the same rows, always and everywhere.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateSpec {
    /// What the rows are made from.
    #[serde(default)]
    pub seed: u64,
    /// `last_updated_at` of a table's first row, in seconds since 1970; each further row is one millisecond later. Default: the beginning of 2026.
    #[serde(default = "beginning_of_2026")]
    pub first_timestamp: i64,
    /// The tables.
    pub tables: Vec<TableSpec>,
    /// Rows from one checkpoint of a partition to the next; no batch is longer.
    #[serde(default = "default_checkpoint_rows")]
    pub checkpoint_rows: NonZeroU64,
    /// For tests: end the process with exit status 3, without a word, when it receives its specification.
    #[serde(default)]
    pub exit_at_start: bool,
    /// For tests: never answer to the specification.
    #[serde(default)]
    pub hang_at_start: bool,
    /// For tests: abort the process (SIGABRT) after so many rows. Rows are counted over everything that the process sends.
    pub crash_after_rows: Option<NonZeroU64>,
    /// For tests: send nothing more in the partition that reaches so many rows, and do not end it.
    pub hang_after_rows: Option<NonZeroU64>,
    /// For tests: fail a read with a typed error.
    pub fail_after_rows: Option<FailAfterRows>,
    /// For tests: a secret, which the plugin tells wherever it says anything: in what it logs and prints, in checks, in warnings, in errors.
    #[schemars(extend("writeOnly" = true))]
    pub told_secret: Option<String>,
    /// For tests: a file that is made when a fault fires. Where it exists already, no fault fires: a second try succeeds.
    pub once_file: Option<PathBuf>,
}

/// One table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// Its name, unique within the source.
    pub name: String,
    /// How many rows it has; their `id` counts from 1. More than in the last run: an incremental run reads the new ones.
    pub rows: u64,
    /// Into how many partitions a run divides what it reads.
    #[serde(default = "one")]
    pub partitions: NonZeroU32,
    /// Its columns.
    #[serde(default)]
    pub columns: Preset,
    /// Bytes of text in an additional column `padding`; none when absent. Beyond 16 MiB no row fits into a message.
    pub row_bytes: Option<u32>,
    /// Read only what is new since the last run, by this column. Absent: the whole table each time.
    pub cursor: Option<Cursor>,
}

/// Columns of a table. All begin with the key `id` and have `last_updated_at`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Purchases and page views of a shop, as a table for Batch's events holds them.
    ShopEvents,
    /// Customers of a shop, as a table for Batch's profile attributes holds them.
    ShopProfiles,
    /// A column of each Arrow type that the contract carries, with NULLs and the limits of each type.
    AllTypes,
    /// The key, a number, a short text.
    #[default]
    Tiny,
}

/// Columns that only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cursor {
    /// The key, an integer.
    Id,
    /// A timestamp with time zone.
    LastUpdatedAt,
}

/// A read that fails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailAfterRows {
    /// Fail after so many rows. Rows are counted over everything that the process sends.
    pub rows: NonZeroU64,
    /// Code of the error.
    #[serde(default = "injected")]
    pub code: String,
    /// Whether the error invites another try.
    #[serde(default)]
    pub retryable: bool,
}

/// 2026-01-01T00:00:00Z.
fn beginning_of_2026() -> i64 {
    1_767_225_600
}

fn default_checkpoint_rows() -> NonZeroU64 {
    NonZeroU64::new(16 * 1024).expect("16,384 is not zero")
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn injected() -> String {
    "fault_injected".to_owned()
}
