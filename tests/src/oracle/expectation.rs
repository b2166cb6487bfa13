//! What should arrive, worked out from a table's rows.

use serde_json::{Map, Value};

use super::normal;
use crate::{Context, Origin, Result};

/// What NULL in a profile's column is expected to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// The attribute stays as it was: whatever the sandbox holds is right.
    Omit,
    /// The attribute goes.
    Unset,
}

/// A profile that should be there.
#[derive(Debug)]
pub(super) struct ExpectedProfile {
    pub(super) row_id: String,
    pub(super) custom_id: String,
    pub(super) attributes: Map<String, Value>,
    /// Keys of the columns that hold NULL.
    pub(super) null_keys: Vec<String>,
}

/// An event that should be there.
#[derive(Debug)]
pub(super) struct ExpectedEvent {
    pub(super) row_id: String,
    pub(super) custom_id: String,
    pub(super) name: String,
    pub(super) time: Option<Value>,
    pub(super) attributes: Map<String, Value>,
}

pub(super) async fn profiles(origin: Origin<'_>, query: &str) -> Result<Vec<ExpectedProfile>> {
    let rows = origin.rows(query).await?;
    rows.into_iter().map(profile).collect()
}

pub(super) async fn events(origin: Origin<'_>, query: &str, ignored: &[&str]) -> Result<Vec<ExpectedEvent>> {
    let rows = origin.rows(query).await?;
    rows.into_iter().map(|row| event(row, ignored)).collect()
}

fn profile(mut row: Map<String, Value>) -> Result<ExpectedProfile> {
    let mut profile = ExpectedProfile {
        row_id: row_id(&mut row)?,
        custom_id: taken_text(&mut row, "custom_id")?,
        attributes: Map::new(),
        null_keys: Vec::new(),
    };
    row.remove("last_updated_at");
    for (column, value) in row {
        let key = match column.strip_prefix("batch__") {
            Some(native) => format!("${native}"),
            None => attribute_key(&column),
        };
        match value {
            Value::Null => profile.null_keys.push(key),
            value => {
                let value = attribute_value(&column, value, &['[']);
                profile.attributes.insert(key, value);
            }
        }
    }
    Ok(profile)
}

fn event(mut row: Map<String, Value>, ignored: &[&str]) -> Result<ExpectedEvent> {
    let mut event = ExpectedEvent {
        row_id: row_id(&mut row)?,
        custom_id: taken_text(&mut row, "custom_id")?,
        name: taken_text(&mut row, "event_name")?,
        time: row
            .remove("event_time")
            .and_then(|time| time.as_str().map(normal::instant)),
        attributes: Map::new(),
    };
    row.remove("last_updated_at");
    row.retain(|column, value| !value.is_null() && !ignored.contains(&column.as_str()));
    for (column, value) in row {
        let value = attribute_value(&column, value, &['[', '{']);
        event.attributes.insert(attribute_key(&column), value);
    }
    Ok(event)
}

fn attribute_key(column: &str) -> String {
    match (column.strip_prefix("date__"), column.strip_prefix("url__")) {
        (Some(name), _) => format!("date({name})"),
        (_, Some(name)) => format!("url({name})"),
        _ => column.to_owned(),
    }
}

/// A text that begins with one of `openings` and is JSON arrives as what it says.
fn attribute_value(column: &str, value: Value, openings: &[char]) -> Value {
    match &value {
        Value::String(text) if column.starts_with("date__") => normal::instant(text),
        Value::String(text) if text.trim_start().starts_with(openings) => {
            serde_json::from_str(text).map_or(value, normal::value)
        }
        _ => normal::value(value),
    }
}

fn row_id(row: &mut Map<String, Value>) -> Result<String> {
    let id = row.remove("row_id").context("the query has no column row_id")?;
    Ok(id.as_str().map_or_else(|| id.to_string(), str::to_owned))
}

fn taken_text(row: &mut Map<String, Value>, column: &str) -> Result<String> {
    let value = row
        .remove(column)
        .context(format!("the query has no column {column}"))?;
    let text = value.as_str().context(format!("{column} is no text: {value}"))?;
    Ok(text.to_owned())
}
