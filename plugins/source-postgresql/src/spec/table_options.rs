//! Options of a single table.

use longshore_sdk::incremental::ReadOptions;
use schemars::JsonSchema;
use serde::Deserialize;

/// What applies to one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableOptions {
    /// What every database source knows.
    #[serde(flatten)]
    pub read: ReadOptions,
    /// Columns to read as the server's own text, for values their Arrow type can not hold (NaN, arrays of several dimensions).
    #[serde(default)]
    pub text_columns: Vec<String>,
}
