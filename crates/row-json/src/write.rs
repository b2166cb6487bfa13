//! A cell as JSON.

use std::fmt::Write as _;

use arrow::{
    array::{Array, ArrayRef, AsArray as _, MapArray},
    datatypes::{
        DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
        DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType, Field,
        Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType,
        IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType, Time32MillisecondType, Time32SecondType,
        Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
    util::display::array_value_to_string,
};
use serde_json::{Map, Value, json};

use crate::{number, time};

/// The value of a cell.
pub(crate) fn cell(field: &Field, array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    macro_rules! value {
        ($type:ty) => {
            array.as_primitive::<$type>().value(row)
        };
    }
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::from(array.as_boolean().value(row)),
        DataType::Int8 => number::integer(value!(Int8Type).into()),
        DataType::Int16 => number::integer(value!(Int16Type).into()),
        DataType::Int32 => number::integer(value!(Int32Type).into()),
        DataType::Int64 => number::integer(value!(Int64Type).into()),
        DataType::UInt8 => number::integer(value!(UInt8Type).into()),
        DataType::UInt16 => number::integer(value!(UInt16Type).into()),
        DataType::UInt32 => number::integer(value!(UInt32Type).into()),
        DataType::UInt64 => number::integer(value!(UInt64Type).into()),
        DataType::Float16 => number::single(value!(Float16Type).to_f32()),
        DataType::Float32 => number::single(value!(Float32Type)),
        DataType::Float64 => number::double(value!(Float64Type)),
        DataType::Decimal32(_, scale) => number::decimal(&value!(Decimal32Type).to_string(), *scale).into(),
        DataType::Decimal64(_, scale) => number::decimal(&value!(Decimal64Type).to_string(), *scale).into(),
        DataType::Decimal128(_, scale) => number::decimal(&value!(Decimal128Type).to_string(), *scale).into(),
        DataType::Decimal256(_, scale) => number::decimal(&value!(Decimal256Type).to_string(), *scale).into(),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).into(),
        DataType::Binary => hexadecimal(array.as_binary::<i32>().value(row)).into(),
        DataType::LargeBinary => hexadecimal(array.as_binary::<i64>().value(row)).into(),
        DataType::BinaryView => hexadecimal(array.as_binary_view().value(row)).into(),
        DataType::FixedSizeBinary(_) => fixed(field, array.as_fixed_size_binary().value(row)).into(),
        DataType::Date32 => {
            let days = i64::from(value!(Date32Type));
            time::date(days).map_or_else(|| days.into(), Value::from)
        }
        DataType::Date64 => {
            let milliseconds = value!(Date64Type);
            let text = time::date_of_milliseconds(milliseconds);
            text.map_or_else(|| number::integer(milliseconds.into()), Value::from)
        }
        DataType::Time32(TimeUnit::Second) => time_of_day(value!(Time32SecondType).into(), TimeUnit::Second),
        DataType::Time32(_) => time_of_day(value!(Time32MillisecondType).into(), TimeUnit::Millisecond),
        DataType::Time64(TimeUnit::Microsecond) => time_of_day(value!(Time64MicrosecondType), TimeUnit::Microsecond),
        DataType::Time64(_) => time_of_day(value!(Time64NanosecondType), TimeUnit::Nanosecond),
        DataType::Timestamp(unit, zone) => {
            let value = match unit {
                TimeUnit::Second => value!(TimestampSecondType),
                TimeUnit::Millisecond => value!(TimestampMillisecondType),
                TimeUnit::Microsecond => value!(TimestampMicrosecondType),
                TimeUnit::Nanosecond => value!(TimestampNanosecondType),
            };
            let text = time::timestamp(value, *unit, zone.is_some());
            text.map_or_else(|| number::integer(value.into()), Value::from)
        }
        DataType::Duration(TimeUnit::Second) => number::integer(value!(DurationSecondType).into()),
        DataType::Duration(TimeUnit::Millisecond) => number::integer(value!(DurationMillisecondType).into()),
        DataType::Duration(TimeUnit::Microsecond) => number::integer(value!(DurationMicrosecondType).into()),
        DataType::Duration(TimeUnit::Nanosecond) => number::integer(value!(DurationNanosecondType).into()),
        DataType::Interval(IntervalUnit::YearMonth) => value!(IntervalYearMonthType).into(),
        DataType::Interval(IntervalUnit::DayTime) => {
            let value = value!(IntervalDayTimeType);
            json!({ "days": value.days, "milliseconds": value.milliseconds })
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = value!(IntervalMonthDayNanoType);
            let nanoseconds = number::integer(value.nanoseconds.into());
            json!({ "months": value.months, "days": value.days, "nanoseconds": nanoseconds })
        }
        DataType::List(item) => items(item, &array.as_list::<i32>().value(row)),
        DataType::LargeList(item) => items(item, &array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(item, _) => items(item, &array.as_fixed_size_list().value(row)),
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let member = |(field, column): (&std::sync::Arc<Field>, &ArrayRef)| {
                (field.name().clone(), cell(field, column.as_ref(), row))
            };
            Value::Object(columns.map(member).collect::<Map<_, _>>())
        }
        DataType::Map(..) => entries(array.as_map(), row),
        // The contract carries no others; whoever sends one sees it, and can not mend it.
        _ => array_value_to_string(array, row).map_or(Value::Null, Value::from),
    }
}

fn items(field: &Field, array: &ArrayRef) -> Value {
    (0..array.len()).map(|row| cell(field, array.as_ref(), row)).collect()
}

/// Keys need not be text, and may come twice.
fn entries(map: &MapArray, row: usize) -> Value {
    let entries = map.value(row);
    let (fields, columns) = (entries.fields(), entries.columns());
    let entry = |row| {
        json!([
            cell(&fields[0], columns[0].as_ref(), row),
            cell(&fields[1], columns[1].as_ref(), row)
        ])
    };
    (0..entries.len()).map(entry).collect()
}

fn time_of_day(value: i64, unit: TimeUnit) -> Value {
    time::time(value, unit).map_or_else(|| number::integer(value.into()), Value::from)
}

fn fixed(field: &Field, bytes: &[u8]) -> String {
    let digits = hexadecimal(bytes);
    if field.extension_type_name() != Some("arrow.uuid") || bytes.len() != 16 {
        return digits;
    }
    let parts = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    parts.join("-")
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes every text");
            text
        })
}
