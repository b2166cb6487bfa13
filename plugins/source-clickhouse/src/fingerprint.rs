//! The fingerprints that rows are known by from run to run.

use std::ops::Range;

use longshore_sdk::{
    arrow::{
        array::{ArrayRef, RecordBatch},
        row::{RowConverter, Rows, SortField},
    },
    prelude::*,
};
use xxhash_rust::xxh3::xxh3_64;

/// Makes the fingerprints of one statement's rows.
#[derive(Debug)]
pub(crate) struct Fingerprinter {
    /// So many columns in front say which row it is: see [`Reading::identity`](crate::statement::Reading::identity).
    identity: usize,
    /// Rows in a form whose bytes are equal when the rows are; made for the types of the first rows.
    converter: Option<RowConverter>,
}

/// Fingerprints of some rows, each made when it is asked for.
pub(crate) struct Fingerprints(Rows);

impl Fingerprints {
    pub(crate) fn of(&self, row: usize) -> u64 {
        xxh3_64(self.0.row(row).as_ref())
    }
}

impl Fingerprinter {
    pub(crate) fn new(identity: usize) -> Self {
        Self {
            identity,
            converter: None,
        }
    }

    /// Of these rows of a batch, as it was sent and as it is delivered. `None` where a column has no form that could be compared: its rows are never taken for known.
    pub(crate) fn of(
        &mut self,
        sent: &RecordBatch,
        delivered: &RecordBatch,
        rows: Range<usize>,
    ) -> Result<Option<Fingerprints>> {
        let others = sent.columns().iter().take(self.identity).skip(delivered.num_columns());
        let columns: Vec<ArrayRef> = delivered
            .columns()
            .iter()
            .chain(others)
            .map(|column| column.slice(rows.start, rows.len()))
            .collect();
        let incomparable =
            |error| Error::internal("row_unreadable", "Rows of a table can not be compared").with_cause(&error);
        let converter = match &mut self.converter {
            Some(converter) => converter,
            none => {
                let fields: Vec<SortField> = columns
                    .iter()
                    .map(|column| SortField::new(column.data_type().clone()))
                    .collect();
                if !RowConverter::supports_fields(&fields) {
                    return Ok(None);
                }
                none.insert(RowConverter::new(fields).map_err(incomparable)?)
            }
        };
        let converted = converter.convert_columns(&columns).map_err(incomparable)?;
        Ok(Some(Fingerprints(converted)))
    }
}
