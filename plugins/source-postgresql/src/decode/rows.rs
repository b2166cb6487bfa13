//! The rows of a batch before they are decoded: where their fields are, in the messages that they came in.

use bytes::Bytes;
use longshore_sdk::arrow::array::ArrayRef;

use super::{
    BadValue, ColumnDecoder,
    row::{Field, Row},
};

/// Rows that are decoded together, column by column.
pub(crate) struct PendingRows {
    /// Fields of each row.
    columns: usize,
    fields: Vec<Field>,
    rows: Vec<Place>,
    messages: Vec<Bytes>,
}

/// Where a row is.
struct Place {
    message: u32,
    start: u32,
    /// Its number among all rows of the partition, from 1.
    number: u64,
}

impl PendingRows {
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            columns,
            fields: Vec::new(),
            rows: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// Adds a row of this message, the partition's row number `number`. The message is kept until [`Self::clear`].
    pub(crate) fn push(&mut self, message: &Bytes, number: u64, row: Row<'_>) {
        let is_known = self
            .messages
            .last()
            .is_some_and(|last| last.as_ptr() == message.as_ptr() && last.len() == message.len());
        if !is_known {
            self.messages.push(message.clone());
        }
        self.fields.extend_from_slice(row.fields());
        self.rows.push(Place {
            message: (self.messages.len() - 1) as u32,
            start: row.start() as u32,
            number,
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn row(&self, index: usize) -> Row<'_> {
        let fields = &self.fields[index * self.columns..(index + 1) * self.columns];
        self.at(&self.rows[index], fields)
    }

    /// All rows, of which each has a field at least.
    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let fields = self.fields.chunks_exact(self.columns);
        self.rows
            .iter()
            .zip(fields)
            .map(|(place, fields)| self.at(place, fields))
    }

    fn at<'a>(&'a self, place: &Place, fields: &'a [Field]) -> Row<'a> {
        Row::of(&self.messages[place.message as usize], place.start as usize, fields)
    }

    /// The number of a row among all rows of the partition, from 1.
    pub(crate) fn number(&self, index: usize) -> u64 {
        self.rows[index].number
    }

    /// The arrays of the first columns, one for each decoder.
    ///
    /// # Errors
    /// The first value of a column that can not be decoded, with the column.
    pub(crate) fn decode(&self, decoders: &[Box<dyn ColumnDecoder>]) -> Result<Vec<ArrayRef>, (usize, BadValue)> {
        let mut values = Vec::with_capacity(self.len());
        let mut columns = Vec::with_capacity(decoders.len());
        for (index, decoder) in decoders.iter().enumerate() {
            values.clear();
            values.extend(self.rows().map(|row| row.field(index)));
            columns.push(decoder.decode(&values).map_err(|bad| (index, bad))?);
        }
        Ok(columns)
    }

    pub(crate) fn clear(&mut self) {
        self.fields.clear();
        self.rows.clear();
        self.messages.clear();
    }
}
