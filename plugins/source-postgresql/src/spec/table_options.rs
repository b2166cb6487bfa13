//! Options of a single table.

use longshore_sdk::{
    incremental::{NullCursor, StartFrom},
    prelude::*,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::Span;

/// What applies to one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableOptions {
    /// The table's own cursor column in place of the source's; `null`: the table is read whole in every run.
    #[serde(default, deserialize_with = "given")]
    pub cursor: Option<Option<String>>,
    /// Columns that identify a row, for views and queries, which declare none themselves.
    #[serde(default)]
    pub primary_key: Vec<String>,
    /// Only these columns, in this order; all of them when empty.
    #[serde(default)]
    pub columns: Vec<String>,
    /// All columns but these.
    #[serde(default)]
    pub exclude_columns: Vec<String>,
    /// Columns to read as the server's own text, for values their Arrow type can not hold (NaN, arrays of several dimensions).
    #[serde(default)]
    pub text_columns: Vec<String>,
    /// An SQL condition; only rows that meet it are read. It is inserted as it is.
    #[serde(default, rename = "where")]
    pub filter: Option<String>,
    /// An SQL query to read in place of a table. It is inserted as it is.
    #[serde(default)]
    pub query: Option<String>,
    /// What to do with rows whose cursor is NULL.
    #[serde(default)]
    pub null_cursor: NullCursor,
    /// Where the first run begins: `beginning` (the default), `now`, or a value of the cursor's type.
    #[serde(default)]
    pub start_from: StartFrom,
    /// As the source's `overlap`, for this table.
    #[serde(default)]
    pub overlap: Option<Overlap>,
    /// As the source's `settle`, for this table. For a plain table it is "0s" when not given.
    #[serde(default)]
    pub settle: Option<Span>,
}

/// A distance behind the stored cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Overlap {
    /// For integer columns: so many units.
    Units(u32),
    /// For dates and times.
    Time(Span),
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Where a table's options are in the specification, as a JSON pointer.
pub(crate) fn options_pointer(table: &str) -> String {
    format!("/table_options/{}", table.replace('~', "~0").replace('/', "~1"))
}

impl TableOptions {
    pub(super) fn check(&self, table: &str) -> Result<()> {
        let pointer = options_pointer(table);
        let invalid = |field: &str, message: &str| {
            Err(Error::config("spec_invalid", format!("Table {table}: {message}"))
                .with_field(format!("{pointer}/{field}")))
        };
        if self.query.is_some() && self.filter.is_some() {
            return invalid(
                "where",
                "`where` and `query` exclude each other; write the condition into the query",
            );
        }
        if !self.columns.is_empty() && !self.exclude_columns.is_empty() {
            return invalid("exclude_columns", "`columns` and `exclude_columns` exclude each other");
        }
        if self.query.as_deref().is_some_and(|query| query.trim().is_empty()) {
            return invalid("query", "`query` is empty");
        }
        Ok(())
    }
}
