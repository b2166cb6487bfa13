//! What is stated in clear: the names in a document. Everything else in it is free text, from which secrets are taken.
//!
//! A name is never blanked, whatever secrets there are: a list of syncs in which one has become `***` helps nobody, and says that the sync's name is a password.
//! Names have keys of their own in all that we write, the same in an answer of the API, in a command's JSON, in an alert and in a log line. What stands
//! under another key may have been written by anybody (a plugin, a driver of a database, a server), and may repeat what it was told.

use longshore_config::Secrets;
use longshore_core::Error;
use serde_json::Value;

/// Keys of names: of what a person has named, and of what we have given a stable name or a number.
const NAMES: [&str; 45] = [
    // Given by people, or by a database.
    "sync",
    "name",
    "table",
    "tables",
    "column",
    "cursor_column",
    "identity_column",
    "id_column",
    "source",
    "sources",
    "destination",
    "destinations",
    "host",
    "time_zone",
    // Of plugins and versions.
    "plugin",
    "role",
    "path",
    "program",
    "version",
    "longshore",
    "arrow_type",
    "source_type",
    // Given by Longshore.
    "run",
    "run_id",
    "resolved_run",
    "invocation_id",
    "partition",
    "code",
    "domain",
    "scope",
    "field",
    "status",
    "phase",
    "outcome",
    "rule",
    "kind",
    "type",
    "level",
    "target",
    "timestamp",
    "trigger",
    "condition",
    "catch_up",
    "method",
    "address",
];

/// Keys of what holds the keys of others: columns of rows, members of requests. Nothing below is a name of ours.
const OF_OTHERS: [&str; 2] = ["row", "body"];

/// Whether names stand under this key.
pub(crate) fn is_name(key: &str) -> bool {
    NAMES.contains(&key)
}

/// Takes secrets out of a document, and leaves its names.
pub(crate) fn redact(secrets: &Secrets, document: &mut Value) {
    if !secrets.is_empty() {
        let names = names_in(document);
        redact_below(secrets, &names, document);
    }
}

fn redact_below(secrets: &Secrets, names: &[String], value: &mut Value) {
    match value {
        Value::String(text) => {
            if let std::borrow::Cow::Owned(redacted) = secrets.redact_beside(text, names) {
                *text = redacted;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact_below(secrets, names, item)),
        Value::Object(members) => {
            for (key, value) in members {
                match key.as_str() {
                    key if OF_OTHERS.contains(&key) => secrets.redact_json(value),
                    key if is_name(key) && names_of(value).is_some() => {}
                    _ => redact_below(secrets, names, value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The names in a document: its free text may repeat them.
pub(crate) fn names_in(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(document, &mut found);
    found.sort();
    found.dedup();
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => {
            for (key, value) in members.iter().filter(|(key, _)| !OF_OTHERS.contains(&key.as_str())) {
                match names_of(value).filter(|_| is_name(key)) {
                    Some(names) => found.extend(names.into_iter().map(str::to_owned)),
                    None => collect(value, found),
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A name, or a list of names.
fn names_of(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(name) => Some(vec![name]),
        Value::Array(names) => names.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// A line of JSON as it may be printed.
pub(crate) fn json_line(secrets: &Secrets, line: &str) -> String {
    match serde_json::from_str(line) {
        _ if secrets.is_empty() => line.to_owned(),
        Ok(document) => {
            let mut redacted = Value::clone(&document);
            redact(secrets, &mut redacted);
            // The line as it is has its fields in their usual order.
            if redacted == document {
                line.to_owned()
            } else {
                format!("{redacted}\n")
            }
        }
        // Nobody but us writes it; what it may be is not worth a leak.
        Err(_) => secrets.redact(line).into_owned(),
    }
}

/// An error as it may be kept and shown.
pub(crate) fn error(secrets: &Secrets, error: Error) -> Error {
    let names = names_of_error(&error);
    let redacted = |text: String| secrets.redact_beside(&text, &names).into_owned();
    Error {
        message: redacted(error.message),
        remedy: redacted(error.remedy),
        causes: error.causes.into_iter().map(redacted).collect(),
        ..error
    }
}

/// What an error names beside its words.
pub(crate) fn names_of_error(error: &Error) -> Vec<String> {
    let names = [&error.code, &error.table, &error.field];
    names.into_iter().filter(|name| !name.is_empty()).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        let secrets = Secrets::new();
        values.iter().for_each(|value| secrets.insert(value));
        secrets
    }

    #[test]
    fn names_stay_and_free_text_loses_its_secrets() {
        let secrets = secrets(&["shop", "hunter2hunter2"]);
        let mut document = json!({
            "syncs": [{ "name": "shop", "tables": [{ "table": "hunter2hunter2", "rejected": 1 }], "destinations": ["shop", "b"] }],
            "error": { "code": "shop", "table": "shop", "message": "hunter2hunter2x: shopping for shop_orders with hunter2hunter2" },
            "reason": "told hunter2hunter2-1, not shop",
        });
        redact(&secrets, &mut document);
        assert_eq!(
            document,
            json!({
                "syncs": [{ "name": "shop", "tables": [{ "table": "hunter2hunter2", "rejected": 1 }], "destinations": ["shop", "b"] }],
                "error": { "code": "shop", "table": "shop", "message": "***x: shopping for shop_orders with hunter2hunter2" },
                "reason": "told hunter2hunter2-1, not shop",
            })
        );
    }

    #[test]
    fn a_row_has_no_names_of_ours() {
        let mut document =
            json!({ "row": { "name": "hunter2hunter2" }, "body": { "code": ["hunter2hunter2"] }, "name": "people" });
        redact(&secrets(&["hunter2hunter2"]), &mut document);
        assert_eq!(
            document,
            json!({ "row": { "name": "***" }, "body": { "code": ["***"] }, "name": "people" })
        );
    }

    #[test]
    fn an_error_keeps_its_code_and_its_table() {
        let told = Error::source("orders", "No password orders for orders, tried correct-horse-9")
            .with_table("correct-horse-9")
            .with_remedy("Mend correct-horse-9, or s3cret-s3cret.");
        let cleared = error(&secrets(&["correct-horse-9", "s3cret-s3cret"]), told);
        assert_eq!((&*cleared.code, &*cleared.table), ("orders", "correct-horse-9"));
        assert_eq!(cleared.remedy, "Mend correct-horse-9, or ***.");
    }
}
