//! What it costs to turn Arrow rows into the bodies of requests. `preview` does it with the code that sends.

use std::{collections::HashMap, process::ExitCode, sync::Arc};

use futures_util::FutureExt as _;
use longshore_destination_batch::BatchDestination;
use longshore_hot_paths::HotPath;
use longshore_sdk::{
    arrow::{
        array::{
            ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
            TimestampMicrosecondArray,
        },
        datatypes::{DataType, Field, Schema, TimeUnit},
    },
    prelude::*,
};

/// Rows of a batch.
const BATCH: i64 = 2_500;

fn main() -> ExitCode {
    longshore_hot_paths::main(
        &[
            HotPath {
                name: "attributes_to_requests",
                prepare: || requests("profile_attributes", customers()),
            },
            HotPath {
                name: "events_to_requests",
                prepare: || requests("profile_events", events()),
            },
            HotPath {
                name: "lists_to_requests",
                prepare: || requests("profile_attributes", json_lists()),
            },
            HotPath {
                name: "objects_to_requests",
                prepare: || requests("profile_events", json_objects()),
            },
        ],
        include_str!("hot_paths.toml"),
    )
}

fn requests(target: &'static str, batch: RecordBatch) -> Box<dyn FnMut(usize)> {
    let spec = serde_json::json!({
        "target": target,
        "endpoint": "mass_update",
        "project_key": "p",
        "rest_api_key": "r",
        "base_url": "http://127.0.0.1:9",
        "late_events": "send_without_time",
        "rate_limit": { "unlimited": true },
    });
    let spec = serde_json::from_value(spec).expect("the specification is well-formed");
    let destination = BatchDestination::configure(spec).expect("the specification is consistent");
    let table = Table::new("t", batch.schema());
    Box::new(move |rows| {
        for _ in 0..rows.div_ceil(batch.num_rows()) {
            let preview = destination.preview(table.clone(), vec![batch.clone()]).now_or_never();
            let preview = preview.expect("nothing waits").expect("these rows can be encoded");
            assert_eq!((preview.requests.len(), preview.rejects.len()), (1, 0));
        }
    })
}

fn texts(text: impl Fn(i64) -> String) -> ArrayRef {
    Arc::new(StringArray::from_iter_values((0..BATCH).map(text)))
}

fn instants() -> ArrayRef {
    let instants = (0..BATCH).map(|row| 1_700_000_000_000_000 + row * 1_000_001);
    Arc::new(TimestampMicrosecondArray::from_iter_values(instants).with_timezone("UTC"))
}

fn columns(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Eleven columns, as of a table of customers.
fn customers() -> RecordBatch {
    columns(vec![
        ("id", Arc::new(Int64Array::from_iter_values(0..BATCH))),
        ("custom_id", texts(|row| format!("customer-{row}"))),
        ("name", texts(|row| format!("Name of {row}"))),
        ("batch__email_address", texts(|row| format!("person{row}@example.com"))),
        ("plan", texts(|_| "premium".to_owned())),
        (
            "score",
            Arc::new(Float64Array::from_iter_values((0..BATCH).map(|row| row as f64 * 1.25))),
        ),
        ("visits", Arc::new(Int32Array::from_iter_values(0..2_500))),
        (
            "active",
            Arc::new((0..BATCH).map(|row| Some(row % 7 > 0)).collect::<BooleanArray>()),
        ),
        ("date__created_at", instants()),
        ("last_updated_at", instants()),
        ("interests", texts(|row| format!("[\"chess\", \"n{row}\"]"))),
    ])
}

fn events() -> RecordBatch {
    columns(vec![
        ("custom_id", texts(|row| format!("customer-{}", row / 3))),
        ("event_name", texts(|_| "purchase".to_owned())),
        ("event_time", instants()),
        (
            "amount",
            Arc::new(Float64Array::from_iter_values((0..BATCH).map(|row| row as f64 * 0.5))),
        ),
        ("item", texts(|row| format!("item {row}"))),
    ])
}

fn json_lists() -> RecordBatch {
    columns(vec![
        ("custom_id", texts(|row| format!("customer-{row}"))),
        ("interests", texts(|row| format!("[\"a\", \"b\", \"c{row}\"]"))),
    ])
}

fn json_objects() -> RecordBatch {
    let (field, objects) = json(texts(|row| {
        format!("{{\"city\": \"Paris\", \"n\": {row}, \"inner\": {{\"size\": 1.5, \"tags\": [\"a\", \"b\"]}}}}")
    }));
    let schema = Schema::new(vec![
        Field::new("custom_id", DataType::Utf8, false),
        Field::new("event_name", DataType::Utf8, false),
        Field::new(
            "event_time",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            true,
        ),
        field,
    ]);
    let arrays = vec![
        texts(|row| format!("customer-{row}")),
        texts(|_| "visit".to_owned()),
        instants(),
        objects,
    ];
    RecordBatch::try_new(Arc::new(schema), arrays).expect("arrays of these fields")
}

/// Text that is declared to be JSON.
fn json(texts: ArrayRef) -> (Field, ArrayRef) {
    let declared = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.json".to_owned())]);
    let field = Field::new("properties", DataType::Utf8, true).with_metadata(declared);
    (field, texts)
}
