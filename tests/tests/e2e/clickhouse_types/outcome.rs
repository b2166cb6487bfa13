//! What becomes of a value at Batch, from the engine's text of it.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use longshore_tests::shop::Target;
use serde_json::{Map, Number, Value};

/// What becomes of a value at Batch.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Arrives(Value),
    /// Arrives as text that names this instant in UTC.
    Instant(DateTime<Utc>),
    /// NULL: nothing is sent.
    LeftOut,
    /// The column is in the ledger under this rule, and not at Batch.
    Refused(&'static str),
}

use Outcome::{Arrives, Instant, LeftOut, Refused};

impl Outcome {
    /// Whether this is what arrived under the column's key, where anything did.
    pub(super) fn is(&self, received: Option<&Value>) -> bool {
        match (self, received) {
            (Arrives(wanted), Some(found)) => same(wanted, found),
            (Instant(wanted), Some(Value::String(found))) => {
                found.ends_with('Z') && DateTime::parse_from_rfc3339(found).is_ok_and(|found| found == *wanted)
            }
            (LeftOut | Refused(_), None) => true,
            _ => false,
        }
    }
}

/// Equal, with numbers by value and the sign of zero.
fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Number(wanted), Value::Number(found)) => match (wanted.as_i64(), found.as_i64()) {
            (Some(wanted), Some(found)) => wanted == found,
            _ => wanted.as_f64().map(f64::to_bits) == found.as_f64().map(f64::to_bits),
        },
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| same(wanted, found))
        }
        (Value::Object(wanted), Value::Object(found)) => {
            let equal = |(key, wanted): (&String, &Value)| found.get(key).is_some_and(|found| same(wanted, found));
            wanted.len() == found.len() && wanted.iter().all(equal)
        }
        _ => wanted == found,
    }
}

pub(super) fn boolean(text: &str, _: Target) -> Outcome {
    Arrives(Value::Bool(text == "true"))
}

/// Numbers of Batch have 64 bits with a sign.
pub(super) fn integer(text: &str, _: Target) -> Outcome {
    let integer = text.parse::<i64>();
    integer.map_or(Refused("number_out_of_range"), |integer| Arrives(integer.into()))
}

pub(super) fn float(text: &str, _: Target) -> Outcome {
    let float: f64 = text.parse().unwrap();
    Number::from_f64(float).map_or(Refused("number_not_finite"), |number| Arrives(Value::Number(number)))
}

/// Fifteen digits are what every double keeps.
pub(super) fn fraction(text: &str, target: Target) -> Outcome {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.trim_start_matches('0').len() > 15 {
        return Refused("decimal_not_exact");
    }
    float(text, target)
}

/// Text as it is, whatever it says.
pub(super) fn plain(text: &str, target: Target) -> Outcome {
    match text.chars().count() {
        0 => return Refused("string_empty"),
        1..=300 => {}
        _ => return Refused("string_too_long"),
    }
    if target == Target::Events && text.trim().is_empty() {
        return Refused("string_blank");
    }
    if target == Target::Events && text.contains(['\n', '\r']) {
        return Refused("string_line_break");
    }
    Arrives(text.into())
}

/// Text of a column that nothing is known of: JSON text of an array or an object becomes one.
pub(super) fn text(text: &str, target: Target) -> Outcome {
    match serde_json::from_str(text) {
        Ok(Value::Array(items)) => array(items, target),
        Ok(Value::Object(fields)) => document(Value::Object(fields), target),
        _ => plain(text, target),
    }
}

/// The engine's text in UTC, `2020-01-01 00:00:00.123`, or of a day.
pub(super) fn instant(text: &str, _: Target) -> Outcome {
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f");
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(NaiveDateTime::from);
    Instant(time.or_else(|_| day()).unwrap().and_utc())
}

/// JSON, as the engine writes the value.
pub(super) fn json(text: &str, target: Target) -> Outcome {
    document(serde_json::from_str(text).unwrap(), target)
}

/// The engine's JSON of a tuple whose parts have no names: an array, where Arrow calls them 1, 2, …
pub(super) fn nameless(text: &str, target: Target) -> Outcome {
    let parts: Vec<Value> = serde_json::from_str(text).unwrap();
    let numbered = (1..).map(|number: usize| number.to_string()).zip(parts);
    document(Value::Object(numbered.collect()), target)
}

/// A number that JSON has no form for, within an object.
pub(super) fn not_finite(_: &str, _: Target) -> Outcome {
    Refused("number_not_finite")
}

/// A map in which the engine keeps one key twice, which no object can.
pub(super) fn collision(_: &str, _: Target) -> Outcome {
    Refused("object_key_collision")
}

fn document(value: Value, target: Target) -> Outcome {
    match value {
        Value::Null => LeftOut,
        Value::String(text) => plain(&text, target),
        Value::Number(number) if number.is_u64() && !number.is_i64() => Refused("number_out_of_range"),
        scalar @ (Value::Bool(_) | Value::Number(_)) => Arrives(scalar),
        Value::Array(items) => array(items, target),
        Value::Object(_) if target == Target::Profiles => Refused("object_not_allowed"),
        Value::Object(fields) => object(fields),
    }
}

fn array(items: Vec<Value>, target: Target) -> Outcome {
    match items.len() {
        0 => return Refused("array_empty"),
        1..=25 => {}
        _ => return Refused("array_too_long"),
    }
    if !items.iter().all(Value::is_string) {
        if items.iter().any(Value::is_null) {
            return Refused("array_item_null");
        }
        if target == Target::Profiles {
            return Refused("array_item_not_string");
        }
        if items.iter().any(Value::is_array) {
            return Refused("array_nested");
        }
        if !items.iter().all(Value::is_object) {
            return Refused("array_items_mixed");
        }
    }
    let mut arrived = Vec::new();
    for item in items {
        match document(item, target) {
            Arrives(item) => arrived.push(item),
            refused => return refused,
        }
    }
    Arrives(Value::Array(arrived))
}

/// Fields that hold NULL are left out; names take the form that Batch has.
fn object(fields: Map<String, Value>) -> Outcome {
    let mut arrived = Map::new();
    for (name, field) in fields {
        let name = name.to_ascii_lowercase().replace([' ', '-', '.'], "_");
        let before = match document(field, Target::Events) {
            LeftOut => continue,
            Arrives(field) => arrived.insert(name, field),
            refused => return refused,
        };
        if before.is_some() {
            return Refused("object_key_collision");
        }
    }
    if arrived.is_empty() {
        return Refused("object_empty");
    }
    Arrives(Value::Object(arrived))
}
