//! Columns of every Arrow type, with values of every size.

use std::{collections::HashMap, sync::Arc};

use longshore_sdk::arrow::{
    array::{
        Array, ArrayRef, BooleanArray, Decimal128Array, Decimal256Array, FixedSizeBinaryArray, FixedSizeListArray,
        Float32Array, Float64Array, Int32Array, Int64Array, IntervalDayTimeArray, IntervalMonthDayNanoArray, ListArray,
        MapArray, NullArray, StringArray, StructArray, UInt64Array,
    },
    buffer::{NullBuffer, OffsetBuffer},
    compute::cast,
    datatypes::{DataType, Field, Fields, IntervalDayTime, IntervalMonthDayNano, IntervalUnit, TimeUnit, i256},
};
use proptest::{collection::vec, option, prelude::*, sample::select, strategy::BoxedStrategy};

use super::texts::{any_text, documents};

/// A type of columns, and what such columns may hold.
pub(super) struct ColumnType {
    pub(super) name: String,
    /// The canonical extension type, where the Arrow type alone does not say what it is.
    pub(super) extension: Option<&'static str>,
    pub(super) columns: BoxedStrategy<ArrayRef>,
}

fn cells<T: std::fmt::Debug + 'static>(
    values: impl Strategy<Value = T> + 'static,
    rows: usize,
) -> impl Strategy<Value = Vec<Option<T>>> {
    vec(option::weighted(0.85, values), rows)
}

fn column<T, A>(values: impl Strategy<Value = T> + 'static, rows: usize) -> BoxedStrategy<ArrayRef>
where
    T: std::fmt::Debug + 'static,
    A: Array + From<Vec<Option<T>>> + 'static,
{
    cells(values, rows)
        .prop_map(|cells| Arc::new(A::from(cells)) as ArrayRef)
        .boxed()
}

/// The same values as another type; what does not fit becomes NULL.
fn converted(columns: BoxedStrategy<ArrayRef>, data_type: DataType) -> BoxedStrategy<ArrayRef> {
    columns
        .prop_map(move |column| cast(&column, &data_type).expect("Arrow knows this conversion"))
        .boxed()
}

fn whole_numbers() -> BoxedStrategy<i64> {
    prop_oneof![
        3 => -2_i64..100,
        // As seconds, milliseconds, microseconds or nanoseconds, a time of our days.
        2 => select(vec![1, 1_000, 1_000_000, 1_000_000_000]).prop_flat_map(|unit| (0..2_000_000_000_i64).prop_map(move |seconds| seconds * unit + unit / 3)),
        1 => any::<i64>(),
        1 => select(vec![i64::MIN, i64::MAX, i64::from(i32::MAX), 1 << 53, (1 << 53) + 1]),
    ]
    .boxed()
}

fn days() -> BoxedStrategy<i32> {
    prop_oneof![3 => -30_000..30_000_i32, 1 => any::<i32>()].boxed()
}

fn floats() -> BoxedStrategy<f64> {
    let known = select(vec![
        0.0,
        -0.0,
        1.0,
        12.5,
        1e15,
        1e16,
        f64::MAX,
        f64::MIN_POSITIVE,
        f64::NAN,
        f64::INFINITY,
    ]);
    prop_oneof![known, -1e6..1e6_f64, proptest::num::f64::ANY].boxed()
}

fn decimals(precision: u8, scale: i8, rows: usize) -> BoxedStrategy<ArrayRef> {
    let limit = 10_i128.pow(u32::from(precision.min(38)) - 1);
    let values = prop_oneof![-1_000..1_000_i128, -limit..limit];
    cells(values, rows)
        .prop_map(move |cells| {
            let array = Decimal128Array::from(cells).with_precision_and_scale(precision, scale);
            Arc::new(array.expect("the digits fit")) as ArrayRef
        })
        .boxed()
}

fn wide_decimals(rows: usize) -> BoxedStrategy<ArrayRef> {
    let values = prop_oneof![
        any::<i64>().prop_map(i256::from),
        any::<i128>().prop_map(|value| i256::from_i128(value).wrapping_mul(i256::from(1_000_000_007)))
    ];
    cells(values, rows)
        .prop_map(|cells| {
            let array = Decimal256Array::from(cells).with_precision_and_scale(76, 4);
            Arc::new(array.expect("the digits fit")) as ArrayRef
        })
        .boxed()
}

fn uuids(rows: usize) -> BoxedStrategy<ArrayRef> {
    cells(any::<[u8; 16]>(), rows)
        .prop_map(|cells| {
            let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(cells.into_iter(), 16);
            Arc::new(array.expect("every UUID has 16 bytes")) as ArrayRef
        })
        .boxed()
}

fn texts(rows: usize) -> BoxedStrategy<ArrayRef> {
    column::<String, StringArray>(any_text(), rows)
}

fn json_texts(rows: usize) -> BoxedStrategy<ArrayRef> {
    column::<String, StringArray>(documents(), rows)
}

/// Lengths of lists, mostly few; the limit of 25 and one beyond among them.
fn lengths(rows: usize) -> impl Strategy<Value = Vec<Option<usize>>> {
    cells(prop_oneof![6 => 0..4_usize, 1 => 24..27_usize], rows)
}

/// Lists of items from a column that is long enough for the longest.
fn lists(items: impl Fn(usize) -> BoxedStrategy<ArrayRef> + 'static, rows: usize) -> BoxedStrategy<ArrayRef> {
    lengths(rows)
        .prop_flat_map(move |lengths| {
            let total = lengths.iter().flatten().sum();
            (Just(lengths), items(total))
        })
        .prop_map(|(lengths, items)| {
            let nulls: NullBuffer = lengths.iter().map(Option::is_some).collect();
            let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or_default()));
            let field = Field::new("item", items.data_type().clone(), true);
            let is_uuid = *items.data_type() == DataType::FixedSizeBinary(16);
            let field = Arc::new(extended(field, is_uuid.then_some("arrow.uuid")));
            Arc::new(ListArray::new(field, offsets, items, Some(nulls))) as ArrayRef
        })
        .boxed()
}

/// A list column in another layout.
fn as_layout(lists: BoxedStrategy<ArrayRef>, layout: fn(Arc<Field>) -> DataType) -> BoxedStrategy<ArrayRef> {
    lists
        .prop_map(move |column| match column.data_type() {
            DataType::List(item) => cast(&column, &layout(Arc::clone(item))).expect("Arrow knows this conversion"),
            _ => unreachable!("lists are lists"),
        })
        .boxed()
}

fn fixed_size_lists(rows: usize) -> BoxedStrategy<ArrayRef> {
    const SIZE: usize = 3;
    (
        column::<String, StringArray>(any_text(), rows * SIZE),
        vec(prop::bool::weighted(0.85), rows),
    )
        .prop_map(|(items, present)| {
            let field = Arc::new(Field::new("item", items.data_type().clone(), true));
            let nulls = Some(NullBuffer::from(present));
            Arc::new(FixedSizeListArray::new(field, SIZE as i32, items, nulls)) as ArrayRef
        })
        .boxed()
}

pub(super) fn extended(field: Field, extension: Option<&'static str>) -> Field {
    match extension {
        Some(extension) => field.with_metadata(HashMap::from([(
            "ARROW:extension:name".to_owned(),
            extension.to_owned(),
        )])),
        None => field,
    }
}

/// Structs of everything that an object of an event can hold, under names that follow the conventions, and some that do not.
fn structs(rows: usize) -> BoxedStrategy<ArrayRef> {
    let members = (
        texts(rows),
        column::<i64, Int64Array>(whole_numbers(), rows),
        column::<f64, Float64Array>(floats(), rows),
        converted(column::<i32, Int32Array>(days(), rows), DataType::Date32),
        texts(rows),
        json_texts(rows),
        lists(texts, rows),
        vec(prop::bool::weighted(0.85), rows),
        select(vec!["Some Text", "text", "a.b", "$label", "é", "number"]),
    );
    members
        .prop_map(|(text, number, float, day, url, json, list, present, name)| {
            let field = |name: &str, column: &ArrayRef| Field::new(name, column.data_type().clone(), true);
            let fields = vec![
                field(name, &text),
                field("number", &number),
                field("float", &float),
                field("date__day", &day),
                field("url__u", &url),
                extended(field("json", &json), Some("arrow.json")),
                field("list", &list),
            ];
            let columns = vec![text, number, float, day, url, json, list];
            let nulls = Some(NullBuffer::from(present));
            Arc::new(StructArray::new(Fields::from(fields), columns, nulls)) as ArrayRef
        })
        .boxed()
}

/// Structs of which most rows can be sent, so that lists of them can be sent too.
fn simple_structs(rows: usize) -> BoxedStrategy<ArrayRef> {
    let words = select(vec!["kettle", "tea", ""]).prop_map(str::to_owned);
    (
        column::<String, StringArray>(words, rows),
        column::<i64, Int64Array>(0..9_i64, rows),
    )
        .prop_map(|(item, quantity)| {
            let fields = vec![
                Field::new("item", DataType::Utf8, true),
                Field::new("quantity", DataType::Int64, true),
            ];
            Arc::new(StructArray::new(Fields::from(fields), vec![item, quantity], None)) as ArrayRef
        })
        .boxed()
}

/// Maps from text to text, in which a key may occur twice.
fn maps(rows: usize) -> BoxedStrategy<ArrayRef> {
    let keys = select(vec!["a", "b", "A", "url__c", "date(d)", "$e", "long name"]).prop_map(str::to_owned);
    lengths(rows)
        .prop_flat_map(move |lengths| {
            let total: usize = lengths.iter().flatten().sum();
            (Just(lengths), vec(keys.clone(), total), texts(total))
        })
        .prop_map(|(lengths, keys, values)| {
            let nulls: NullBuffer = lengths.iter().map(Option::is_some).collect();
            let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or_default()));
            let fields = Fields::from(vec![
                Field::new("keys", DataType::Utf8, false),
                Field::new("values", DataType::Utf8, true),
            ]);
            let entries = StructArray::new(fields.clone(), vec![Arc::new(StringArray::from(keys)), values], None);
            let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
            Arc::new(MapArray::new(field, offsets, entries, Some(nulls), false)) as ArrayRef
        })
        .boxed()
}

/// Every type that a column may have, with columns of so many rows.
pub(super) fn every_type(rows: usize) -> Vec<ColumnType> {
    let mut types = Vec::new();
    let mut add = |name: &str, extension: Option<&'static str>, columns: BoxedStrategy<ArrayRef>| {
        types.push(ColumnType {
            name: name.to_owned(),
            extension,
            columns,
        });
    };
    let integers = || column::<i64, Int64Array>(whole_numbers(), rows);
    let integers_32 = || column::<i32, Int32Array>(days(), rows);
    let singles = || column::<f32, Float32Array>(floats().prop_map(|value| value as f32), rows);
    add("null", None, Just(Arc::new(NullArray::new(rows)) as ArrayRef).boxed());
    add("boolean", None, column::<bool, BooleanArray>(any::<bool>(), rows));
    add("int64", None, integers());
    for data_type in [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
    ] {
        add(&data_type.to_string(), None, converted(integers(), data_type));
    }
    add(
        "uint64",
        None,
        column::<u64, UInt64Array>(prop_oneof![0..9_u64, any::<u64>()], rows),
    );
    add("float16", None, converted(singles(), DataType::Float16));
    add("float32", None, singles());
    add("float64", None, column::<f64, Float64Array>(floats(), rows));
    for (precision, scale) in [(9, 2), (18, 4), (38, 0), (38, 10), (38, -3)] {
        add(
            &format!("decimal128({precision}, {scale})"),
            None,
            decimals(precision, scale, rows),
        );
    }
    add(
        "decimal32",
        None,
        converted(decimals(9, 2, rows), DataType::Decimal32(9, 2)),
    );
    add(
        "decimal64",
        None,
        converted(decimals(18, 4, rows), DataType::Decimal64(18, 4)),
    );
    add("decimal256", None, wide_decimals(rows));
    add("utf8", None, texts(rows));
    add("large utf8", None, converted(texts(rows), DataType::LargeUtf8));
    add("utf8 view", None, converted(texts(rows), DataType::Utf8View));
    add("json", Some("arrow.json"), json_texts(rows));
    add(
        "large json",
        Some("arrow.json"),
        converted(json_texts(rows), DataType::LargeUtf8),
    );
    add(
        "json view",
        Some("arrow.json"),
        converted(json_texts(rows), DataType::Utf8View),
    );
    add("uuid", Some("arrow.uuid"), uuids(rows));
    add("date32", None, converted(integers_32(), DataType::Date32));
    add("date64", None, converted(integers(), DataType::Date64));
    let units = [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ];
    for unit in units {
        for zone in [None, Some("UTC"), Some("America/New_York")] {
            let data_type = DataType::Timestamp(unit, zone.map(Into::into));
            add(&data_type.to_string(), None, converted(integers(), data_type));
        }
        add(
            &format!("duration {unit:?}"),
            None,
            converted(integers(), DataType::Duration(unit)),
        );
        let time = match unit {
            TimeUnit::Second | TimeUnit::Millisecond => converted(integers_32(), DataType::Time32(unit)),
            TimeUnit::Microsecond | TimeUnit::Nanosecond => converted(integers(), DataType::Time64(unit)),
        };
        add(&format!("time {unit:?}"), None, time);
    }
    add(
        "months",
        None,
        converted(integers_32(), DataType::Interval(IntervalUnit::YearMonth)),
    );
    let days_and_time =
        (any::<i32>(), -86_400_000..86_400_000_i32).prop_map(|(days, time)| IntervalDayTime::new(days, time));
    add(
        "days and time",
        None,
        column::<_, IntervalDayTimeArray>(days_and_time, rows),
    );
    let months_days_time = (any::<i32>(), any::<i32>(), any::<i64>())
        .prop_map(|(months, days, time)| IntervalMonthDayNano::new(months, days, time));
    add(
        "months, days and time",
        None,
        column::<_, IntervalMonthDayNanoArray>(months_days_time, rows),
    );
    let numbers = |total| column::<i64, Int64Array>(whole_numbers(), total);
    let dates = |total| converted(column::<i32, Int32Array>(days(), total), DataType::Date32);
    add("list of texts", None, lists(texts, rows));
    add("list of numbers", None, lists(numbers, rows));
    add("list of dates", None, lists(dates, rows));
    add("list of uuids", None, lists(uuids, rows));
    add("list of structs", None, lists(simple_structs, rows));
    add("list of any structs", None, lists(structs, rows));
    add("list of maps", None, lists(maps, rows));
    add("large list", None, as_layout(lists(texts, rows), DataType::LargeList));
    add(
        "large list of structs",
        None,
        as_layout(lists(simple_structs, rows), DataType::LargeList),
    );
    add("list view", None, as_layout(lists(texts, rows), DataType::ListView));
    add(
        "large list view",
        None,
        as_layout(lists(texts, rows), DataType::LargeListView),
    );
    add("fixed-size list", None, fixed_size_lists(rows));
    add("struct", None, structs(rows));
    add("simple struct", None, simple_structs(rows));
    add("map", None, maps(rows));
    types
}
