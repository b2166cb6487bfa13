//! Arrays and objects: from JSON text, from `arrow.json`, and from Arrow's own lists, structs and maps.

use std::borrow::Cow;

use super::{Violation, Written, instant, json::Json, number, text, url, write_json, write_json_string};
use crate::{
    limits::Limits,
    mapping::key::{AttributeKey, KeyForm},
    spec::Target,
};

/// An event's own attributes are the first level of objects; an object in a column is the second.
const COLUMN_LEVEL: usize = 2;

/// Arrays and objects under the rules of one target.
#[derive(Clone, Copy)]
pub(crate) struct TreeWriter<'a> {
    pub(crate) target: Target,
    pub(crate) limits: &'a Limits,
}

impl TreeWriter<'_> {
    /// A column's value.
    pub(crate) fn write(self, value: &Json<'_>, out: &mut Vec<u8>) -> Result<Written, Violation> {
        match value {
            Json::Null => return Ok(Written::Null),
            Json::Array(items) => self.write_array(items, COLUMN_LEVEL, out)?,
            Json::Object(fields) if self.target == Target::ProfileEvents => {
                self.write_object(fields, COLUMN_LEVEL, out)?
            }
            Json::Object(fields) => self.write_edit(fields, out)?,
            scalar => self.write_scalar(scalar, out)?,
        }
        Ok(Written::Value)
    }

    /// An array of strings.
    pub(crate) fn write_strings<'a>(
        self,
        items: impl ExactSizeIterator<Item = &'a str>,
        out: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        self.check_count(items.len())?;
        out.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            text::write(item, self.target, self.limits, out).map_err(|violation| in_item(index, violation))?;
        }
        out.push(b']');
        Ok(())
    }

    fn write_array(self, items: &[Json<'_>], level: usize, out: &mut Vec<u8>) -> Result<(), Violation> {
        self.check_count(items.len())?;
        if items.iter().all(Json::is_text) {
            let strings: Vec<&str> = items.iter().filter_map(Json::as_text).collect();
            return self.write_strings(strings.into_iter(), out);
        }
        if items.iter().any(|item| matches!(item, Json::Null)) {
            return Err(Violation::new("array_item_null", "An array with null items"));
        }
        if self.target == Target::ProfileAttributes {
            return Err(Violation::new(
                "array_item_not_string",
                "An array with items that are no strings",
            ));
        }
        if items.iter().any(|item| matches!(item, Json::Array(_))) {
            return Err(Violation::new("array_nested", "An array inside an array"));
        }
        let objects = items.iter().filter_map(|item| match item {
            Json::Object(fields) => Some(fields),
            _ => None,
        });
        if objects.clone().count() < items.len() {
            return Err(Violation::new(
                "array_items_mixed",
                "An array whose items are neither all strings nor all objects",
            ));
        }
        out.push(b'[');
        for (index, fields) in objects.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.write_object(fields, level, out)
                .map_err(|violation| in_item(index, violation))?;
        }
        out.push(b']');
        Ok(())
    }

    /// `{"$add": […], "$remove": […]}` changes an array of a profile; any other object is nothing that a profile can have.
    fn write_edit(self, fields: &[(Cow<'_, str>, Json<'_>)], out: &mut Vec<u8>) -> Result<(), Violation> {
        let is_edit = |(key, _): &(Cow<'_, str>, Json<'_>)| matches!(&**key, "$add" | "$remove");
        if fields.is_empty() || !fields.iter().all(is_edit) {
            let reason = format!(
                "An object of {} fields; profile attributes can not be objects, apart from $add and $remove",
                fields.len()
            );
            return Err(Violation::new("object_not_allowed", reason));
        }
        if let [(first, _), (again, _), ..] = fields
            && (first == again || fields.len() > 2)
        {
            return Err(Violation::new("array_edit_invalid", "$add or $remove twice"));
        }
        let mut separator = b'{';
        for (key, items) in fields {
            let Json::Array(items) = items else {
                return Err(Violation::new("array_edit_invalid", "$add or $remove without an array"));
            };
            if items.is_empty() {
                continue;
            }
            out.push(separator);
            write_json_string(out, key);
            out.push(b':');
            self.write_array(items, COLUMN_LEVEL, out)?;
            separator = b',';
        }
        if separator == b'{' {
            return Err(array_empty());
        }
        out.push(b'}');
        Ok(())
    }

    fn write_object(
        self,
        fields: &[(Cow<'_, str>, Json<'_>)],
        level: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        if level > self.limits.object_levels {
            let reason = format!(
                "Objects {level} levels deep, the event itself included; Batch takes {}",
                self.limits.object_levels
            );
            return Err(Violation::new("object_too_deep", reason));
        }
        let count = fields.iter().filter(|(_, value)| *value != Json::Null).count();
        if count == 0 {
            return Err(Violation::new("object_empty", "An object without a value"));
        }
        if count > self.limits.attributes_per_object {
            let reason = format!(
                "An object of {count} fields; Batch takes {}",
                self.limits.attributes_per_object
            );
            return Err(Violation::new("object_too_large", reason));
        }
        let mut keys: Vec<AttributeKey> = Vec::with_capacity(count);
        for (name, value) in fields.iter().filter(|(_, value)| *value != Json::Null) {
            let key = AttributeKey::by_convention(name, self.limits)
                .filter(|key| key.form != KeyForm::Native)
                .ok_or_else(|| {
                    let reason = format!(
                        "A field whose name of {} characters is not 1 to {} of a-z, 0-9 and _",
                        name.chars().count(),
                        self.limits.key_chars
                    );
                    Violation::new("object_key_invalid", reason)
                })?;
            if keys.iter().any(|other| other.name == key.name) {
                return Err(Violation::new(
                    "object_key_collision",
                    "Two fields of an object have the same name in Batch",
                ));
            }
            out.push(if keys.is_empty() { b'{' } else { b',' });
            match key.form {
                KeyForm::Plain => write_json_string(out, &key.name),
                _ => write_json_string(out, &key.to_string()),
            }
            out.push(b':');
            self.write_field(key.form, value, level, out)?;
            keys.push(key);
        }
        out.push(b'}');
        Ok(())
    }

    fn write_field(self, form: KeyForm, value: &Json<'_>, level: usize, out: &mut Vec<u8>) -> Result<(), Violation> {
        match (form, value) {
            (KeyForm::Date, Json::Text(text)) => instant::write_json(instant::parse(text, true)?, out),
            (KeyForm::Url, Json::Text(text)) => url::write(text, self.limits, out),
            (KeyForm::Date, _) => Err(Violation::new("date_invalid", "A date that is no text")),
            (KeyForm::Url, _) => Err(Violation::new("url_invalid", "A URL that is no text")),
            (_, Json::Array(items)) => self.write_array(items, level + 1, out),
            (_, Json::Object(fields)) => self.write_object(fields, level + 1, out),
            (_, scalar) => self.write_scalar(scalar, out),
        }
    }

    fn write_scalar(self, value: &Json<'_>, out: &mut Vec<u8>) -> Result<(), Violation> {
        match value {
            Json::Text(string) => text::write(string, self.target, self.limits, out),
            Json::Number(found) => match (found.as_i64(), found.as_u64(), found.as_f64()) {
                (Some(integer), ..) => number::write_integer(i128::from(integer), out),
                (None, Some(integer), _) => number::write_integer(i128::from(integer), out),
                (None, None, Some(float)) => number::write_float(float, out),
                (None, None, None) => Err(Violation::new("number_out_of_range", "A number beyond a double")),
            },
            other => {
                write_json(out, other);
                Ok(())
            }
        }
    }

    fn check_count(self, count: usize) -> Result<(), Violation> {
        if count == 0 {
            return Err(array_empty());
        }
        if count > self.limits.array_items {
            let reason = format!("An array of {count} items; Batch takes {}", self.limits.array_items);
            return Err(Violation::new("array_too_long", reason));
        }
        Ok(())
    }
}

/// Batch refuses empty arrays and wants null instead.
pub(crate) const ARRAY_EMPTY: &str = "array_empty";

fn array_empty() -> Violation {
    Violation::new(
        ARRAY_EMPTY,
        "An empty array; Batch takes 1 to 25 items, or null, which `nulls: unset` sends",
    )
}

fn in_item(index: usize, violation: Violation) -> Violation {
    Violation {
        rule: violation.rule,
        reason: format!("Item {}: {}", index + 1, violation.reason),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn written(target: Target, value: &Value) -> Result<Value, &'static str> {
        written_text(target, &value.to_string())
    }

    fn written_text(target: Target, text: &str) -> Result<Value, &'static str> {
        let value: Json<'_> = serde_json::from_str(text).unwrap();
        let limits = Limits::default();
        let mut out = Vec::new();
        TreeWriter {
            target,
            limits: &limits,
        }
        .write(&value, &mut out)
        .map_err(|violation| violation.rule)?;
        Ok(serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out))))
    }

    #[test]
    fn profiles_have_arrays_of_strings() {
        let rule = |value: Value| written(Target::ProfileAttributes, &value);
        assert_eq!(rule(json!(["bikes", "cars"])), Ok(json!(["bikes", "cars"])));
        assert_eq!(
            rule(json!({"$add": ["a"], "$remove": ["b"]})),
            Ok(json!({"$add": ["a"], "$remove": ["b"]}))
        );
        assert_eq!(rule(json!({"$add": ["a"], "$remove": []})), Ok(json!({"$add": ["a"]})));
        for (value, expected) in [
            (json!([]), "array_empty"),
            (json!(vec!["a"; 26]), "array_too_long"),
            (json!([1]), "array_item_not_string"),
            (json!(["a", null]), "array_item_null"),
            (json!([["a"]]), "array_item_not_string"),
            (json!([""]), "string_empty"),
            (json!(["x".repeat(301)]), "string_too_long"),
            (json!({"a": 1}), "object_not_allowed"),
            (json!({}), "object_not_allowed"),
            (json!({"$add": "a"}), "array_edit_invalid"),
            (json!({"$add": []}), "array_empty"),
            (json!({"$add": ["a"], "b": 1}), "object_not_allowed"),
        ] {
            assert_eq!(rule(value.clone()), Err(expected), "{value:.60}");
        }
    }

    #[test]
    fn events_have_objects_and_arrays_of_objects() {
        let rule = |value: Value| written(Target::ProfileEvents, &value);
        assert_eq!(
            rule(
                json!({"Size": 3, "price": 1.5, "gone": null, "url(item_url)": "https://x.y", "date__at": "1990-01-02", "in_sales": true})
            ),
            Ok(
                json!({"size": 3, "price": 1.5, "url(item_url)": "https://x.y", "date(at)": "1990-01-02T00:00:00Z", "in_sales": true})
            )
        );
        assert_eq!(rule(json!([{"a": 1}, {"a": 2}])), Ok(json!([{"a": 1}, {"a": 2}])));
        assert_eq!(rule(json!({"a": {"b": 1}})), Ok(json!({"a": {"b": 1}})));
        let wide: Map<String, Value> = (0..21).map(|index| (format!("k{index}"), json!(index))).collect();
        for (value, expected) in [
            (json!({"a": {"b": {"c": 1}}}), "object_too_deep"),
            (json!({"a": [{"b": {"c": 1}}]}), "object_too_deep"),
            (json!([["a"]]), "array_nested"),
            (json!(["a", {"b": 1}]), "array_items_mixed"),
            (json!([1, 2]), "array_items_mixed"),
            (json!([{"a": 1}, null]), "array_item_null"),
            (Value::Object(wide), "object_too_large"),
            (json!({}), "object_empty"),
            (json!({"a": null}), "object_empty"),
            (json!({"é": 1}), "object_key_invalid"),
            (json!({"$label": "x"}), "object_key_invalid"),
            (json!({"a b": 1, "a-b": 2}), "object_key_collision"),
            (json!({"a": u64::MAX}), "number_out_of_range"),
            (json!({"url(a)": "x"}), "url_invalid"),
            (json!({"url(a)": 1}), "url_invalid"),
            (json!({"date(a)": 5}), "date_invalid"),
        ] {
            assert_eq!(rule(value.clone()), Err(expected), "{value:.60}");
        }
    }

    #[test]
    fn neither_of_two_values_of_one_name_is_taken_for_the_other() {
        for (target, text, expected) in [
            (Target::ProfileEvents, r#"{"a":1,"a":2}"#, "object_key_collision"),
            (
                Target::ProfileAttributes,
                r#"{"$add":["a"],"$add":["b"]}"#,
                "array_edit_invalid",
            ),
            (
                Target::ProfileAttributes,
                r#"{"$add":["a"],"$remove":["b"],"$add":["c"]}"#,
                "array_edit_invalid",
            ),
        ] {
            assert_eq!(written_text(target, text), Err(expected), "{text}");
        }
        assert_eq!(
            written_text(Target::ProfileEvents, r#"{"a":null,"a":2}"#),
            Ok(json!({"a": 2}))
        );
    }
}
