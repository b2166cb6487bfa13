//! Arrow columns as the values that Batch can be told. The Arrow type is looked at once per batch; reading a cell is one `match`.

use std::{borrow::Cow, collections::HashSet};

use chrono::{DateTime, Utc};
use longshore_sdk::arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal256Array, FixedSizeBinaryArray, Float32Array,
        Float64Array, Int64Array, LargeStringArray, ListArray, MapArray, StringArray, StringViewArray, StructArray,
        UInt64Array,
    },
    buffer::NullBuffer,
    compute::{CastOptions, cast, cast_with_options},
    datatypes::{
        DataType, Decimal128Type, Decimal256Type, Field, Float32Type, Float64Type, Int64Type, TimeUnit, UInt64Type,
    },
    util::display::{DurationFormat, FormatOptions},
};
use serde_json::Number;

use crate::values::{Violation, instant, json::Json, number};

/// A cell's value.
pub(crate) enum Value<'a> {
    Null,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Single(f32),
    /// Exact, with all digits of its scale.
    Decimal(String),
    Text(Cow<'a, str>),
    /// Text that is declared to be JSON.
    JsonText(&'a str),
    Instant(DateTime<Utc>),
    /// Items of a list, to be read with [`Column::value`] from the list's item column.
    List(&'a Column, std::ops::Range<usize>),
    /// A struct or a map.
    Object(Json<'a>),
    /// The column holds something here that has no form in Batch, such as `infinity` for a date.
    Unwritable(Violation),
}

/// A column of one batch, ready to be read.
pub(crate) struct Column {
    nulls: Option<NullBuffer>,
    cells: Cells,
}

enum Cells {
    Null,
    Boolean(BooleanArray),
    Integer(Int64Array),
    Unsigned(UInt64Array),
    Single(Float32Array),
    Float(Float64Array),
    Decimal128(Decimal128Array),
    Decimal256(Decimal256Array),
    Text(StringArray),
    LargeText(LargeStringArray),
    TextView(StringViewArray),
    Uuid(FixedSizeBinaryArray),
    /// Units since 1970-01-01 in UTC, and units in a second.
    Instant(Int64Array, i64),
    Date(Int64Array),
    /// Text declared to be JSON.
    Json(Box<Column>),
    List(ListArray, Box<Column>),
    Struct(Vec<(String, Column)>),
    Map(MapArray, Box<Column>, Box<Column>),
}

/// The Arrow type has no form in Batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsupported;

/// Name of the canonical extension type's metadata key (Arrow columnar format, "Extension Types").
const EXTENSION: &str = "ARROW:extension:name";

impl Column {
    /// Whether a column of this field can be read at all.
    pub(crate) fn supports(field: &Field) -> bool {
        let empty = longshore_sdk::arrow::array::new_empty_array(field.data_type());
        Self::new(field, &empty).is_ok()
    }

    /// Looks at the field's type and makes the column ready.
    pub(crate) fn new(field: &Field, array: &ArrayRef) -> Result<Self, Unsupported> {
        let nulls = array.logical_nulls();
        let cells = Cells::new(field, array)?;
        Ok(Self { nulls, cells })
    }

    /// Whether the cell is NULL.
    pub(crate) fn is_null(&self, row: usize) -> bool {
        matches!(self.cells, Cells::Null) || self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// The cell's value.
    pub(crate) fn value(&self, row: usize) -> Value<'_> {
        if self.is_null(row) {
            return Value::Null;
        }
        match &self.cells {
            Cells::Null => Value::Null,
            Cells::Boolean(array) => Value::Boolean(array.value(row)),
            Cells::Integer(array) => Value::Integer(i128::from(array.value(row))),
            Cells::Unsigned(array) => Value::Integer(i128::from(array.value(row))),
            Cells::Single(array) => Value::Single(array.value(row)),
            Cells::Float(array) => Value::Float(array.value(row)),
            Cells::Decimal128(array) => Value::Decimal(array.value_as_string(row)),
            Cells::Decimal256(array) => Value::Decimal(array.value_as_string(row)),
            Cells::Text(array) => Value::Text(Cow::Borrowed(array.value(row))),
            Cells::LargeText(array) => Value::Text(Cow::Borrowed(array.value(row))),
            Cells::TextView(array) => Value::Text(Cow::Borrowed(array.value(row))),
            Cells::Uuid(array) => Value::Text(Cow::Owned(uuid_text(array.value(row)))),
            Cells::Instant(array, per_second) => instant_of(array.value(row), *per_second),
            Cells::Date(array) => instant::from_days(array.value(row)).map_or_else(Value::Unwritable, Value::Instant),
            Cells::Json(text) => text.text(row).map_or(Value::Null, Value::JsonText),
            Cells::List(list, items) => Value::List(items, range(list.value_offsets(), row)),
            Cells::Struct(_) | Cells::Map(..) => self.tree(row).map_or_else(Value::Unwritable, Value::Object),
        }
    }

    /// The cell's text where it is stored as text.
    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        if self.is_null(row) {
            return None;
        }
        match &self.cells {
            Cells::Text(array) => Some(array.value(row)),
            Cells::LargeText(array) => Some(array.value(row)),
            Cells::TextView(array) => Some(array.value(row)),
            _ => None,
        }
    }

    /// The cell as a JSON tree: for structs, maps, and lists of them.
    pub(crate) fn tree(&self, row: usize) -> Result<Json<'_>, Violation> {
        if self.is_null(row) {
            return Ok(Json::Null);
        }
        match &self.cells {
            Cells::Struct(fields) => object(
                fields
                    .iter()
                    .map(|(name, column)| Ok((Cow::Borrowed(name.as_str()), column.tree(row)?))),
            ),
            Cells::Map(map, keys, values) => object(range(map.value_offsets(), row).map(|entry| {
                let key = keys
                    .value(entry)
                    .into_text()
                    .ok_or_else(|| Violation::new("object_key_invalid", "A map key that is no text"))?;
                Ok((Cow::Owned(key), values.tree(entry)?))
            })),
            _ => self.value(row).into_tree(),
        }
    }
}

impl<'a> Value<'a> {
    /// JSON text that is NULL or a string as what it is; anything else as it is.
    #[inline]
    pub(crate) fn unquoted(self) -> Self {
        match self {
            Self::JsonText(text) => Self::of_json(text),
            other => other,
        }
    }

    fn of_json(text: &'a str) -> Self {
        match serde_json::from_str(text) {
            Ok(Json::Null) => Self::Null,
            Ok(Json::Text(text)) => Self::Text(text),
            _ => Self::JsonText(text),
        }
    }

    /// A scalar as text: what `kind: string`, custom ids and items of arrays are made of. `None` for NULL, lists and objects.
    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Self::Boolean(value) => Some(value.to_string()),
            Self::Integer(value) => Some(value.to_string()),
            Self::Float(value) => Some(value.to_string()),
            Self::Single(value) => Some(value.to_string()),
            Self::Decimal(text) => Some(text),
            Self::Text(text) => Some(text.into_owned()),
            Self::JsonText(text) => Some(text.to_owned()),
            Self::Instant(instant) => {
                let mut out = Vec::new();
                instant::write(instant, &mut out).ok()?;
                String::from_utf8(out).ok()
            }
            Self::Null | Self::List(..) | Self::Object(_) | Self::Unwritable(_) => None,
        }
    }

    /// The value as a JSON tree.
    pub(crate) fn into_tree(self) -> Result<Json<'a>, Violation> {
        match self {
            Self::Null => Ok(Json::Null),
            Self::Boolean(value) => Ok(Json::Boolean(value)),
            Self::Integer(value) => match (i64::try_from(value), u64::try_from(value)) {
                (Ok(value), _) => Ok(Json::Number(value.into())),
                (_, Ok(value)) => Ok(Json::Number(value.into())),
                _ => Err(Violation::new("number_out_of_range", "A whole number beyond 64 bits")),
            },
            Self::Float(value) => float_tree(value),
            Self::Single(value) => {
                let mut out = Vec::new();
                number::write_single(value, &mut out)?;
                Ok(Json::Number(
                    serde_json::from_slice(&out).expect("a written number is JSON"),
                ))
            }
            Self::Decimal(text) => {
                let mut out = Vec::new();
                number::write_decimal(&text, &mut out)?;
                Ok(Json::Number(
                    serde_json::from_slice(&out).expect("a written number is JSON"),
                ))
            }
            Self::JsonText(text) => serde_json::from_str(text).map_err(|_| json_invalid(text)),
            Self::List(items, range) => Ok(Json::Array(
                range.map(|item| items.tree(item)).collect::<Result<_, _>>()?,
            )),
            Self::Object(tree) => Ok(tree),
            Self::Unwritable(violation) => Err(violation),
            Self::Text(text) => Ok(Json::Text(text)),
            Self::Instant(_) => self
                .into_text()
                .map(|text| Json::Text(text.into()))
                .ok_or_else(instant::out_of_range),
        }
    }
}

/// An object of these members. A map may hold a key twice, an object can not: neither value is taken for the other.
fn object<'a>(
    members: impl Iterator<Item = Result<(Cow<'a, str>, Json<'a>), Violation>>,
) -> Result<Json<'a>, Violation> {
    let object = members.collect::<Result<Vec<_>, _>>()?;
    let mut names = HashSet::with_capacity(object.len());
    if !object.iter().all(|(name, _)| names.insert(name)) {
        let reason = "A map that has the same key twice";
        return Err(Violation::new("object_key_collision", reason));
    }
    Ok(Json::Object(object))
}

/// Text that was to be JSON and is not.
pub(crate) fn json_invalid(text: &str) -> Violation {
    Violation::new(
        "json_invalid",
        format!("A text of {} characters that is no JSON", text.chars().count()),
    )
}

impl Cells {
    fn new(field: &Field, array: &ArrayRef) -> Result<Self, Unsupported> {
        let extension = field.metadata().get(EXTENSION).map(String::as_str);
        let to = |data_type: &DataType| cast(array, data_type).map_err(|_| Unsupported);
        let cells = match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => Self::Integer(to(&DataType::Int64)?.as_primitive::<Int64Type>().clone()),
            DataType::UInt64 => Self::Unsigned(array.as_primitive::<UInt64Type>().clone()),
            DataType::Float16 | DataType::Float32 => {
                Self::Single(to(&DataType::Float32)?.as_primitive::<Float32Type>().clone())
            }
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>().clone()),
            DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => Self::Decimal128(
                to(&DataType::Decimal128(*precision, *scale))?
                    .as_primitive::<Decimal128Type>()
                    .clone(),
            ),
            DataType::Decimal128(..) => Self::Decimal128(array.as_primitive::<Decimal128Type>().clone()),
            DataType::Decimal256(..) => Self::Decimal256(array.as_primitive::<Decimal256Type>().clone()),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if extension == Some("arrow.json") => {
                let plain = Field::new(field.name(), array.data_type().clone(), true);
                let text = Column {
                    nulls: array.logical_nulls(),
                    cells: Self::new(&plain, array)?,
                };
                Self::Json(Box::new(text))
            }
            DataType::Utf8 => Self::Text(array.as_string::<i32>().clone()),
            DataType::LargeUtf8 => Self::LargeText(array.as_string::<i64>().clone()),
            DataType::Utf8View => Self::TextView(array.as_string_view().clone()),
            DataType::FixedSizeBinary(16) if extension == Some("arrow.uuid") => {
                Self::Uuid(array.as_fixed_size_binary().clone())
            }
            DataType::Timestamp(unit, _) => Self::Instant(
                to(&DataType::Int64)?.as_primitive::<Int64Type>().clone(),
                per_second(*unit),
            ),
            DataType::Date64 => Self::Instant(to(&DataType::Int64)?.as_primitive::<Int64Type>().clone(), 1_000),
            DataType::Date32 => {
                let days = cast(&to(&DataType::Int32)?, &DataType::Int64).map_err(|_| Unsupported)?;
                Self::Date(days.as_primitive::<Int64Type>().clone())
            }
            DataType::Time32(unit) | DataType::Time64(unit) => {
                let storage = if matches!(array.data_type(), DataType::Time32(_)) {
                    DataType::Int32
                } else {
                    DataType::Int64
                };
                let units = cast(&to(&storage)?, &DataType::Int64).map_err(|_| Unsupported)?;
                let texts = units.as_primitive::<Int64Type>().iter();
                Self::Text(
                    texts
                        .map(|units| units.map(|units| time_of_day(units, per_second(*unit))))
                        .collect(),
                )
            }
            DataType::Interval(_) | DataType::Duration(_) => {
                let format_options = FormatOptions::new().with_duration_format(DurationFormat::ISO8601);
                let options = CastOptions {
                    safe: true,
                    format_options,
                };
                let text = cast_with_options(array, &DataType::Utf8, &options).map_err(|_| Unsupported)?;
                Self::Text(text.as_string::<i32>().clone())
            }
            DataType::List(item) => {
                let list = array.as_list::<i32>().clone();
                let items = Column::new(item, list.values())?;
                Self::List(list, Box::new(items))
            }
            DataType::LargeList(item)
            | DataType::FixedSizeList(item, _)
            | DataType::ListView(item)
            | DataType::LargeListView(item) => {
                let list = to(&DataType::List(item.clone()))?;
                return Self::new(field, &list);
            }
            DataType::Struct(fields) => {
                let array: &StructArray = array.as_struct();
                let members = fields.iter().zip(array.columns());
                let member = |(field, column): (&std::sync::Arc<Field>, &ArrayRef)| {
                    Ok((field.name().clone(), Column::new(field, column)?))
                };
                Self::Struct(members.map(member).collect::<Result<_, _>>()?)
            }
            DataType::Map(..) => {
                let map = array.as_map().clone();
                let (key_field, value_field) = map.entries_fields();
                let keys = Column::new(key_field, map.keys())?;
                let values = Column::new(value_field, map.values())?;
                Self::Map(map, Box::new(keys), Box::new(values))
            }
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
            | DataType::Dictionary(..)
            | DataType::RunEndEncoded(..)
            | DataType::Union(..) => return Err(Unsupported),
        };
        Ok(cells)
    }
}

/// `HH:MM:SS` with as many digits of the second as there are. 24:00:00, which PostgreSQL knows and no clock type of Rust does, is one of them.
fn time_of_day(units: i64, per_second: i64) -> String {
    let seconds = units.div_euclid(per_second);
    let nanoseconds = units.rem_euclid(per_second) * (1_000_000_000 / per_second);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match nanoseconds {
        0 => clock,
        _ if nanoseconds % 1_000_000 == 0 => format!("{clock}.{:03}", nanoseconds / 1_000_000),
        _ if nanoseconds % 1_000 == 0 => format!("{clock}.{:06}", nanoseconds / 1_000),
        _ => format!("{clock}.{nanoseconds:09}"),
    }
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

fn instant_of<'a>(value: i64, per_second: i64) -> Value<'a> {
    let nanoseconds = value.rem_euclid(per_second) * (1_000_000_000 / per_second);
    let nanoseconds = u32::try_from(nanoseconds).expect("the part of a second is below 10^9 nanoseconds");
    DateTime::from_timestamp(value.div_euclid(per_second), nanoseconds)
        .map_or_else(|| Value::Unwritable(instant::out_of_range()), Value::Instant)
}

fn float_tree(value: f64) -> Result<Json<'static>, Violation> {
    let number = Number::from_f64(value)
        .ok_or_else(|| Violation::new("number_not_finite", "NaN or infinity, which JSON has no form for"))?;
    Ok(Json::Number(number))
}

fn range(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    let offset = |index: usize| usize::try_from(offsets[index]).expect("Arrow offsets are not negative");
    offset(row)..offset(row + 1)
}

/// The 36 characters of a UUID (RFC 9562, section 4).
fn uuid_text(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_keeps_its_digits_and_the_end_of_the_day() {
        assert_eq!(time_of_day(3_661, 1), "01:01:01");
        assert_eq!(time_of_day(3_661_120, 1_000), "01:01:01.120");
        assert_eq!(time_of_day(1, 1_000_000), "00:00:00.000001");
        assert_eq!(time_of_day(1, 1_000_000_000), "00:00:00.000000001");
        assert_eq!(time_of_day(86_400_000_000, 1_000_000), "24:00:00");
    }
}
