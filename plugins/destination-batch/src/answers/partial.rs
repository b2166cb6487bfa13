//! From a partial error back to the rows of its operation.

use longshore_sdk::prelude::*;
use serde_json::Value as Json;

use super::success::PartialError;
use crate::{encode::batch::Row, operation::Operation, spec::Target};

/// Characters of the API's reason that are kept.
const REASON_CHARS: usize = 200;

/// Parts of an event that are no attributes, by their names in the API.
const PARTS_OF_AN_EVENT: [&str; 3] = ["name", "time", "events"];

/// The rejects that the partial errors of one operation mean.
///
/// - About an attribute that was sent: the row whose value it was (attributes: the latest that has the column; events: each that has it), that column only.
/// - About attributes, without saying which: every row of the operation, no column named, the rest counts as delivered.
/// - Otherwise the operation or an event was refused: whole rows, each once, however many errors there are. The API does not say which of several events:
///   all are held, so that none is lost unseen, and none that Batch took is there once more with each run that sends them.
pub(crate) fn rejects_of(errors: &[PartialError], operation: &Operation) -> Vec<Reject> {
    let mut rejects = Vec::new();
    let mut refusals = Vec::new();
    for error in errors {
        let slot = slot_of(error, operation);
        if slot.is_some() || is_about_attributes(error) {
            rejects.extend(reject_attribute(error, slot, operation));
        } else {
            refusals.push(error);
        }
    }
    if refusals.is_empty() {
        return rejects;
    }
    // Beside whole rows, what is said of their columns is only noise.
    reject_rows(&refusals, operation)
}

/// Every row of the operation, for errors that are about no attribute.
fn reject_rows(errors: &[&PartialError], operation: &Operation) -> Vec<Reject> {
    let rows = operation.rows();
    let rule = rule_of(errors.first().map_or("", |first| &first.category));
    let is_uncertain = rows.len() > 1 && operation.target() == Target::ProfileEvents;
    let refused = if errors.len() == 1 { "one" } else { "some" };
    let of_several = format!(
        " (Batch refused {refused} of {} events sent together and does not say which: the others may be there)",
        rows.len()
    );
    let reject_one = |row: &Row| {
        let reasons: Vec<String> = errors.iter().map(|error| reason(error, row)).collect();
        let reasons = reasons.join("; ");
        if is_uncertain {
            Reject {
                key: key_of(row),
                ..Reject::held(row.sequence(), row.row(), reasons + &of_several)
            }
        } else {
            reject(row, &rule, "", reasons, true)
        }
    };
    rows.iter().map(reject_one).collect()
}

fn is_about_attributes(error: &PartialError) -> bool {
    error.category.eq_ignore_ascii_case("attribute")
}

/// The attribute of ours that an error is about.
fn slot_of(error: &PartialError, operation: &Operation) -> Option<usize> {
    let attribute = error.attribute.as_deref()?;
    // Inside an object, the API may name the place by a path: the column is its first part.
    let first_part = attribute.split(['.', '[']).next().unwrap_or(attribute);
    let may_be_event = operation.target() == Target::ProfileEvents && PARTS_OF_AN_EVENT.contains(&first_part);
    if may_be_event && !is_about_attributes(error) {
        return None;
    }
    let plan = operation.rows()[0].plan();
    plan.slot_of(attribute).or_else(|| plan.slot_of(first_part))
}

fn reject_attribute(error: &PartialError, slot: Option<usize>, operation: &Operation) -> Vec<Reject> {
    let rule = rule_of(&error.category);
    let plan = operation.rows()[0].plan();
    let column = slot.map_or("", |slot| plan.attributes[slot].column.as_str());
    let rows: Vec<&Row> = match (operation.target(), slot) {
        (Target::ProfileAttributes, Some(slot)) => operation.row_with_slot(slot).into_iter().collect(),
        (Target::ProfileEvents, Some(slot)) => {
            let prefix = &plan.attributes[slot].prefix;
            operation
                .rows()
                .iter()
                .filter(|row| contains(attributes_of(row.event_json()), prefix))
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
        .map(|row| reject(row, &rule, column, reason(error, row), false))
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
        key: key_of(row),
        rule: rule.to_owned(),
        column: column.to_owned(),
        reason,
        whole_row,
        identity: row.identity().to_owned(),
    }
}

/// The row's custom id, as far as it is shown.
fn key_of(row: &Row) -> String {
    row.custom_id().chars().take(128).collect()
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

/// The part of an event's JSON that holds its attributes.
fn attributes_of(event: &[u8]) -> &[u8] {
    const HEAD: &[u8] = b",\"attributes\":{";
    find(event, HEAD).map_or(&[], |at| &event[at + HEAD.len()..])
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    find(haystack, needle).is_some()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests;
