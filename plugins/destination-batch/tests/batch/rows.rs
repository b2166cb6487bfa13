//! Tables and specifications for tests.

use std::sync::Arc;

use longshore_batch_sandbox::{Limit, Options, Project, Running, Sandbox};
use longshore_destination_batch::BatchDestination;
use longshore_sdk::{
    arrow::{
        array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
        datatypes::{Field, Schema},
    },
    harness::DestinationHarness,
    table::Table,
};
use serde_json::{Value as Json, json};

pub(crate) const PROJECT: &str = "project_tests";
pub(crate) const KEY: &str = "rest_tests";

/// A sandbox in strict mode without rate limits, unless changed.
pub(crate) async fn sandbox(change: impl FnOnce(&mut Options)) -> Running {
    let mut options = Options::for_project(PROJECT, KEY);
    options.strict = true;
    options.update_limit = Limit::Unlimited;
    options.mass_update_limit = Limit::Unlimited;
    change(&mut options);
    Sandbox::start(options).await.unwrap()
}

pub(crate) fn project(running: &Running) -> Arc<Project> {
    Arc::clone(running.sandbox().project(PROJECT).unwrap())
}

/// A specification for an address, without rate limits and with short waits, with these changes.
pub(crate) fn spec(address: impl std::fmt::Display, target: &str, changes: &Json) -> Json {
    let mut spec = json!({
        "target": target,
        "project_key": PROJECT,
        "rest_api_key": KEY,
        "base_url": format!("http://{address}"),
        "rate_limit": { "unlimited": true },
        "requests": { "linger": "20ms" },
        "retry": { "first_delay": "5ms", "max_delay": "50ms", "rate_limited_delay": "30ms" },
    });
    for (key, value) in changes.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

pub(crate) async fn destination(spec: Json) -> DestinationHarness {
    DestinationHarness::configure::<BatchDestination>(spec).await.unwrap()
}

/// A batch of these columns, and its table.
pub(crate) fn table(columns: Vec<(&str, ArrayRef)>) -> (Table, RecordBatch) {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        columns.into_iter().map(|(_, array)| array).collect(),
    )
    .unwrap();
    (Table::new("shop", schema), batch)
}

pub(crate) fn text<S: AsRef<str>>(values: impl IntoIterator<Item = Option<S>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

pub(crate) fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

/// Profiles `u0`, `u1`, …, each with its number.
pub(crate) fn profiles(count: i64) -> (Table, RecordBatch) {
    table(vec![
        ("custom_id", text((0..count).map(|index| Some(format!("u{index}"))))),
        ("number", numbers(0..count)),
    ])
}

/// Events with a number each, of so many profiles in turn, a minute ago.
pub(crate) fn events(count: i64, profiles: i64) -> (Table, RecordBatch) {
    events_from(0, count, profiles)
}

/// See [`events`]; the numbers begin at `first`.
pub(crate) fn events_from(first: i64, count: i64, profiles: i64) -> (Table, RecordBatch) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let time = i64::try_from(now.as_micros()).unwrap() - 60_000_000;
    let range = first..first + count;
    table(vec![
        (
            "custom_id",
            text(range.clone().map(|index| Some(format!("u{}", index % profiles)))),
        ),
        ("event_name", text(range.clone().map(|_| Some("bought")))),
        (
            "event_time",
            Arc::new(TimestampMicrosecondArray::from_iter_values(
                range.clone().map(|index| time + index),
            )),
        ),
        ("number", numbers(range)),
    ])
}

/// The numbers of the events that a profile has, in the order in which they came.
pub(crate) fn numbers_of(project: &Project, custom_id: &str) -> Vec<i64> {
    let number = |attributes: &str| {
        serde_json::from_str::<Json>(attributes).unwrap()["number"]
            .as_i64()
            .unwrap()
    };
    project
        .events_of(custom_id)
        .iter()
        .map(|event| number(&event.attributes))
        .collect()
}
