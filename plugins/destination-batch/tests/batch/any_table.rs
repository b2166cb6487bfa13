//! Whatever a table holds, the sandbox takes every request in full: nothing is sent that the API is known to refuse.

use std::sync::Arc;

use longshore_sdk::{
    arrow::{
        array::{
            ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListBuilder, StringArray,
            StringBuilder, StructArray, TimestampMicrosecondArray, UInt64Array,
        },
        datatypes::{DataType, Field},
    },
    prelude::*,
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::select,
    strategy::BoxedStrategy,
    test_runner::{Config, TestRunner},
};
use serde_json::json;

use crate::rows::{destination, project, sandbox, spec, table};

const CASES: u32 = 120;
const ROWS: usize = 40;

type Columns = Vec<(&'static str, ArrayRef)>;

/// Text of every kind that has a rule somewhere, and text of no kind.
fn any_text() -> BoxedStrategy<String> {
    let words = select(vec![
        "",
        " ",
        "\n",
        "a\nb",
        "\u{0}",
        "\u{7f}",
        "\"\\",
        "null",
        "NULL",
        "true",
        "[object Object]",
        "é😀",
        "plain",
        "a@b.example",
        "a@b",
        "@",
        "a b@c.example",
        "+33612345678",
        "+",
        "0612",
        "fr",
        "FR",
        "français",
        "Europe/Paris",
        "Mars/Base",
        "subscribed",
        "Subscribed",
        "https://x.y/z?a=1#b",
        "https://",
        "x.y",
        "HTTP://X.Y",
        "https://a b",
        "1990-01-02",
        "1990-01-02T03:04:05Z",
        "1990-01-02 03:04:05.678+02:00",
        "1990-13-02",
        "0000-00-00",
        "10000-01-01T00:00:00Z",
        "[]",
        "{}",
        "[\"a\",\"b\"]",
        "[\"\"]",
        "[1,2]",
        "[null]",
        "[[\"a\"]]",
        "[{\"a\":1}]",
        "[{\"a\":1},\"b\"]",
        "{\"a\":1}",
        "{\"A b\":1,\"a_b\":2}",
        "{\"$add\":[\"x\"]}",
        "{\"$remove\":[\"x\"]}",
        "{\"$add\":[\"x\"],\"$remove\":[\"y\"]}",
        "{\"$add\":[]}",
        "{\"$add\":1}",
        "{\"$label\":\"x\"}",
        "{\"a\":{\"b\":{\"c\":{\"d\":1}}}}",
        "{\"a\":[{\"b\":{\"c\":1}}]}",
        "{\"url(a)\":\"x\"}",
        "{\"url(a)\":\"https://x.y\"}",
        "{\"date(a)\":\"1990-01-02\"}",
        "{\"a\":18446744073709551615}",
        "{\"a\":1e308}",
        "{\"a\":\"\"}",
        "{\"a\":[]}",
        "{\"\":1}",
        "[\"A b\",\"c\"]",
        "[\"news\",\"sport\"]",
        "{not json",
        "{\"a\":null}",
        "{\"é\":1}",
        "{\"a\":\"x\\ny\"}",
    ])
    .prop_map(str::to_owned);
    let long = (295_usize..310, select(vec!["a", "é", "😀"])).prop_map(|(count, letter)| letter.repeat(count));
    let arrays = (20_usize..30, any::<bool>()).prop_map(|(count, objects)| {
        json!(vec![if objects { json!({ "a": 1 }) } else { json!("x") }; count]).to_string()
    });
    let wide = (18_usize..24).prop_map(|count| {
        let fields: serde_json::Map<_, _> = (0..count).map(|index| (format!("k{index}"), json!(index))).collect();
        serde_json::Value::Object(fields).to_string()
    });
    let large = (1_990_usize..2_060).prop_map(|count| format!("https://x.y/{}", "a".repeat(count)));
    prop_oneof![6 => words, 1 => long, 1 => arrays, 1 => wide, 1 => large, 2 => any::<String>()].boxed()
}

fn cells<T: std::fmt::Debug + 'static>(
    values: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Vec<Option<T>>> {
    vec(option::weighted(0.85, values), ROWS)
}

fn text_column() -> BoxedStrategy<ArrayRef> {
    cells(any_text())
        .prop_map(|values| Arc::new(StringArray::from(values)) as ArrayRef)
        .boxed()
}

fn list_column() -> BoxedStrategy<ArrayRef> {
    cells(vec(option::weighted(0.97, any_text()), 0..28))
        .prop_map(|rows| {
            let mut builder = ListBuilder::new(StringBuilder::new());
            for row in rows {
                let is_some = row.is_some();
                row.into_iter()
                    .flatten()
                    .for_each(|item| builder.values().append_option(item));
                builder.append(is_some);
            }
            Arc::new(builder.finish()) as ArrayRef
        })
        .boxed()
}

fn struct_column() -> BoxedStrategy<ArrayRef> {
    (text_column(), list_column())
        .prop_map(|(text, list)| {
            let fields = vec![
                (Arc::new(Field::new("Some Text", DataType::Utf8, true)), text),
                (Arc::new(Field::new("list", list.data_type().clone(), true)), list),
            ];
            Arc::new(StructArray::from(fields)) as ArrayRef
        })
        .boxed()
}

/// Any value of any scalar type.
fn scalar_column() -> BoxedStrategy<ArrayRef> {
    let decimal = |(precision, scale)| {
        let limit = 10_i128.pow(u32::from(precision) - 1);
        cells(-limit..limit).prop_map(move |values| {
            Arc::new(
                Decimal128Array::from(values)
                    .with_precision_and_scale(precision, scale)
                    .unwrap(),
            ) as ArrayRef
        })
    };
    prop_oneof![
        cells(any::<bool>()).prop_map(|values| Arc::new(BooleanArray::from(values)) as ArrayRef),
        cells(any::<i64>()).prop_map(|values| Arc::new(Int64Array::from(values)) as ArrayRef),
        cells(any::<u64>()).prop_map(|values| Arc::new(UInt64Array::from(values)) as ArrayRef),
        cells(proptest::num::f64::ANY).prop_map(|values| Arc::new(Float64Array::from(values)) as ArrayRef),
        select(vec![(9_u8, 2_i8), (18, 4), (38, 0), (38, 10), (38, -3)]).prop_flat_map(decimal),
        cells(any::<i32>()).prop_map(|values| Arc::new(Date32Array::from(values)) as ArrayRef),
        cells(any::<i64>())
            .prop_map(|values| Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")) as ArrayRef),
        text_column(),
    ]
    .boxed()
}

fn time_column() -> BoxedStrategy<ArrayRef> {
    prop_oneof![
        cells(any::<i64>()).prop_map(|values| Arc::new(TimestampMicrosecondArray::from(values)) as ArrayRef),
        text_column()
    ]
    .boxed()
}

fn id_column() -> BoxedStrategy<ArrayRef> {
    let ids = prop_oneof![4 => select(vec!["u1", "u2", "u3"]).prop_map(str::to_owned), 2 => any_text(), 1 => (1_000_usize..1_030).prop_map(|count| "x".repeat(count))];
    cells(ids)
        .prop_map(|values| Arc::new(StringArray::from(values)) as ArrayRef)
        .boxed()
}

fn profile_columns() -> BoxedStrategy<Columns> {
    let natives = vec![
        "batch__email_address",
        "batch__email_marketing",
        "batch__phone_number",
        "batch__sms_marketing",
        "batch__language",
        "batch__region",
        "batch__timezone",
        "batch__topic_preferences",
    ];
    let natives = natives
        .into_iter()
        .map(|name| text_column().prop_map(move |column| (name, column)))
        .collect::<Vec<_>>();
    let plain = (
        scalar_column(),
        scalar_column(),
        text_column(),
        list_column(),
        time_column(),
        text_column(),
    );
    (id_column(), plain, natives)
        .prop_map(|(ids, (a, b, text, list, date, url), natives)| {
            let mut columns = vec![
                ("custom_id", ids),
                ("a", a),
                ("B", b),
                ("text", text),
                ("list", list),
                ("date__d", date),
                ("url__u", url),
            ];
            columns.extend(natives);
            columns
        })
        .boxed()
}

fn event_columns() -> BoxedStrategy<Columns> {
    let names = select(vec![
        "bought",
        "seen",
        "Bad Name",
        "",
        "a2345678901234567890123456789012",
    ]);
    let names = cells(names).prop_map(|values| Arc::new(StringArray::from(values)) as ArrayRef);
    // From two days ago to two minutes ahead, in microseconds.
    let times = cells(-172_800_000_000_i64..120_000_000).prop_map(|offsets| {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let now = i64::try_from(now.as_micros()).unwrap();
        Arc::new(
            offsets
                .into_iter()
                .map(|offset| offset.map(|offset| now + offset))
                .collect::<TimestampMicrosecondArray>(),
        ) as ArrayRef
    });
    let attributes = (
        scalar_column(),
        text_column(),
        list_column(),
        struct_column(),
        text_column(),
        time_column(),
        text_column(),
    );
    let own = (text_column(), text_column());
    (id_column(), names, times, attributes, own)
        .prop_map(
            |(ids, names, times, (a, text, list, object, document, date, url), (label, tags))| {
                vec![
                    ("custom_id", ids),
                    ("event_name", names),
                    ("event_time", times),
                    ("a", a),
                    ("text", text),
                    ("list", list),
                    ("object", object),
                    ("document", document),
                    ("date__d", date),
                    ("url__u", url),
                    ("batch__label", label),
                    ("batch__tags", tags),
                ]
            },
        )
        .boxed()
}

fn check(target: &'static str, mode: WriteMode, columns: BoxedStrategy<Columns>, changes: serde_json::Value) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    });
    let result = runner.run(&columns, |columns| {
        runtime.block_on(async {
            let running = sandbox(|_| ()).await;
            let harness = destination(spec(running.address(), target, &changes)).await;
            let (table, batch) = table(columns);
            let written = harness
                .write(table, mode, &[batch])
                .await
                .map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
            let violations = running.sandbox().violations();
            prop_assert_eq!(violations.count, 0, "{:?}", violations.first.first());
            prop_assert_eq!(written.counts.total(), ROWS as u64);
            let refused = written.rejects.iter().filter(|reject| reject.whole_row).count();
            prop_assert_eq!(written.counts.rejected, refused as u64);
            let nameless = written
                .rejects
                .iter()
                .find(|reject| reject.rule.is_empty() || (!reject.whole_row && reject.column.is_empty()));
            prop_assert!(nameless.is_none(), "{:?}", nameless);
            if target == "profile_events" {
                prop_assert_eq!(project(&running).counts().events as u64, written.counts.delivered);
            }
            running.stop().await;
            Ok(())
        })
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn any_table_of_profiles_is_taken_in_full() {
    check("profile_attributes", WriteMode::Overwrite, profile_columns(), json!({}));
}

#[test]
fn any_table_of_profiles_is_taken_in_full_when_nulls_unset() {
    check(
        "profile_attributes",
        WriteMode::Overwrite,
        profile_columns(),
        json!({ "nulls": "unset" }),
    );
}

#[test]
fn any_table_of_events_is_taken_in_full() {
    check("profile_events", WriteMode::Append, event_columns(), json!({}));
}

#[test]
fn any_table_of_events_is_taken_in_full_when_late_ones_lose_their_time() {
    check(
        "profile_events",
        WriteMode::Append,
        event_columns(),
        json!({ "late_events": "send_without_time" }),
    );
}
