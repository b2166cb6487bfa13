//! From the binary form of `COPY` into Arrow arrays: one decoder a column, chosen once, called once a batch.
//!
//! The forms are those of the types' `…_send` functions in the server's source: integers big endian, dates and times counted from 2000-01-01.

mod column;
mod list;
mod numeric;
mod row;
mod rows;

use longshore_sdk::{arrow::array::ArrayRef, prelude::*};

pub(crate) use column::decoder;
pub(crate) use row::{Row, RowFinder, split_header};
pub(crate) use rows::PendingRows;

/// Days and microseconds between PostgreSQL's epoch (2000-01-01) and Arrow's (1970-01-01).
pub(crate) const EPOCH_DAYS: i32 = 10_957;
/// See [`EPOCH_DAYS`].
pub(crate) const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

/// Builds one column of a batch.
pub(crate) trait ColumnDecoder: Send {
    /// An array of these values in their binary form; `None` is NULL.
    fn decode(&self, values: &[Option<&[u8]>]) -> Result<ArrayRef, BadValue>;
}

/// The first value of a column that can not be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadValue {
    /// Its place among the values.
    pub(crate) row: usize,
    pub(crate) error: DecodeError,
}

/// A value has no place in its column's Arrow type, or is not what its type's binary form allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("it is NaN or an infinity, which a decimal can not hold")]
    NotANumber,
    #[error("it lies outside what the column's Arrow type holds ({0})")]
    OutOfRange(&'static str),
    #[error("it is an array of several dimensions")]
    SeveralDimensions,
    #[error("it is not valid UTF-8")]
    NotUtf8,
    #[error("its binary form is not that of its type ({0})")]
    Malformed(&'static str),
}

impl DecodeError {
    fn in_row(self, row: usize) -> BadValue {
        BadValue { row, error: self }
    }

    /// The error of a run, with the place: `row` says which row it is in words.
    pub(crate) fn at(&self, table: &str, column: &str, row: &str) -> Error {
        let code = match self {
            Self::NotANumber => "numeric_not_a_number",
            Self::OutOfRange(_) => "value_out_of_range",
            Self::SeveralDimensions => "array_of_several_dimensions",
            Self::NotUtf8 => "text_not_utf8",
            Self::Malformed(_) => "copy_malformed",
        };
        Error::source(
            code,
            format!("The value of column {column} in {row} can not be delivered: {self}"),
        )
        .with_scope(Scope::Row)
        .with_table(table)
        .with_remedy(format!(
            "Add `{column}` to the table's `text_columns` to read it as text, or leave it out with `exclude_columns`."
        ))
    }
}

fn bytes_of<const N: usize>(value: &[u8]) -> Result<[u8; N], DecodeError> {
    value.try_into().map_err(|_| DecodeError::Malformed("value"))
}

/// A timestamp of the wire in microseconds since 1970. The infinities stay what PostgreSQL stores: the greatest and the least `i64`.
pub(crate) fn timestamp_since_1970(wire: i64) -> Result<i64, DecodeError> {
    match wire {
        i64::MAX | i64::MIN => Ok(wire),
        // Years after 294246 do not fit, and the greatest value means infinity.
        _ => wire
            .checked_add(EPOCH_MICROSECONDS)
            .filter(|at| *at != i64::MAX)
            .ok_or(DecodeError::OutOfRange("timestamp")),
    }
}

/// A date of the wire in days since 1970. The infinities stay what PostgreSQL stores: the greatest and the least `i32`.
pub(crate) fn date_since_1970(wire: i32) -> Result<i32, DecodeError> {
    match wire {
        i32::MAX | i32::MIN => Ok(wire),
        _ => wire
            .checked_add(EPOCH_DAYS)
            .filter(|day| *day != i32::MAX)
            .ok_or(DecodeError::OutOfRange("date")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinities_stay_apart_from_every_date() {
        assert_eq!(timestamp_since_1970(i64::MAX), Ok(i64::MAX));
        assert_eq!(timestamp_since_1970(i64::MIN), Ok(i64::MIN));
        assert_eq!(
            timestamp_since_1970(i64::MAX - EPOCH_MICROSECONDS),
            Err(DecodeError::OutOfRange("timestamp"))
        );
        assert_eq!(
            timestamp_since_1970(i64::MAX - EPOCH_MICROSECONDS - 1),
            Ok(i64::MAX - 1)
        );
        assert_eq!(timestamp_since_1970(-EPOCH_MICROSECONDS), Ok(0));
        assert_eq!(date_since_1970(i32::MIN), Ok(i32::MIN));
        assert_eq!(date_since_1970(-EPOCH_DAYS), Ok(0));
    }
}
