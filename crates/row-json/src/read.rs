//! JSON as a cell of a column's type.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
        FixedSizeListArray, LargeBinaryArray, LargeListArray, LargeStringArray, ListArray, MapArray, PrimitiveArray,
        StringArray, StringViewArray, StructArray, new_empty_array, new_null_array,
    },
    buffer::OffsetBuffer,
    compute::concat,
    datatypes::{
        DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType,
        DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType, Field, FieldRef,
        Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTime,
        IntervalDayTimeType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType,
        Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
        UInt16Type, UInt32Type, UInt64Type,
    },
};
use serde_json::{Map, Value};

use crate::{
    number,
    time::{self, MILLISECONDS_A_DAY},
};

/// An array of one cell, or what the column takes instead.
type Cell = Result<ArrayRef, String>;

/// The value as the column has it. An error never repeats the value.
pub(crate) fn cell(field: &Field, value: &Value) -> Cell {
    let data_type = field.data_type();
    if value.is_null() {
        return match field.is_nullable() {
            true => Ok(new_null_array(data_type, 1)),
            false => Err("it can not be null".to_owned()),
        };
    }
    match data_type {
        DataType::Boolean => {
            let value = value.as_bool().ok_or_else(|| takes("true or false", value))?;
            Ok(Arc::new(BooleanArray::from(vec![value])))
        }
        DataType::Int8 => whole::<Int8Type>(value),
        DataType::Int16 => whole::<Int16Type>(value),
        DataType::Int32 => whole::<Int32Type>(value),
        DataType::Int64 => whole::<Int64Type>(value),
        DataType::UInt8 => whole::<UInt8Type>(value),
        DataType::UInt16 => whole::<UInt16Type>(value),
        DataType::UInt32 => whole::<UInt32Type>(value),
        DataType::UInt64 => whole::<UInt64Type>(value),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => float(data_type, value),
        DataType::Decimal32(precision, scale) => {
            decimal::<Decimal32Type>(value, (*precision, *scale), |text| text.parse().ok())
        }
        DataType::Decimal64(precision, scale) => {
            decimal::<Decimal64Type>(value, (*precision, *scale), |text| text.parse().ok())
        }
        DataType::Decimal128(precision, scale) => {
            decimal::<Decimal128Type>(value, (*precision, *scale), |text| text.parse().ok())
        }
        DataType::Decimal256(precision, scale) => {
            decimal::<Decimal256Type>(value, (*precision, *scale), arrow::datatypes::i256::from_string)
        }
        DataType::Utf8 => Ok(Arc::new(StringArray::from(vec![text(value)?]))),
        DataType::LargeUtf8 => Ok(Arc::new(LargeStringArray::from(vec![text(value)?]))),
        DataType::Utf8View => Ok(Arc::new(StringViewArray::from(vec![text(value)?]))),
        DataType::Binary => Ok(Arc::new(BinaryArray::from_vec(vec![&bytes(value)?]))),
        DataType::LargeBinary => Ok(Arc::new(LargeBinaryArray::from_vec(vec![&bytes(value)?]))),
        DataType::BinaryView => Ok(Arc::new(BinaryViewArray::from_iter_values([bytes(value)?]))),
        DataType::FixedSizeBinary(length) => fixed(value, *length),
        DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) | DataType::Timestamp(..) => {
            moment(data_type, value)
        }
        DataType::Duration(TimeUnit::Second) => whole::<DurationSecondType>(value),
        DataType::Duration(TimeUnit::Millisecond) => whole::<DurationMillisecondType>(value),
        DataType::Duration(TimeUnit::Microsecond) => whole::<DurationMicrosecondType>(value),
        DataType::Duration(TimeUnit::Nanosecond) => whole::<DurationNanosecondType>(value),
        DataType::Interval(unit) => interval(*unit, value),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => list(data_type, value),
        DataType::Struct(fields) => {
            let members = value.as_object().ok_or_else(|| takes("an object", value))?;
            structure(fields.iter(), members)
        }
        DataType::Map(entries, sorted) => map(entries, *sorted, value),
        other => Err(format!("a column of type {other} can not be mended here")),
    }
}

/// What a column takes, and the kind of what was found.
fn takes(wanted: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    format!("it takes {wanted}; this is {found} that is not one")
}

fn whole<T: ArrowPrimitiveType>(value: &Value) -> Cell
where
    T::Native: TryFrom<i128>,
    PrimitiveArray<T>: From<Vec<T::Native>>,
{
    let wanted = || takes(&format!("a whole number within {}", T::DATA_TYPE), value);
    let number = number::read_integer(value).ok_or_else(wanted)?;
    let number = T::Native::try_from(number).map_err(|_| wanted())?;
    Ok(Arc::new(PrimitiveArray::<T>::from(vec![number])))
}

fn float(data_type: &DataType, value: &Value) -> Cell {
    let wanted = || takes("a number, or \"NaN\", \"Infinity\" or \"-Infinity\"", value);
    let number = number::read_double(value).ok_or_else(wanted)?;
    // JSON's numbers are finite: one that only becomes infinite in the column is beyond it.
    let fits = |becomes_finite: bool| match becomes_finite || !number.is_finite() {
        true => Ok(()),
        false => Err(format!("the number is beyond {data_type}")),
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the nearest value of the column's own precision is what is meant"
    )]
    match data_type {
        DataType::Float64 => Ok(Arc::new(PrimitiveArray::<Float64Type>::from(vec![number]))),
        DataType::Float32 => {
            let number = number as f32;
            fits(number.is_finite())?;
            Ok(Arc::new(PrimitiveArray::<Float32Type>::from(vec![number])))
        }
        _ => {
            let number = <Float16Type as ArrowPrimitiveType>::Native::from_f64(number);
            fits(number.is_finite())?;
            Ok(Arc::new(PrimitiveArray::<Float16Type>::from(vec![number])))
        }
    }
}

fn decimal<T: DecimalType>(
    value: &Value,
    (precision, scale): (u8, i8),
    parse: impl Fn(&str) -> Option<T::Native>,
) -> Cell {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        _ => String::new(),
    };
    let number = number::read_decimal(&text, precision, scale).and_then(|digits| parse(&digits));
    let wanted = || {
        let wanted = format!("a decimal as text, of at most {precision} digits and {scale} of them behind the point");
        takes(&wanted, value)
    };
    let array = PrimitiveArray::<T>::from_iter_values([number.ok_or_else(wanted)?]);
    let array = array
        .with_precision_and_scale(precision, scale)
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(array))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| takes("a text", value))
}

fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    let wanted = || takes("bytes as hexadecimal digits", value);
    let digits = value.as_str().ok_or_else(wanted)?;
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wanted());
    }
    let pairs = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
    pairs.collect::<Result<_, _>>().map_err(|_| wanted())
}

fn fixed(value: &Value, length: i32) -> Cell {
    let plain = value.as_str().map(|text| Value::from(text.replace('-', "")));
    let bytes = bytes(plain.as_ref().unwrap_or(value))?;
    if usize::try_from(length) != Ok(bytes.len()) {
        return Err(format!(
            "it takes {length} bytes as hexadecimal digits; these are {}",
            bytes.len()
        ));
    }
    let array = FixedSizeBinaryArray::try_from_iter([bytes].into_iter()).map_err(|error| error.to_string())?;
    Ok(Arc::new(array))
}

fn moment(data_type: &DataType, value: &Value) -> Cell {
    let text = value.as_str();
    let said = |read: &dyn Fn(&str) -> Option<i64>| text.and_then(read);
    // A number stands only for what no text says: 20261120, meant as a day, would be some second or microsecond of 1970.
    let counted = |shown: &dyn Fn(i64) -> Option<String>| {
        let number = match text {
            Some(text) => text.parse().ok(),
            None => number::read_integer(value).and_then(|number| i64::try_from(number).ok()),
        };
        number.filter(|number| shown(*number).is_none())
    };
    let found = match data_type {
        DataType::Date32 => said(&time::read_date).or_else(|| counted(&time::date)),
        DataType::Date64 => said(&|text| time::read_date(text)?.checked_mul(MILLISECONDS_A_DAY))
            .or_else(|| counted(&time::date_of_milliseconds)),
        DataType::Time32(unit) | DataType::Time64(unit) => {
            said(&|text| time::read_time(text, *unit)).or_else(|| counted(&|number| time::time(number, *unit)))
        }
        DataType::Timestamp(unit, zone) => {
            let zoned = zone.is_some();
            said(&|text| time::read_timestamp(text, *unit, zoned))
                .or_else(|| counted(&|number| time::timestamp(number, *unit, zoned)))
        }
        _ => None,
    };
    let wanted = match data_type {
        DataType::Date32 | DataType::Date64 => "a date such as \"2026-11-20\"".to_owned(),
        DataType::Timestamp(unit, Some(_)) => {
            format!(
                "an instant with its zone such as \"2026-11-20T20:47:23Z\", to the {}",
                unit_name(*unit)
            )
        }
        DataType::Timestamp(unit, None) => {
            format!(
                "a moment without a zone such as \"2026-11-20T20:47:23\", to the {}",
                unit_name(*unit)
            )
        }
        _ => "a time of day such as \"20:47:23\", with no digit more than the column keeps".to_owned(),
    };
    let wanted = || takes(&wanted, value);
    let number = Value::from(found.ok_or_else(wanted)?);
    let cell = match data_type {
        DataType::Date32 => whole::<Date32Type>(&number),
        DataType::Date64 => whole::<Date64Type>(&number),
        DataType::Time32(TimeUnit::Second) => whole::<Time32SecondType>(&number),
        DataType::Time32(_) => whole::<Time32MillisecondType>(&number),
        DataType::Time64(TimeUnit::Microsecond) => whole::<Time64MicrosecondType>(&number),
        DataType::Time64(_) => whole::<Time64NanosecondType>(&number),
        DataType::Timestamp(TimeUnit::Second, zone) => return zoned::<TimestampSecondType>(&number, zone.as_ref()),
        DataType::Timestamp(TimeUnit::Millisecond, zone) => {
            return zoned::<TimestampMillisecondType>(&number, zone.as_ref());
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            return zoned::<TimestampMicrosecondType>(&number, zone.as_ref());
        }
        DataType::Timestamp(_, zone) => return zoned::<TimestampNanosecondType>(&number, zone.as_ref()),
        other => Err(format!("{other} is no time")),
    };
    cell.map_err(|_| wanted())
}

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "second",
        TimeUnit::Millisecond => "millisecond",
        TimeUnit::Microsecond => "microsecond",
        TimeUnit::Nanosecond => "nanosecond",
    }
}

fn zoned<T>(number: &Value, zone: Option<&Arc<str>>) -> Cell
where
    T: arrow::datatypes::ArrowTimestampType,
{
    let value = number.as_i64().ok_or_else(|| takes("a timestamp", number))?;
    let array = PrimitiveArray::<T>::from_iter_values([value]).with_timezone_opt(zone.cloned());
    Ok(Arc::new(array))
}

fn interval(unit: IntervalUnit, value: &Value) -> Cell {
    let part = |name: &str| value.get(name).and_then(number::read_integer);
    let small = |name: &str| part(name).and_then(|number| i32::try_from(number).ok());
    match unit {
        IntervalUnit::YearMonth => whole::<IntervalYearMonthType>(value),
        IntervalUnit::DayTime => {
            let wanted = || takes("an object with days and milliseconds", value);
            let days = small("days").ok_or_else(wanted)?;
            let time = IntervalDayTime::new(days, small("milliseconds").ok_or_else(wanted)?);
            Ok(Arc::new(PrimitiveArray::<IntervalDayTimeType>::from_iter_values([
                time,
            ])))
        }
        IntervalUnit::MonthDayNano => {
            let wanted = || takes("an object with months, days and nanoseconds", value);
            let (months, days) = small("months").zip(small("days")).ok_or_else(wanted)?;
            let nanoseconds = part("nanoseconds").and_then(|number| i64::try_from(number).ok());
            let interval = IntervalMonthDayNano::new(months, days, nanoseconds.ok_or_else(wanted)?);
            Ok(Arc::new(PrimitiveArray::<IntervalMonthDayNanoType>::from_iter_values(
                [interval],
            )))
        }
    }
}

fn list(data_type: &DataType, value: &Value) -> Cell {
    let items = value.as_array().ok_or_else(|| takes("an array", value))?;
    let broken = |error: arrow::error::ArrowError| error.to_string();
    let array: ArrayRef = match data_type {
        DataType::List(field) => {
            let values = joined(field, items.iter())?;
            let offsets = OffsetBuffer::from_lengths([values.len()]);
            Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, None).map_err(broken)?)
        }
        DataType::LargeList(field) => {
            let values = joined(field, items.iter())?;
            let offsets = OffsetBuffer::from_lengths([values.len()]);
            Arc::new(LargeListArray::try_new(Arc::clone(field), offsets, values, None).map_err(broken)?)
        }
        DataType::FixedSizeList(field, length) => {
            if usize::try_from(*length) != Ok(items.len()) {
                return Err(format!("it takes {length} items; these are {}", items.len()));
            }
            let values = joined(field, items.iter())?;
            Arc::new(FixedSizeListArray::try_new(Arc::clone(field), *length, values, None).map_err(broken)?)
        }
        other => return Err(format!("{other} is no list")),
    };
    Ok(array)
}

/// Cells of one type as one array.
fn joined<'a>(field: &FieldRef, values: impl Iterator<Item = &'a Value>) -> Cell {
    let item = |(index, value): (usize, &Value)| {
        cell(field, value).map_err(|message| format!("item {}: {message}", index + 1))
    };
    let cells = values.enumerate().map(item).collect::<Result<Vec<_>, _>>()?;
    if cells.is_empty() {
        return Ok(new_empty_array(field.data_type()));
    }
    let cells: Vec<&dyn Array> = cells.iter().map(AsRef::as_ref).collect();
    concat(&cells).map_err(|error| error.to_string())
}

fn structure<'a>(fields: impl Iterator<Item = &'a FieldRef>, members: &Map<String, Value>) -> Cell {
    let fields: Vec<&FieldRef> = fields.collect();
    if let Some(unknown) = members
        .keys()
        .find(|name| !fields.iter().any(|field| field.name() == *name))
    {
        return Err(format!("it has no member `{unknown}`"));
    }
    let mut columns = Vec::with_capacity(fields.len());
    for field in fields {
        let missing = || format!("its member `{}` is not there; write `null` for none", field.name());
        let value = members.get(field.name()).ok_or_else(missing)?;
        let column = cell(field, value).map_err(|message| format!("member `{}`: {message}", field.name()))?;
        columns.push((Arc::clone(field), column));
    }
    if columns.is_empty() {
        return Ok(Arc::new(StructArray::new_empty_fields(1, None)));
    }
    Ok(Arc::new(StructArray::from(columns)))
}

fn map(entries: &FieldRef, sorted: bool, value: &Value) -> Cell {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err("its entries are no structure".to_owned());
    };
    let wanted = || takes("an array of [key, value]", value);
    let pairs = value.as_array().ok_or_else(wanted)?;
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for pair in pairs {
        let [key, value] = pair.as_array().map(Vec::as_slice).unwrap_or_default() else {
            return Err(wanted());
        };
        keys.push(key);
        values.push(value);
    }
    let [key_field, value_field] = fields.iter().as_slice() else {
        return Err("its entries are not key and value".to_owned());
    };
    let columns = vec![
        joined(key_field, keys.into_iter())?,
        joined(value_field, values.into_iter())?,
    ];
    let broken = |error: arrow::error::ArrowError| error.to_string();
    let entries_array = StructArray::try_new(fields.clone(), columns, None).map_err(broken)?;
    let offsets = OffsetBuffer::from_lengths([entries_array.len()]);
    let array = MapArray::try_new(Arc::clone(entries), offsets, entries_array, None, sorted).map_err(broken)?;
    Ok(Arc::new(array))
}
