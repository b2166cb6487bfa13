//! A table as a source offers it and as a destination is to receive it.

mod name;

use arrow::datatypes::SchemaRef;
use longshore_core::{Error, Result};
use longshore_protocol::{framing, v1};

pub use name::TableName;

/// A table, view or query with its contract. The field metadata keys that mean something are documented in `table.proto`.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Unique within the source.
    pub name: String,
    /// Columns; not null is `nullable = false`.
    pub schema: SchemaRef,
    /// Column names in order; empty: no key is known.
    pub primary_key: Vec<String>,
    /// The configured cursor column.
    pub cursor: Option<String>,
    /// Columns that could serve as a cursor, the likely ones first.
    pub cursor_candidates: Vec<String>,
    /// What it is at the source, such as "table" or "view".
    pub kind: String,
    /// Estimated number of rows, when known.
    pub estimated_rows: Option<u64>,
    /// Estimated size in bytes, when known.
    pub estimated_bytes: Option<u64>,
}

impl Table {
    /// A table with a name and columns, and nothing else known.
    pub fn new(name: impl Into<String>, schema: SchemaRef) -> Self {
        Self {
            name: name.into(),
            schema,
            primary_key: Vec::new(),
            cursor: None,
            cursor_candidates: Vec::new(),
            kind: "table".to_owned(),
            estimated_rows: None,
            estimated_bytes: None,
        }
    }

    /// Names the cursor column.
    #[must_use]
    pub fn with_cursor(mut self, column: impl Into<String>) -> Self {
        self.cursor = Some(column.into());
        self
    }
}

impl TryFrom<Table> for v1::Table {
    type Error = Error;

    fn try_from(table: Table) -> Result<Self> {
        let arrow_schema = framing::encode_schema(&table.schema).map_err(|error| {
            Error::internal(
                "schema_unwritable",
                format!("The schema of table {} can not be sent", table.name),
            )
            .with_cause(&error)
        })?;
        Ok(Self {
            name: table.name,
            arrow_schema,
            primary_key: table.primary_key,
            cursor: table.cursor.unwrap_or_default(),
            cursor_candidates: table.cursor_candidates,
            kind: table.kind,
            estimated_rows: table.estimated_rows,
            estimated_bytes: table.estimated_bytes,
        })
    }
}

impl TryFrom<v1::Table> for Table {
    type Error = Error;

    fn try_from(table: v1::Table) -> Result<Self> {
        let schema = framing::decode_schema(&table.arrow_schema).map_err(|error| {
            Error::protocol(
                "schema_unreadable",
                format!("The schema of table {} can not be read", table.name),
            )
            .with_cause(&error)
        })?;
        Ok(Self {
            name: table.name,
            schema,
            primary_key: table.primary_key,
            cursor: Some(table.cursor).filter(|cursor| !cursor.is_empty()),
            cursor_candidates: table.cursor_candidates,
            kind: table.kind,
            estimated_rows: table.estimated_rows,
            estimated_bytes: table.estimated_bytes,
        })
    }
}
