//! One form for values that mean the same.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Map, Number, Value};

/// A value with its numbers in one form: `12`, `12.0` and `1.2e1` are the same.
pub(super) fn value(given: Value) -> Value {
    match given {
        Value::Number(number) => Value::Number(self::number(&number)),
        Value::Array(items) => items.into_iter().map(value).collect(),
        Value::Object(members) => Value::Object(members.into_iter().map(|(key, item)| (key, value(item))).collect()),
        other => other,
    }
}

/// An attribute as it was received: instants under `date(…)` keys become one form.
pub(super) fn attribute(key: &str, given: Value) -> Value {
    match &given {
        Value::String(text) if key.starts_with("date(") => instant(text),
        _ => value(given),
    }
}

/// All attributes of a profile or an event as they were received. The instants of nested objects count as well.
pub(super) fn attributes(given: Map<String, Value>) -> Map<String, Value> {
    given
        .into_iter()
        .map(|(key, given)| {
            let normal = attribute(&key, given);
            (key, normal)
        })
        .collect()
}

/// An instant, to the microsecond. A text without a zone is in UTC, a day is its first moment; anything else stays as it is, and equals only itself.
pub(super) fn instant(text: &str) -> Value {
    let day = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .map(NaiveDateTime::from)
    };
    let without_zone = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok();
    let instant = DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|instant| instant.with_timezone(&Utc))
        .or_else(|| without_zone().or_else(day).map(|local| local.and_utc()));
    match instant {
        Some(instant) => Value::String(instant.format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()),
        None => Value::String(text.to_owned()),
    }
}

/// The text of a value with the members of its objects in order, so that equal values have equal texts.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => members_text(members),
        other => other.to_string(),
    }
}

/// As [`text`], of an object.
pub(super) fn members_text(members: &Map<String, Value>) -> String {
    let mut members: Vec<String> = members
        .iter()
        .map(|(key, value)| format!("{}:{}", Value::String(key.clone()), text(value)))
        .collect();
    members.sort_unstable();
    format!("{{{}}}", members.join(","))
}

fn number(number: &Number) -> Number {
    /// Up to here every whole number is exact as a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.is_i64() || number.is_u64() {
        return number.clone();
    }
    match number.as_f64() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole, and inside the range that is exact"
        )]
        Some(float) if float.fract() == 0.0 && float.abs() <= EXACT => Number::from(float as i64),
        _ => number.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_that_are_equal_have_one_form() {
        assert_eq!(value(json!({"a": [12.0, 1.5, -0.0]})), json!({"a": [12, 1.5, 0]}));
        assert_ne!(value(json!(1)), value(json!("1")));
    }

    #[test]
    fn instants_that_are_equal_have_one_form() {
        let same = [
            "2026-11-20T10:00:00Z",
            "2026-11-20T10:00:00.000+00:00",
            "2026-11-20T12:00:00+02:00",
            "2026-11-20T10:00:00",
        ];
        for text in same {
            assert_eq!(instant(text), json!("2026-11-20T10:00:00.000000000Z"), "{text}");
        }
        assert_eq!(instant("1969-12-31"), json!("1969-12-31T00:00:00.000000000Z"));
        assert_ne!(instant("2026-11-20T10:00:00.000001Z"), instant("2026-11-20T10:00:00Z"));
        assert_eq!(instant("infinity"), json!("infinity"));
    }

    #[test]
    fn the_order_of_members_does_not_matter() {
        let one: Value = serde_json::from_str(r#"{"b":{"y":1,"x":[2]},"a":"\""}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"a":"\"","b":{"x":[2],"y":1}}"#).unwrap();
        assert_eq!(text(&one), text(&other));
        assert_eq!(text(&one), r#"{"a":"\"","b":{"x":[2],"y":1}}"#);
    }
}
