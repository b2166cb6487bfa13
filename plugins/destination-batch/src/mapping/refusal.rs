//! Why a table can not be written, with what to do about it.

use longshore_sdk::{arrow::datatypes::Field, prelude::*};

use super::key::AttributeKey;
use crate::{limits::Limits, spec::Target};

fn refused(table: &Table, code: &str, message: String, remedy: impl Into<String>) -> Error {
    Error::config(code, message).with_table(&table.name).with_remedy(remedy)
}

pub(super) fn column_missing(table: &Table, target: Target, column: &str, role: &str) -> Error {
    let target = target.name();
    let message = format!(
        "Table {} has no column {column}, which the target {target} needs",
        table.name
    );
    let remedy = format!(
        "Name the column that holds it with `{role}: <column>` in the destination's spec, or read a view that has a column {column}. The table's columns are: {}.",
        column_names(table)
    );
    refused(table, "column_missing", message, remedy)
}

pub(super) fn role_type(table: &Table, field: &Field, role: &str, wanted: &str) -> Error {
    let message = format!(
        "Column {} of table {} has the type {}, which can not be the {role}",
        field.name(),
        table.name,
        field.data_type()
    );
    refused(
        table,
        "column_type_unsupported",
        message,
        format!("It must be {wanted}: convert it in a view."),
    )
}

pub(super) fn column_type(table: &Table, field: &Field) -> Error {
    let column = field.name();
    let message = format!(
        "Column {column} of table {} has the type {}, which has no form in Batch",
        table.name,
        field.data_type()
    );
    let remedy =
        format!("Leave it out with `mapping: {{{column}: {{ignore: true}}}}`, or convert it to text in a view.");
    refused(table, "column_type_unsupported", message, remedy)
}

pub(super) fn kind(table: &Table, field: &Field, key: &AttributeKey, target: Target) -> Error {
    let column = field.name();
    let message = format!(
        "Column {column} of table {} has the type {}, which can not become {key} of {}",
        table.name,
        field.data_type(),
        target.name()
    );
    let remedy = format!(
        "Choose another `kind` for it under `mapping`, leave it out with `mapping: {{{column}: {{ignore: true}}}}`, or convert it in a view."
    );
    refused(table, "kind_unsupported", message, remedy)
}

pub(super) fn name(table: &Table, column: &str, name: &str, limits: &Limits) -> Error {
    let message = format!(
        "Column {column} of table {} would become the attribute \"{name}\", but names in Batch are 1 to {} of a-z, 0-9 and _",
        table.name, limits.key_chars
    );
    let remedy = format!(
        "Give it a name with `mapping: {{{column}: {{name: …}}}}`, leave it out with `ignore: true`, or rename it in a view."
    );
    refused(table, "attribute_name_invalid", message, remedy)
}

pub(super) fn collision(table: &Table, first: &str, second: &str, key: &str) -> Error {
    let message = format!(
        "Columns {first} and {second} of table {} would both become the attribute {key}",
        table.name
    );
    refused(
        table,
        "attribute_name_collision",
        message,
        "Give one of them another name under `mapping`, or ignore it.",
    )
}

pub(super) fn native_unknown(table: &Table, column: &str, known: &[&str]) -> Error {
    let message = format!(
        "Column {column} of table {} names an attribute of Batch's own that does not exist here",
        table.name
    );
    let remedy = format!(
        "Known are: {}. Rename the column, or leave it out with `mapping: {{{column}: {{ignore: true}}}}`.",
        known.join(", ")
    );
    refused(table, "native_unknown", message, remedy)
}

/// The first columns of a table: enough to see what is there.
fn column_names(table: &Table) -> String {
    const SHOWN: usize = 20;
    let mut names: Vec<&str> = table
        .schema
        .fields()
        .iter()
        .take(SHOWN)
        .map(|field| field.name().as_str())
        .collect();
    if table.schema.fields().len() > SHOWN {
        names.push("…");
    }
    names.join(", ")
}
