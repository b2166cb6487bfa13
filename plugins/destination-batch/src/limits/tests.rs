//! Every limit has its source beside it, and an option where that source is not official.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::spec::Spec;

const TAGS: [&str; 5] = ["(O)", "(S)", "(T)", "(I)", "**Ours**"];

/// Each limit, and the options that change it (JSON pointers into the specification). None for what only protects this program.
const OPTIONS: [(&str, &[&str]); 33] = [
    ("UPDATE_OPERATIONS", &["/requests/update_operations"]),
    ("MASS_UPDATE_OPERATIONS", &["/requests/mass_update_operations"]),
    ("UPDATE_PER_SECOND", &["/rate_limit/update/updates_per_second"]),
    ("UPDATE_BURST", &["/rate_limit/update/burst"]),
    (
        "MASS_UPDATE_PER_SECOND",
        &["/rate_limit/mass_update/updates_per_second"],
    ),
    ("MASS_UPDATE_BURST", &["/rate_limit/mass_update/burst"]),
    ("RATE_LIMITED_PAUSE", &["/retry/rate_limited_delay"]),
    ("AUTO_MASS_UPDATE_ROWS", &["/auto_mass_update_rows"]),
    ("CUSTOM_ID_CHARS", &["/limits/custom_id_chars"]),
    ("CUSTOM_IDS_BLOCKED", &["/limits/custom_id_words"]),
    ("KEY_CHARS", &["/limits/key_chars"]),
    ("STRING_CHARS", &["/limits/string_chars"]),
    ("URL_CHARS", &["/limits/url_chars"]),
    ("ARRAY_ITEMS", &["/limits/array_items"]),
    ("ATTRIBUTES_PER_OPERATION", &["/limits/attributes_per_operation"]),
    ("ARRAYS_PER_PROFILE", &["/limits/arrays_per_profile"]),
    ("EMAIL_CHARS", &["/limits/email_chars"]),
    ("PHONE_DIGITS", &["/limits/phone_digits"]),
    ("TOPICS", &["/limits/topics"]),
    ("TOPIC_CHARS", &["/limits/topic_chars"]),
    ("EVENTS_PER_OPERATION", &["/limits/events_per_operation"]),
    ("EVENT_BYTES", &["/limits/event_bytes"]),
    ("EVENT_AGE", &["/limits/event_age"]),
    // A longer or shorter `event_age` moves both.
    ("EVENT_AGE_RESERVE", &["/limits/event_age"]),
    ("EVENT_LEAD", &[]),
    ("EVENT_TRAVEL", &["/limits/event_age"]),
    ("ATTRIBUTES_PER_OBJECT", &["/limits/attributes_per_object"]),
    ("OBJECT_LEVELS", &["/limits/object_levels"]),
    ("LABEL_CHARS", &["/limits/label_chars"]),
    ("TAGS", &["/limits/tags"]),
    ("TAG_CHARS", &["/limits/tag_chars"]),
    ("REQUEST_BYTES", &["/requests/bytes"]),
    ("ANSWER_BYTES", &[]),
];

/// The constants of the file, each with its comment.
fn constants() -> BTreeMap<&'static str, String> {
    let mut comment = String::new();
    let mut found = BTreeMap::new();
    for line in include_str!("../limits.rs").lines() {
        if let Some(text) = line.strip_prefix("/// ") {
            comment += text;
        } else if let Some(rest) = line.strip_prefix("pub const ") {
            let (name, _) = rest.split_once(':').unwrap();
            found.insert(name, std::mem::take(&mut comment));
        } else {
            comment.clear();
        }
    }
    found
}

/// Whether a JSON pointer leads to a property of the schema.
fn has_option(schema: &Json, pointer: &str) -> bool {
    let mut place = schema;
    for name in pointer.split('/').skip(1) {
        let reference = place["$ref"]
            .as_str()
            .map(|reference| reference.trim_start_matches('#').to_owned());
        let target = reference.and_then(|pointer| schema.pointer(&pointer)).unwrap_or(place);
        let Some(property) = target["properties"].get(name) else {
            return false;
        };
        place = property;
    }
    true
}

#[test]
fn every_limit_has_its_source_beside_it() {
    let constants = constants();
    assert!(constants.len() > 25, "the file was read: {constants:?}");
    for (name, comment) in constants {
        assert!(TAGS.iter().any(|tag| comment.contains(tag)), "{name}: {comment}");
    }
}

#[test]
fn every_limit_can_be_overridden_where_its_source_is_not_official() {
    let schema = schemars::schema_for!(Spec).to_value();
    let listed: BTreeMap<_, _> = OPTIONS.into_iter().collect();
    assert_eq!(listed.len(), constants().len(), "a listed limit is gone");
    for (name, comment) in constants() {
        let options = listed.get(name).unwrap_or_else(|| panic!("{name} is not listed"));
        assert!(
            !options.is_empty() || comment.contains("**Ours**"),
            "{name} can not be overridden"
        );
        for option in *options {
            assert!(has_option(&schema, option), "{name}: the specification has no {option}");
        }
    }
    assert!(!has_option(&schema, "/limits/nonsense") && !has_option(&schema, "/nonsense"));
}
