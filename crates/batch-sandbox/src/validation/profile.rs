//! Attributes of a profile.

use crate::json::{Json, Member};
use crate::store::AttributeValue;

use super::Change;
use super::key::{self, Mark};
use super::native::Native;
use super::value;

/// What a member of `attributes` does to its profile.
pub(super) fn change(key: &str, sent: Json<'_>) -> Result<Change, String> {
    if key.starts_with('$') {
        let native = Native::named(key).ok_or("no native attribute has this name")?;
        return native.change(sent);
    }
    let mark = key::parse(key)?;
    if sent == Json::Null {
        return Ok(Change::Remove);
    }
    match mark {
        Mark::None => plain(sent),
        Mark::Date => {
            let text = text(sent, "a date")?;
            value::check_date(&text)?;
            Ok(Change::Set(AttributeValue::Date(text)))
        }
        Mark::Url => {
            let text = text(sent, "a URL")?;
            value::check_url(&text)?;
            Ok(Change::Set(AttributeValue::Url(text)))
        }
    }
}

fn plain(sent: Json<'_>) -> Result<Change, String> {
    let value = match sent {
        Json::Null => return Ok(Change::Remove),
        Json::Boolean(value) => AttributeValue::Boolean(value),
        Json::Integer(value) => AttributeValue::Integer(value),
        Json::Float(value) => AttributeValue::Float(value),
        Json::Text(text) => {
            value::check_text(&text)?;
            AttributeValue::Text(text.into())
        }
        Json::Array(items) => AttributeValue::Texts(texts(items, value::check_text)?.into()),
        Json::Object(members) => return edit(members, |items| texts(items, value::check_text)),
        Json::Unsigned(_) => return Err(value::OUT_OF_RANGE.to_owned()),
    };
    Ok(Change::Set(value))
}

/// `{"$add": […], "$remove": […]}`, one of them at least.
pub(super) fn edit(
    members: Vec<Member<'_>>,
    read: impl Fn(Vec<Json<'_>>) -> Result<Vec<Box<str>>, String>,
) -> Result<Change, String> {
    let (mut add, mut remove) = (None, None);
    for (key, value) in members {
        let slot = match &*key {
            "$add" => &mut add,
            "$remove" => &mut remove,
            _ => return Err("an object is not a profile attribute (only $add and $remove are understood)".to_owned()),
        };
        let Json::Array(items) = value else {
            return Err(format!("$add and $remove must be arrays, not {}", value.kind()));
        };
        if slot.replace(read(items)?).is_some() {
            return Err("$add or $remove occurs twice".to_owned());
        }
    }
    if add.is_none() && remove.is_none() {
        return Err("neither $add nor $remove is there".to_owned());
    }
    Ok(Change::Edit {
        add: add.unwrap_or_default(),
        remove: remove.unwrap_or_default(),
    })
}

/// The texts of an array, each of which obeys `rule`.
fn texts(items: Vec<Json<'_>>, rule: impl Fn(&str) -> Result<(), String>) -> Result<Vec<Box<str>>, String> {
    value::check_count(items.len())?;
    items
        .into_iter()
        .map(|item| {
            let text = text(item, "an item of an array")?;
            rule(&text)?;
            Ok(text)
        })
        .collect()
}

pub(super) fn text(value: Json<'_>, what: &str) -> Result<Box<str>, String> {
    match value {
        Json::Text(text) => Ok(text.into()),
        other => Err(format!("{what} must be a string, not {}", other.kind())),
    }
}
