//! Which values a schema calls secret.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use crate::yaml::escape_pointer;

/// JSON pointers of the values in `instance` that some applicable part of `schema` marks `"writeOnly": true` or
/// `"format": "password"`. A part that might apply counts as one that does: a value too many is masked rather than one
/// too few.
pub(super) fn secret_pointers(schema: &Value, instance: &Value) -> BTreeSet<String> {
    let mut walk = Walk {
        root: schema,
        followed: HashSet::new(),
        secret: BTreeSet::new(),
    };
    walk.visit(schema, instance, "");
    walk.secret
}

struct Walk<'s> {
    root: &'s Value,
    /// References followed at a place, so that a schema that refers to itself ends.
    followed: HashSet<(String, String)>,
    secret: BTreeSet<String>,
}

impl<'s> Walk<'s> {
    fn visit(&mut self, schema: &'s Value, instance: &Value, pointer: &str) {
        let Value::Object(keywords) = schema else {
            return;
        };
        let write_only = keywords.get("writeOnly") == Some(&Value::Bool(true));
        let password = keywords.get("format").and_then(Value::as_str) == Some("password");
        if write_only || password {
            self.secret.insert(pointer.to_owned());
        }
        if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
            self.follow(reference, instance, pointer);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for part in keywords.get(keyword).and_then(Value::as_array).into_iter().flatten() {
                self.visit(part, instance, pointer);
            }
        }
        for keyword in ["if", "then", "else"] {
            if let Some(part) = keywords.get(keyword) {
                self.visit(part, instance, pointer);
            }
        }
        match instance {
            Value::Object(entries) => {
                for (key, value) in entries {
                    let below = format!("{pointer}/{}", escape_pointer(key));
                    for part in property_schemas(keywords, key) {
                        self.visit(part, value, &below);
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let below = format!("{pointer}/{index}");
                    let prefix = keywords.get("prefixItems").and_then(|parts| parts.get(index));
                    for part in prefix.into_iter().chain(keywords.get("items")) {
                        self.visit(part, item, &below);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn follow(&mut self, reference: &str, instance: &Value, pointer: &str) {
        let Some(target) = reference.strip_prefix('#') else {
            return;
        };
        if !self.followed.insert((target.to_owned(), pointer.to_owned())) {
            return;
        }
        if let Some(schema) = self.root.pointer(target) {
            self.visit(schema, instance, pointer);
        }
    }
}

fn property_schemas<'s>(keywords: &'s serde_json::Map<String, Value>, key: &str) -> impl Iterator<Item = &'s Value> {
    let named = keywords.get("properties").and_then(|parts| parts.get(key));
    let by_pattern = keywords
        .get("patternProperties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|parts| parts.values());
    let others = ["additionalProperties", "unevaluatedProperties"]
        .into_iter()
        .filter_map(|keyword| keywords.get(keyword))
        .filter(move |_| named.is_none());
    named.into_iter().chain(by_pattern).chain(others)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_through_references_lists_and_alternatives() {
        let schema = json!({
            "type": "object",
            "properties": {
                "password": {"type": "string", "writeOnly": true},
                "tree": {"$ref": "#/$defs/tree"},
                "auth": {"anyOf": [{"type": "null"}, {"properties": {"token": {"format": "password"}}}]},
                "keys": {"items": {"writeOnly": true}},
                "open": {"type": "string"},
            },
            "$defs": {"tree": {
                "allOf": [{"$ref": "#/$defs/tree"}],
                "properties": {"pin": {"writeOnly": true}, "below": {"$ref": "#/$defs/tree"}},
            }},
        });
        let instance = json!({
            "password": "a", "open": "b", "keys": ["c", "d"],
            "auth": {"token": "e"}, "tree": {"below": {"below": {"pin": 1}}},
        });
        let found: Vec<String> = secret_pointers(&schema, &instance).into_iter().collect();
        assert_eq!(
            found,
            [
                "/auth/token",
                "/keys/0",
                "/keys/1",
                "/password",
                "/tree/below/below/pin"
            ]
        );
    }
}
