use chrono::Utc;
use longshore_sdk::{
    arrow::{
        array::{ArrayRef, RecordBatch, StringArray},
        datatypes::{DataType, Field, Schema},
    },
    prelude::*,
};
use serde_json::{Value as Json, json};

use super::*;
use crate::{encode::rows::encode, mapping::TablePlan, sending::claims::Claims};

const LIMITS: RequestLimits = RequestLimits {
    operations: 2,
    bytes: 1_000_000,
};

/// Rows of (custom id, value).
fn pool(target: &str, rows: &[(&str, Option<&str>)]) -> Pool {
    let mut columns: Vec<(&str, Vec<Option<&str>>)> = vec![("custom_id", rows.iter().map(|row| Some(row.0)).collect())];
    if target == "profile_events" {
        columns.push(("event_name", vec![Some("a"); rows.len()]));
    }
    columns.push(("v", rows.iter().map(|row| row.1).collect()));
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, _)| Field::new(*name, DataType::Utf8, true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns
        .into_iter()
        .map(|(_, values)| Arc::new(StringArray::from(values)) as ArrayRef)
        .collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
    let spec = serde_json::from_value(json!({ "target": target, "project_key": "p", "rest_api_key": "r" })).unwrap();
    let plan = Arc::new(TablePlan::new(&Table::new("t", schema), &spec).unwrap());
    let mut pool = Pool::default();
    encode(&plan, 1, &batch, Utc::now())
        .unwrap()
        .batch
        .rows()
        .for_each(|row| pool.push(row));
    pool
}

/// The operations of a request as (custom id, its value or its values).
fn shown(request: &Request) -> Vec<(String, Json)> {
    let body: Vec<Json> = serde_json::from_slice(&request.body).unwrap();
    let value = |operation: &Json| match operation["events"].as_array() {
        Some(events) => events.iter().map(|event| event["attributes"]["v"].clone()).collect(),
        None => operation["attributes"]["v"].clone(),
    };
    body.iter()
        .map(|operation| {
            (
                operation["identifiers"]["custom_id"].as_str().unwrap().to_owned(),
                value(operation),
            )
        })
        .collect()
}

fn release(pool: &mut Pool, request: &Request) {
    pool.release(request.operations.iter().map(Operation::custom_id));
}

fn expected(operations: &[(&str, Json)]) -> Vec<(String, Json)> {
    operations
        .iter()
        .map(|(id, value)| ((*id).to_owned(), value.clone()))
        .collect()
}

#[test]
fn of_one_profile_the_later_row_wins_and_what_it_leaves_out_stays() {
    let claims = Arc::new(Claims::default());
    let mut pool = pool(
        "profile_attributes",
        &[("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("a", None)],
    );
    let request = pool.take(LIMITS, claims.claim()).unwrap();
    assert_eq!(shown(&request), expected(&[("a", json!("2")), ("b", json!("1"))]));
    assert_eq!((request.operations[0].rows().len(), pool.rows()), (3, 0));
}

#[test]
fn an_array_edit_builds_on_what_is_there_and_goes_later() {
    let claims = Arc::new(Claims::default());
    let mut pool = pool(
        "profile_attributes",
        &[
            ("a", Some("{\"$add\":[\"x\"]}")),
            ("a", Some("{\"$add\":[\"y\"]}")),
            ("a", Some("[\"z\"]")),
        ],
    );
    let first = pool.take(LIMITS, claims.claim()).unwrap();
    assert_eq!(shown(&first), expected(&[("a", json!({ "$add": ["x"] }))]));
    assert!(pool.take(LIMITS, claims.claim()).is_none());
    release(&mut pool, &first);
    drop(first);
    let second = pool.take(LIMITS, claims.claim()).unwrap();
    assert_eq!(
        shown(&second),
        expected(&[("a", json!(["z"]))]),
        "the replacement overtakes the edit before it"
    );
}

#[test]
fn events_of_one_profile_go_fifteen_at_a_time_in_order() {
    let claims = Arc::new(Claims::default());
    let values: Vec<String> = (0..17).map(|index| index.to_string()).collect();
    let rows: Vec<(&str, Option<&str>)> = values.iter().map(|value| ("a", Some(value.as_str()))).collect();
    let mut pool = pool("profile_events", &rows);
    let first = pool.take(LIMITS, claims.claim()).unwrap();
    assert_eq!(shown(&first), expected(&[("a", json!(values[..15]))]));
    assert!(pool.take(LIMITS, claims.claim()).is_none(), "the profile is in flight");
    release(&mut pool, &first);
    drop(first);
    assert_eq!(
        shown(&pool.take(LIMITS, claims.claim()).unwrap()),
        expected(&[("a", json!(values[15..]))])
    );
}

#[test]
fn requests_are_cut_by_count_and_by_bytes_but_never_empty() {
    let claims = Arc::new(Claims::default());
    let rows = [("a", Some("1")), ("b", Some("2")), ("c", Some("3"))];
    let mut by_count = pool("profile_attributes", &rows);
    assert_eq!(by_count.take(LIMITS, claims.claim()).unwrap().operations.len(), 2);
    assert_eq!(by_count.take(LIMITS, claims.claim()).unwrap().operations.len(), 1);
    let mut by_bytes = pool("profile_attributes", &rows);
    for bytes in [1, 100, 100] {
        let request = by_bytes
            .take(RequestLimits { operations: 10, bytes }, claims.claim())
            .unwrap();
        assert_eq!(request.operations.len(), 1, "{bytes}");
        assert!(bytes == 1 || request.body.len() <= bytes);
    }
    assert_eq!((by_bytes.rows(), by_bytes.ready()), (0, 0));
}

#[test]
fn a_profile_that_another_stream_has_in_flight_waits_and_keeps_its_place() {
    let claims = Arc::new(Claims::default());
    let mut elsewhere = claims.claim();
    assert!(elsewhere.add("a"));
    let mut pool = pool(
        "profile_attributes",
        &[("a", Some("1")), ("b", Some("2")), ("c", Some("3")), ("d", Some("4"))],
    );
    let request = pool.take(LIMITS, claims.claim()).unwrap();
    assert_eq!(shown(&request), expected(&[("b", json!("2")), ("c", json!("3"))]));
    drop(elsewhere);
    assert_eq!(
        shown(&pool.take(LIMITS, claims.claim()).unwrap()),
        expected(&[("a", json!("1")), ("d", json!("4"))])
    );
}
