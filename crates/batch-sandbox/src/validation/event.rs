//! Events and their attributes.

use chrono::{DateTime, TimeDelta, Utc};

use crate::json::{Json, Member};
use crate::limits;
use crate::request::SentEvent;

use super::key::{self, Mark, Names};
use super::value;

/// The rules that refuse a whole event.
pub(super) fn check(event: &SentEvent<'_>, now: DateTime<Utc>) -> Result<(), String> {
    key::check_name(&event.name, limits::EVENT_NAME_CHARACTERS).map_err(|rule| format!("the event's name {rule}"))?;
    if let Some(time) = &event.time {
        check_window(value::instant(time)?, now)?;
    }
    if event.bytes > limits::EVENT_BYTES {
        return Err(format!("the event is larger than {} bytes", limits::EVENT_BYTES));
    }
    check_size(&event.attributes)
}

fn check_window(time: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), String> {
    let age = now.signed_duration_since(time);
    let oldest = TimeDelta::from_std(limits::EVENT_AGE).expect("24 hours are in range");
    let lead = TimeDelta::from_std(limits::EVENT_LEAD).expect("no time at all is in range");
    if age > oldest {
        return Err("the event is older than 24 hours".to_owned());
    }
    if age < -lead {
        return Err("the event is in the future".to_owned());
    }
    Ok(())
}

/// The rules for one member of an event's attributes: what breaks one leaves out this attribute only.
pub(super) fn check_attribute(key: &str, sent: &Json<'_>) -> Result<(), String> {
    match key {
        "$label" => check_label(sent),
        "$tags" => check_tags(sent),
        _ => check_member(key, sent, 1),
    }
}

fn check_label(sent: &Json<'_>) -> Result<(), String> {
    let Json::Text(label) = sent else {
        return Err(format!("$label must be a string, not {}", sent.kind()));
    };
    value::check_single_line(label)?;
    if value::longer_than(label, limits::LABEL_CHARACTERS) {
        return Err(format!("$label is longer than {} characters", limits::LABEL_CHARACTERS));
    }
    Ok(())
}

fn check_tags(sent: &Json<'_>) -> Result<(), String> {
    let Json::Array(tags) = sent else {
        return Err(format!("$tags must be an array, not {}", sent.kind()));
    };
    if tags.is_empty() || tags.len() > limits::TAGS {
        return Err(format!("$tags must have 1 to {} items", limits::TAGS));
    }
    for tag in tags {
        let Json::Text(tag) = tag else {
            return Err(format!("a tag must be a string, not {}", tag.kind()));
        };
        value::check_single_line(tag)?;
        if value::longer_than(tag, limits::TAG_CHARACTERS) {
            return Err(format!("a tag is longer than {} characters", limits::TAG_CHARACTERS));
        }
    }
    Ok(())
}

/// A member of an object at `level`; the event's root is level 1.
fn check_member(key: &str, sent: &Json<'_>, level: usize) -> Result<(), String> {
    if key.starts_with('$') {
        return Err("a $ name other than $label and $tags, or not at the root of the event".to_owned());
    }
    let mark = key::parse(key)?;
    match (mark, sent) {
        (_, Json::Null) => Err("null has no meaning in an event".to_owned()),
        (Mark::Date, Json::Text(text)) => value::check_date(text),
        (Mark::Date, other) => Err(format!("a date must be a string, not {}", other.kind())),
        (Mark::Url, Json::Text(text)) => value::check_url(text),
        (Mark::Url, other) => Err(format!("a URL must be a string, not {}", other.kind())),
        (Mark::None, Json::Text(text)) => value::check_event_text(text),
        (Mark::None, Json::Array(items)) => check_items(items, level),
        (Mark::None, Json::Object(members)) => check_object(members, level + 1),
        (Mark::None, Json::Unsigned(_)) => Err(value::OUT_OF_RANGE.to_owned()),
        (Mark::None, Json::Boolean(_) | Json::Integer(_) | Json::Float(_)) => Ok(()),
    }
}

/// All texts or all objects; an object in an array is one level below the array's own object.
fn check_items(items: &[Json<'_>], level: usize) -> Result<(), String> {
    value::check_count(items.len())?;
    let all_texts = items.iter().all(|item| matches!(item, Json::Text(_)));
    let all_objects = items.iter().all(|item| matches!(item, Json::Object(_)));
    if !all_texts && !all_objects {
        return Err("an array must hold strings only or objects only".to_owned());
    }
    for item in items {
        match item {
            Json::Text(text) => value::check_event_text(text)?,
            Json::Object(members) => check_object(members, level + 1)?,
            _ => {}
        }
    }
    Ok(())
}

fn check_object(members: &[Member<'_>], level: usize) -> Result<(), String> {
    if level > limits::OBJECT_LEVELS {
        return Err(format!(
            "objects are nested more than {} levels deep",
            limits::OBJECT_LEVELS
        ));
    }
    check_size(members)?;
    let mut names = Names::default();
    for (key, sent) in members {
        names.claim(key)?;
        check_member(key, sent, level)?;
    }
    Ok(())
}

fn check_size(members: &[Member<'_>]) -> Result<(), String> {
    if members.len() > limits::ATTRIBUTES_PER_OBJECT {
        return Err(format!(
            "more than {} attributes in one object",
            limits::ATTRIBUTES_PER_OBJECT
        ));
    }
    Ok(())
}
