use std::{collections::HashMap, sync::Arc};

use longshore_sdk::arrow::{
    array::{
        ArrayRef, BooleanArray, Date32Array, Date64Array, Decimal128Array, Decimal256Array, DurationSecondArray,
        FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array, Int64Array, LargeStringArray, ListArray,
        MapBuilder, NullArray, StringArray, StringBuilder, StringViewArray, StructArray, Time64MicrosecondArray,
        TimestampMicrosecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
    },
    datatypes::{DataType, Field, Int32Type, Schema, i256},
};
use serde_json::{Value as Json, json};

use super::*;
use crate::{operation::Operation, spec::Spec};

const NOW: i64 = 1_795_000_000;

/// The value sent, or the rule that refuses it.
type Expected = Result<Option<Json>, &'static str>;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

fn spec(changes: &Json) -> Spec {
    let mut spec = json!({ "target": "profile_attributes", "project_key": "p", "rest_api_key": "r" });
    for (key, value) in changes.as_object().unwrap() {
        spec[key] = value.clone();
    }
    serde_json::from_value(spec).unwrap()
}

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn encode_columns(columns: Vec<(Field, ArrayRef)>, changes: &Json) -> Encoded {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
    let mut table = Table::new("t", schema);
    table.primary_key = vec!["id".to_owned()];
    let plan = Arc::new(TablePlan::new(&table, &spec(changes)).unwrap());
    encode(&plan, 1, &batch, now()).unwrap()
}

fn named(columns: Vec<(&str, ArrayRef)>) -> Vec<(Field, ArrayRef)> {
    columns
        .into_iter()
        .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array))
        .collect()
}

fn operations(encoded: &Encoded) -> Vec<Json> {
    let written = |row| {
        let mut out = Vec::new();
        Operation::new(row).write(&mut out);
        serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)))
    };
    encoded.batch.rows().map(written).collect()
}

fn rejects(encoded: &Encoded) -> Vec<(u64, &str, &str, bool)> {
    encoded
        .rejects
        .iter()
        .map(|reject| {
            (
                reject.row,
                reject.column.as_str(),
                reject.rule.as_str(),
                reject.whole_row,
            )
        })
        .collect()
}

/// One value of a column named `x` as a profile attribute: the value sent, or the rule that refuses it.
fn attribute(field: Field, array: ArrayRef, changes: &Json) -> Result<Option<Json>, String> {
    let encoded = encode_columns(
        vec![
            (Field::new("custom_id", DataType::Utf8, false), text(&[Some("u-1")])),
            (field, array),
        ],
        changes,
    );
    if let Some(reject) = encoded.rejects.first() {
        return Err(reject.rule.clone());
    }
    let operation = operations(&encoded).remove(0);
    Ok(operation["attributes"]
        .as_object()
        .and_then(|attributes| attributes.values().next().cloned()))
}

fn extension(name: &str) -> HashMap<String, String> {
    HashMap::from([("ARROW:extension:name".to_owned(), name.to_owned())])
}

/// A column of text that is declared to be JSON.
fn documents(name: &str, documents: &[&str]) -> (Field, ArrayRef) {
    let field = Field::new(name, DataType::Utf8, true).with_metadata(extension("arrow.json"));
    (field, Arc::new(StringArray::from(documents.to_vec())))
}

fn plain(array: ArrayRef) -> Result<Option<Json>, String> {
    attribute(Field::new("x", array.data_type().clone(), true), array, &json!({}))
}

#[test]
fn every_arrow_type_has_a_defined_form() {
    let strings = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), Some(2)])]);
    let cases: Vec<(&str, ArrayRef, Expected)> = vec![
        ("null", Arc::new(NullArray::new(1)), Ok(None)),
        (
            "boolean",
            Arc::new(BooleanArray::from(vec![true])),
            Ok(Some(json!(true))),
        ),
        ("int8", Arc::new(Int8Array::from(vec![-1])), Ok(Some(json!(-1)))),
        (
            "int64",
            Arc::new(Int64Array::from(vec![i64::MAX])),
            Ok(Some(json!(i64::MAX))),
        ),
        ("uint64", Arc::new(UInt64Array::from(vec![7])), Ok(Some(json!(7)))),
        (
            "large uint64",
            Arc::new(UInt64Array::from(vec![u64::MAX])),
            Err("number_out_of_range"),
        ),
        ("float32", Arc::new(Float32Array::from(vec![0.1])), Ok(Some(json!(0.1)))),
        ("float64", Arc::new(Float64Array::from(vec![1.5])), Ok(Some(json!(1.5)))),
        (
            "NaN",
            Arc::new(Float64Array::from(vec![f64::NAN])),
            Err("number_not_finite"),
        ),
        (
            "infinity",
            Arc::new(Float32Array::from(vec![f32::NEG_INFINITY])),
            Err("number_not_finite"),
        ),
        (
            "decimal",
            Arc::new(
                Decimal128Array::from(vec![1_250])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
            Ok(Some(json!(12.5))),
        ),
        (
            "whole decimal",
            Arc::new(
                Decimal128Array::from(vec![i128::from(i64::MAX)])
                    .with_precision_and_scale(38, 0)
                    .unwrap(),
            ),
            Ok(Some(json!(i64::MAX))),
        ),
        (
            "long decimal",
            Arc::new(
                Decimal128Array::from(vec![12_345_678_901_234_567])
                    .with_precision_and_scale(38, 2)
                    .unwrap(),
            ),
            Err("decimal_not_exact"),
        ),
        (
            "decimal256",
            Arc::new(
                Decimal256Array::from(vec![i256::from_i128(5)])
                    .with_precision_and_scale(76, 1)
                    .unwrap(),
            ),
            Ok(Some(json!(0.5))),
        ),
        ("utf8", text(&[Some("é\"\\\n")]), Ok(Some(json!("é\"\\\n")))),
        (
            "large utf8",
            Arc::new(LargeStringArray::from(vec!["a"])),
            Ok(Some(json!("a"))),
        ),
        (
            "utf8 view",
            Arc::new(StringViewArray::from(vec!["a"])),
            Ok(Some(json!("a"))),
        ),
        (
            "date32",
            Arc::new(Date32Array::from(vec![-1])),
            Ok(Some(json!("1969-12-31T00:00:00Z"))),
        ),
        (
            "infinite date",
            Arc::new(Date32Array::from(vec![i32::MAX])),
            Err("date_out_of_range"),
        ),
        (
            "date64",
            Arc::new(Date64Array::from(vec![86_400_000])),
            Ok(Some(json!("1970-01-02T00:00:00Z"))),
        ),
        (
            "timestamp",
            Arc::new(TimestampMicrosecondArray::from(vec![1_500_000])),
            Ok(Some(json!("1970-01-01T00:00:01.500Z"))),
        ),
        (
            "instant",
            Arc::new(TimestampSecondArray::from(vec![-1]).with_timezone("Europe/Paris")),
            Ok(Some(json!("1969-12-31T23:59:59Z"))),
        ),
        (
            "nanoseconds",
            Arc::new(TimestampNanosecondArray::from(vec![1])),
            Ok(Some(json!("1970-01-01T00:00:00.000000001Z"))),
        ),
        (
            "infinite timestamp",
            Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX])),
            Err("date_out_of_range"),
        ),
        (
            "time",
            Arc::new(Time64MicrosecondArray::from(vec![3_661_000_000])),
            Ok(Some(json!("01:01:01"))),
        ),
        (
            "duration",
            Arc::new(DurationSecondArray::from(vec![90])),
            Ok(Some(json!("PT90S"))),
        ),
        ("list of integers", Arc::new(strings), Ok(Some(json!(["1", "2"])))),
        (
            "JSON array as text",
            text(&[Some(" [\"a\",\"b\"]")]),
            Ok(Some(json!(["a", "b"]))),
        ),
        (
            "text that begins like JSON",
            text(&[Some("[draft] plan")]),
            Ok(Some(json!("[draft] plan"))),
        ),
        (
            "JSON object as text",
            text(&[Some("{\"a\":1}")]),
            Err("object_not_allowed"),
        ),
        (
            "array edit",
            text(&[Some("{\"$add\":[\"a\"]}")]),
            Ok(Some(json!({"$add": ["a"]}))),
        ),
        ("empty array", text(&[Some("[]")]), Err("array_empty")),
        ("empty text", text(&[Some("")]), Err("string_empty")),
        ("NULL", text(&[None]), Ok(None)),
    ];
    for (name, array, expected) in cases {
        assert_eq!(plain(array), expected.map_err(str::to_owned), "{name}");
    }
}

#[test]
fn extension_types_are_understood() {
    let uuid: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter([[0x12_u8; 16]].into_iter()).unwrap());
    let field = Field::new("x", uuid.data_type().clone(), true).with_metadata(extension("arrow.uuid"));
    assert_eq!(
        attribute(field, uuid, &json!({})),
        Ok(Some(json!("12121212-1212-1212-1212-121212121212")))
    );
    for (document, expected) in [
        ("[\"a\"]", Ok(Some(json!(["a"])))),
        ("\"a\"", Ok(Some(json!("a")))),
        ("null", Ok(None)),
        ("1.5", Ok(Some(json!(1.5)))),
        ("{\"a\":1}", Err("object_not_allowed")),
        ("nonsense", Err("json_invalid")),
    ] {
        let (field, array) = documents("x", &[document]);
        assert_eq!(
            attribute(field, array, &json!({})),
            expected.map_err(str::to_owned),
            "{document}"
        );
    }
}

#[test]
fn a_declared_kind_converts_or_refuses() {
    let decimal: ArrayRef = Arc::new(
        Decimal128Array::from(vec![12_345_678_901_234_567])
            .with_precision_and_scale(38, 2)
            .unwrap(),
    );
    let cases: Vec<(&str, ArrayRef, Result<Json, &str>)> = vec![
        ("string", Arc::new(Int64Array::from(vec![7])), Ok(json!("7"))),
        ("string", text(&[Some("[\"a\"]")]), Ok(json!("[\"a\"]"))),
        ("string", Arc::clone(&decimal), Ok(json!("123456789012345.67"))),
        ("float", decimal, Ok(json!(123_456_789_012_345.67))),
        ("float", text(&[Some("1.5")]), Ok(json!(1.5))),
        ("float", text(&[Some("NaN")]), Err("number_not_finite")),
        ("float", text(&[Some("much")]), Err("float_invalid")),
        ("integer", text(&[Some(" 42 ")]), Ok(json!(42))),
        ("integer", Arc::new(Float64Array::from(vec![3.0])), Ok(json!(3))),
        (
            "integer",
            Arc::new(Float64Array::from(vec![3.5])),
            Err("integer_invalid"),
        ),
        (
            "integer",
            text(&[Some("9223372036854775808")]),
            Err("number_out_of_range"),
        ),
        ("boolean", Arc::new(Int64Array::from(vec![1])), Ok(json!(true))),
        ("boolean", text(&[Some("FALSE")]), Ok(json!(false))),
        ("boolean", text(&[Some("yes")]), Err("boolean_invalid")),
        ("date", text(&[Some("1990-01-02")]), Ok(json!("1990-01-02T00:00:00Z"))),
        (
            "date",
            Arc::new(Date32Array::from(vec![0])),
            Ok(json!("1970-01-01T00:00:00Z")),
        ),
        ("date", text(&[Some("soon")]), Err("date_invalid")),
        ("url", text(&[Some("https://x.y")]), Ok(json!("https://x.y"))),
        ("url", text(&[Some("x.y")]), Err("url_invalid")),
        ("string_array", text(&[Some("[\"a\"]")]), Ok(json!(["a"]))),
        ("string_array", text(&[Some("a,b")]), Err("json_invalid")),
        ("string_array", text(&[Some("\"a\"")]), Err("array_invalid")),
    ];
    for (kind, array, expected) in cases {
        let changes = json!({ "mapping": { "x": { "kind": kind } } });
        let found = attribute(Field::new("x", array.data_type().clone(), true), array, &changes);
        assert_eq!(found, expected.map(Some).map_err(str::to_owned), "{kind}");
    }
}

#[test]
fn a_declared_kind_takes_the_scalar_that_json_is() {
    for (kind, document, expected) in [
        ("integer", " -42 ", Ok(json!(-42))),
        ("integer", "9007199254740993", Ok(json!(9_007_199_254_740_993_i64))),
        ("integer", "3.0", Ok(json!(3))),
        ("integer", "3.5", Err("integer_invalid")),
        ("integer", "1e3", Err("integer_invalid")),
        ("integer", "\"42\"", Err("integer_invalid")),
        ("integer", "9223372036854775808", Err("number_out_of_range")),
        ("float", "1.5", Ok(json!(1.5))),
        ("float", "-2", Ok(json!(-2.0))),
        ("float", "1e3", Ok(json!(1000.0))),
        ("float", "\"1.5\"", Err("float_invalid")),
        ("float", "NaN", Err("float_invalid")),
        ("boolean", "true", Ok(json!(true))),
        ("boolean", " false", Ok(json!(false))),
        ("boolean", "\"true\"", Err("boolean_invalid")),
        ("boolean", "1", Err("boolean_invalid")),
    ] {
        let changes = json!({ "mapping": { "x": { "kind": kind } } });
        let (field, array) = documents("x", &[document]);
        let found = attribute(field, array, &changes);
        assert_eq!(found, expected.map(Some).map_err(str::to_owned), "{kind}: {document}");
    }
}

#[test]
fn json_null_is_null_unless_json_is_wanted_as_text() {
    for (kind, expected) in [
        ("integer", None),
        ("float", None),
        ("boolean", None),
        ("date", None),
        ("url", None),
        ("string", Some(json!("null"))),
    ] {
        let changes = json!({ "mapping": { "x": { "kind": kind } } });
        let (field, array) = documents("x", &["null"]);
        assert_eq!(attribute(field, array, &changes), Ok(expected), "{kind}");
    }
}

#[test]
fn nulls_are_omitted_or_unset() {
    let columns = || {
        named(vec![
            ("custom_id", text(&[Some("a")])),
            ("plan", text(&[None])),
            ("tags", text(&[Some("[]")])),
            ("batch__region", text(&[None])),
        ])
    };
    let omitted = encode_columns(columns(), &json!({}));
    assert_eq!(operations(&omitted), [json!({ "identifiers": { "custom_id": "a" } })]);
    assert_eq!(rejects(&omitted), [(0, "tags", "array_empty", false)]);
    let unset = encode_columns(columns(), &json!({ "nulls": "unset" }));
    assert_eq!(
        operations(&unset)[0]["attributes"],
        json!({ "plan": null, "tags": null, "$region": null })
    );
    assert_eq!(rejects(&unset), []);
}

#[test]
fn a_bad_field_is_left_out_and_the_rest_of_the_row_goes_on() {
    let encoded = encode_columns(
        named(vec![
            ("custom_id", text(&[Some("a"), Some("b")])),
            ("first", text(&[Some(""), Some("1")])),
            ("second", text(&[Some("2"), Some("2")])),
            ("url__third", text(&[Some("nonsense"), None])),
        ]),
        &json!({}),
    );
    assert_eq!(
        operations(&encoded),
        [
            json!({ "identifiers": { "custom_id": "a" }, "attributes": { "second": "2" } }),
            json!({ "identifiers": { "custom_id": "b" }, "attributes": { "first": "1", "second": "2" } }),
        ]
    );
    assert_eq!(
        rejects(&encoded),
        [
            (0, "first", "string_empty", false),
            (0, "url__third", "url_invalid", false)
        ]
    );
    assert!(
        encoded
            .rejects
            .iter()
            .all(|reject| reject.key == "a" && !reject.reason.contains("nonsense"))
    );
    assert_eq!(encoded.rejected, 0);
}

#[test]
fn a_row_without_a_usable_id_is_refused_whole_and_found_by_its_primary_key() {
    let encoded = encode_columns(
        named(vec![
            ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
            ("custom_id", text(&[None, Some("NULL"), Some(" "), Some("ok")])),
            ("bad", text(&[Some(""), Some(""), Some(""), Some("x")])),
        ]),
        &json!({}),
    );
    let found: Vec<_> = encoded
        .rejects
        .iter()
        .map(|reject| (reject.rule.as_str(), reject.key.as_str(), reject.whole_row))
        .collect();
    assert_eq!(
        found,
        [
            ("custom_id_missing", "1", true),
            ("custom_id_blocked", "NULL", true),
            ("custom_id_blank", "3", true)
        ]
    );
    assert_eq!((encoded.rejected, operations(&encoded).len()), (3, 1));
}

#[test]
fn numbers_and_uuids_can_be_custom_ids() {
    let encoded = encode_columns(
        named(vec![("custom_id", Arc::new(Int64Array::from(vec![42])))]),
        &json!({}),
    );
    assert_eq!(operations(&encoded)[0]["identifiers"]["custom_id"], json!("42"));
}

#[test]
fn json_can_be_the_custom_id_and_the_name_where_it_is_one() {
    let ids = [
        "\"C-0007\"",
        " 12345678901234567890 ",
        "null",
        "{\"id\":1}",
        "1.5",
        "\" \"",
        "\"a\"",
        "\"a\"",
        "\"a\"",
    ];
    let names = ["\"bought\""; 6].into_iter().chain(["null", "7", "[\"bought\"]"]);
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..9));
    let mut columns = named(vec![("id", keys)]);
    columns.extend([
        documents("custom_id", &ids),
        documents("event_name", &names.collect::<Vec<_>>()),
    ]);
    let encoded = encode_columns(columns, &json!({ "target": "profile_events" }));
    let sent: Vec<Json> = operations(&encoded)
        .iter()
        .map(|operation| json!([operation["identifiers"]["custom_id"], operation["events"][0]["name"]]))
        .collect();
    assert_eq!(
        sent,
        [json!(["C-0007", "bought"]), json!(["12345678901234567890", "bought"])]
    );
    let found: Vec<_> = encoded
        .rejects
        .iter()
        .map(|reject| (reject.rule.as_str(), reject.key.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("custom_id_missing", "2"),
            ("custom_id_invalid", "3"),
            ("custom_id_invalid", "4"),
            ("custom_id_blank", "5"),
            ("event_name_missing", "a"),
            ("event_name_invalid", "a"),
            ("event_name_invalid", "a"),
        ]
    );
}

#[test]
fn json_can_be_the_time_of_an_event_where_it_is_a_text_that_is_one() {
    let columns = |time: &str| {
        let texts = vec![
            ("custom_id", text(&[Some("a")])),
            ("event_name", text(&[Some("bought")])),
        ];
        let time = documents("event_time", &[time]);
        named(texts).into_iter().chain([time]).collect()
    };
    let minute_ago = json!(format_time(NOW - 60));
    for (time, expected) in [
        (minute_ago.to_string(), Ok(minute_ago)),
        ("null".to_owned(), Ok(Json::Null)),
        ((NOW - 60).to_string(), Err("event_time_invalid")),
        ("\"yesterday\"".to_owned(), Err("event_time_invalid")),
    ] {
        let encoded = encode_columns(columns(&time), &json!({ "target": "profile_events" }));
        let found = match encoded.rejects.first() {
            Some(reject) => Err(reject.rule.as_str()),
            None => Ok(operations(&encoded)[0]["events"][0]["time"].clone()),
        };
        assert_eq!(found, expected, "{time}");
    }
}

#[test]
fn a_tag_is_as_long_as_it_is_in_lower_case() {
    let tags = |tag: &str| {
        let mut columns = event_columns(Arc::new(TimestampSecondArray::from(vec![NOW - 60])));
        columns.push(("batch__tags", text(&[Some(json!([tag]).to_string().as_str())])));
        encode_columns(named(columns), &json!({ "target": "profile_events" }))
    };
    let longest = "A".repeat(64);
    let sent = operations(&tags(&longest));
    assert_eq!(
        sent[0]["events"][0]["attributes"]["$tags"],
        json!([longest.to_lowercase()])
    );
    // In lower case, this letter is an i and the dot above it.
    let longer = "İ".repeat(33);
    assert_eq!(rejects(&tags(&longer)), [(0, "batch__tags", "tag_too_long", false)]);
}

#[test]
fn attributes_beyond_the_documented_count_are_refused_one_by_one() {
    let names: Vec<String> = (0..52).map(|index| format!("a{index}")).collect();
    let mut columns = vec![("custom_id", text(&[Some("u")]))];
    columns.extend(names.iter().map(|name| (name.as_str(), text(&[Some("x")]))));
    let encoded = encode_columns(named(columns), &json!({}));
    assert_eq!(operations(&encoded)[0]["attributes"].as_object().unwrap().len(), 50);
    assert_eq!(
        rejects(&encoded),
        [
            (0, "a50", "too_many_attributes", false),
            (0, "a51", "too_many_attributes", false)
        ]
    );
}

fn event_columns(times: ArrayRef) -> Vec<(&'static str, ArrayRef)> {
    let rows = times.len();
    let same = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; rows])) };
    vec![
        ("custom_id", same("u")),
        ("event_name", same("bought")),
        ("event_time", times),
    ]
}

#[test]
fn an_event_has_name_time_and_attributes() {
    let object = StructArray::from(vec![
        (
            Arc::new(Field::new("Street", DataType::Utf8, true)),
            text(&[Some("High Street")]),
        ),
        (
            Arc::new(Field::new("date__since", DataType::Date32, true)),
            Arc::new(Date32Array::from(vec![0])) as ArrayRef,
        ),
    ]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.keys().append_value("colour");
    map.values().append_value("red");
    map.append(true).unwrap();
    let mut columns = event_columns(Arc::new(TimestampSecondArray::from(vec![NOW - 60])));
    columns.extend([
        ("quantity", Arc::new(Int64Array::from(vec![5])) as ArrayRef),
        ("nothing", text(&[None])),
        ("batch__label", text(&[Some("pumpkin")])),
        ("batch__tags", text(&[Some("[\"Fruits\"]")])),
        (
            "product_details",
            text(&[Some("{\"name\":\"x\",\"sizes\":[\"s\",\"m\"]}")]),
        ),
        ("address", Arc::new(object)),
        ("extras", Arc::new(map.finish())),
    ]);
    let encoded = encode_columns(named(columns), &json!({ "target": "profile_events" }));
    assert_eq!(rejects(&encoded), []);
    assert_eq!(
        operations(&encoded)[0]["events"],
        json!([{
            "name": "bought",
            "time": format_time(NOW - 60),
            "attributes": {
                "quantity": 5,
                "$label": "pumpkin",
                "$tags": ["fruits"],
                "product_details": { "name": "x", "sizes": ["s", "m"] },
                "address": { "street": "High Street", "date(since)": "1970-01-01T00:00:00Z" },
                "extras": { "colour": "red" },
            }
        }])
    );
}

#[test]
fn a_map_that_holds_a_key_twice_is_refused_and_no_value_taken_for_the_other() {
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for value in ["red", "blue"] {
        map.keys().append_value("colour");
        map.values().append_value(value);
    }
    map.append(true).unwrap();
    let mut columns = event_columns(Arc::new(TimestampSecondArray::from(vec![NOW - 60])));
    columns.push(("extras", Arc::new(map.finish())));
    let encoded = encode_columns(named(columns), &json!({ "target": "profile_events" }));
    assert_eq!(rejects(&encoded), [(0, "extras", "object_key_collision", false)]);
}

#[test]
fn numbers_in_json_text_keep_their_last_digit() {
    let mut columns = event_columns(Arc::new(TimestampSecondArray::from(vec![NOW - 60])));
    columns.push(("sizes", text(&[Some(r#"{"a": 123456789.12345679, "b": 1e-45}"#)])));
    let encoded = encode_columns(named(columns), &json!({ "target": "profile_events" }));
    let sizes = &operations(&encoded)[0]["events"][0]["attributes"]["sizes"];
    assert_eq!(sizes.to_string(), r#"{"a":123456789.12345679,"b":1e-45}"#);
}

fn format_time(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0)
        .unwrap()
        .format("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

#[test]
fn the_age_of_an_event_decides_and_the_policy_says_how() {
    let day = 24 * 60 * 60;
    let times = || {
        event_columns(Arc::new(TimestampSecondArray::from(vec![
            Some(NOW - day + 60),
            Some(NOW - day - 1),
            Some(NOW + 11),
            Some(NOW + 10),
            None,
        ])))
    };
    let encoded = encode_columns(named(times()), &json!({ "target": "profile_events" }));
    assert_eq!(
        rejects(&encoded),
        [
            (1, "event_time", "event_too_old", true),
            (2, "event_time", "event_in_future", true)
        ]
    );
    assert_eq!(
        (encoded.rejected, encoded.filtered, operations(&encoded).len()),
        (2, 0, 3)
    );
    assert_eq!(operations(&encoded)[2]["events"][0].get("time"), None);

    let skipped = encode_columns(
        named(times()),
        &json!({ "target": "profile_events", "late_events": "skip" }),
    );
    assert_eq!((skipped.rejected, skipped.filtered, skipped.undated), (1, 1, 0));

    let undated = encode_columns(
        named(times()),
        &json!({ "target": "profile_events", "late_events": "send_without_time" }),
    );
    assert_eq!((undated.rejected, undated.filtered, undated.undated), (1, 0, 1));
    assert_eq!(operations(&undated)[1]["events"][0], json!({ "name": "bought" }));
}

#[test]
fn a_wrong_time_or_name_refuses_the_event_rather_than_change_it() {
    let good = format_time(NOW - 5);
    let encoded = encode_columns(
        named(vec![
            ("custom_id", text(&[Some("u"); 4])),
            ("event_name", text(&[Some("a"), Some("Bad Name"), None, Some("a")])),
            (
                "event_time",
                text(&[
                    Some(good.as_str()),
                    Some(good.as_str()),
                    Some(good.as_str()),
                    Some("2026-11-18 08:25"),
                ]),
            ),
        ]),
        &json!({ "target": "profile_events" }),
    );
    assert_eq!(
        rejects(&encoded),
        [
            (1, "event_name", "event_name_invalid", true),
            (2, "event_name", "event_name_missing", true),
            (3, "event_time", "event_time_invalid", true)
        ]
    );
}

#[test]
fn an_event_beyond_its_size_is_refused_whole() {
    let names: Vec<String> = (0..20).map(|index| format!("url__a{index}")).collect();
    let url = format!("https://x.y/{}", "a".repeat(2_000));
    let mut columns = event_columns(Arc::new(TimestampSecondArray::from(vec![NOW])));
    columns.extend(names.iter().map(|name| (name.as_str(), text(&[Some(url.as_str())]))));
    let encoded = encode_columns(
        columns
            .into_iter()
            .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array))
            .collect(),
        &json!({ "target": "profile_events" }),
    );
    assert_eq!(rejects(&encoded), [(0, "", "event_too_large", true)]);
}
