//! A group as a table with columns that are as wide as their widest cell.

use super::{COLUMNS, cells, processes};
use crate::results::Part;

pub(crate) fn table(part: &Part) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(part.scenarios.iter().map(cells));
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for row in &rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let padding = " ".repeat(width - cell.chars().count());
            // Names to the left, figures to the right.
            let padded = if column == 0 {
                format!("{cell}{padding}")
            } else {
                format!("  {padding}{cell}")
            };
            text.push_str(&padded);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// A line for each scenario with all of its processes.
pub(crate) fn processes_of(part: &Part) -> String {
    if !part.has_processes() {
        return String::new();
    }
    let mut text =
        "CPU seconds per million rows (of runs without rows: CPU seconds) and peak memory of each process:\n"
            .to_owned();
    for measurement in &part.scenarios {
        text.push_str(&format!("  {}: {}\n", measurement.name, processes(measurement)));
    }
    text
}
