//! The decoder of each representation.

use std::sync::Arc;

use longshore_sdk::arrow::{
    array::{
        ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, StringArray,
    },
    buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{
        DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type,
        Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
    },
};

use super::{
    BadValue, ColumnDecoder, DecodeError, bytes_of, date_since_1970, list::ListDecoder, numeric, timestamp_since_1970,
};
use crate::representation::Representation;

/// Bytes of a UUID.
const UUID_BYTES: usize = 16;

/// The decoder of a column.
pub(crate) fn decoder(representation: &Representation) -> Box<dyn ColumnDecoder> {
    let data_type = representation.data_type();
    match representation {
        Representation::Boolean => Box::new(BooleanDecoder),
        Representation::Int16 => fixed::<Int16Type, 2, _>(data_type, |bytes| Ok(i16::from_be_bytes(bytes))),
        Representation::Int32 => fixed::<Int32Type, 4, _>(data_type, |bytes| Ok(i32::from_be_bytes(bytes))),
        Representation::Int64 => fixed::<Int64Type, 8, _>(data_type, |bytes| Ok(i64::from_be_bytes(bytes))),
        Representation::Float32 => fixed::<Float32Type, 4, _>(data_type, |bytes| Ok(f32::from_be_bytes(bytes))),
        Representation::Float64 => fixed::<Float64Type, 8, _>(data_type, |bytes| Ok(f64::from_be_bytes(bytes))),
        Representation::Date => {
            fixed::<Date32Type, 4, _>(data_type, |bytes| date_since_1970(i32::from_be_bytes(bytes)))
        }
        Representation::Time => fixed::<Time64MicrosecondType, 8, _>(data_type, |bytes| Ok(i64::from_be_bytes(bytes))),
        Representation::Timestamp { .. } => {
            fixed::<TimestampMicrosecondType, 8, _>(data_type, |bytes| timestamp_since_1970(i64::from_be_bytes(bytes)))
        }
        Representation::Interval => fixed::<IntervalMonthDayNanoType, 16, _>(data_type, interval),
        Representation::Decimal128 { scale, .. } => {
            let scale = i32::from(*scale);
            primitive::<Decimal128Type, _>(data_type, move |value| numeric::scaled(value, scale))
        }
        Representation::Decimal256 { scale, .. } => {
            let scale = i32::from(*scale);
            primitive::<Decimal256Type, _>(data_type, move |value| numeric::scaled(value, scale))
        }
        Representation::Text | Representation::Json | Representation::ServerText => Box::new(TextDecoder { prefix: 0 }),
        // jsonb_send puts a version number, 1, before the text.
        Representation::Jsonb => Box::new(TextDecoder { prefix: 1 }),
        Representation::Bytes => Box::new(BytesDecoder),
        Representation::Uuid => Box::new(UuidDecoder),
        Representation::List(item) => Box::new(ListDecoder::new(Arc::new(item.item_field()), decoder(item))),
    }
}

/// interval_send: microseconds, days, months. Arrow counts nanoseconds.
fn interval(bytes: [u8; 16]) -> Result<IntervalMonthDayNano, DecodeError> {
    let (microseconds, rest) = bytes
        .split_first_chunk::<8>()
        .ok_or(DecodeError::Malformed("interval"))?;
    let (days, months) = rest
        .split_first_chunk::<4>()
        .ok_or(DecodeError::Malformed("interval"))?;
    let months: [u8; 4] = bytes_of(months)?;
    let nanoseconds = i64::from_be_bytes(*microseconds)
        .checked_mul(1_000)
        .ok_or(DecodeError::OutOfRange("interval"))?;
    Ok(IntervalMonthDayNano::new(
        i32::from_be_bytes(months),
        i32::from_be_bytes(*days),
        nanoseconds,
    ))
}

/// `None` where no value is NULL, as Arrow wants it.
pub(super) fn nulls_of(values: &[Option<&[u8]>]) -> Option<NullBuffer> {
    if values.iter().all(Option::is_some) {
        return None;
    }
    Some(NullBuffer::new(BooleanBuffer::collect_bool(values.len(), |row| {
        values[row].is_some()
    })))
}

/// Values that become one number each.
struct PrimitiveDecoder<T, F> {
    data_type: DataType,
    convert: F,
    of: std::marker::PhantomData<fn() -> T>,
}

/// Numbers of one width.
fn fixed<T, const N: usize, F>(data_type: DataType, convert: F) -> Box<dyn ColumnDecoder>
where
    T: ArrowPrimitiveType,
    F: Fn([u8; N]) -> Result<T::Native, DecodeError> + Send + 'static,
{
    primitive::<T, _>(data_type, move |value| convert(bytes_of(value)?))
}

fn primitive<T, F>(data_type: DataType, convert: F) -> Box<dyn ColumnDecoder>
where
    T: ArrowPrimitiveType,
    F: Fn(&[u8]) -> Result<T::Native, DecodeError> + Send + 'static,
{
    Box::new(PrimitiveDecoder::<T, F> {
        data_type,
        convert,
        of: std::marker::PhantomData,
    })
}

impl<T, F> ColumnDecoder for PrimitiveDecoder<T, F>
where
    T: ArrowPrimitiveType,
    F: Fn(&[u8]) -> Result<T::Native, DecodeError> + Send,
{
    fn decode(&self, values: &[Option<&[u8]>]) -> Result<ArrayRef, BadValue> {
        let mut numbers = Vec::with_capacity(values.len());
        for (row, value) in values.iter().enumerate() {
            numbers.push(match value {
                Some(value) => (self.convert)(value).map_err(|error| error.in_row(row))?,
                None => T::Native::default(),
            });
        }
        let array = PrimitiveArray::<T>::new(ScalarBuffer::from(numbers), nulls_of(values));
        Ok(Arc::new(array.with_data_type(self.data_type.clone())))
    }
}

struct BooleanDecoder;

impl ColumnDecoder for BooleanDecoder {
    fn decode(&self, values: &[Option<&[u8]>]) -> Result<ArrayRef, BadValue> {
        if let Some(row) = values
            .iter()
            .position(|value| value.is_some_and(|value| value.len() != 1))
        {
            return Err(DecodeError::Malformed("value").in_row(row));
        }
        let bits = BooleanBuffer::collect_bool(values.len(), |row| values[row].is_some_and(|value| value[0] != 0));
        Ok(Arc::new(BooleanArray::new(bits, nulls_of(values))))
    }
}

struct TextDecoder {
    /// Bytes before the text.
    prefix: usize,
}

impl ColumnDecoder for TextDecoder {
    fn decode(&self, values: &[Option<&[u8]>]) -> Result<ArrayRef, BadValue> {
        if let Some(row) = values
            .iter()
            .position(|value| value.is_some_and(|value| value.len() < self.prefix))
        {
            return Err(DecodeError::Malformed("text").in_row(row));
        }
        let (offsets, bytes) = joined(values, self.prefix)?;
        // Checks all texts as one, which is several times quicker than one by one.
        match StringArray::try_new(offsets, bytes, nulls_of(values)) {
            Ok(texts) => Ok(Arc::new(texts)),
            Err(_) => Err(DecodeError::NotUtf8.in_row(first_without_utf8(values, self.prefix))),
        }
    }
}

fn first_without_utf8(values: &[Option<&[u8]>], prefix: usize) -> usize {
    values
        .iter()
        .position(|value| value.is_some_and(|value| std::str::from_utf8(&value[prefix..]).is_err()))
        .unwrap_or_default()
}

/// The values one behind the other, without the first `prefix` bytes of each, and where each begins and ends.
fn joined(values: &[Option<&[u8]>], prefix: usize) -> Result<(OffsetBuffer<i32>, Buffer), BadValue> {
    let length_of = |value: &Option<&[u8]>| value.map_or(0, |value| value.len() - prefix);
    let total: usize = values.iter().map(length_of).sum();
    if i32::try_from(total).is_err() {
        return Err(DecodeError::OutOfRange("text").in_row(0));
    }
    let mut bytes = Vec::with_capacity(total);
    for value in values.iter().flatten() {
        bytes.extend_from_slice(&value[prefix..]);
    }
    let offsets = OffsetBuffer::from_lengths(values.iter().map(length_of));
    Ok((offsets, bytes.into()))
}

struct BytesDecoder;

impl ColumnDecoder for BytesDecoder {
    fn decode(&self, values: &[Option<&[u8]>]) -> Result<ArrayRef, BadValue> {
        let (offsets, bytes) = joined(values, 0)?;
        Ok(Arc::new(BinaryArray::new(offsets, bytes, nulls_of(values))))
    }
}

struct UuidDecoder;

impl ColumnDecoder for UuidDecoder {
    fn decode(&self, values: &[Option<&[u8]>]) -> Result<ArrayRef, BadValue> {
        let mut bytes = Vec::with_capacity(values.len() * UUID_BYTES);
        for (row, value) in values.iter().enumerate() {
            match value {
                Some(value) if value.len() == UUID_BYTES => bytes.extend_from_slice(value),
                Some(_) => return Err(DecodeError::Malformed("uuid").in_row(row)),
                None => bytes.extend_from_slice(&[0; UUID_BYTES]),
            }
        }
        let width = i32::try_from(UUID_BYTES).expect("16 is a small number");
        Ok(Arc::new(FixedSizeBinaryArray::new(
            width,
            bytes.into(),
            nulls_of(values),
        )))
    }
}
