//! Strings: ClickHouse's are bytes, Arrow's text is UTF-8, and the difference is checked here.

use std::{borrow::Cow, sync::Arc};

use longshore_sdk::arrow::{
    array::{Array as _, ArrayRef, AsArray as _, BinaryArray, ListArray, MapArray, StringArray, StructArray},
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, FieldRef, Fields},
};

use crate::{catalog::Column, spec::InvalidUtf8};

/// The field that a column is delivered as, from the one that the server sends for its expression.
pub(crate) fn delivered_field(sent: &Field, column: &Column) -> Field {
    let data_type = if column.representation.keeps_bytes() {
        sent.data_type().clone()
    } else {
        with_text(sent.data_type())
    };
    let mut metadata = column.representation.metadata();
    for (key, value) in sent.metadata().iter() {
        metadata.entry(key.clone()).or_insert_with(|| value.clone());
    }
    metadata.insert("longshore.source_type".to_owned(), column.of.text.clone());
    Field::new(&column.name, data_type, sent.is_nullable()).with_metadata(metadata)
}

/// The type with text in place of bytes.
fn with_text(sent: &DataType) -> DataType {
    let inner = |field: &FieldRef| -> FieldRef {
        Arc::new(field.as_ref().clone().with_data_type(with_text(field.data_type())))
    };
    match sent {
        DataType::Binary => DataType::Utf8,
        DataType::List(item) => DataType::List(inner(item)),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect::<Fields>()),
        other => other.clone(),
    }
}

/// Why values are not what their field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The value of this row, at the latest, is no UTF-8.
    NotUtf8 { row: usize },
    /// The server sent another type than it had described.
    OtherType,
}

/// Turns the server's bytes into what is delivered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TextReader {
    invalid: InvalidUtf8,
    /// Values that were written in hexadecimal so far.
    pub(crate) hexadecimal: u64,
}

impl TextReader {
    pub(crate) fn new(invalid: InvalidUtf8) -> Self {
        Self {
            invalid,
            hexadecimal: 0,
        }
    }

    /// Values as the delivered type has them: bytes become text where they are text, and what the options say where they are not.
    ///
    /// # Errors
    /// When the options allow no other form for a value that is not.
    pub(crate) fn delivered(&mut self, values: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Unfit> {
        match self.converted(values, wanted) {
            // Within lists and maps the row is not known: look at one after the other.
            Err(Unfit::NotUtf8 { .. }) => {
                let is_unfit = |row: &usize| self.converted(&values.slice(*row, 1), wanted).is_err();
                let row = (0..values.len()).find(is_unfit).unwrap_or(0);
                Err(Unfit::NotUtf8 { row })
            }
            result => result,
        }
    }

    fn text_of(&mut self, bytes: &BinaryArray) -> Result<ArrayRef, Unfit> {
        if let Ok(text) = StringArray::try_from_binary(bytes.clone()) {
            return Ok(Arc::new(text));
        }
        if self.invalid == InvalidUtf8::Error {
            return Err(Unfit::NotUtf8 { row: 0 });
        }
        let text = bytes.iter().map(|value| {
            value.map(|value| match std::str::from_utf8(value) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => {
                    self.hexadecimal += 1;
                    Cow::Owned(hexadecimal(value))
                }
            })
        });
        Ok(Arc::new(text.collect::<StringArray>()))
    }

    fn converted(&mut self, values: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Unfit> {
        if values.data_type() == wanted {
            return Ok(Arc::clone(values));
        }
        match (values.data_type(), wanted) {
            (DataType::Binary, DataType::Utf8) => self.text_of(values.as_binary::<i32>()),
            (DataType::List(_), DataType::List(item)) => {
                let list = values.as_list::<i32>();
                let (offsets, items) = used(list.offsets(), list.values());
                built(ListArray::try_new(
                    Arc::clone(item),
                    offsets,
                    self.converted(&items, item.data_type())?,
                    list.nulls().cloned(),
                ))
            }
            (DataType::Map(..), DataType::Map(entries, sorted)) => {
                let map = values.as_map();
                let inner: ArrayRef = Arc::new(map.entries().clone());
                let (offsets, inner) = used(map.offsets(), &inner);
                built(MapArray::try_new(
                    Arc::clone(entries),
                    offsets,
                    self.converted(&inner, entries.data_type())?.as_struct().clone(),
                    map.nulls().cloned(),
                    *sorted,
                ))
            }
            (DataType::Struct(had), DataType::Struct(fields)) if had.len() == fields.len() => {
                let parts = values.as_struct();
                let columns = parts
                    .columns()
                    .iter()
                    .zip(fields)
                    .map(|(column, field)| self.converted(column, field.data_type()))
                    .collect::<Result<Vec<_>, _>>()?;
                built(StructArray::try_new(fields.clone(), columns, parts.nulls().cloned()))
            }
            _ => Err(Unfit::OtherType),
        }
    }
}

/// Bytes as PostgreSQL writes them.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold("\\x".to_owned(), |mut text, byte| {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or_default()));
        text
    })
}

/// Of the items of lists, those that these lists hold: a slice of lists keeps the items of all.
fn used(offsets: &OffsetBuffer<i32>, items: &ArrayRef) -> (OffsetBuffer<i32>, ArrayRef) {
    let count: usize = offsets.lengths().sum();
    let first = usize::try_from(offsets[0]).unwrap_or(0);
    if count == items.len() {
        return (offsets.clone(), Arc::clone(items));
    }
    (OffsetBuffer::from_lengths(offsets.lengths()), items.slice(first, count))
}

fn built<T: longshore_sdk::arrow::array::Array + 'static>(
    array: Result<T, longshore_sdk::arrow::error::ArrowError>,
) -> Result<ArrayRef, Unfit> {
    array
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|_| Unfit::OtherType)
}

#[cfg(test)]
mod tests {
    use longshore_sdk::arrow::array::{
        Int32Array,
        builder::{BinaryBuilder, ListBuilder},
    };

    use super::*;

    fn strictly(values: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Unfit> {
        TextReader::new(InvalidUtf8::Error).delivered(values, wanted)
    }

    #[test]
    fn bytes_that_are_text_become_text_and_others_name_their_row() {
        let good: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![Some(b"a"), None, Some("ü".as_bytes())]));
        let text = strictly(&good, &DataType::Utf8).unwrap();
        assert_eq!(
            text.as_string::<i32>(),
            &StringArray::from(vec![Some("a"), None, Some("ü")])
        );
        let bad: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![Some(b"a"), None, Some(&[0xFF, 0x41])]));
        assert_eq!(strictly(&bad, &DataType::Utf8), Err(Unfit::NotUtf8 { row: 2 }));
        assert_eq!(
            strictly(&bad, &DataType::Binary).unwrap().len(),
            3,
            "as they are, when bytes are wanted"
        );
    }

    #[test]
    fn bytes_that_are_no_text_become_hexadecimal_and_their_neighbours_stay() {
        let mixed: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![
            Some(b"a"),
            None,
            Some(&[0xFF, 0x41]),
            Some(b""),
        ]));
        let mut reader = TextReader::new(InvalidUtf8::Hexadecimal);
        let text = reader.delivered(&mixed, &DataType::Utf8).unwrap();
        let expected = StringArray::from(vec![Some("a"), None, Some("\\xff41"), Some("")]);
        assert_eq!((text.as_string::<i32>(), reader.hexadecimal), (&expected, 1));
    }

    #[test]
    fn halves_of_a_letter_are_no_text_even_when_the_next_value_completes_it() {
        let letter = "ü".as_bytes();
        let torn: ArrayRef = Arc::new(BinaryArray::from_vec(vec![&letter[..1], &letter[1..]]));
        assert_eq!(strictly(&torn, &DataType::Utf8), Err(Unfit::NotUtf8 { row: 0 }));
    }

    #[test]
    fn the_row_of_a_list_is_found() {
        let mut lists = ListBuilder::new(BinaryBuilder::new());
        lists.append_value([Some("a"), Some("b")]);
        lists.append_value([Some(&b"\xff"[..])]);
        let lists: ArrayRef = Arc::new(lists.finish());
        let wanted = with_text(lists.data_type());
        assert_eq!(strictly(&lists, &wanted), Err(Unfit::NotUtf8 { row: 1 }));
        assert_eq!(strictly(&lists.slice(0, 1), &wanted).unwrap().len(), 1);
    }

    #[test]
    fn another_type_than_was_described_is_noticed() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        assert_eq!(strictly(&numbers, &DataType::Int64), Err(Unfit::OtherType));
    }
}
