//! The framing of `COPY … (FORMAT binary)`.

use longshore_sdk::prelude::*;

/// Signature of the format (PostgreSQL documentation, COPY, "Binary Format").
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Where a field lies within a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    start: u32,
    end: u32,
    null: bool,
}

/// A row within a message.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    message: &'a [u8],
    /// Where the row begins.
    start: usize,
    fields: &'a [Field],
}

impl<'a> Row<'a> {
    /// A row whose fields are known.
    pub(super) fn of(message: &'a [u8], start: usize, fields: &'a [Field]) -> Self {
        Self { message, start, fields }
    }

    /// Field `index`; `None` is NULL.
    pub(crate) fn field(&self, index: usize) -> Option<&'a [u8]> {
        let field = self.fields[index];
        (!field.null).then(|| &self.message[field.start as usize..field.end as usize])
    }

    /// Bytes of the first `fields` fields, their lengths included.
    pub(crate) fn bytes_of_first(&self, fields: usize) -> usize {
        self.first(fields).len()
    }

    /// The first `fields` fields as they came, without the number of fields in front of them.
    pub(crate) fn first(&self, fields: usize) -> &'a [u8] {
        let begin = self.start + FIELD_COUNT_BYTES;
        let end = fields
            .checked_sub(1)
            .map_or(begin, |last| self.fields[last].end as usize);
        &self.message[begin..end]
    }

    pub(super) fn start(&self) -> usize {
        self.start
    }

    pub(super) fn fields(&self) -> &'a [Field] {
        self.fields
    }
}

/// Each row begins with the number of its fields.
const FIELD_COUNT_BYTES: usize = 2;

/// Divides messages into rows, one after the other.
#[derive(Default)]
pub(crate) struct RowFinder {
    fields: Vec<Field>,
}

impl RowFinder {
    /// Finds the row that begins at `start` of a message. Returns where it ends, or `None` for the end mark.
    pub(crate) fn find(&mut self, message: &[u8], start: usize, columns: usize) -> Result<Option<usize>> {
        self.fields.clear();
        let count = i16::from_be_bytes(array_at(message, start)?);
        if count == -1 {
            return Ok(None);
        }
        if usize::try_from(count) != Ok(columns) {
            return Err(malformed("a row has another number of fields than its statement"));
        }
        if u32::try_from(message.len()).is_err() {
            return Err(malformed("a message is longer than any row"));
        }
        let mut at = start + FIELD_COUNT_BYTES;
        for _ in 0..columns {
            let length = i32::from_be_bytes(array_at(message, at)?);
            at += 4;
            let value = usize::try_from(length);
            let end = at + value.unwrap_or(0);
            if end > message.len() {
                return Err(malformed("a field is longer than its message"));
            }
            self.fields.push(Field {
                start: at as u32,
                end: end as u32,
                null: value.is_err(),
            });
            at = end;
        }
        Ok(Some(at))
    }

    /// The row found last, in the message that it was found in.
    pub(crate) fn row<'a>(&'a self, message: &'a [u8], start: usize) -> Row<'a> {
        Row::of(message, start, &self.fields)
    }
}

/// What follows the header of the format's first message.
pub(crate) fn split_header(message: &[u8]) -> Result<usize> {
    if !message.starts_with(SIGNATURE) {
        return Err(malformed("the data does not begin with the signature of the format"));
    }
    let extension = u32::from_be_bytes(array_at(message, SIGNATURE.len() + 4)?);
    let header = SIGNATURE.len() + 8 + usize::try_from(extension).unwrap_or(usize::MAX);
    if header > message.len() {
        return Err(malformed("the header is cut off"));
    }
    Ok(header)
}

fn array_at<const N: usize>(message: &[u8], at: usize) -> Result<[u8; N]> {
    message
        .get(at..at + N)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| malformed("a row is cut off"))
}

fn malformed(what: &str) -> Error {
    Error::source(
        "copy_malformed",
        format!("PostgreSQL's COPY data can not be read: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_divided_into_fields() {
        let message = [7, 0, 3, 0, 0, 0, 2, 7, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 99];
        let mut finder = RowFinder::default();
        assert_eq!(finder.find(&message, 1, 3).unwrap(), Some(17));
        let row = finder.row(&message, 1);
        assert_eq!(row.field(0), Some(&[7, 8][..]));
        assert_eq!(row.field(1), None);
        assert_eq!(row.field(2), Some(&[][..]));
        assert_eq!([1, 2, 3].map(|fields| row.bytes_of_first(fields)), [6, 10, 14]);
        assert_eq!(row.first(1), &[0, 0, 0, 2, 7, 8]);
        assert_eq!(finder.find(&[0xFF, 0xFF], 0, 3).unwrap(), None);
    }

    #[test]
    fn cut_off_and_foreign_data_are_errors() {
        let mut finder = RowFinder::default();
        for broken in [
            &[][..],
            &[0],
            &[0, 1, 0, 0],
            &[0, 1, 0, 0, 0, 5, 1],
            &[0, 2, 0, 0, 0, 0],
        ] {
            let error = finder.find(broken, 0, 1).unwrap_err();
            assert_eq!(error.code, "copy_malformed", "{broken:?}");
        }
        assert!(split_header(b"PGDUMP").is_err());
        let header = [SIGNATURE, &[0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 42]].concat();
        assert_eq!(split_header(&header).unwrap(), SIGNATURE.len() + 10);
    }
}
