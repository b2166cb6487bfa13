//! What users say about the reading of one table.

use longshore_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Overlap, Span};
use crate::table::TableName;

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

/// What applies to the reading of one table, whatever the database.
///
/// A plugin flattens it into its own table options, which deny unknown fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct ReadOptions {
    /// The table's own cursor column in place of the source's; `null`: the table is read whole in every run.
    #[serde(default, deserialize_with = "given")]
    pub cursor: Option<Option<String>>,
    /// Columns that identify a row, where the database declares none (views, queries).
    #[serde(default)]
    pub primary_key: Vec<String>,
    /// Only these columns, in this order; all of them when empty.
    #[serde(default)]
    pub columns: Vec<String>,
    /// All columns but these.
    #[serde(default)]
    pub exclude_columns: Vec<String>,
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
    /// As the source's `settle`, for this table.
    #[serde(default)]
    pub settle: Option<Span>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Where a table's options are in the specification, as a JSON pointer.
#[must_use]
pub fn options_pointer(table: &str) -> String {
    format!("/table_options/{}", table.replace('~', "~0").replace('/', "~1"))
}

impl ReadOptions {
    /// Checks what can be checked without a connection. `namespace` is the schema or database whose tables are listed under their bare names.
    ///
    /// # Errors
    /// `spec_invalid`, with the field at fault; those of [`TableName::parse`].
    pub fn check(&self, table: &str, namespace: &str) -> Result<()> {
        let invalid = |field: &str, message: &str| {
            Err(Error::config("spec_invalid", format!("Table {table}: {message}"))
                .with_field(format!("{}/{field}", options_pointer(table))))
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
        if self.query.is_some() {
            // A query is listed under whatever name it is given.
            return Ok(());
        }
        let listed = TableName::parse(table, namespace)?.shown(namespace);
        if listed != table {
            let message = format!("Table {table} is listed as {listed}: write its options under that name");
            return Err(Error::config("spec_invalid", message).with_field(options_pointer(table)));
        }
        Ok(())
    }

    /// The cursor column of the table: its own, or the source's where it says nothing of its own.
    #[must_use]
    pub fn cursor_or<'a>(&'a self, of_source: Option<&'a str>) -> Option<&'a str> {
        match &self.cursor {
            Some(own) => own.as_deref(),
            None => of_source,
        }
    }

    /// The condition of the options, in parentheses.
    #[must_use]
    pub fn condition(&self) -> Option<String> {
        // A comment at the condition's end must not swallow the parenthesis.
        self.filter.as_ref().map(|filter| format!("({filter}\n)"))
    }

    /// `table_options` name a table that does not exist: silently they would be without effect, and a column that was to be left out would be sent.
    #[must_use]
    pub fn of_nothing(table: &str, cause: &Error) -> Error {
        Error::config(
            "table_options_unused",
            format!("`table_options` has options for {table}, which does not exist"),
        )
        .with_field(options_pointer(table))
        .with_remedy(cause.remedy.clone())
    }
}
