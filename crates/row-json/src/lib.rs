//! A stored row as JSON that a person can read and mend, and back. The crate's README.md has the forms.

mod number;
mod object;
mod read;
mod time;
mod write;

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::SchemaRef,
};
use longshore_protocol::framing::{BatchDecoder, BatchEncoder, FramingError};
use serde_json::{Map, Value};

pub use object::object_with_unique_fields;

/// One row with its columns.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRow {
    batch: RecordBatch,
}

/// A row that can not be read, or does not hold what was put into it.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The bytes are no row of these columns.
    #[error("the stored row can not be read")]
    Unreadable(#[from] FramingError),
    /// A message holds one row.
    #[error("the stored row is {0} rows")]
    NotOneRow(usize),
    /// The row has no such column.
    #[error("the row has no column `{column}`; its columns are: {known}")]
    UnknownColumn {
        /// As it was named.
        column: String,
        /// Those that there are.
        known: String,
    },
    /// A value that the column can not take.
    #[error("column `{column}`: {message}")]
    Value {
        /// The column.
        column: String,
        /// What it takes, and what was found; without the value.
        message: String,
    },
    /// The columns together are no row.
    #[error("the mended row does not fit its columns")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl StoredRow {
    /// Reads a row: `schema` and `data` are Arrow IPC messages, as `Table.arrow_schema` and `RecordBatch.data` of the contract.
    ///
    /// # Errors
    /// [`RowError::Unreadable`], [`RowError::NotOneRow`].
    pub fn decode(schema: &[u8], data: &[u8]) -> Result<Self, RowError> {
        let batch = BatchDecoder::new(schema)?.decode(data.to_vec().into())?;
        if batch.num_rows() != 1 {
            return Err(RowError::NotOneRow(batch.num_rows()));
        }
        Ok(Self { batch })
    }

    /// Takes the first row of a batch.
    ///
    /// # Errors
    /// [`RowError::NotOneRow`]: it has none.
    pub fn first_of(batch: &RecordBatch) -> Result<Self, RowError> {
        if batch.num_rows() == 0 {
            return Err(RowError::NotOneRow(0));
        }
        Ok(Self {
            batch: batch.slice(0, 1),
        })
    }

    /// The row as `RecordBatch.data` of the contract.
    ///
    /// # Errors
    /// [`RowError::Unreadable`]: Arrow can not encode it.
    pub fn encode(&self) -> Result<Vec<u8>, RowError> {
        Ok(BatchEncoder::compact().encode(&self.batch)?.into())
    }

    /// The row as Arrow has it.
    #[must_use]
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The row's values by column.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        self.cells().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The row's columns in their order, each with its value as text.
    #[must_use]
    pub fn in_words(&self) -> Vec<(String, String)> {
        let word = |value: Value| match value {
            Value::String(text) => text,
            Value::Null => "NULL".to_owned(),
            other => other.to_string(),
        };
        self.cells()
            .map(|(name, value)| (name.to_owned(), word(value)))
            .collect()
    }

    /// The row with what a person has mended: values that are as [`to_json`](Self::to_json) gives them, and columns that are left out, keep their stored
    /// bits. Returns the columns that have changed as well.
    ///
    /// # Errors
    /// [`RowError::UnknownColumn`], [`RowError::Value`].
    pub fn mended(&self, values: &Map<String, Value>) -> Result<(Self, Vec<String>), RowError> {
        let schema: SchemaRef = self.batch.schema();
        if let Some(column) = values.keys().find(|name| schema.column_with_name(name).is_none()) {
            let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            return Err(RowError::UnknownColumn {
                column: column.clone(),
                known: known.join(", "),
            });
        }
        let mut changed = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for ((field, stored), (name, value)) in schema.fields().iter().zip(self.batch.columns()).zip(self.cells()) {
            match values.get(name) {
                Some(mended) if *mended != value => {
                    let cell = read::cell(field, mended).map_err(|message| RowError::Value {
                        column: name.to_owned(),
                        message,
                    })?;
                    columns.push(cell);
                    changed.push(name.to_owned());
                }
                Some(_) | None => columns.push(Arc::clone(stored)),
            }
        }
        let batch = RecordBatch::try_new(schema, columns)?;
        Ok((Self { batch }, changed))
    }

    fn cells(&self) -> impl Iterator<Item = (&str, Value)> {
        let fields = self.batch.schema_ref().fields().iter();
        fields
            .zip(self.batch.columns())
            .map(|(field, column)| (field.name().as_str(), write::cell(field, column.as_ref(), 0)))
    }
}
