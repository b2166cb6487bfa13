//! A row's key as text, so that a person can find the row.

use arrow::{array::RecordBatch, util::display::array_value_to_string};

/// `name = value` for each key column that the batch has; empty when it has none.
pub(crate) fn key_of_row(batch: &RecordBatch, row: usize, key: &[String]) -> String {
    let parts: Vec<String> = key
        .iter()
        .filter_map(|name| {
            let value = array_value_to_string(batch.column_by_name(name)?, row).ok()?;
            Some(format!("{name} = {value}"))
        })
        .collect();
    parts.join(", ")
}
