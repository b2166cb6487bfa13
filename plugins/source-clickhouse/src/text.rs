//! Strings: ClickHouse's are bytes, Arrow's text is UTF-8, and the difference is checked here.

use std::sync::Arc;

use longshore_sdk::arrow::{
    array::{Array as _, ArrayRef, AsArray as _, ListArray, MapArray, StringArray, StructArray},
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, FieldRef, Fields},
};

use crate::catalog::Column;

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

/// Values as the delivered type has them: bytes become text where they are text.
///
/// # Errors
/// When one is not; it is never changed to fit.
pub(crate) fn delivered(values: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Unfit> {
    match converted(values, wanted) {
        // Within lists and maps the row is not known: look at one after the other.
        Err(Unfit::NotUtf8 { .. }) => {
            let is_unfit = |row: &usize| converted(&values.slice(*row, 1), wanted).is_err();
            let row = (0..values.len()).find(is_unfit).unwrap_or(0);
            Err(Unfit::NotUtf8 { row })
        }
        result => result,
    }
}

fn converted(values: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Unfit> {
    if values.data_type() == wanted {
        return Ok(Arc::clone(values));
    }
    match (values.data_type(), wanted) {
        (DataType::Binary, DataType::Utf8) => {
            let text = StringArray::try_from_binary(values.as_binary::<i32>().clone());
            text.map(|text| Arc::new(text) as ArrayRef)
                .map_err(|_| Unfit::NotUtf8 { row: 0 })
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = values.as_list::<i32>();
            let (offsets, items) = used(list.offsets(), list.values());
            built(ListArray::try_new(
                Arc::clone(item),
                offsets,
                converted(&items, item.data_type())?,
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
                converted(&inner, entries.data_type())?.as_struct().clone(),
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
                .map(|(column, field)| converted(column, field.data_type()))
                .collect::<Result<Vec<_>, _>>()?;
            built(StructArray::try_new(fields.clone(), columns, parts.nulls().cloned()))
        }
        _ => Err(Unfit::OtherType),
    }
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
        BinaryArray, Int32Array,
        builder::{BinaryBuilder, ListBuilder},
    };

    use super::*;

    #[test]
    fn bytes_that_are_text_become_text_and_others_name_their_row() {
        let good: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![Some(b"a"), None, Some("ü".as_bytes())]));
        let text = delivered(&good, &DataType::Utf8).unwrap();
        assert_eq!(
            text.as_string::<i32>(),
            &StringArray::from(vec![Some("a"), None, Some("ü")])
        );
        let bad: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![Some(b"a"), None, Some(&[0xFF, 0x41])]));
        assert_eq!(delivered(&bad, &DataType::Utf8), Err(Unfit::NotUtf8 { row: 2 }));
        assert_eq!(
            delivered(&bad, &DataType::Binary).unwrap().len(),
            3,
            "as they are, when bytes are wanted"
        );
    }

    #[test]
    fn halves_of_a_letter_are_no_text_even_when_the_next_value_completes_it() {
        let letter = "ü".as_bytes();
        let torn: ArrayRef = Arc::new(BinaryArray::from_vec(vec![&letter[..1], &letter[1..]]));
        assert_eq!(delivered(&torn, &DataType::Utf8), Err(Unfit::NotUtf8 { row: 0 }));
    }

    #[test]
    fn the_row_of_a_list_is_found() {
        let mut lists = ListBuilder::new(BinaryBuilder::new());
        lists.append_value([Some("a"), Some("b")]);
        lists.append_value([Some(&b"\xff"[..])]);
        let lists: ArrayRef = Arc::new(lists.finish());
        let wanted = with_text(lists.data_type());
        assert_eq!(delivered(&lists, &wanted), Err(Unfit::NotUtf8 { row: 1 }));
        assert_eq!(delivered(&lists.slice(0, 1), &wanted).unwrap().len(), 1);
    }

    #[test]
    fn another_type_than_was_described_is_noticed() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        assert_eq!(delivered(&numbers, &DataType::Int64), Err(Unfit::OtherType));
    }
}
