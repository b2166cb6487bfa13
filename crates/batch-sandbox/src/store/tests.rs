//! What operations do to the content.

use serde_json::{Value, json};

use super::*;
use crate::{request, validation};

fn apply(store: &mut Store, operations: &Value) -> Vec<PartialError> {
    let body = serde_json::to_vec(operations).unwrap();
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    let mut errors = Vec::new();
    for (index, operation) in request::operations(&body, 10_000).unwrap().into_iter().enumerate() {
        if let Some(mut accepted) = validation::validate(index, operation, now, &mut errors) {
            store.apply(&mut accepted, now, &mut errors);
        }
    }
    errors
}

fn set(store: &mut Store, attributes: Value) {
    let errors = apply(
        store,
        &json!([{"identifiers": {"custom_id": "u"}, "attributes": attributes}]),
    );
    assert_eq!(errors, []);
}

fn attributes(store: &Store) -> Value {
    serde_json::to_value(store.profile("u").unwrap()).unwrap()["attributes"].take()
}

#[test]
fn null_deletes_absence_keeps_and_a_value_replaces() {
    let mut store = Store::default();
    set(
        &mut store,
        json!({"plan": "pro", "age": 5, "gone": true, "$language": "en"}),
    );
    set(&mut store, json!({"age": 6.5, "gone": null, "never_there": null}));
    assert_eq!(
        attributes(&store),
        json!({"plan": "pro", "age": 6.5, "$language": "en"})
    );
    set(&mut store, json!({"$language": null}));
    assert_eq!(attributes(&store), json!({"plan": "pro", "age": 6.5}));
}

#[test]
fn every_type_reads_back_as_it_was_sent() {
    let sent = json!({
        "b": true, "i": i64::MIN, "f": 0.1, "s": "é\u{1F600}\n", "date(d)": "1990-01-02T00:00:00.5Z", "url(u)": "https://x.y",
        "a": ["x", "x", "y"], "$email_address": "a@b.c",
    });
    let mut store = Store::default();
    set(&mut store, sent.clone());
    assert_eq!(attributes(&store), sent);
}

#[test]
fn an_array_replaces_and_an_edit_adds_and_removes() {
    let mut store = Store::default();
    set(&mut store, json!({"likes": ["a", "b"]}));
    set(&mut store, json!({"likes": {"$add": ["c", "a"], "$remove": ["b"]}}));
    assert_eq!(attributes(&store), json!({"likes": ["a", "c"]}));
    // Repeating an edit changes nothing: a retry is harmless.
    set(&mut store, json!({"likes": {"$add": ["c", "a"], "$remove": ["b"]}}));
    assert_eq!(attributes(&store), json!({"likes": ["a", "c"]}));
    set(&mut store, json!({"likes": ["z"]}));
    assert_eq!(attributes(&store), json!({"likes": ["z"]}));
    set(&mut store, json!({"likes": {"$remove": ["z"]}}));
    assert_eq!(attributes(&store), json!({}));
    set(
        &mut store,
        json!({"fresh": {"$add": ["n"]}, "absent": {"$remove": ["n"]}}),
    );
    assert_eq!(attributes(&store), json!({"fresh": ["n"]}));
}

#[test]
fn an_edit_that_grows_an_array_beyond_25_items_is_refused() {
    let items = |range: std::ops::Range<u32>| -> Vec<String> { range.map(|item| item.to_string()).collect() };
    let mut store = Store::default();
    set(&mut store, json!({"likes": items(0..20)}));
    let edit =
        |count| json!([{"identifiers": {"custom_id": "u"}, "attributes": {"likes": {"$add": items(20..count)}}}]);
    let errors = apply(&mut store, &edit(26));
    assert_eq!(errors[0].attribute.as_deref(), Some("likes"));
    assert_eq!(attributes(&store)["likes"].as_array().unwrap().len(), 20);
    assert_eq!(apply(&mut store, &edit(25)), []);
    assert_eq!(attributes(&store)["likes"].as_array().unwrap().len(), 25);
}

#[test]
fn a_profile_holds_15_arrays_and_refuses_a_sixteenth() {
    let arrays: serde_json::Map<_, _> = (0..15).map(|number| (format!("a{number}"), json!(["x"]))).collect();
    let mut store = Store::default();
    set(&mut store, Value::Object(arrays));
    set(&mut store, json!({"a3": ["y"], "plain": 1}));
    let errors = apply(
        &mut store,
        &json!([{"identifiers": {"custom_id": "u"}, "attributes": {"a15": ["x"]}}]),
    );
    assert_eq!(errors[0].attribute.as_deref(), Some("a15"));
    set(&mut store, json!({"a3": null}));
    set(&mut store, json!({"a15": ["x"]}));
}

#[test]
fn a_type_mark_belongs_to_the_value_and_not_to_the_name() {
    let mut store = Store::default();
    set(&mut store, json!({"born": "in spring"}));
    set(&mut store, json!({"date(born)": "1990-01-02T00:00:00Z"}));
    assert_eq!(attributes(&store), json!({"date(born)": "1990-01-02T00:00:00Z"}));
    set(&mut store, json!({"born": null}));
    assert_eq!(attributes(&store), json!({}));
}

#[test]
fn an_operation_without_content_makes_the_profile() {
    let mut store = Store::default();
    set(&mut store, json!({}));
    assert_eq!(store.profile_count(), 1);
    assert_eq!(attributes(&store), json!({}));
}

#[test]
fn events_keep_their_order_and_their_repetitions() {
    let event = json!({"name": "e", "time": "2026-11-20T10:00:00Z", "attributes": {"n": 1, "$tags": ["t"]}});
    let bare = json!({"name": "f"});
    let mut store = Store::default();
    apply(
        &mut store,
        &json!([
            {"identifiers": {"custom_id": "u"}, "events": [event, bare]},
            {"identifiers": {"custom_id": "v"}, "events": [event]},
            {"identifiers": {"custom_id": "u"}, "events": [event]},
        ]),
    );
    let of_u = store.events_of("u");
    let shape: Vec<_> = of_u.iter().map(|event| (event.sequence, event.name.as_str())).collect();
    assert_eq!(shape, [(0, "e"), (1, "f"), (3, "e")]);
    assert_eq!(of_u[0].time.as_deref(), Some("2026-11-20T10:00:00Z"));
    assert_eq!(of_u[1].time, None);
    assert_eq!(
        serde_json::from_str::<Value>(&of_u[0].attributes).unwrap(),
        event["attributes"]
    );
    assert_eq!(
        store.events(1, 2).map(|event| event.custom_id).collect::<Vec<_>>(),
        ["u", "v"]
    );
    assert_eq!(store.events(4, 10).count(), 0);
    assert!(store.events_of("nobody").is_empty());
    assert_eq!(store.profile("u").unwrap().events, 3);

    let duplicates = store.duplicates(10);
    assert_eq!((duplicates.events, duplicates.distinct, duplicates.repeated), (4, 3, 1));
    let group = &duplicates.groups[0];
    assert_eq!(
        (
            group.custom_id.as_str(),
            group.name.as_str(),
            group.sequences.as_slice()
        ),
        ("u", "e", &[0, 3][..])
    );
    assert_eq!(store.duplicates(0).groups, []);
}

#[test]
fn events_of_any_size_read_back_across_blocks() {
    let mut store = Store::default();
    for number in 0..300_u32 {
        let filler = "x".repeat(300);
        let items = vec![filler; (number % 25 + 1) as usize];
        let event = json!({"name": "e", "attributes": {"number": number, "filler": items}});
        let errors = apply(
            &mut store,
            &json!([{"identifiers": {"custom_id": format!("u{}", number % 7)}, "events": [event]}]),
        );
        assert_eq!(errors, []);
    }
    for (number, event) in store.events(0, 300).enumerate() {
        let attributes: Value = serde_json::from_str(&event.attributes).unwrap();
        assert_eq!(attributes["number"], number);
        assert_eq!(attributes["filler"].as_array().unwrap().len(), number % 25 + 1);
    }
}
