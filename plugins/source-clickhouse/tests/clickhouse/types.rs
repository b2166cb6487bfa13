//! Every type at its limits and NULL: what is delivered equals what is stored.

use longshore_sdk::{
    arrow::{
        array::{Array as _, AsArray as _, RecordBatch},
        datatypes::{DataType, Float32Type, Float64Type, TimeUnit, UInt64Type},
    },
    harness::texts,
    prelude::*,
};
use serde_json::json;

use crate::support::{database, read_all, reading};

/// Values of one type, as expressions, and as they are shown when they were delivered.
async fn delivers(of: &str, wanted: &DataType, values: &[(&str, &str)]) -> RecordBatch {
    let batch = column_of(of, values.iter().map(|(value, _)| *value)).await;
    let field = batch.schema().field_with_name("c").unwrap().clone();
    assert_eq!(field.data_type(), wanted, "{of}");
    assert_eq!(field.metadata()["longshore.source_type"], of);
    let shown = texts(&batch, "c");
    for ((value, expected), shown) in values.iter().zip(shown) {
        assert_eq!(shown, *expected, "{of}: {value}");
    }
    batch
}

async fn column_of(of: &str, values: impl Iterator<Item = &str>) -> RecordBatch {
    let database = database(&format!(
        "CREATE TABLE t (id UInt8, c {of}) ENGINE = MergeTree ORDER BY id"
    ))
    .await;
    for (id, value) in values.enumerate() {
        database.execute(&format!("INSERT INTO t SELECT {id}, {value}")).await;
    }
    database.execute("OPTIMIZE TABLE t FINAL").await;
    let batch = read_all(database.spec(json!({})), "t").await;
    longshore_sdk::arrow::compute::concat_batches(&batch.schema(), [&sorted(&batch)]).unwrap()
}

fn sorted(batch: &RecordBatch) -> RecordBatch {
    let order = longshore_sdk::arrow::compute::sort_to_indices(batch.column(0), None, None).unwrap();
    longshore_sdk::arrow::compute::take_record_batch(batch, &order).unwrap()
}

#[tokio::test]
async fn integers_are_delivered_to_their_limits() {
    let cases = [
        ("Int8", DataType::Int8, "-128", "127"),
        ("Int16", DataType::Int16, "-32768", "32767"),
        ("Int32", DataType::Int32, "-2147483648", "2147483647"),
        ("Int64", DataType::Int64, "-9223372036854775808", "9223372036854775807"),
        ("UInt8", DataType::UInt8, "0", "255"),
        ("UInt16", DataType::UInt16, "0", "65535"),
        ("UInt32", DataType::UInt32, "0", "4294967295"),
        ("UInt64", DataType::UInt64, "0", "18446744073709551615"),
        ("Bool", DataType::Boolean, "false", "true"),
    ];
    for (of, wanted, least, greatest) in cases {
        delivers(
            &format!("Nullable({of})"),
            &wanted,
            &[(least, least), (greatest, greatest), ("NULL", "∅")],
        )
        .await;
        let batch = delivers(of, &wanted, &[(least, least), (greatest, greatest)]).await;
        assert!(!batch.schema().field_with_name("c").unwrap().is_nullable(), "{of}");
    }
}

#[tokio::test]
async fn wide_integers_are_decimal_text() {
    let cases = [
        (
            "Int128",
            "-170141183460469231731687303715884105728",
            "170141183460469231731687303715884105727",
        ),
        ("UInt128", "0", "340282366920938463463374607431768211455"),
        (
            "Int256",
            "-57896044618658097711785492504343953926634992332820282019728792003956564819968",
            "57896044618658097711785492504343953926634992332820282019728792003956564819967",
        ),
        (
            "UInt256",
            "0",
            "115792089237316195423570985008687907853269984665640564039457584007913129639935",
        ),
    ];
    for (of, least, greatest) in cases {
        let [least_value, greatest_value] = [least, greatest].map(|value| format!("to{of}('{value}')"));
        let values = [
            (least_value.as_str(), least),
            (greatest_value.as_str(), greatest),
            ("NULL", "∅"),
        ];
        let batch = delivers(&format!("Nullable({of})"), &DataType::Utf8, &values).await;
        assert_eq!(
            batch.schema().field_with_name("c").unwrap().metadata()["longshore.text"],
            "true"
        );
    }
}

#[tokio::test]
async fn floats_keep_every_bit_and_what_is_no_number() {
    let batch = column_of(
        "Float64",
        ["nan", "inf", "-inf", "-0.0", "5e-324", "1.7976931348623157e308"].into_iter(),
    )
    .await;
    let values = batch.column(1).as_primitive::<Float64Type>();
    assert!(values.value(0).is_nan());
    assert_eq!(values.value(1).to_bits(), f64::INFINITY.to_bits());
    assert_eq!(values.value(2).to_bits(), f64::NEG_INFINITY.to_bits());
    assert_eq!(values.value(3).to_bits(), (-0.0_f64).to_bits());
    assert_eq!(values.value(4).to_bits(), 1);
    assert_eq!(values.value(5).to_bits(), f64::MAX.to_bits());
    let batch = column_of(
        "Nullable(Float32)",
        ["nan", "inf", "3.4028234663852886e38", "NULL"].into_iter(),
    )
    .await;
    let values = batch.column(1).as_primitive::<Float32Type>();
    assert!(values.value(0).is_nan() && values.value(1) == f32::INFINITY && values.is_null(3));
    assert_eq!(values.value(2).to_bits(), f32::MAX.to_bits());
    delivers("BFloat16", &DataType::Float32, &[("1.5", "1.5"), ("-2.0", "-2.0")]).await;
}

#[tokio::test]
async fn decimals_are_exact_at_every_width() {
    let nines = |digits: usize| "9".repeat(digits);
    for (precision, scale) in [(9_usize, 4_usize), (18, 0), (38, 38), (76, 20)] {
        let (whole, fraction) = (nines(precision - scale), nines(scale));
        let digits = match (whole.is_empty(), fraction.is_empty()) {
            (true, _) => format!("0.{fraction}"),
            (false, true) => whole,
            (false, false) => format!("{whole}.{fraction}"),
        };
        let negative = format!("-{digits}");
        let wanted = match u8::try_from(precision).unwrap() {
            precision @ 0..=38 => DataType::Decimal128(precision, i8::try_from(scale).unwrap()),
            precision => DataType::Decimal256(precision, i8::try_from(scale).unwrap()),
        };
        let [a, b] = [&digits, &negative].map(|digits| format!("'{digits}'"));
        let values = [
            (a.as_str(), digits.as_str()),
            (b.as_str(), negative.as_str()),
            ("NULL", "∅"),
        ];
        delivers(&format!("Nullable(Decimal({precision}, {scale}))"), &wanted, &values).await;
    }
}

#[tokio::test]
async fn text_is_delivered_as_it_is() {
    let values = [
        ("''", ""),
        ("'ü\\0\\n\\'`\"'", "ü\0\n'`\""),
        ("'🚢'", "🚢"),
        ("NULL", "∅"),
    ];
    delivers("Nullable(String)", &DataType::Utf8, &values).await;
    delivers("LowCardinality(Nullable(String))", &DataType::Utf8, &values).await;
    delivers("LowCardinality(String)", &DataType::Utf8, &values[..3]).await;
    let fixed = delivers(
        "FixedString(3)",
        &DataType::FixedSizeBinary(3),
        &[("'ab'", "616200"), ("unhex('ff0001')", "ff0001")],
    )
    .await;
    assert_eq!(fixed.column(1).as_fixed_size_binary().value(0), b"ab\0");
}

#[tokio::test]
async fn bytes_that_are_no_text_come_in_hexadecimal_or_stop_the_table_with_their_row_or_come_as_bytes() {
    let database = database(
        "CREATE TABLE t (id UInt32, at DateTime('UTC'), c String, tags Array(String)) ENGINE = ReplacingMergeTree ORDER BY id;\n\
         INSERT INTO t SELECT number, toDateTime('2020-01-01 00:00:00', 'UTC'), if(number = 777, unhex('ff41'), 'fine'), if(number = 778, [unhex('fe')], ['x']) FROM numbers(2000)",
    )
    .await;
    let lenient = reading(database.spec(json!({"cursor": "at"})), "t").await.run().await;
    let texts = lenient.batch.column_by_name("c").unwrap().as_string::<i32>().clone();
    assert_eq!(
        (lenient.count(), texts.value(777), texts.value(776)),
        (2000, "\\xff41", "fine")
    );
    let with = |more: serde_json::Value| {
        database.spec(json!({"cursor": "at", "invalid_utf8": "error", "table_options": {"t": more}}))
    };
    let error = reading(with(json!({})), "t").await.try_run().await.unwrap_err();
    assert_eq!((error.code.as_str(), error.table.as_str()), ("text_not_utf8", "t"));
    assert!(
        error.message.contains("Column c") && error.message.contains("key 777"),
        "{error}"
    );
    assert!(
        error.remedy.contains("binary_columns") && !error.retryable,
        "{}",
        error.remedy
    );
    let error = reading(with(json!({"binary_columns": ["c"]})), "t")
        .await
        .try_run()
        .await
        .unwrap_err();
    assert!(
        error.message.contains("Column tags") && error.message.contains("key 778"),
        "{error}"
    );
    let bytes = reading(with(json!({"binary_columns": ["c", "tags"]})), "t")
        .await
        .run()
        .await;
    assert_eq!(bytes.count(), 2000);
    assert_eq!(
        bytes.batch.column_by_name("c").unwrap().as_binary::<i32>().value(777),
        [0xFF, 0x41]
    );
    let without = reading(
        with(json!({"where": "isValidUTF8(c) AND arrayAll(tag -> isValidUTF8(tag), tags)"})),
        "t",
    )
    .await
    .run()
    .await;
    assert_eq!(without.count(), 1998);
}

#[tokio::test]
async fn uuids_and_addresses_keep_every_byte() {
    let uuid = "61f0c404-5cb3-11e7-907b-a6006ad3dba0";
    let value = format!("'{uuid}'");
    let batch = delivers(
        "Nullable(UUID)",
        &DataType::FixedSizeBinary(16),
        &[(&value, "61f0c4045cb311e7907ba6006ad3dba0"), ("NULL", "∅")],
    )
    .await;
    assert_eq!(
        batch.schema().field_with_name("c").unwrap().metadata()["ARROW:extension:name"],
        "arrow.uuid"
    );
    delivers(
        "Nullable(IPv4)",
        &DataType::Utf8,
        &[
            ("'0.0.0.0'", "0.0.0.0"),
            ("'255.255.255.255'", "255.255.255.255"),
            ("NULL", "∅"),
        ],
    )
    .await;
    delivers(
        "IPv6",
        &DataType::Utf8,
        &[
            ("'::'", "::"),
            ("'2001:db8::1'", "2001:db8::1"),
            ("'::ffff:1.2.3.4'", "::ffff:1.2.3.4"),
        ],
    )
    .await;
}

#[tokio::test]
async fn dates_are_delivered_to_their_limits() {
    delivers(
        "Nullable(Date)",
        &DataType::Date32,
        &[
            ("'1970-01-01'", "1970-01-01"),
            ("'2149-06-06'", "2149-06-06"),
            ("NULL", "∅"),
        ],
    )
    .await;
    delivers(
        "Date32",
        &DataType::Date32,
        &[("'1900-01-01'", "1900-01-01"), ("'2299-12-31'", "2299-12-31")],
    )
    .await;
    for of in ["Time", "Nullable(Time64(3))"] {
        let batch = column_of(of, ["'-12:00:01'", "'99:59:59'"].into_iter()).await;
        let shown = texts(&batch, "c");
        assert!(
            shown[0].starts_with("-12:00:01") && shown[1].starts_with("99:59:59"),
            "{shown:?}"
        );
    }
}

#[tokio::test]
async fn times_are_instants_whatever_zone_their_type_names() {
    let utc = |unit| DataType::Timestamp(unit, Some("UTC".into()));
    for of in ["DateTime", "DateTime('Asia/Tokyo')"] {
        let values = [
            ("toDateTime(0, 'UTC')", "1970-01-01T00:00:00Z"),
            ("toDateTime(4294967295, 'UTC')", "2106-02-07T06:28:15Z"),
            (
                "toDateTime('2020-01-01 09:00:00', 'Asia/Tokyo')",
                "2020-01-01T00:00:00Z",
            ),
        ];
        delivers(of, &utc(TimeUnit::Second), &values).await;
    }
    let units = [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Millisecond,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Microsecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
        TimeUnit::Nanosecond,
        TimeUnit::Nanosecond,
    ];
    for (digits, unit) in units.into_iter().enumerate() {
        let all = &"987654321"[..digits];
        let fraction = if digits == 0 { String::new() } else { format!(".{all}") };
        let padded = match unit {
            TimeUnit::Second => fraction.clone(),
            TimeUnit::Millisecond => format!(".{all:0<3}"),
            TimeUnit::Microsecond => format!(".{all:0<6}"),
            TimeUnit::Nanosecond => format!(".{all:0<9}"),
        };
        let value = format!("toDateTime64('2020-01-01 00:00:00{fraction}', {digits}, 'UTC')");
        let shown = format!("2020-01-01T00:00:00{padded}Z");
        let before = format!("toDateTime64('1900-01-01 00:00:00{fraction}', {digits}, 'UTC')");
        let shown_before = format!("1900-01-01T00:00:00{padded}Z");
        for of in [
            format!("Nullable(DateTime64({digits}, 'America/New_York'))"),
            format!("DateTime64({digits})"),
        ] {
            delivers(&of, &utc(unit), &[(&value, &shown), (&before, &shown_before)]).await;
        }
    }
    let last = "toDateTime64('2299-12-31 23:59:59.999999', 6, 'UTC')";
    delivers(
        "DateTime64(6, 'UTC')",
        &utc(TimeUnit::Microsecond),
        &[(last, "2299-12-31T23:59:59.999999Z")],
    )
    .await;
}

#[tokio::test]
async fn a_time_that_arrow_can_not_hold_is_an_error_with_a_remedy_that_works() {
    let database = database(
        "CREATE TABLE t (id UInt8, c DateTime64(7, 'UTC')) ENGINE = MergeTree ORDER BY id;\n\
         INSERT INTO t VALUES (1, '2299-12-31 23:59:59.9999999')",
    )
    .await;
    let error = reading(database.spec(json!({})), "t")
        .await
        .try_run()
        .await
        .unwrap_err();
    assert_eq!(error.code, "value_out_of_range", "{error:?}");
    assert!(error.remedy.contains("text_columns") && !error.retryable);
    let text = read_all(
        database.spec(json!({"table_options": {"t": {"text_columns": ["c"]}}})),
        "t",
    )
    .await;
    assert_eq!(texts(&text, "c"), ["2299-12-31 23:59:59.9999999"]);
}

#[tokio::test]
async fn enums_are_their_names() {
    let of = "Enum8('it\\'s' = -2, 'a' = 1, 'ü, )' = 3)";
    delivers(of, &DataType::Utf8, &[("'a'", "a"), ("-2", "it's"), ("3", "ü, )")]).await;
    delivers(
        "Nullable(Enum16('x' = -32768, 'y' = 32767))",
        &DataType::Utf8,
        &[("'x'", "x"), ("'y'", "y"), ("NULL", "∅")],
    )
    .await;
}

#[tokio::test]
async fn nested_values_keep_their_shape() {
    let cases = [
        ("Array(Nullable(Int32))", "[1, NULL, -2147483648]", "[1, , -2147483648]"),
        ("Array(Array(String))", "[['a'], [], ['b', 'ü']]", "[[a], [], [b, ü]]"),
        (
            "Map(LowCardinality(String), Array(Int8))",
            "map('k', [1, -1], 'l', [])",
            "{k: [1, -1], l: []}",
        ),
        ("Tuple(Int32, String)", "(1, 'a')", "{1: 1, 2: a}"),
        (
            "Tuple(`a b` IPv4, n Nullable(Int8))",
            "('1.2.3.4', NULL)",
            "{a b: 1.2.3.4, n: }",
        ),
        (
            "Array(Tuple(e Enum8('x' = 1), d DateTime('Asia/Tokyo')))",
            "[('x', toDateTime(0, 'UTC'))]",
            "[{e: x, d: 1970-01-01T00:00:00Z}]",
        ),
        ("Map(String, Int128)", "map('k', toInt128(-1))", "{k: -1}"),
        ("Point", "(1.5, -2.0)", "{1: 1.5, 2: -2.0}"),
    ];
    for (of, value, expected) in cases {
        let batch = column_of(of, [value].into_iter()).await;
        assert_eq!(texts(&batch, "c"), [expected], "{of}");
    }
    let database = database(
        "CREATE TABLE t (id UInt8, n Nested(a Int32, b Nullable(String))) ENGINE = MergeTree ORDER BY id;\n\
         INSERT INTO t VALUES (1, [1, 2], ['x', NULL])",
    )
    .await;
    let batch = read_all(database.spec(json!({})), "t").await;
    assert_eq!(
        (texts(&batch, "n.a"), texts(&batch, "n.b")),
        (vec!["[1, 2]".to_owned()], vec!["[x, ]".to_owned()])
    );
}

#[tokio::test]
async fn values_of_changing_type_are_json_text() {
    let json_fields = [
        (
            "JSON",
            "'{\"a\": {\"b\": 9223372036854775807}, \"c\": [1, null]}'",
            "{\"a\":{\"b\":9223372036854775807},\"c\":[1,null]}",
        ),
        ("JSON(a Int32)", "'{\"a\": 5}'", "{\"a\":5}"),
        ("Variant(Int32, String)", "'a\"b'", "\"a\\\"b\""),
        ("Variant(Int32, String)", "NULL", "∅"),
        ("Dynamic", "18446744073709551615", "18446744073709551615"),
        ("Dynamic", "NULL", "∅"),
        ("Array(Variant(UInt8, String))", "[1::UInt8, 'x']", "[1,\"x\"]"),
    ];
    for (of, value, expected) in json_fields {
        let batch = column_of(of, [value].into_iter()).await;
        assert_eq!(texts(&batch, "c"), [expected], "{of}");
        let field = batch.schema().field_with_name("c").unwrap().clone();
        assert_eq!(field.metadata()["ARROW:extension:name"], "arrow.json", "{of}");
    }
}

#[tokio::test]
async fn sums_are_read_and_unfinished_sums_are_refused_until_they_are_left_out() {
    let database = database(
        "CREATE TABLE t (id UInt8, total SimpleAggregateFunction(sum, UInt64), visitors AggregateFunction(uniq, UInt64)) ENGINE = AggregatingMergeTree ORDER BY id;\n\
         INSERT INTO t SELECT 1, 40, uniqState(toUInt64(7));\n\
         INSERT INTO t SELECT 1, 2, uniqState(toUInt64(8))",
    )
    .await;
    let error = reading(database.spec(json!({})), "t")
        .await
        .try_run()
        .await
        .unwrap_err();
    assert_eq!(error.code, "type_unsupported");
    assert!(
        error.message.contains("visitors")
            && error.remedy.contains("finalizeAggregation")
            && error.remedy.contains("exclude_columns"),
        "{error:?}"
    );
    let without = read_all(
        database.spec(json!({"table_options": {"t": {"exclude_columns": ["visitors"]}}})),
        "t",
    )
    .await;
    assert_eq!(
        without
            .column_by_name("total")
            .unwrap()
            .as_primitive::<UInt64Type>()
            .values(),
        &[42],
        "merged, not in parts"
    );
    let query =
        json!({"table_options": {"q": {"query": "SELECT id, finalizeAggregation(visitors) AS visitors FROM t"}}});
    assert_eq!(texts(&read_all(database.spec(query), "q").await, "visitors"), ["2"]);
}

#[tokio::test]
async fn the_table_of_the_readme_says_what_is_delivered() {
    let readme = include_str!("../../README.md");
    let rows: Vec<(Vec<&str>, &str)> = readme
        .lines()
        .skip_while(|line| !line.starts_with("| ClickHouse | Arrow |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            (cells[0].split('`').skip(1).step_by(2).collect(), cells[1])
        })
        .collect();
    assert!(rows.len() > 15, "{rows:?}");
    let mut columns = vec!["id UInt8".to_owned()];
    let mut expected = Vec::new();
    for (types, arrow) in &rows {
        for of in types {
            columns.push(format!("c{} {of}", expected.len()));
            expected.push((*of, *arrow));
        }
    }
    let settings = "allow_suspicious_low_cardinality_types = 1, enable_time_time64_type = 1";
    let database = database(&format!(
        "CREATE TABLE t ({}) ENGINE = MergeTree ORDER BY id SETTINGS {settings}",
        columns.join(", ")
    ))
    .await;
    let source = longshore_sdk::harness::SourceHarness::configure::<longshore_source_clickhouse::ClickHouse>(
        database.spec(json!({})),
    )
    .await
    .unwrap();
    let tables: Vec<Table> = source.list_tables(&["t"]).await.unwrap();
    for (field, (of, arrow)) in tables[0].schema.fields()[1..].iter().zip(expected) {
        let shown = shown(field.data_type());
        assert!(
            arrow == shown || arrow.starts_with(&format!("{shown} ")) || arrow.starts_with(&format!("{shown},")),
            "{of}: {shown} is delivered, the table says {arrow}"
        );
    }
}

/// A type in the words of the table.
fn shown(of: &DataType) -> String {
    match of {
        DataType::Timestamp(unit, _) => format!(
            "Timestamp {}",
            match unit {
                TimeUnit::Second => "s",
                TimeUnit::Millisecond => "ms",
                TimeUnit::Microsecond => "µs",
                TimeUnit::Nanosecond => "ns",
            }
        ),
        DataType::Decimal128(..) => "Decimal128".to_owned(),
        DataType::Decimal256(..) => "Decimal256".to_owned(),
        DataType::FixedSizeBinary(length) => format!("FixedSizeBinary({length})"),
        DataType::List(_) => "List".to_owned(),
        DataType::Map(..) => "Map".to_owned(),
        DataType::Struct(_) => "Struct".to_owned(),
        other => format!("{other:?}"),
    }
}
