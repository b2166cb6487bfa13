//! Every rule at its limit and one beyond it.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;
use crate::request;

const NOW: &str = "2026-11-20T12:00:00Z";

/// What validation makes of one operation: is anything left to apply, with how many attributes and events, and the errors.
struct Verdict {
    applied: Option<(usize, Vec<(String, Value)>)>,
    errors: Vec<PartialError>,
}

fn look_at(operation: &Value) -> Verdict {
    let body = serde_json::to_vec(&json!([operation])).unwrap();
    let operation = request::operations(&body, 200)
        .expect("the skeleton is right")
        .remove(0);
    let mut errors = Vec::new();
    let accepted = validate(0, operation, NOW.parse().unwrap(), &mut errors);
    let applied = accepted.map(|accepted| {
        let events = accepted.events.iter().map(|event| {
            let attributes = serde_json::from_slice(&event.attributes).unwrap();
            (event.name.to_string(), attributes)
        });
        (accepted.attributes.len(), events.collect())
    });
    Verdict { applied, errors }
}

fn profile_attribute(key: &str, value: &Value) -> Result<(), String> {
    let verdict = look_at(&json!({"identifiers": {"custom_id": "u"}, "attributes": {key: value, "other_one": 1}}));
    let (kept, _) = verdict.applied.expect("a bad attribute does not refuse the operation");
    match verdict.errors.as_slice() {
        [] => {
            assert_eq!(kept, 2);
            Ok(())
        }
        [error] => {
            assert_eq!(kept, 1, "the other attribute is applied");
            assert_eq!(error.attribute.as_deref(), Some(key));
            assert_eq!(error.category, Category::Attribute);
            Err(error.reason.clone())
        }
        several => panic!("one attribute, several errors: {several:?}"),
    }
}

fn event_attribute(key: &str, value: &Value) -> Result<(), String> {
    let event = json!({"name": "e", "attributes": {key: value, "other_one": 1}});
    let verdict = look_at(&json!({"identifiers": {"custom_id": "u"}, "events": [event]}));
    let (_, events) = verdict.applied.expect("a bad attribute does not refuse the operation");
    let kept = &events[0].1;
    assert_eq!(kept["other_one"], 1, "the rest of the event is kept");
    match verdict.errors.as_slice() {
        [] => {
            assert_eq!(&kept[key], value);
            Ok(())
        }
        [error] => {
            assert!(kept.get(key).is_none());
            assert_eq!(
                (error.attribute.as_deref(), error.category),
                (Some(key), Category::Event)
            );
            Err(error.reason.clone())
        }
        several => panic!("one attribute, several errors: {several:?}"),
    }
}

fn check(cases: &[(&str, Value, bool)], rule: fn(&str, &Value) -> Result<(), String>) {
    for (key, value, is_accepted) in cases {
        let outcome = rule(key, value);
        assert_eq!(outcome.is_ok(), *is_accepted, "{key}: {value}: {outcome:?}");
    }
}

fn text(characters: usize) -> Value {
    // Three bytes each: characters are counted, not bytes.
    Value::from("€".repeat(characters))
}

fn texts(items: usize) -> Value {
    (0..items).map(|item| format!("item_{item}")).collect()
}

fn url(characters: usize) -> Value {
    let start = "https://x.y/";
    Value::from(format!("{start}{}", "a".repeat(characters - start.len())))
}

#[test]
fn custom_ids_are_accepted_up_to_their_limit_and_refused_with_their_operation_beyond_it() {
    let long = |characters: usize| "é".repeat(characters);
    let cases = [
        ("u-1".to_owned(), true),
        (" u ".to_owned(), true),
        (long(1_024), true),
        (long(1_025), false),
        (String::new(), false),
        ("  \t ".to_owned(), false),
        ("a\nb".to_owned(), false),
        ("a\rb".to_owned(), false),
        ("nullable".to_owned(), true),
    ];
    let blocked = limits::BLOCKED_CUSTOM_IDS
        .iter()
        .map(|word| (word.to_uppercase(), false));
    for (custom_id, is_accepted) in cases.into_iter().chain(blocked) {
        let operation = json!({
            "identifiers": {"custom_id": custom_id}, "attributes": {"plan": "pro"}, "events": [{"name": "e"}],
        });
        let verdict = look_at(&operation);
        assert_eq!(verdict.applied.is_some(), is_accepted, "{custom_id:?}");
        let categories: Vec<_> = verdict.errors.iter().map(|error| error.category).collect();
        assert_eq!(
            categories,
            [Category::Identifier][..usize::from(!is_accepted)],
            "{custom_id:?}"
        );
    }
}

#[test]
fn an_installation_is_looked_at_but_makes_no_profile() {
    let verdict = look_at(&json!({
        "identifiers": {"installation": {"apikey": "k", "installation_id": "i"}}, "attributes": {"Bad": 1, "good": 1},
    }));
    assert!(verdict.applied.is_none());
    assert_eq!(verdict.errors.len(), 1);
}

#[test]
fn attribute_keys() {
    let long = |characters: usize| "k".repeat(characters);
    let date = json!("1990-01-02T00:00:00Z");
    let cases = [
        ("plan_2".to_owned(), json!(1), true),
        (long(30), json!(1), true),
        (long(31), json!(1), false),
        (format!("date({})", long(30)), date.clone(), true),
        (format!("date({})", long(31)), date, false),
        (format!("url({})", long(30)), json!("https://x.y"), true),
        (format!("url({})", long(31)), json!("https://x.y"), false),
        (String::new(), json!(1), false),
        ("date()".to_owned(), json!("1990-01-02T00:00:00Z"), false),
        ("Plan".to_owned(), json!(1), false),
        ("my-plan".to_owned(), json!(1), false),
        ("my plan".to_owned(), json!(1), false),
        ("plän".to_owned(), json!(1), false),
        ("date(x".to_owned(), json!(1), false),
        ("time(x)".to_owned(), json!(1), false),
        ("$unknown".to_owned(), json!("x"), false),
    ];
    for (key, value, is_accepted) in cases {
        assert_eq!(profile_attribute(&key, &value).is_ok(), is_accepted, "profile: {key:?}");
        assert_eq!(event_attribute(&key, &value).is_ok(), is_accepted, "event: {key:?}");
    }
}

#[test]
fn values_of_profile_attributes() {
    let cases = [
        ("t", text(1), true),
        ("t", text(300), true),
        ("t", text(301), false),
        ("t", json!(""), false),
        ("t", json!("two\nlines"), true),
        ("t", json!(true), true),
        ("t", json!(i64::MIN), true),
        ("t", json!(i64::MAX), true),
        ("t", json!(i64::MAX as u64 + 1), false),
        ("t", json!(-0.5e300), true),
        ("t", Value::Null, true),
        ("t", texts(1), true),
        ("t", texts(25), true),
        ("t", texts(26), false),
        ("t", json!([]), false),
        ("t", json!([text(300)]), true),
        ("t", json!([text(301)]), false),
        ("t", json!([""]), false),
        ("t", json!(["a", 1]), false),
        ("t", json!(["a", null]), false),
        ("t", json!([["a"]]), false),
        ("t", json!([{"a": 1}]), false),
        ("t", json!({}), false),
        ("t", json!({"a": 1}), false),
        ("t", json!({"$add": ["a"]}), true),
        ("t", json!({"$remove": ["a"]}), true),
        ("t", json!({"$add": ["a"], "$remove": ["b"]}), true),
        ("t", json!({"$add": texts(25)}), true),
        ("t", json!({"$add": texts(26)}), false),
        ("t", json!({"$remove": texts(26)}), false),
        ("t", json!({"$add": []}), false),
        ("t", json!({"$add": "a"}), false),
        ("t", json!({"$add": [1]}), false),
        ("t", json!({"$add": ["a"], "$set": ["b"]}), false),
    ];
    check(&cases, profile_attribute);
}

#[test]
fn dates_and_urls_mean_the_same_for_profiles_and_events() {
    let cases = [
        ("date(d)", json!("1990-01-02T00:00:00Z"), true),
        ("date(d)", json!("1990-01-02T00:00:00.123456789Z"), true),
        ("date(d)", json!("1969-12-31T23:59:59Z"), true),
        ("date(d)", json!("0001-01-01T00:00:00+00:00"), true),
        ("date(d)", json!("1990-01-02T00:00:00+02:00"), false),
        ("date(d)", json!("1990-01-02"), false),
        ("date(d)", json!("1990-01-02 00:00:00Z"), false),
        ("date(d)", json!("1990-01-02T00:00:00"), false),
        ("date(d)", json!("1990-02-30T00:00:00Z"), false),
        ("date(d)", json!(""), false),
        ("date(d)", json!(631_152_000), false),
        ("url(u)", json!("https://x.y/z.png?q=1#f"), true),
        ("url(u)", json!("myapp://open"), true),
        ("url(u)", json!("ftp://user:pass@host:21/"), true),
        ("url(u)", url(2_048), true),
        ("url(u)", url(2_049), false),
        ("url(u)", json!("x.y/z"), false),
        ("url(u)", json!("//x.y/z"), false),
        ("url(u)", json!("mailto:a@b.c"), false),
        ("url(u)", json!("https:///path"), false),
        ("url(u)", json!("https://"), false),
        ("url(u)", json!("https://:80/"), false),
        ("url(u)", json!("1http://x.y"), false),
        ("url(u)", json!("https://x.y/a b"), false),
        ("url(u)", json!(""), false),
        ("url(u)", json!(5), false),
        ("url(u)", json!(["https://x.y"]), false),
    ];
    check(&cases, profile_attribute);
    check(&cases, event_attribute);
}

#[test]
fn native_attributes() {
    let email = |characters: usize| Value::from(format!("{}@b.c", "a".repeat(characters - 4)));
    let mut cases = vec![
        ("$email_address", json!("a.b+c@d-e.fr"), true),
        ("$email_address", email(256), true),
        ("$email_address", email(257), false),
        ("$email_address", json!("a@b@c.d"), false),
        ("$email_address", json!("ab.c"), false),
        ("$email_address", json!("@b.c"), false),
        ("$email_address", json!("a@"), false),
        ("$email_address", json!("a b@c.d"), false),
        ("$email_address", json!("a@b_c.d"), false),
        ("$email_address", json!(1), false),
        ("$phone_number", json!("+33612345678"), true),
        ("$phone_number", json!("+1"), true),
        ("$phone_number", json!("+123456789012345"), true),
        ("$phone_number", json!("+1234567890123456"), false),
        ("$phone_number", json!("+"), false),
        ("$phone_number", json!("33612345678"), false),
        ("$phone_number", json!("+33 6"), false),
        ("$language", json!("en"), true),
        ("$language", json!("eng"), false),
        ("$language", json!("e1"), false),
        ("$language", json!(""), false),
        ("$region", json!("FR"), true),
        ("$region", json!("FRA"), false),
        ("$timezone", json!("Europe/Paris"), true),
        ("$timezone", json!("UTC"), true),
        ("$timezone", json!("Europe/Atlantis"), false),
        ("$timezone", json!("+02:00"), false),
        ("$topic_preferences", json!(["news", "offers_2", "a-b"]), true),
        ("$topic_preferences", texts(25), true),
        ("$topic_preferences", texts(26), false),
        ("$topic_preferences", json!([]), false),
        ("$topic_preferences", json!(["t".repeat(300)]), true),
        ("$topic_preferences", json!(["t".repeat(301)]), false),
        ("$topic_preferences", json!(["News"]), false),
        (
            "$topic_preferences",
            json!({"$add": ["news"], "$remove": ["offers"]}),
            true,
        ),
        ("$topic_preferences", json!({"$add": ["News"]}), false),
        ("$topic_preferences", json!("news"), false),
        ("$push_marketing", json!("subscribed"), false),
    ];
    for key in ["$email_marketing", "$sms_marketing"] {
        cases.push((key, json!("subscribed"), true));
        cases.push((key, json!("unsubscribed"), true));
        cases.push((key, json!("Subscribed"), false));
        cases.push((key, json!(true), false));
    }
    for key in [
        "$email_address",
        "$email_marketing",
        "$phone_number",
        "$sms_marketing",
        "$language",
        "$region",
        "$timezone",
        "$topic_preferences",
    ] {
        cases.push((key, Value::Null, true));
    }
    check(&cases, profile_attribute);
}

#[test]
fn fifty_attributes_are_applied_and_of_fifty_one_none() {
    let operation = |count: usize| {
        let natives = [("$language".to_owned(), json!("en"))];
        let customs = (1..count).map(|number| (format!("a{number}"), json!(number)));
        let attributes: serde_json::Map<_, _> = natives.into_iter().chain(customs).collect();
        json!({"identifiers": {"custom_id": "u"}, "attributes": attributes, "events": [{"name": "e"}]})
    };
    let at_the_limit = look_at(&operation(50));
    assert_eq!(at_the_limit.errors, []);
    assert_eq!(at_the_limit.applied.unwrap().0, 50);

    let beyond = look_at(&operation(51));
    assert_eq!(beyond.errors.len(), 1);
    let (attributes, events) = beyond.applied.unwrap();
    assert_eq!((attributes, events.len()), (0, 1), "the event is kept");
}

#[test]
fn a_name_that_occurs_twice_is_applied_once() {
    let body = br#"[{"identifiers":{"custom_id":"u"},"attributes":{"x":1,"date(x)":"1990-01-02T00:00:00Z","x":2}}]"#;
    let operation = request::operations(body, 200).unwrap().remove(0);
    let mut errors = Vec::new();
    let accepted = validate(0, operation, NOW.parse().unwrap(), &mut errors).unwrap();
    assert_eq!(accepted.attributes.len(), 1);
    assert_eq!(errors.len(), 2);
}

fn event(event: &Value) -> Result<(), String> {
    let good = json!({"name": "good"});
    let verdict = look_at(&json!({"identifiers": {"custom_id": "u"}, "attributes": {"a": 1}, "events": [event, good]}));
    let (attributes, events) = verdict.applied.expect("a bad event does not refuse the operation");
    assert_eq!(attributes, 1, "the attributes are applied");
    assert_eq!(events.last().unwrap().0, "good", "the other event is kept");
    match verdict.errors.as_slice() {
        [] => Ok(()),
        [error] => {
            assert_eq!(events.len(), 1);
            assert_eq!((error.category, &error.attribute), (Category::Event, &None));
            Err(error.reason.clone())
        }
        several => panic!("one event, several errors: {several:?}"),
    }
}

#[test]
fn event_names() {
    let cases = [
        ("added_to_cart".to_owned(), true),
        ("e".repeat(30), true),
        ("e".repeat(31), false),
        (String::new(), false),
        ("Added".to_owned(), false),
        ("added-to".to_owned(), false),
        ("date(x)".to_owned(), false),
    ];
    for (name, is_accepted) in cases {
        assert_eq!(event(&json!({"name": name})).is_ok(), is_accepted, "{name:?}");
    }
}

#[test]
fn events_are_taken_from_24_hours_ago_until_now() {
    let now: DateTime<Utc> = NOW.parse().unwrap();
    let at = |offset: TimeDelta| (now + offset).to_rfc3339();
    let day = TimeDelta::days(1);
    let millisecond = TimeDelta::milliseconds(1);
    let cases = [
        (at(TimeDelta::zero()), true),
        (at(millisecond), false),
        (at(-day), true),
        (at(-day - millisecond), false),
        ("2026-11-20T13:00:00+02:00".to_owned(), true),
        ("2026-11-20T13:00:00Z".to_owned(), false),
        ("2026-11-20 11:00:00Z".to_owned(), false),
        ("2026-11-20T11:00:00".to_owned(), false),
        ("1969-12-31T23:59:59Z".to_owned(), false),
        ("yesterday".to_owned(), false),
        (String::new(), false),
    ];
    for (time, is_accepted) in cases {
        assert_eq!(
            event(&json!({"name": "e", "time": time})).is_ok(),
            is_accepted,
            "{time:?}"
        );
    }
    assert_eq!(
        event(&json!({"name": "e"})),
        Ok(()),
        "without a time, the time of reception counts"
    );
}

#[test]
fn fifteen_events_are_kept_and_the_sixteenth_alone_is_refused() {
    let operation = |count: usize| {
        let events: Vec<_> = (0..count).map(|number| json!({"name": format!("e{number}")})).collect();
        json!({"identifiers": {"custom_id": "u"}, "events": events})
    };
    assert_eq!(look_at(&operation(15)).errors, []);
    let beyond = look_at(&operation(17));
    assert_eq!(beyond.errors.len(), 2);
    assert_eq!(beyond.applied.unwrap().1.len(), 15);
}

#[test]
fn an_event_of_25_000_bytes_is_kept_and_one_byte_more_refuses_it() {
    let sized = |bytes: usize| {
        let item = "€".repeat(300);
        let mut event =
            json!({"name": "e", "attributes": {"a": vec![&item; 25], "b": [item, item], "c": "x", "d": "x"}});
        let missing = bytes - event.to_string().len();
        let in_c = missing.min(299);
        event["attributes"]["c"] = json!("x".repeat(1 + in_c));
        event["attributes"]["d"] = json!("x".repeat(1 + missing - in_c));
        assert_eq!(event.to_string().len(), bytes);
        event
    };
    assert_eq!(event(&sized(25_000)), Ok(()));
    assert_eq!(
        event(&sized(25_001)),
        Err("event 0: the event is larger than 25000 bytes".to_owned())
    );
}

#[test]
fn an_object_of_an_event_has_20_attributes_at_most() {
    let object = |count: usize| -> Value {
        let members = (0..count).map(|number| (format!("a{number}"), json!(number)));
        Value::Object(members.collect())
    };
    assert_eq!(event(&json!({"name": "e", "attributes": object(20)})), Ok(()));
    assert!(
        event(&json!({"name": "e", "attributes": object(21)})).is_err(),
        "the root refuses the event"
    );
    assert_eq!(event_attribute("o", &object(20)), Ok(()));
    assert!(
        event_attribute("o", &object(21)).is_err(),
        "an inner object refuses its attribute"
    );
    assert!(event_attribute("o", &json!([object(20), object(21)])).is_err());
}

#[test]
fn values_of_event_attributes() {
    let cases = [
        ("t", text(300), true),
        ("t", text(301), false),
        ("t", json!(""), false),
        ("t", json!("  "), false),
        ("t", json!("two\nlines"), false),
        ("t", json!(false), true),
        ("t", json!(i64::MAX), true),
        ("t", json!(u64::MAX), false),
        ("t", json!(1.5), true),
        ("t", Value::Null, false),
        ("t", texts(25), true),
        ("t", texts(26), false),
        ("t", json!([]), false),
        ("t", json!(["a", {"b": 1}]), false),
        ("t", json!([1, 2]), false),
        ("t", json!([["a"]]), false),
        ("t", json!([text(301)]), false),
        ("t", json!(vec![json!({"a": 1}); 25]), true),
        ("t", json!(vec![json!({"a": 1}); 26]), false),
        (
            "t",
            json!([{"name": "x", "url(image)": "https://x.y", "date(made)": "2020-01-01T00:00:00Z"}]),
            true,
        ),
        ("t", json!([{"url(image)": "nowhere"}]), false),
        ("t", json!({"a": {"b": 1}}), true),
        ("t", json!({"a": {"b": {"c": 1}}}), false),
        ("t", json!([{"a": {"b": 1}}]), true),
        ("t", json!([{"a": [{"b": 1}]}]), true),
        ("t", json!([{"a": [{"b": {"c": 1}}]}]), false),
        ("t", json!({"Bad": 1}), false),
        ("t", json!({"a": null}), false),
        ("t", json!({"$label": "x"}), false),
        ("t", json!({"$tags": ["x"]}), false),
    ];
    check(&cases, event_attribute);
}

#[test]
fn labels_and_tags() {
    let tag = |characters: usize| json!([text(characters)]);
    let cases = [
        ("$label", json!("pumpkin"), true),
        ("$label", text(200), true),
        ("$label", text(201), false),
        ("$label", json!(""), false),
        ("$label", json!("  "), false),
        ("$label", json!("a\nb"), false),
        ("$label", json!(5), false),
        ("$tags", json!(["fruits"]), true),
        ("$tags", texts(10), true),
        ("$tags", texts(11), false),
        ("$tags", tag(64), true),
        ("$tags", tag(65), false),
        ("$tags", json!([]), false),
        ("$tags", json!([""]), false),
        ("$tags", json!([1]), false),
        ("$tags", json!("fruits"), false),
        ("$other", json!("x"), false),
    ];
    check(&cases, event_attribute);
    assert!(profile_attribute("$label", &json!("pumpkin")).is_err());
}

#[test]
fn a_partial_error_has_the_documented_shape() {
    let error = PartialError {
        bulk_index: 3,
        category: Category::Attribute,
        attribute: Some("plan".to_owned()),
        reason: "why".to_owned(),
    };
    let expected = json!({"bulk_index": 3, "category": "attribute", "attribute": "plan", "reason": "why"});
    assert_eq!(serde_json::to_value(error).unwrap(), expected);
}
