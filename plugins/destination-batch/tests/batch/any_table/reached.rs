//! What the tables of a test have reached: what was sent, and which rules refused something. What is not reached is not tested.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

/// What must have been sent at least once, apart from types and roles: forms, and sizes exactly at their limits.
pub(super) const FORMS: [&str; 35] = [
    "a boolean",
    "a fraction",
    "a null",
    "a text",
    "a text of 300 characters",
    "a topic of 300 characters",
    "a URL of 2,048 characters",
    "a whole number",
    "an $add",
    "an $add with a $remove",
    "a $remove",
    "an array of 25 objects",
    "an array of 25 texts",
    "an array of objects",
    "an array of texts",
    "a custom id of 1,024 characters",
    "an e-mail address of 256 characters",
    "an empty operation",
    "an event of more than 24,000 bytes",
    "an event with its time",
    "an event without its time",
    "an object",
    "an object at the third level",
    "an object of 20 fields",
    "15 array attributes of one profile",
    "15 events of one profile",
    "20 attributes of one event",
    "50 attributes of one profile",
    "10 tags",
    "25 topics",
    "a label of 200 characters",
    "a name of 30 characters",
    "a tag of 64 characters",
    "a telephone number of 15 digits",
    "several rows in one operation",
];

/// What was reached.
#[derive(Debug, Default)]
pub(super) struct Reached {
    pub(super) forms: BTreeSet<&'static str>,
    pub(super) types: BTreeSet<String>,
    pub(super) roles: BTreeSet<String>,
    pub(super) rules: BTreeSet<String>,
}

impl Reached {
    /// Looks at a request. `columns`: bare name of an attribute → type and role of its column.
    pub(super) fn look_at(&mut self, request: &Json, columns: &BTreeMap<String, (String, String)>) {
        for operation in request.as_array().unwrap() {
            let id = operation["identifiers"]["custom_id"].as_str().unwrap();
            self.note_if(id.chars().count() == 1_024, "a custom id of 1,024 characters");
            if let Some(attributes) = operation["attributes"].as_object() {
                self.note_if(attributes.len() == 50, "50 attributes of one profile");
                let is_array =
                    |(key, value): &(&String, &Json)| !key.starts_with('$') && (value.is_array() || value.is_object());
                self.note_if(
                    attributes.iter().filter(is_array).count() == 15,
                    "15 array attributes of one profile",
                );
                self.look_at_attributes(&operation["attributes"], columns);
            }
            let events = operation["events"].as_array();
            self.note_if(
                events.is_some_and(|events| events.len() == 15),
                "15 events of one profile",
            );
            for event in events.into_iter().flatten() {
                self.note_if(event.to_string().len() > 24_000, "an event of more than 24,000 bytes");
                let has_time = event.get("time").is_some();
                self.note_if(has_time, "an event with its time");
                self.note_if(!has_time, "an event without its time");
                let count = event["attributes"].as_object().map_or(0, serde_json::Map::len);
                self.note_if(count == 20, "20 attributes of one event");
                self.look_at_attributes(&event["attributes"], columns);
            }
            self.note_if(
                operation.get("attributes").or(operation.get("events")).is_none(),
                "an empty operation",
            );
        }
    }

    fn look_at_attributes(&mut self, attributes: &Json, columns: &BTreeMap<String, (String, String)>) {
        for (key, value) in attributes.as_object().into_iter().flatten() {
            if let Some((data_type, role)) = columns.get(bare(key)).filter(|_| !value.is_null()) {
                self.types.insert(data_type.clone());
                self.roles.insert(role.clone());
            }
            self.look_at_value(key, value, 1);
        }
    }

    fn look_at_value(&mut self, key: &str, value: &Json, level: usize) {
        let name = bare(key);
        self.note_if(name.len() == 30, "a name of 30 characters");
        let characters = value.as_str().map_or(0, |text| text.chars().count());
        match key {
            "$email_address" => self.note_if(characters == 256, "an e-mail address of 256 characters"),
            "$phone_number" => self.note_if(characters == 16, "a telephone number of 15 digits"),
            "$label" => self.note_if(characters == 200, "a label of 200 characters"),
            _ if key.starts_with("url(") => self.note_if(characters == 2_048, "a URL of 2,048 characters"),
            _ => self.note_if(characters == 300, "a text of 300 characters"),
        }
        match value {
            Json::Null => self.note("a null"),
            Json::Bool(_) => self.note("a boolean"),
            Json::Number(number) if number.is_f64() => self.note("a fraction"),
            Json::Number(_) => self.note("a whole number"),
            Json::String(_) => self.note("a text"),
            Json::Array(items) => self.look_at_items(key, items, level),
            Json::Object(fields) if fields.contains_key("$add") || fields.contains_key("$remove") => {
                let both = fields.len() == 2;
                self.note_if(both, "an $add with a $remove");
                self.note_if(!both && fields.contains_key("$add"), "an $add");
                self.note_if(!both && fields.contains_key("$remove"), "a $remove");
            }
            Json::Object(fields) => {
                self.note("an object");
                self.note_if(fields.len() == 20, "an object of 20 fields");
                // The event's own attributes are the first level.
                self.note_if(level == 2, "an object at the third level");
                for (key, value) in fields {
                    self.look_at_value(key, value, level + 1);
                }
            }
        }
    }

    fn look_at_items(&mut self, key: &str, items: &[Json], level: usize) {
        let longest = items
            .iter()
            .filter_map(Json::as_str)
            .map(|item| item.chars().count())
            .max();
        match key {
            "$tags" => {
                self.note_if(items.len() == 10, "10 tags");
                self.note_if(longest == Some(64), "a tag of 64 characters");
            }
            "$topic_preferences" => {
                self.note_if(items.len() == 25, "25 topics");
                self.note_if(longest == Some(300), "a topic of 300 characters");
            }
            _ if items.iter().all(Json::is_string) => {
                self.note("an array of texts");
                self.note_if(items.len() == 25, "an array of 25 texts");
            }
            _ => {
                self.note("an array of objects");
                self.note_if(items.len() == 25, "an array of 25 objects");
                for item in items {
                    self.look_at_value("", item, level);
                }
            }
        }
    }

    pub(super) fn note_if(&mut self, is_so: bool, form: &'static str) {
        if is_so {
            self.note(form);
        }
    }

    fn note(&mut self, form: &'static str) {
        self.forms.insert(form);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.forms.extend(other.forms);
        self.types.extend(other.types);
        self.roles.extend(other.roles);
        self.rules.extend(other.rules);
    }
}

/// An attribute's name without what says its type.
fn bare(key: &str) -> &str {
    let inside = |prefix: &str| key.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(')'));
    let name = inside("date(").or_else(|| inside("url(")).unwrap_or(key);
    name.trim_start_matches('$')
}

/// The rules that the README lists, without those that only an answer of the API can bring.
pub(super) fn rules() -> BTreeSet<String> {
    const README: &str = include_str!("../../../README.md");
    const OF_THE_API: [&str; 4] = [
        "request_malformed",
        "request_too_large",
        "request_refused",
        "uncertain_delivery",
    ];
    // The custom ids of these tables are stored as text; only JSON can be none.
    const OUT_OF_REACH: [&str; 1] = ["custom_id_invalid"];
    let (_, rest) = README.split_once("### The rules\n").unwrap();
    let (section, _) = rest.split_once("\n## ").unwrap();
    let words = section.split('`').skip(1).step_by(2);
    let is_rule = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let rules: BTreeSet<String> = words
        .filter(is_rule)
        .filter(|word| {
            !word.starts_with("refused_by_batch") && !OF_THE_API.contains(word) && !OUT_OF_REACH.contains(word)
        })
        .map(str::to_owned)
        .collect();
    assert!(rules.len() > 50, "the README was read: {rules:?}");
    rules
}
