//! From a partial error back to the rows of its operation.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use longshore_sdk::prelude::*;
use serde_json::Value as Json;

use super::success::PartialError;
use crate::{
    encode::{batch::Row, rows::is_late},
    operation::Operation,
    spec::Target,
};

/// Characters of the API's reason that are kept.
const REASON_CHARS: usize = 200;

/// The rejects that an operation's partial error means.
///
/// - With an attribute: the row whose value was sent (attributes: the latest that has the column; events: each that has it), that column only.
/// - About attributes, without saying which: every row of the operation, no column named, the rest counts as delivered.
/// - Otherwise the operation or an event was refused: whole rows. The API does not say which of several events: those that are too old by now are
///   taken when there are any, and all of them if not, so that none is lost unseen; delivering the others again is then the lesser harm.
pub(crate) fn rejects_of(error: &PartialError, operation: &Operation, now: DateTime<Utc>) -> Vec<Reject> {
    let rule = rule_of(&error.category);
    if let Some(attribute) = error.attribute.as_deref().filter(|attribute| !attribute.is_empty()) {
        return reject_attribute(error, attribute, operation, &rule);
    }
    if error.category.eq_ignore_ascii_case("attribute") {
        return operation
            .rows()
            .iter()
            .map(|row| reject(row, &rule, "", reason(error, row), false))
            .collect();
    }
    let rows = operation.rows();
    let late: Vec<&Row> = rows
        .iter()
        .filter(|row| row.time().is_some_and(|time| is_late(time, now, row.plan())))
        .collect();
    let accused = if late.is_empty() || rows.len() == 1 {
        rows.iter().collect()
    } else {
        late
    };
    let of_several = if accused.len() > 1 && operation.target() == Target::ProfileEvents {
        format!(
            " (one of {} events sent together; Batch does not say which)",
            accused.len()
        )
    } else {
        String::new()
    };
    accused
        .into_iter()
        .map(|row| reject(row, &rule, "", reason(error, row) + &of_several, true))
        .collect()
}

/// A row is refused as a whole once, however many errors name it: the first of its rejects has the reasons of all.
pub(crate) fn once_a_row(rejects: impl Iterator<Item = Reject>) -> Vec<Reject> {
    let mut kept: Vec<Reject> = Vec::new();
    let mut whole = HashMap::new();
    for reject in rejects {
        if !reject.whole_row {
            kept.push(reject);
            continue;
        }
        let first = *whole.entry((reject.sequence, reject.row)).or_insert(kept.len());
        match kept.get_mut(first) {
            Some(first) => {
                first.reason.push_str("; ");
                first.reason.push_str(&reject.reason);
            }
            None => kept.push(reject),
        }
    }
    kept
}

fn reject_attribute(error: &PartialError, attribute: &str, operation: &Operation, rule: &str) -> Vec<Reject> {
    let plan = operation.rows()[0].plan();
    // Inside an object, the API may name the place by a path: the column is its first part.
    let first_part = attribute.split(['.', '[']).next().unwrap_or(attribute);
    let slot = plan.slot_of(attribute).or_else(|| plan.slot_of(first_part));
    let column = slot.map_or("", |slot| plan.attributes[slot].column.as_str());
    let rows: Vec<&Row> = match (operation.target(), slot) {
        (Target::ProfileAttributes, Some(slot)) => operation.row_with_slot(slot).into_iter().collect(),
        (Target::ProfileEvents, Some(slot)) => {
            let prefix = &plan.attributes[slot].prefix;
            operation
                .rows()
                .iter()
                .filter(|row| contains(row.event_json(), prefix))
                .collect()
        }
        (_, None) => Vec::new(),
    };
    let rows = if rows.is_empty() {
        operation.rows().iter().collect()
    } else {
        rows
    };
    rows.into_iter()
        .map(|row| reject(row, rule, column, reason(error, row), false))
        .collect()
}

/// A row that the API refused as a whole, with the answer in words.
pub(crate) fn refused_row(row: &Row, rule: &str, reason: String) -> Reject {
    reject(row, rule, "", reason, true)
}

/// An event that was young enough when it was read, and is not any more.
pub(crate) fn overdue_row(row: &Row) -> Reject {
    let plan = row.plan();
    let column = plan.event_time.map(|index| plan.column_name(index)).unwrap_or_default();
    let reason = "An event that became too old while it waited to be sent (see `late_events`)".to_owned();
    reject(row, "event_too_old", &column, reason, true)
}

fn reject(row: &Row, rule: &str, column: &str, reason: String, whole_row: bool) -> Reject {
    Reject {
        sequence: row.sequence(),
        row: row.row(),
        key: row.custom_id().chars().take(128).collect(),
        rule: rule.to_owned(),
        column: column.to_owned(),
        reason,
        whole_row,
        identity: row.identity().to_owned(),
    }
}

/// `refused_by_batch`, with the API's category where that is a plain word.
fn rule_of(category: &str) -> String {
    let plain: String = category.to_ascii_lowercase().replace([' ', '-'], "_");
    let is_word =
        !plain.is_empty() && plain.len() <= 40 && plain.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_word {
        format!("refused_by_batch_{plain}")
    } else {
        "refused_by_batch".to_owned()
    }
}

/// The API's reason, without any of the row's values that it may quote.
fn reason(error: &PartialError, row: &Row) -> String {
    let mut values = vec![row.custom_id().to_owned()];
    let json = match row.target() {
        Target::ProfileEvents => row.event_json().to_vec(),
        Target::ProfileAttributes => [b"{", row.members_json(), b"}"].concat(),
    };
    if let Ok(tree) = serde_json::from_slice(&json) {
        collect_values(&tree, &mut values);
    }
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    let mut reason = format!("Batch: {}", error.reason);
    for value in values.iter().filter(|value| value.chars().count() > 1) {
        reason = reason.replace(value.as_str(), "…");
    }
    reason.chars().take(REASON_CHARS).collect()
}

fn collect_values(tree: &Json, values: &mut Vec<String>) {
    match tree {
        Json::String(text) => values.push(text.clone()),
        Json::Number(number) => values.push(number.to_string()),
        Json::Array(items) => items.iter().for_each(|item| collect_values(item, values)),
        Json::Object(fields) => fields.values().for_each(|value| collect_values(value, values)),
        Json::Null | Json::Bool(_) => {}
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests;
