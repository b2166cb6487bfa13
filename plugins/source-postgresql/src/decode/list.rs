//! One-dimensional arrays.

use std::sync::Arc;

use longshore_sdk::arrow::{
    array::{ArrayRef, ListArray, NullBufferBuilder},
    buffer::{OffsetBuffer, ScalarBuffer},
    datatypes::FieldRef,
};

use super::{ColumnDecoder, DecodeError};

/// Reads arrays whose elements another decoder reads.
pub(super) struct ListDecoder {
    item: FieldRef,
    items: Box<dyn ColumnDecoder>,
    offsets: Vec<i32>,
    length: i32,
    nulls: NullBufferBuilder,
}

impl ListDecoder {
    pub(super) fn new(item: FieldRef, items: Box<dyn ColumnDecoder>) -> Self {
        Self {
            item,
            items,
            offsets: vec![0],
            length: 0,
            nulls: NullBufferBuilder::new(0),
        }
    }

    fn end_list(&mut self, valid: bool) {
        self.offsets.push(self.length);
        self.nulls.append(valid);
    }
}

impl ColumnDecoder for ListDecoder {
    /// array_send: dimensions, a flag for NULLs, the elements' type, then length and lower bound of each dimension, then the elements.
    fn append(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        let mut rest = value;
        let dimensions = take_i32(&mut rest)?;
        let (_has_nulls, _element_type) = (take_i32(&mut rest)?, take_i32(&mut rest)?);
        match dimensions {
            0 => {
                self.end_list(true);
                return Ok(());
            }
            1 => {}
            _ => return Err(DecodeError::SeveralDimensions),
        }
        let length = take_i32(&mut rest)?;
        let _lower_bound = take_i32(&mut rest)?;
        let total = self
            .length
            .checked_add(length)
            .filter(|_| length >= 0)
            .ok_or(DecodeError::OutOfRange("list"))?;
        for _ in 0..length {
            let Ok(size) = usize::try_from(take_i32(&mut rest)?) else {
                self.items.append_null();
                continue;
            };
            let (element, after) = rest.split_at_checked(size).ok_or(DecodeError::Malformed("array"))?;
            self.items.append(element)?;
            rest = after;
        }
        self.length = total;
        self.end_list(true);
        Ok(())
    }

    fn append_null(&mut self) {
        self.end_list(false);
    }

    fn finish(&mut self) -> ArrayRef {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        self.length = 0;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Arc::new(ListArray::new(
            Arc::clone(&self.item),
            offsets,
            self.items.finish(),
            self.nulls.finish(),
        ))
    }
}

fn take_i32(rest: &mut &[u8]) -> Result<i32, DecodeError> {
    let (first, after) = rest.split_first_chunk::<4>().ok_or(DecodeError::Malformed("array"))?;
    *rest = after;
    Ok(i32::from_be_bytes(*first))
}
