//! One cell as the attribute it was planned to be.

use std::borrow::Cow;

use serde_json::Number;

use super::column::{Column, Value, json_invalid};
use crate::{
    limits::Limits,
    mapping::AttributeKind,
    spec::{Nulls, Target},
    values::{
        Violation, Written, instant,
        json::{Json, JsonText},
        native::{self, Native},
        number,
        text::{self, longer_than},
        tree::{ARRAY_EMPTY, TreeWriter},
        url, write_json, write_json_string,
    },
};

/// The rules that cells of one table are written under.
#[derive(Clone, Copy)]
pub(crate) struct CellWriter<'a> {
    pub(crate) target: Target,
    pub(crate) nulls: Nulls,
    pub(crate) limits: &'a Limits,
}

impl CellWriter<'_> {
    /// Writes one cell as JSON, or says why it can not be sent.
    pub(crate) fn write(
        self,
        kind: AttributeKind,
        column: &Column,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<Written, Violation> {
        let start = out.len();
        let value = match column.value(row) {
            Value::Null => return Ok(Written::Null),
            // As text, JSON stays as it is.
            Value::JsonText(text) if kind != AttributeKind::String && text.trim() == "null" => {
                return Ok(Written::Null);
            }
            Value::Unwritable(violation) => return Err(violation),
            value => value,
        };
        let written = match kind {
            AttributeKind::ByType => self.write_by_type(value, out),
            AttributeKind::String => self.write_string(value, out),
            AttributeKind::Integer => write_integer(value, out),
            AttributeKind::Float => write_float(value, out),
            AttributeKind::Boolean => write_boolean(value, out),
            AttributeKind::Date => write_date(value, out),
            AttributeKind::Url => {
                plain_text(value, "url_invalid", "a URL").and_then(|text| url::write(&text, self.limits, out))
            }
            AttributeKind::Native(native) => self.write_native(native, value, out),
            AttributeKind::StringArray => self.write_string_array(value, out),
            AttributeKind::Object => self.write_object(value, out),
            AttributeKind::Label => self.write_label(value, out),
            AttributeKind::Tags => self.write_tags(value, out),
        };
        match written {
            Ok(()) if out.len() == start => Ok(Written::Null),
            Ok(()) => Ok(Written::Value),
            // `nulls: unset` asks for profiles that look as the row does, and an empty array is what Batch wants null for.
            Err(violation) if violation.rule == ARRAY_EMPTY && self.unsets() => {
                out.truncate(start);
                Ok(Written::Null)
            }
            Err(violation) => Err(violation),
        }
    }

    fn unsets(self) -> bool {
        self.target == Target::ProfileAttributes && self.nulls == Nulls::Unset
    }

    fn trees(&self) -> TreeWriter<'_> {
        TreeWriter {
            target: self.target,
            limits: self.limits,
        }
    }

    fn write_by_type(self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Violation> {
        match value {
            Value::Boolean(value) => {
                write_json(out, &value);
                Ok(())
            }
            Value::Integer(value) => number::write_integer(value, out),
            Value::Float(value) => number::write_float(value, out),
            Value::Single(value) => number::write_single(value, out),
            Value::Decimal(text) => number::write_decimal(&text, out),
            Value::Instant(instant) => instant::write_json(instant, out),
            Value::Text(text) => match strings_of(&text) {
                Some(strings) => self.write_strings(&strings, out),
                None => match json_of(&text) {
                    Some(tree) => self.trees().write(&tree, out).map(|_| ()),
                    None => text::write(&text, self.target, self.limits, out),
                },
            },
            Value::JsonText(text) => match strings_of(text) {
                Some(strings) => self.write_strings(&strings, out),
                None => {
                    let tree: Json<'_> = serde_json::from_str(text).map_err(|_| json_invalid(text))?;
                    self.trees().write(&tree, out).map(|_| ())
                }
            },
            Value::List(items, range) => self.write_list(items, range, out),
            Value::Object(tree) => self.trees().write(&tree, out).map(|_| ()),
            Value::Null => Ok(()),
            Value::Unwritable(violation) => Err(violation),
        }
    }

    fn write_strings(self, strings: &[JsonText<'_>], out: &mut Vec<u8>) -> Result<(), Violation> {
        self.trees()
            .write_strings(strings.iter().map(|JsonText(text)| text.as_ref()), out)
    }

    /// Scalars of a list go as their text, since arrays hold strings only; structs and maps become objects.
    fn write_list(self, items: &Column, range: std::ops::Range<usize>, out: &mut Vec<u8>) -> Result<(), Violation> {
        if let Some(texts) = range
            .clone()
            .map(|item| items.text(item))
            .collect::<Option<Vec<&str>>>()
        {
            return self.trees().write_strings(texts.into_iter(), out);
        }
        if let Some(texts) = range
            .clone()
            .map(|item| items.value(item).into_text())
            .collect::<Option<Vec<String>>>()
        {
            return self.trees().write_strings(texts.iter().map(String::as_str), out);
        }
        let tree = Value::List(items, range).into_tree()?;
        self.trees().write(&tree, out).map(|_| ())
    }

    fn write_string(self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Violation> {
        let text = match value {
            Value::Text(text) => text,
            Value::List(..) | Value::Object(_) => Cow::Owned(value.into_tree()?.to_string()),
            scalar => Cow::Owned(scalar.into_text().ok_or_else(instant::out_of_range)?),
        };
        text::write(&text, self.target, self.limits, out)
    }

    fn write_native(self, native: Native, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Violation> {
        if native != Native::TopicPreferences {
            let text = plain_text(value, "native_not_text", "one of Batch's own attributes")?;
            return native.write(&text, self.limits, out);
        }
        match array_of(value, &mut String::new())? {
            Json::Object(edit) => {
                let mut normal = Vec::with_capacity(edit.len());
                for (key, items) in edit {
                    let topics = match items {
                        Json::Array(items) if items.is_empty() => continue,
                        Json::Array(items) => native::topics_of(&items, self.limits)?,
                        _ => return Err(Violation::new("array_edit_invalid", "$add or $remove without an array")),
                    };
                    let topics = topics.into_iter().map(|topic| Json::Text(topic.into()));
                    normal.push((key, Json::Array(topics.collect())));
                }
                TreeWriter {
                    target: Target::ProfileAttributes,
                    limits: self.limits,
                }
                .write(&Json::Object(normal), out)
                .map(|_| ())
            }
            Json::Array(items) if items.is_empty() => {
                Err(Violation::new(ARRAY_EMPTY, "No topics; Batch takes 1 to 25, or null"))
            }
            Json::Array(items) => {
                write_json(out, &native::topics_of(&items, self.limits)?);
                Ok(())
            }
            _ => Err(Violation::new(
                "topics_not_array",
                "Topics that are no array of strings",
            )),
        }
    }

    fn write_string_array(self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Violation> {
        if let Value::List(items, range) = value {
            return self.write_list(items, range, out);
        }
        match array_of(value, &mut String::new())? {
            tree @ (Json::Array(_) | Json::Object(_)) => self.trees().write(&tree, out).map(|_| ()),
            _ => Err(Violation::new("array_invalid", "A value that is no array")),
        }
    }

    fn write_object(self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Violation> {
        match array_of(value, &mut String::new())? {
            tree @ (Json::Array(_) | Json::Object(_)) => self.trees().write(&tree, out).map(|_| ()),
            _ => Err(Violation::new(
                "object_invalid",
                "A value that is neither an object nor an array of objects",
            )),
        }
    }

    fn write_label(self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Violation> {
        let label = plain_text(value, "label_not_text", "a label")?;
        if label.trim().is_empty() {
            return Err(Violation::new("label_blank", "A label without a character"));
        }
        if longer_than(&label, self.limits.label_chars) {
            let reason = format!(
                "A label of {} characters; Batch takes {}",
                label.chars().count(),
                self.limits.label_chars
            );
            return Err(Violation::new("label_too_long", reason));
        }
        if label.contains(['\n', '\r']) {
            return Err(Violation::new("label_line_break", "A label with a line break"));
        }
        write_json_string(out, &label);
        Ok(())
    }

    fn write_tags(self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Violation> {
        let mut text = String::new();
        let Json::Array(items) = array_of(value, &mut text)? else {
            return Err(Violation::new("tags_not_array", "Tags that are no array of strings"));
        };
        if items.is_empty() {
            return Err(Violation::new(ARRAY_EMPTY, "No tags; Batch takes 1 to 10"));
        }
        if items.len() > self.limits.tags {
            return Err(Violation::new(
                "tags_too_many",
                format!("{} tags; Batch takes {}", items.len(), self.limits.tags),
            ));
        }
        let mut tags = Vec::with_capacity(items.len());
        for item in &items {
            let tag = item
                .as_text()
                .ok_or_else(|| Violation::new("array_item_not_string", "A tag that is no string"))?
                // Before its length is looked at: some letters become two.
                .to_lowercase();
            if longer_than(&tag, self.limits.tag_chars) {
                let reason = format!(
                    "A tag of {} characters; Batch takes {}",
                    tag.chars().count(),
                    self.limits.tag_chars
                );
                return Err(Violation::new("tag_too_long", reason));
            }
            text::check(&tag, self.target, self.limits)?;
            tags.push(tag);
        }
        write_json(out, &tags);
        Ok(())
    }
}

/// The strings that a text is a JSON array of: what arrays mostly are, read without making a tree of each. `None` for any other text.
fn strings_of(text: &str) -> Option<Vec<JsonText<'_>>> {
    if !text.trim_start().starts_with('[') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The array or object that a text is JSON of. Text that merely begins like one is text.
fn json_of(text: &str) -> Option<Json<'_>> {
    if !text.trim_start().starts_with(['[', '{']) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// A value that was declared to be an array or an object. Text that is not borrowed goes to `text`, so that what is read from it can be.
fn array_of<'a>(value: Value<'a>, text: &'a mut String) -> Result<Json<'a>, Violation> {
    match value {
        Value::Text(Cow::Borrowed(text)) => serde_json::from_str(text).map_err(|_| json_invalid(text)),
        Value::Text(Cow::Owned(owned)) => {
            *text = owned;
            serde_json::from_str(text).map_err(|_| json_invalid(text))
        }
        Value::List(items, range) => {
            let texts = range
                .clone()
                .map(|item| items.value(item).into_text().map(|text| Json::Text(text.into())))
                .collect::<Option<Vec<Json<'_>>>>();
            texts.map_or_else(|| Value::List(items, range).into_tree(), |texts| Ok(Json::Array(texts)))
        }
        other => other.into_tree(),
    }
}

fn plain_text<'a>(value: Value<'a>, rule: &'static str, wanted: &str) -> Result<Cow<'a, str>, Violation> {
    match value.unquoted() {
        Value::Text(text) => Ok(text),
        Value::JsonText(_) => Err(Violation::new(
            rule,
            format!("JSON that is no string, where {wanted} was expected"),
        )),
        other => other
            .into_text()
            .map(Cow::Owned)
            .ok_or_else(|| Violation::new(rule, format!("A value that is no text, where {wanted} was expected"))),
    }
}

fn write_integer(value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Violation> {
    let refused =
        |shape: &str| Violation::new("integer_invalid", format!("{shape}, where a whole number was expected"));
    match value {
        Value::Integer(value) => number::write_integer(value, out),
        Value::Boolean(value) => number::write_integer(i128::from(value), out),
        Value::Float(value) if value.fract() == 0.0 && value.abs() < 9.0e15 => {
            // Exact: below 2^53 every whole double is an integer.
            number::write_integer(value as i128, out)
        }
        Value::Single(value) if value.fract() == 0.0 && value.abs() < 1.6e7 => {
            number::write_integer(value as i128, out)
        }
        Value::Decimal(text) => write_whole(&text, refused, out),
        Value::JsonText(text) => {
            let digits = number_of(text).filter(|number| !number.contains(['e', 'E']));
            write_whole(digits.ok_or_else(|| refused("A value of another type"))?, refused, out)
        }
        Value::Text(text) => {
            let value: i128 = text
                .trim()
                .parse()
                .map_err(|_| refused(&format!("A text of {} characters", text.chars().count())))?;
            number::write_integer(value, out)
        }
        _ => Err(refused("A value of another type")),
    }
}

/// A decimal that has no fraction, or one of zeros.
fn write_whole(decimal: &str, refused: impl Fn(&str) -> Violation, out: &mut Vec<u8>) -> Result<(), Violation> {
    let whole = decimal.split_once('.').map_or(Some(decimal), |(whole, fraction)| {
        fraction.bytes().all(|digit| digit == b'0').then_some(whole)
    });
    let whole = whole.ok_or_else(|| refused("A decimal with a fraction"))?;
    number::write_decimal(whole, out)
}

/// The number that a text is JSON of, as it is written there.
pub(crate) fn number_of(text: &str) -> Option<&str> {
    let number: Result<Number, _> = serde_json::from_str(text);
    number.is_ok().then(|| text.trim())
}

fn write_float(value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Violation> {
    let refused = |shape: &str| Violation::new("float_invalid", format!("{shape}, where a number was expected"));
    match value {
        Value::Float(value) => number::write_float(value, out),
        Value::Single(value) => number::write_single(value, out),
        // `kind: float` asks for a double, with what that costs in digits.
        Value::Integer(value) => number::write_float(value as f64, out),
        Value::Decimal(text) | Value::Text(Cow::Owned(text)) => parse_float(&text, refused, out),
        Value::Text(Cow::Borrowed(text)) => parse_float(text, refused, out),
        Value::JsonText(text) => {
            let number = number_of(text).ok_or_else(|| refused("A value of another type"))?;
            parse_float(number, refused, out)
        }
        _ => Err(refused("A value of another type")),
    }
}

fn parse_float(text: &str, refused: impl Fn(&str) -> Violation, out: &mut Vec<u8>) -> Result<(), Violation> {
    let value: f64 = text
        .trim()
        .parse()
        .map_err(|_| refused(&format!("A text of {} characters", text.chars().count())))?;
    number::write_float(value, out)
}

fn write_boolean(value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Violation> {
    let refused = |shape: &str| Violation::new("boolean_invalid", format!("{shape}, where true or false was expected"));
    let value = match value {
        Value::Boolean(value) => value,
        Value::Integer(0) => false,
        Value::Integer(1) => true,
        Value::Integer(_) => return Err(refused("A whole number other than 0 and 1")),
        Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => true,
            "false" | "f" | "0" => false,
            _ => return Err(refused(&format!("A text of {} characters", text.chars().count()))),
        },
        Value::JsonText(text) => serde_json::from_str(text).map_err(|_| refused("A value of another type"))?,
        _ => return Err(refused("A value of another type")),
    };
    write_json(out, &value);
    Ok(())
}

fn write_date(value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Violation> {
    match value.unquoted() {
        Value::Instant(instant) => instant::write_json(instant, out),
        Value::Text(text) => instant::write_json(instant::parse(&text, true)?, out),
        Value::JsonText(_) => Err(Violation::new(
            "date_invalid",
            "JSON that is no string, where a date was expected",
        )),
        _ => Err(Violation::new(
            "date_invalid",
            "A value of another type, where a date was expected",
        )),
    }
}
