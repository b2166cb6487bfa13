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
    /// Columns to read as the server's own text (`toString`), for values that their Arrow type can not hold and for types that have none.
    #[serde(default)]
    pub text_columns: Vec<String>,
    /// Columns whose strings are bytes rather than UTF-8 text: they are delivered as they are, as Binary.
    #[serde(default)]
    pub binary_columns: Vec<String>,
    /// As the source's `final`, for this table.
    #[serde(default, rename = "final")]
    pub merged: Option<bool>,
}
