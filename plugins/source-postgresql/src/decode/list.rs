//! One-dimensional arrays.

use std::sync::Arc;

use longshore_sdk::arrow::{
    array::{ArrayRef, ListArray},
    buffer::{OffsetBuffer, ScalarBuffer},
    datatypes::FieldRef,
};

use super::{BadValue, ColumnDecoder, DecodeError, column::nulls_of};

/// Reads arrays whose elements another decoder reads.
pub(super) struct ListDecoder {
    item: FieldRef,
    items: Box<dyn ColumnDecoder>,
}

impl ListDecoder {
    pub(super) fn new(item: FieldRef, items: Box<dyn ColumnDecoder>) -> Self {
        Self { item, items }
    }
}

impl ColumnDecoder for ListDecoder {
    fn decode(&self, values: &[Option<&[u8]>]) -> Result<ArrayRef, BadValue> {
        let mut elements = Vec::new();
        let mut offsets = Vec::with_capacity(values.len() + 1);
        offsets.push(0);
        for (row, value) in values.iter().enumerate() {
            if let Some(value) = value {
                divide(value, &mut elements).map_err(|error| error.in_row(row))?;
            }
            let end = i32::try_from(elements.len()).map_err(|_| DecodeError::OutOfRange("list").in_row(row))?;
            offsets.push(end);
        }
        let items = self.items.decode(&elements).map_err(|bad| {
            let of_list = offsets.partition_point(|end| usize::try_from(*end).is_ok_and(|end| end <= bad.row));
            bad.error.in_row(of_list.saturating_sub(1))
        })?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(Arc::new(ListArray::new(
            Arc::clone(&self.item),
            offsets,
            items,
            nulls_of(values),
        )))
    }
}

/// array_send: dimensions, a flag for NULLs, the elements' type, then length and lower bound of each dimension, then the elements.
fn divide<'a>(value: &'a [u8], elements: &mut Vec<Option<&'a [u8]>>) -> Result<(), DecodeError> {
    let mut rest = value;
    let dimensions = take_i32(&mut rest)?;
    let (_has_nulls, _element_type) = (take_i32(&mut rest)?, take_i32(&mut rest)?);
    match dimensions {
        0 => return Ok(()),
        1 => {}
        _ => return Err(DecodeError::SeveralDimensions),
    }
    let length = take_i32(&mut rest)?;
    let _lower_bound = take_i32(&mut rest)?;
    if length < 0 {
        return Err(DecodeError::OutOfRange("list"));
    }
    for _ in 0..length {
        let Ok(size) = usize::try_from(take_i32(&mut rest)?) else {
            elements.push(None);
            continue;
        };
        let (element, after) = rest.split_at_checked(size).ok_or(DecodeError::Malformed("array"))?;
        elements.push(Some(element));
        rest = after;
    }
    Ok(())
}

fn take_i32(rest: &mut &[u8]) -> Result<i32, DecodeError> {
    let (first, after) = rest.split_first_chunk::<4>().ok_or(DecodeError::Malformed("array"))?;
    *rest = after;
    Ok(i32::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use longshore_sdk::arrow::array::{Array as _, AsArray as _};

    use super::*;
    use crate::{decode::decoder, representation::Representation};

    fn sent(elements: &[Option<&[u8]>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for field in [1, 0, 25, i32::try_from(elements.len()).unwrap(), 1] {
            bytes.extend(i32::to_be_bytes(field));
        }
        for element in elements {
            let length = element.map_or(-1, |element| i32::try_from(element.len()).unwrap());
            bytes.extend(length.to_be_bytes());
            bytes.extend(element.unwrap_or_default());
        }
        bytes
    }

    #[test]
    fn lists_keep_their_nulls_and_their_places() {
        let (first, last) = (sent(&[Some(b"a"), None, Some(b"")]), sent(&[Some(b"z")]));
        let empty = [0; 12];
        let column = decoder(&Representation::List(Box::new(Representation::Text)))
            .decode(&[Some(&first), None, Some(&empty), Some(&last)])
            .unwrap();
        let lists = column.as_list::<i32>();
        assert_eq!(lists.value_offsets(), [0, 3, 3, 3, 4]);
        assert!(lists.is_null(1) && lists.is_valid(2));
        assert_eq!(
            lists.values().as_string::<i32>().iter().collect::<Vec<_>>(),
            [Some("a"), None, Some(""), Some("z")]
        );
    }

    #[test]
    fn a_bad_element_is_told_with_the_row_of_its_list() {
        let (good, bad) = (sent(&[Some(b"a"), Some(b"b")]), sent(&[Some(b"c"), Some(b"\xff")]));
        let lists = decoder(&Representation::List(Box::new(Representation::Text)));
        let error = lists
            .decode(&[Some(&good), None, Some(&sent(&[])), Some(&bad)])
            .unwrap_err();
        assert_eq!((error.row, error.error), (3, DecodeError::NotUtf8));
        let cut = &good[..good.len() - 1];
        let error = lists.decode(&[Some(&good), Some(cut)]).unwrap_err();
        assert_eq!((error.row, error.error), (1, DecodeError::Malformed("array")));
    }
}
