//! Every value has one form in JSON, which is read back as the same value; what a person leaves alone keeps its bits; what does not fit is refused.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{
        Array as _, ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, Decimal256Array,
        DurationMillisecondArray, FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array, Int32Builder,
        Int64Array, IntervalMonthDayNanoArray, LargeStringArray, ListArray, MapBuilder, RecordBatch, StringArray,
        StringBuilder, StructArray, Time32SecondArray, Time64NanosecondArray, TimestampMicrosecondArray,
        TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
    },
    datatypes::{DataType, Field, Int32Type, IntervalMonthDayNano, Schema, i256},
};
use longshore_row_json::{RowError, StoredRow};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn row(columns: Vec<(&str, ArrayRef)>) -> StoredRow {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    StoredRow::first_of(&RecordBatch::try_from_iter_with_nullable(columns).unwrap()).unwrap()
}

/// The same columns, all NULL: every value is then read from JSON.
fn blank(row: &StoredRow) -> StoredRow {
    let schema = row.batch().schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| arrow::array::new_null_array(field.data_type(), 1));
    StoredRow::first_of(&RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()).unwrap()
}

/// Through JSON text and back.
fn there_and_back(row: &StoredRow) -> StoredRow {
    let text = Value::Object(row.to_json()).to_string();
    let values: Map<String, Value> = serde_json::from_str(&text).unwrap();
    blank(row).mended(&values).unwrap().0
}

#[derive(Clone, Debug)]
struct Values {
    flag: bool,
    small: i8,
    whole: i64,
    unsigned: u64,
    single: f32,
    double: f64,
    decimal: i128,
    huge: i128,
    text: String,
    bytes: Vec<u8>,
    days: i32,
    instant: i64,
    time: u32,
    items: Vec<Option<i32>>,
}

fn values() -> impl Strategy<Value = Values> {
    let numbers = (
        any::<bool>(),
        any::<i8>(),
        any::<i64>(),
        any::<u64>(),
        any::<f32>(),
        any::<f64>(),
    );
    let decimals = (-10_i128.pow(37)..10_i128.pow(37), any::<i128>());
    let others = (
        any::<String>(),
        proptest::collection::vec(any::<u8>(), 0..20),
        any::<i32>(),
        any::<i64>(),
        0_u32..86_400,
        proptest::collection::vec(any::<Option<i32>>(), 0..5),
    );
    (numbers, decimals, others).prop_map(
        |(numbers, (decimal, huge), (text, bytes, days, instant, time, items))| {
            let (flag, small, whole, unsigned, single, double) = numbers;
            Values {
                flag,
                small,
                whole,
                unsigned,
                single,
                double,
                decimal,
                huge,
                text,
                bytes,
                days,
                instant,
                time,
                items,
            }
        },
    )
}

fn columns(values: &Values) -> Vec<(&'static str, ArrayRef)> {
    let decimal = Decimal128Array::from(vec![values.decimal])
        .with_precision_and_scale(38, 9)
        .unwrap();
    let huge = Decimal256Array::from(vec![i256::from_i128(values.huge)])
        .with_precision_and_scale(76, 20)
        .unwrap();
    let items = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(values.items.clone())]);
    let mut fixed = [0; 16];
    fixed[..values.bytes.len().min(16)].copy_from_slice(&values.bytes[..values.bytes.len().min(16)]);
    let member: ArrayRef = Arc::new(Int64Array::from(vec![values.whole]));
    let nested: ArrayRef = Arc::new(items.clone());
    let structure = StructArray::from(vec![
        (Arc::new(Field::new("a", DataType::Int64, true)), member),
        (Arc::new(Field::new("b", items.data_type().clone(), true)), nested),
    ]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for item in &values.items {
        map.keys().append_value(&values.text);
        map.values().append_option(*item);
    }
    map.append(true).unwrap();
    let interval = IntervalMonthDayNano::new(values.days, -values.days.saturating_abs(), values.instant);
    vec![
        ("flag", Arc::new(BooleanArray::from(vec![values.flag]))),
        ("small", Arc::new(Int8Array::from(vec![values.small]))),
        ("whole", Arc::new(Int64Array::from(vec![values.whole]))),
        ("unsigned", Arc::new(UInt64Array::from(vec![values.unsigned]))),
        ("single", Arc::new(Float32Array::from(vec![values.single]))),
        ("double", Arc::new(Float64Array::from(vec![values.double]))),
        ("decimal", Arc::new(decimal)),
        ("huge", Arc::new(huge)),
        ("text", Arc::new(StringArray::from(vec![values.text.as_str()]))),
        ("large", Arc::new(LargeStringArray::from(vec![values.text.as_str()]))),
        ("bytes", Arc::new(BinaryArray::from_vec(vec![&values.bytes]))),
        (
            "fixed",
            Arc::new(FixedSizeBinaryArray::try_from_iter([fixed].into_iter()).unwrap()),
        ),
        ("day", Arc::new(Date32Array::from(vec![values.days]))),
        ("day_and_more", Arc::new(Date64Array::from(vec![values.instant]))),
        ("seconds", Arc::new(TimestampSecondArray::from(vec![values.instant]))),
        (
            "micros",
            Arc::new(TimestampMicrosecondArray::from(vec![values.instant]).with_timezone("UTC")),
        ),
        (
            "nanos",
            Arc::new(TimestampNanosecondArray::from(vec![values.instant]).with_timezone("Europe/Paris")),
        ),
        (
            "clock",
            Arc::new(Time32SecondArray::from(vec![i32::try_from(values.time).unwrap()])),
        ),
        (
            "fine_clock",
            Arc::new(Time64NanosecondArray::from(vec![
                i64::from(values.time) * 1_000_000_007 % 86_400_000_000_000,
            ])),
        ),
        ("length", Arc::new(DurationMillisecondArray::from(vec![values.instant]))),
        ("interval", Arc::new(IntervalMonthDayNanoArray::from(vec![interval]))),
        ("items", Arc::new(items)),
        ("structure", Arc::new(structure)),
        ("map", Arc::new(map.finish())),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_as_the_same_value(values in values()) {
        let row = row(columns(&values));
        let back = there_and_back(&row);
        prop_assert_eq!(back.to_json(), row.to_json());
        // A NaN has many patterns and is one value; everything else comes back bit for bit.
        if !values.single.is_nan() && !values.double.is_nan() {
            prop_assert_eq!(back.batch(), row.batch());
        }
    }

    #[test]
    fn what_is_left_alone_keeps_its_bits(values in values()) {
        let row = row(columns(&values));
        let (same, changed) = row.mended(&row.to_json()).unwrap();
        prop_assert_eq!(changed, Vec::<String>::new());
        prop_assert_eq!(same.encode().unwrap(), row.encode().unwrap());
        let (same, changed) = row.mended(&Map::new()).unwrap();
        prop_assert_eq!((same.encode().unwrap(), changed.len()), (row.encode().unwrap(), 0));
    }
}

#[test]
fn a_value_that_is_mended_changes_and_no_other_does() {
    let nan = f64::from_bits(0x7ff8_0000_dead_beef);
    let stored = row(vec![
        ("name", Arc::new(StringArray::from(vec!["adda"]))),
        ("odd", Arc::new(Float64Array::from(vec![nan]))),
    ]);
    let mut values = stored.to_json();
    values.insert("name".to_owned(), json!("ada"));
    let (mended, changed) = stored.mended(&values).unwrap();
    assert_eq!(changed, ["name"]);
    assert_eq!(mended.to_json()["name"], "ada");
    let bits = arrow::array::AsArray::as_primitive::<arrow::datatypes::Float64Type>(mended.batch().column(1).as_ref());
    assert_eq!(bits.value(0).to_bits(), nan.to_bits());
}

#[test]
fn values_are_forms_that_people_know() {
    let uuid = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())]);
    let schema = Schema::new(vec![
        Field::new("id", DataType::FixedSizeBinary(16), true).with_metadata(uuid),
        Field::new("price", DataType::Decimal128(10, 2), true),
        Field::new(
            "at",
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into())),
            true,
        ),
        Field::new("big", DataType::Int64, true),
        Field::new("nothing", DataType::Utf8, true),
    ]);
    let bytes: [u8; 16] = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(FixedSizeBinaryArray::try_from_iter([bytes].into_iter()).unwrap()),
        Arc::new(
            Decimal128Array::from(vec![1_250])
                .with_precision_and_scale(10, 2)
                .unwrap(),
        ),
        Arc::new(TimestampMicrosecondArray::from(vec![1_795_000_000_000_001]).with_timezone("UTC")),
        Arc::new(Int64Array::from(vec![i64::MAX])),
        Arc::new(StringArray::from(vec![None::<&str>])),
    ];
    let row = StoredRow::first_of(&RecordBatch::try_new(Arc::new(schema), columns).unwrap()).unwrap();
    assert_eq!(
        Value::Object(row.to_json()),
        json!({
            "id": "00010203-0405-0607-0809-0a0b0c0d0e0f",
            "price": "12.50",
            "at": "2026-11-18T11:06:40.000001Z",
            "big": "9223372036854775807",
            "nothing": null,
        })
    );
    assert_eq!(row.in_words()[4], ("nothing".to_owned(), "NULL".to_owned()));
    assert_eq!(there_and_back(&row), row);
}

#[test]
fn what_a_column_can_not_take_is_refused_with_what_it_takes_and_without_the_value() {
    let decimal = Decimal128Array::from(vec![0]).with_precision_and_scale(5, 2).unwrap();
    let member = |name| {
        let field = Arc::new(Field::new(name, DataType::Int8, true));
        (field, Arc::new(Int8Array::from(vec![1])) as ArrayRef)
    };
    let pair = StructArray::from(vec![member("a"), member("b")]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("small", Arc::new(Int8Array::from(vec![1]))),
        ("price", Arc::new(decimal)),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC")),
        ),
        ("bytes", Arc::new(BinaryArray::from_vec(vec![b"x"]))),
        ("single", Arc::new(Float32Array::from(vec![1.0]))),
        ("text", Arc::new(StringArray::from(vec!["x"]))),
        ("day", Arc::new(Date32Array::from(vec![0]))),
        ("clock", Arc::new(Time32SecondArray::from(vec![0]))),
        ("pair", Arc::new(pair)),
        (
            "items",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)])])),
        ),
    ];
    let row = row(columns);
    for (column, value, words) in [
        ("small", json!(200), "Int8"),
        ("small", json!(1.5), "Int8"),
        ("price", json!("1.234"), "2 of them behind the point"),
        ("price", json!(1.2), "decimal as text"),
        ("at", json!("2026-11-20 20:47"), "2026-11-20T20:47:23Z"),
        ("at", json!("20261120"), "2026-11-20T20:47:23Z"),
        ("at", json!(1_763_671_643), "2026-11-20T20:47:23Z"),
        ("day", json!("20261120"), "2026-11-20"),
        ("clock", json!(74_843), "20:47:23"),
        ("pair", json!({ "a": 1 }), "member `b` is not there"),
        ("bytes", json!("0x4"), "hexadecimal"),
        ("single", json!(1e300), "beyond Float32"),
        ("text", json!(7), "a text"),
        ("items", json!([1, "secret"]), "item 2"),
    ] {
        let mended = row.mended(&Map::from_iter([(column.to_owned(), value.clone())]));
        let Err(RowError::Value { column: named, message }) = mended else {
            panic!("{column} took {value}");
        };
        assert_eq!(named, column);
        assert!(message.contains(words) && !message.contains("secret"), "{message}");
    }
    let unknown = row
        .mended(&Map::from_iter([("smal".to_owned(), json!(1))]))
        .unwrap_err();
    assert!(unknown.to_string().contains("small, price"), "{unknown}");
}

#[test]
fn null_is_refused_where_a_column_has_none() {
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let row = StoredRow::first_of(&RecordBatch::try_new(schema, vec![ids]).unwrap()).unwrap();
    let mended = row.mended(&Map::from_iter([("id".to_owned(), Value::Null)]));
    assert!(mended.unwrap_err().to_string().contains("null"));
}
