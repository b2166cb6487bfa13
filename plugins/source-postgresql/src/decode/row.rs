//! The framing of `COPY … (FORMAT binary)`.

use longshore_sdk::prelude::*;

/// Signature of the format (PostgreSQL documentation, COPY, "Binary Format").
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Where the fields of one row lie within a message.
#[derive(Default)]
pub(crate) struct RowSpans {
    fields: Vec<Span>,
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    null: bool,
}

impl RowSpans {
    /// Finds the fields of the row at the start of `message`. Returns the row's length, or `None` for the end mark.
    pub(crate) fn find(&mut self, message: &[u8], columns: usize) -> Result<Option<usize>> {
        self.fields.clear();
        let count = i16::from_be_bytes(array_at(message, 0)?);
        if count == -1 {
            return Ok(None);
        }
        if usize::try_from(count) != Ok(columns) {
            return Err(malformed("a row has another number of fields than its statement"));
        }
        let mut at = 2;
        for _ in 0..columns {
            let length = i32::from_be_bytes(array_at(message, at)?);
            at += 4;
            let Ok(length) = usize::try_from(length) else {
                self.fields.push(Span {
                    start: at,
                    end: at,
                    null: true,
                });
                continue;
            };
            if message.len() - at < length {
                return Err(malformed("a field is longer than its message"));
            }
            self.fields.push(Span {
                start: at,
                end: at + length,
                null: false,
            });
            at += length;
        }
        Ok(Some(at))
    }

    /// Field `index` of the row found last; `None` is NULL.
    pub(crate) fn field<'a>(&self, message: &'a [u8], index: usize) -> Option<&'a [u8]> {
        let span = self.fields[index];
        (!span.null).then(|| &message[span.start..span.end])
    }

    /// Where field `index` ends, its length included when it is NULL.
    pub(crate) fn end_of(&self, index: usize) -> usize {
        self.fields[index].end
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
        let row = [0, 3, 0, 0, 0, 2, 7, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 99];
        let mut spans = RowSpans::default();
        assert_eq!(spans.find(&row, 3).unwrap(), Some(16));
        assert_eq!(spans.field(&row, 0), Some(&[7, 8][..]));
        assert_eq!(spans.field(&row, 1), None);
        assert_eq!(spans.field(&row, 2), Some(&[][..]));
        assert_eq!((spans.end_of(0), spans.end_of(1), spans.end_of(2)), (8, 12, 16));
        assert_eq!(spans.find(&[0xFF, 0xFF], 3).unwrap(), None);
    }

    #[test]
    fn cut_off_and_foreign_data_are_errors() {
        let mut spans = RowSpans::default();
        for broken in [
            &[][..],
            &[0],
            &[0, 1, 0, 0],
            &[0, 1, 0, 0, 0, 5, 1],
            &[0, 2, 0, 0, 0, 0],
        ] {
            assert_eq!(spans.find(broken, 1).unwrap_err().code, "copy_malformed", "{broken:?}");
        }
        assert!(split_header(b"PGDUMP").is_err());
        let header = [SIGNATURE, &[0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 42]].concat();
        assert_eq!(split_header(&header).unwrap(), SIGNATURE.len() + 10);
    }
}
