//! The decoder of each representation.

use std::sync::Arc;

use longshore_sdk::arrow::{
    array::{ArrayRef, BinaryBuilder, BooleanBuilder, FixedSizeBinaryBuilder, PrimitiveBuilder, StringBuilder},
    datatypes::{
        ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type,
        Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType,
        TimestampMicrosecondType,
    },
};

use super::{ColumnDecoder, DecodeError, bytes_of, date_since_1970, list::ListDecoder, numeric, timestamp_since_1970};
use crate::representation::Representation;

/// The decoder of a column.
pub(crate) fn decoder(representation: &Representation) -> Box<dyn ColumnDecoder> {
    let data_type = representation.data_type();
    match representation {
        Representation::Boolean => Box::new(BooleanDecoder(BooleanBuilder::new())),
        Representation::Int16 => fixed::<Int16Type, 2>(data_type, |bytes| Ok(i16::from_be_bytes(bytes))),
        Representation::Int32 => fixed::<Int32Type, 4>(data_type, |bytes| Ok(i32::from_be_bytes(bytes))),
        Representation::Int64 => fixed::<Int64Type, 8>(data_type, |bytes| Ok(i64::from_be_bytes(bytes))),
        Representation::Float32 => fixed::<Float32Type, 4>(data_type, |bytes| Ok(f32::from_be_bytes(bytes))),
        Representation::Float64 => fixed::<Float64Type, 8>(data_type, |bytes| Ok(f64::from_be_bytes(bytes))),
        Representation::Date => fixed::<Date32Type, 4>(data_type, |bytes| date_since_1970(i32::from_be_bytes(bytes))),
        Representation::Time => fixed::<Time64MicrosecondType, 8>(data_type, |bytes| Ok(i64::from_be_bytes(bytes))),
        Representation::Timestamp { .. } => {
            fixed::<TimestampMicrosecondType, 8>(data_type, |bytes| timestamp_since_1970(i64::from_be_bytes(bytes)))
        }
        Representation::Interval => fixed::<IntervalMonthDayNanoType, 16>(data_type, interval),
        Representation::Decimal128 { scale, .. } => {
            let scale = i32::from(*scale);
            any_length::<Decimal128Type, _>(data_type, move |value| numeric::scaled(value, scale))
        }
        Representation::Decimal256 { scale, .. } => {
            let scale = i32::from(*scale);
            any_length::<Decimal256Type, _>(data_type, move |value| numeric::scaled(value, scale))
        }
        Representation::Text | Representation::Json | Representation::ServerText => Box::new(TextDecoder {
            builder: StringBuilder::new(),
            prefix: 0,
        }),
        // jsonb_send puts a version number, 1, before the text.
        Representation::Jsonb => Box::new(TextDecoder {
            builder: StringBuilder::new(),
            prefix: 1,
        }),
        Representation::Bytes => Box::new(BytesDecoder(BinaryBuilder::new())),
        Representation::Uuid => Box::new(UuidDecoder(FixedSizeBinaryBuilder::new(16))),
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

struct Fixed<T: ArrowPrimitiveType, const N: usize> {
    builder: PrimitiveBuilder<T>,
    convert: fn([u8; N]) -> Result<T::Native, DecodeError>,
}

fn fixed<T: ArrowPrimitiveType, const N: usize>(
    data_type: DataType,
    convert: fn([u8; N]) -> Result<T::Native, DecodeError>,
) -> Box<dyn ColumnDecoder> {
    Box::new(Fixed {
        builder: PrimitiveBuilder::<T>::new().with_data_type(data_type),
        convert,
    })
}

impl<T: ArrowPrimitiveType, const N: usize> ColumnDecoder for Fixed<T, N> {
    fn append(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        self.builder.append_value((self.convert)(bytes_of(value)?)?);
        Ok(())
    }

    fn append_null(&mut self) {
        self.builder.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

struct AnyLength<T: ArrowPrimitiveType, F> {
    builder: PrimitiveBuilder<T>,
    convert: F,
}

fn any_length<T, F>(data_type: DataType, convert: F) -> Box<dyn ColumnDecoder>
where
    T: ArrowPrimitiveType,
    F: Fn(&[u8]) -> Result<T::Native, DecodeError> + Send + 'static,
{
    Box::new(AnyLength {
        builder: PrimitiveBuilder::<T>::new().with_data_type(data_type),
        convert,
    })
}

impl<T, F> ColumnDecoder for AnyLength<T, F>
where
    T: ArrowPrimitiveType,
    F: Fn(&[u8]) -> Result<T::Native, DecodeError> + Send,
{
    fn append(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        self.builder.append_value((self.convert)(value)?);
        Ok(())
    }

    fn append_null(&mut self) {
        self.builder.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

struct BooleanDecoder(BooleanBuilder);

impl ColumnDecoder for BooleanDecoder {
    fn append(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        let [byte] = bytes_of(value)?;
        self.0.append_value(byte != 0);
        Ok(())
    }

    fn append_null(&mut self) {
        self.0.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

struct TextDecoder {
    builder: StringBuilder,
    /// Bytes before the text.
    prefix: usize,
}

impl ColumnDecoder for TextDecoder {
    fn append(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        let text = value.get(self.prefix..).ok_or(DecodeError::Malformed("text"))?;
        self.builder
            .append_value(std::str::from_utf8(text).map_err(|_| DecodeError::NotUtf8)?);
        Ok(())
    }

    fn append_null(&mut self) {
        self.builder.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

struct BytesDecoder(BinaryBuilder);

impl ColumnDecoder for BytesDecoder {
    fn append(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        self.0.append_value(value);
        Ok(())
    }

    fn append_null(&mut self) {
        self.0.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

struct UuidDecoder(FixedSizeBinaryBuilder);

impl ColumnDecoder for UuidDecoder {
    fn append(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        self.0.append_value(value).map_err(|_| DecodeError::Malformed("uuid"))
    }

    fn append_null(&mut self) {
        self.0.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}
