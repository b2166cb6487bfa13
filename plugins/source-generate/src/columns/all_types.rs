//! A column of each Arrow type that the contract carries.
//!
//! Of every eight rows the first holds each type's least value, the second its greatest, the third NULLs, the fourth zeros and empty values; the other four hold
//! anything. Dates and instants go from year 1 to year 9999, as far as most languages can follow, where the unit reaches that far. Left out are the types that the contract
//! excludes (dictionaries) and those that Arrow's own libraries do not all read (views, run-end encoding, unions, intervals other than month-day-nanosecond).

use std::{collections::HashMap, ops::Range, sync::Arc};

use longshore_sdk::arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, Decimal32Array, Decimal64Array, Decimal128Array, Decimal256Array,
        FixedSizeBinaryBuilder, FixedSizeListBuilder, Float32Builder, Int64Builder, LargeBinaryArray, LargeListBuilder,
        LargeStringArray, ListBuilder, MapBuilder, MapFieldNames, NullArray, PrimitiveArray, StringArray,
        StringBuilder, StructArray,
    },
    datatypes::*,
};

use super::{Cells, Make, numbers};

const LAST_DAY: i32 = 2_932_896;
const FIRST_DAY: i32 = -719_162;
const DAY: i64 = 86_400;
const FIRST_SECOND: i64 = FIRST_DAY as i64 * DAY;
const LAST_SECOND: i64 = (LAST_DAY as i64 + 1) * DAY - 1;
/// Longer spans of seconds or milliseconds are more than Python's `timedelta` holds.
const LONGEST_SECONDS: i64 = 999_999_999 * DAY;

/// Text that anything which escapes, truncates or counts bytes gets wrong.
const HARD_TEXT: &str = "\u{10FFFF} ⛵ né \"'\\,;\t\r\n\0 z\u{301}";

const UUID_BYTES: i32 = 16;
const TRIPLE: i32 = 3;

/// Which value of its type a cell holds.
enum Case {
    Least,
    Greatest,
    Null,
    Zero,
    Any(u64),
}

impl Cells {
    fn case(&self, id: u64) -> Case {
        match id % 8 {
            1 => Case::Least,
            2 => Case::Greatest,
            3 => Case::Null,
            4 => Case::Zero,
            _ => Case::Any(self.hash(id)),
        }
    }

    /// A column whose zero is the type's default.
    fn values<T: Default, C: FromIterator<Option<T>>>(
        &self,
        ids: Range<u64>,
        least: impl Fn() -> T,
        greatest: impl Fn() -> T,
        any: impl Fn(u64) -> T,
    ) -> C {
        ids.map(|id| match self.case(id) {
            Case::Least => Some(least()),
            Case::Greatest => Some(greatest()),
            Case::Null => None,
            Case::Zero => Some(T::default()),
            Case::Any(hash) => Some(any(hash)),
        })
        .collect()
    }
}

macro_rules! primitive {
    ($name:literal, $arrow:ty, $data_type:expr, $least:expr, $greatest:expr, $any:expr) => {
        (Field::new($name, $data_type, true), |cells, ids| {
            let column: PrimitiveArray<$arrow> = cells.values(ids, || $least, || $greatest, $any);
            Arc::new(column.with_data_type($data_type))
        })
    };
}

macro_rules! integer {
    ($name:literal, $arrow:ty, $native:ty) => {
        primitive!(
            $name,
            $arrow,
            <$arrow>::DATA_TYPE,
            <$native>::MIN,
            <$native>::MAX,
            |hash| hash as $native
        )
    };
}

/// A temporal type whose values lie between two bounds.
macro_rules! between {
    ($name:literal, $arrow:ty, $data_type:expr, $least:expr, $greatest:expr) => {
        primitive!($name, $arrow, $data_type, $least, $greatest, |hash| {
            let (least, greatest) = (i128::from($least), i128::from($greatest));
            let value = least + i128::from(hash) % (greatest - least + 1);
            value.try_into().expect("it lies between two values of the type")
        })
    };
}

pub(super) fn columns() -> Vec<(Field, Make)> {
    let mut columns = numeric();
    columns.extend(temporal());
    columns.extend(textual());
    columns.extend(nested());
    columns
}

fn numeric() -> Vec<(Field, Make)> {
    vec![
        (Field::new("boolean", DataType::Boolean, true), |cells, ids| {
            let column: BooleanArray = cells.values(ids, || false, || true, |hash| hash & 1 == 1);
            Arc::new(column)
        }),
        integer!("int8", Int8Type, i8),
        integer!("int16", Int16Type, i16),
        integer!("int32", Int32Type, i32),
        integer!("int64", Int64Type, i64),
        integer!("uint8", UInt8Type, u8),
        integer!("uint16", UInt16Type, u16),
        integer!("uint32", UInt32Type, u32),
        integer!("uint64", UInt64Type, u64),
        (Field::new("float16", DataType::Float16, true), half_floats),
        primitive!("float32", Float32Type, DataType::Float32, f32::MIN, f32::MAX, |hash| {
            f32::from_bits(hash as u32)
        }),
        primitive!(
            "float64",
            Float64Type,
            DataType::Float64,
            f64::MIN,
            f64::MAX,
            f64::from_bits
        ),
        (
            Field::new("decimal32", DataType::Decimal32(9, 2), true),
            |cells, ids| {
                let most = 999_999_999;
                let column: Decimal32Array = cells.values(ids, || -most, || most, |hash| (hash % 1_000_000_000) as i32);
                Arc::new(column.with_data_type(DataType::Decimal32(9, 2)))
            },
        ),
        (
            Field::new("decimal64", DataType::Decimal64(18, 4), true),
            |cells, ids| {
                let most = 999_999_999_999_999_999;
                let column: Decimal64Array = cells.values(ids, || -most, || most, |hash| (hash >> 5) as i64);
                Arc::new(column.with_data_type(DataType::Decimal64(18, 4)))
            },
        ),
        (
            Field::new("decimal128", DataType::Decimal128(38, 10), true),
            |cells, ids| {
                let most = 10_i128.pow(38) - 1;
                let any = |hash| i128::from(hash) * i128::from(hash >> 8);
                let column: Decimal128Array = cells.values(ids, || -most, || most, any);
                Arc::new(column.with_data_type(DataType::Decimal128(38, 10)))
            },
        ),
        (
            Field::new("decimal256", DataType::Decimal256(76, 20), true),
            |cells, ids| {
                let most = i256::from_string(&"9".repeat(76)).expect("76 digits fit 256 bits");
                let any =
                    |hash| i256::from_i128(i128::from(hash) << 60).wrapping_mul(i256::from_i128(i128::from(hash)));
                let column: Decimal256Array = cells.values(ids, || -most, || most, any);
                Arc::new(column.with_data_type(DataType::Decimal256(76, 20)))
            },
        ),
    ]
}

fn half_floats(cells: &Cells, ids: Range<u64>) -> ArrayRef {
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    numbers::<Float16Type>(ids, |id| match cells.case(id) {
        Case::Least => Some(Half::MIN),
        Case::Greatest => Some(Half::MAX),
        Case::Null => None,
        Case::Zero => Some(Half::from_bits(0)),
        Case::Any(hash) => Some(Half::from_bits(hash as u16)),
    })
}

fn utc() -> Option<Arc<str>> {
    Some("UTC".into())
}

fn temporal() -> Vec<(Field, Make)> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    vec![
        between!("date32", Date32Type, DataType::Date32, FIRST_DAY, LAST_DAY),
        primitive!(
            "date64",
            Date64Type,
            DataType::Date64,
            FIRST_SECOND * 1_000,
            i64::from(LAST_DAY) * DAY * 1_000,
            |hash| (hash % LAST_DAY as u64) as i64 * DAY * 1_000
        ),
        between!("time32_s", Time32SecondType, DataType::Time32(Second), 0, 86_399),
        between!(
            "time32_ms",
            Time32MillisecondType,
            DataType::Time32(Millisecond),
            0,
            86_399_999
        ),
        between!(
            "time64_us",
            Time64MicrosecondType,
            DataType::Time64(Microsecond),
            0,
            86_399_999_999_i64
        ),
        between!(
            "time64_ns",
            Time64NanosecondType,
            DataType::Time64(Nanosecond),
            0,
            86_399_999_999_999_i64
        ),
        between!(
            "timestamp_s",
            TimestampSecondType,
            DataType::Timestamp(Second, None),
            FIRST_SECOND,
            LAST_SECOND
        ),
        between!(
            "timestamp_ms",
            TimestampMillisecondType,
            DataType::Timestamp(Millisecond, None),
            FIRST_SECOND * 1_000,
            LAST_SECOND * 1_000
        ),
        between!(
            "timestamp_us",
            TimestampMicrosecondType,
            DataType::Timestamp(Microsecond, None),
            FIRST_SECOND * 1_000_000,
            LAST_SECOND * 1_000_000
        ),
        between!(
            "timestamp_ns",
            TimestampNanosecondType,
            DataType::Timestamp(Nanosecond, None),
            i64::MIN,
            i64::MAX
        ),
        between!(
            "instant_us",
            TimestampMicrosecondType,
            DataType::Timestamp(Microsecond, utc()),
            FIRST_SECOND * 1_000_000,
            LAST_SECOND * 1_000_000
        ),
        between!(
            "instant_ns",
            TimestampNanosecondType,
            DataType::Timestamp(Nanosecond, utc()),
            i64::MIN,
            i64::MAX
        ),
        between!(
            "duration_s",
            DurationSecondType,
            DataType::Duration(Second),
            -LONGEST_SECONDS,
            LONGEST_SECONDS
        ),
        between!(
            "duration_ms",
            DurationMillisecondType,
            DataType::Duration(Millisecond),
            -LONGEST_SECONDS * 1_000,
            LONGEST_SECONDS * 1_000
        ),
        between!(
            "duration_us",
            DurationMicrosecondType,
            DataType::Duration(Microsecond),
            i64::MIN,
            i64::MAX
        ),
        between!(
            "duration_ns",
            DurationNanosecondType,
            DataType::Duration(Nanosecond),
            i64::MIN,
            i64::MAX
        ),
        primitive!(
            "interval",
            IntervalMonthDayNanoType,
            DataType::Interval(IntervalUnit::MonthDayNano),
            IntervalMonthDayNano::new(i32::MIN, i32::MIN, i64::MIN),
            IntervalMonthDayNano::new(i32::MAX, i32::MAX, i64::MAX),
            |hash| IntervalMonthDayNano::new(hash as i8 as i32, (hash >> 8) as i8 as i32, hash as i64)
        ),
    ]
}

fn textual() -> Vec<(Field, Make)> {
    let extension = |name: &str| HashMap::from([("ARROW:extension:name".to_owned(), name.to_owned())]);
    vec![
        (Field::new("utf8", DataType::Utf8, true), |cells, ids| {
            let column: StringArray = cells.texts(ids).collect();
            Arc::new(column)
        }),
        (Field::new("large_utf8", DataType::LargeUtf8, true), |cells, ids| {
            let column: LargeStringArray = cells.texts(ids).collect();
            Arc::new(column)
        }),
        (Field::new("binary", DataType::Binary, true), |cells, ids| {
            let column: BinaryArray = cells.bytes(ids).collect();
            Arc::new(column)
        }),
        (Field::new("large_binary", DataType::LargeBinary, true), |cells, ids| {
            let column: LargeBinaryArray = cells.bytes(ids).collect();
            Arc::new(column)
        }),
        (
            Field::new("uuid", DataType::FixedSizeBinary(UUID_BYTES), true).with_metadata(extension("arrow.uuid")),
            |cells, ids| {
                let mut column = FixedSizeBinaryBuilder::new(UUID_BYTES);
                for id in ids {
                    let bytes = match cells.case(id) {
                        Case::Least | Case::Zero => [0; UUID_BYTES as usize],
                        Case::Greatest => [u8::MAX; UUID_BYTES as usize],
                        Case::Any(hash) => (u128::from(hash) * u128::from(!hash)).to_be_bytes(),
                        Case::Null => {
                            column.append_null();
                            continue;
                        }
                    };
                    column.append_value(bytes).expect("each value has 16 bytes");
                }
                Arc::new(column.finish())
            },
        ),
        (
            Field::new("json", DataType::Utf8, true).with_metadata(extension("arrow.json")),
            |cells, ids| {
                let least = || "null".to_owned();
                let greatest = || r#"{"a":[1,-2.5e300,"\u0000",{"b":null}],"":true}"#.to_owned();
                let column: StringArray = ids
                    .map(|id| match cells.case(id) {
                        Case::Least => Some(least()),
                        Case::Greatest => Some(greatest()),
                        Case::Null => None,
                        Case::Zero => Some("{}".to_owned()),
                        Case::Any(hash) => Some(format!(r#"{{"hash":"{hash:x}"}}"#)),
                    })
                    .collect();
                Arc::new(column)
            },
        ),
        (Field::new("null", DataType::Null, true), |_, ids| {
            let rows = usize::try_from(ids.end - ids.start).expect("a batch's rows fit in memory");
            Arc::new(NullArray::new(rows))
        }),
    ]
}

impl Cells {
    fn texts(&self, ids: Range<u64>) -> impl Iterator<Item = Option<String>> {
        ids.map(|id| match self.case(id) {
            Case::Null => None,
            Case::Least | Case::Zero => Some(String::new()),
            Case::Greatest => Some(HARD_TEXT.to_owned()),
            Case::Any(hash) => Some(format!("{hash:016x}")),
        })
    }

    fn bytes(&self, ids: Range<u64>) -> impl Iterator<Item = Option<Vec<u8>>> {
        ids.map(|id| match self.case(id) {
            Case::Null => None,
            Case::Least | Case::Zero => Some(Vec::new()),
            Case::Greatest => Some((0..=u8::MAX).collect()),
            Case::Any(hash) => Some(hash.to_be_bytes().to_vec()),
        })
    }
}

fn nested() -> Vec<(Field, Make)> {
    let item = |data_type| Arc::new(Field::new_list_field(data_type, true));
    vec![
        (
            Field::new("list", DataType::List(item(DataType::Int64)), true),
            |cells, ids| {
                let mut column = ListBuilder::new(Int64Builder::new());
                for id in ids {
                    match cells.case(id) {
                        Case::Null => column.append_null(),
                        Case::Zero => column.append(true),
                        Case::Least => column.append_value([None]),
                        Case::Greatest => column.append_value([Some(i64::MIN), None, Some(i64::MAX)]),
                        Case::Any(hash) => column.append_value((0..hash % 4).map(|item| Some(item as i64))),
                    }
                }
                Arc::new(column.finish())
            },
        ),
        (
            Field::new("large_list", DataType::LargeList(item(DataType::Utf8)), true),
            |cells, ids| {
                let mut column = LargeListBuilder::new(StringBuilder::new());
                for id in ids {
                    match cells.case(id) {
                        Case::Null => column.append_null(),
                        Case::Zero => column.append(true),
                        Case::Least => column.append_value([Some(""), None]),
                        Case::Greatest => column.append_value([Some(HARD_TEXT)]),
                        Case::Any(hash) => column.append_value([Some(format!("{hash:x}"))]),
                    }
                }
                Arc::new(column.finish())
            },
        ),
        (
            Field::new(
                "fixed_size_list",
                DataType::FixedSizeList(item(DataType::Float32), TRIPLE),
                true,
            ),
            |cells, ids| {
                let mut column = FixedSizeListBuilder::new(Float32Builder::new(), TRIPLE);
                for id in ids {
                    let values = match cells.case(id) {
                        Case::Null => [None; TRIPLE as usize],
                        Case::Zero => [Some(0.0), Some(-0.0), None],
                        Case::Least => [Some(f32::MIN), Some(f32::NEG_INFINITY), Some(f32::MIN_POSITIVE)],
                        Case::Greatest => [Some(f32::MAX), Some(f32::INFINITY), Some(f32::NAN)],
                        Case::Any(hash) => [Some(hash as f32), None, Some(1.5)],
                    };
                    column.values().extend(values);
                    column.append(!matches!(cells.case(id), Case::Null));
                }
                Arc::new(column.finish())
            },
        ),
        (Field::new("struct", DataType::Struct(struct_fields()), true), structs),
        (
            Field::new_map(
                "map",
                "entries",
                Field::new("key", DataType::Utf8, false),
                Field::new("value", DataType::Int64, true),
                false,
                true,
            ),
            |cells, ids| {
                let mut column = MapBuilder::new(Some(map_names()), StringBuilder::new(), Int64Builder::new());
                for id in ids {
                    match cells.case(id) {
                        Case::Null | Case::Zero => {}
                        Case::Least => {
                            column.keys().append_value("");
                            column.values().append_null();
                        }
                        Case::Greatest => {
                            column.keys().extend([Some(HARD_TEXT), Some("b")]);
                            column.values().extend([Some(i64::MAX), Some(i64::MIN)]);
                        }
                        Case::Any(hash) => {
                            column.keys().append_value("hash");
                            column.values().append_value(hash as i64);
                        }
                    }
                    column
                        .append(!matches!(cells.case(id), Case::Null))
                        .expect("each key has its value");
                }
                Arc::new(column.finish())
            },
        ),
    ]
}

/// As the columnar format recommends and as other implementations name them.
fn map_names() -> MapFieldNames {
    MapFieldNames {
        entry: "entries".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    }
}

fn struct_fields() -> Fields {
    Fields::from(vec![
        Field::new("number", DataType::Int32, true),
        Field::new("text", DataType::Utf8, true),
    ])
}

fn structs(cells: &Cells, ids: Range<u64>) -> ArrayRef {
    let present: Vec<bool> = ids.clone().map(|id| !matches!(cells.case(id), Case::Null)).collect();
    let column: PrimitiveArray<Int32Type> = cells.values(ids.clone(), || i32::MIN, || i32::MAX, |hash| hash as i32);
    let texts: StringArray = cells.texts(ids).collect();
    Arc::new(StructArray::new(
        struct_fields(),
        vec![Arc::new(column), Arc::new(texts)],
        Some(present.into()),
    ))
}
