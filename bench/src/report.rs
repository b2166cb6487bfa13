//! Results for people: a table on the terminal, a page in Markdown.

mod page;
mod table;

pub(crate) use self::{
    page::page,
    table::{processes_of, table},
};
use crate::{
    results::{Measurement, ProgramSummary},
    statistics::Spread,
};

/// Cells of one measurement, in the order of [`COLUMNS`].
fn cells(measurement: &Measurement) -> [String; 7] {
    let summary = &measurement.summary;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    [
        measurement.name.clone(),
        seconds(&summary.seconds),
        or_dash(summary.rows_per_second.map(|rate| thousands(rate.median))),
        or_dash(summary.bytes_per_second.map(|rate| format!("{:.0}", rate.median / 1e6))),
        or_dash(cpu_per_million(measurement)),
        or_dash(largest(measurement)),
        or_dash(summary.of_ceiling.as_ref().map(percent)),
    ]
}

/// What the cells are about.
const COLUMNS: [&str; 7] = [
    "scenario",
    "seconds: median (spread)",
    "rows/s",
    "MB/s",
    "CPU s per 1M rows",
    "largest process, MiB",
    "% of its ceiling (spread)",
];

fn seconds(spread: &Spread) -> String {
    let Spread {
        median,
        least,
        greatest,
    } = spread;
    format!("{median:.3} ({least:.3}–{greatest:.3})")
}

fn percent(spread: &Spread) -> String {
    let [median, least, greatest] = [spread.median, spread.least, spread.greatest].map(|share| share * 100.0);
    format!("{median:.1} ({least:.1}–{greatest:.1})")
}

/// Of everything that took part.
fn cpu_per_million(measurement: &Measurement) -> Option<String> {
    let programs = &measurement.summary.programs;
    if programs.is_empty() {
        return None;
    }
    let each: Option<Vec<f64>> = programs
        .iter()
        .map(|program| program.cpu_seconds_per_million_rows)
        .collect();
    Some(format!("{:.2}", each?.iter().sum::<f64>()))
}

/// Of the processes that were measured, without the servers.
fn largest(measurement: &Measurement) -> Option<String> {
    let programs = measurement.summary.programs.iter().filter(|program| !program.is_server);
    let peak = programs.filter_map(|program| program.peak_memory_bytes).max()?;
    Some(mebibytes(peak))
}

/// Every program with its CPU and the peak of its memory: `longshore 0.31 s, 24 MiB; …`.
fn processes(measurement: &Measurement) -> String {
    let one = |program: &ProgramSummary| {
        let cpu = program
            .cpu_seconds_per_million_rows
            .unwrap_or(program.cpu_seconds.median);
        let memory = program.peak_memory_bytes;
        let memory = memory.map(|bytes| format!(", {} MiB", mebibytes(bytes)));
        format!("{} {cpu:.2} s{}", program.program, memory.unwrap_or_default())
    };
    let all: Vec<String> = measurement.summary.programs.iter().map(one).collect();
    all.join("; ")
}

fn mebibytes(bytes: u64) -> String {
    bytes.div_ceil(1024 * 1024).to_string()
}

/// `1,234,567`.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_grouped_and_shares_are_percentages() {
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(999.6), "1,000");
        let spread = Spread {
            median: 0.905,
            least: 0.89,
            greatest: 1.0,
        };
        assert_eq!(percent(&spread), "90.5 (89.0–100.0)");
        assert_eq!(mebibytes(1), "1");
    }
}
