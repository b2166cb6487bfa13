//! Options of incremental reading that every database source has, under the same names and with the same meaning.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to do with rows whose cursor column is NULL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NullCursor {
    /// Stop before anything is sent, with the number of such rows.
    #[default]
    Error,
    /// Deliver them in every run.
    Include,
    /// Leave them out and count them as filtered.
    Skip,
}

/// Where the first run of a table begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", untagged)]
pub enum StartFrom {
    /// `beginning` or `now`.
    Named(NamedStart),
    /// A value of the cursor column's type; rows with exactly this value are delivered.
    Value(String),
    /// Not given: the beginning.
    #[default]
    #[serde(skip)]
    Unset,
}

/// Starting points that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamedStart {
    /// All rows.
    Beginning,
    /// Only rows that appear or change after the first run has begun.
    Now,
}
