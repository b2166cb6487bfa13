//! The page `RESULTS.md`.

use super::{COLUMNS, cells, processes};
use crate::{
    results::{Part, Results},
    scenario::Group,
    stage::POSTGRESQL_SETTINGS,
};

/// What does not depend on what was measured.
const INTRODUCTION: &str = include_str!("introduction.md");

pub(crate) fn page(results: &Results) -> String {
    let settings = POSTGRESQL_SETTINGS.map(|setting| format!("`{setting}`")).join(", ");
    let mut text = INTRODUCTION.replace("{settings}", &settings);
    for (group, part) in &results.parts {
        text.push_str(&section(*group, part));
    }
    text
}

fn section(group: Group, part: &Part) -> String {
    let (title, about) = of(group);
    let mut text = format!("\n## {title}\n\n{about}\n\n```sh\n{}\n```\n\n", part.command);
    let commit = part.commit.as_deref().unwrap_or("unknown");
    let minutes = part.took_seconds / 60.0;
    text.push_str(&format!(
        "{}, {} rounds, commit {commit}, {minutes:.0} minutes with loading. {}.",
        part.started_at, part.repeats, part.machine,
    ));
    if !part.software.is_empty() {
        text.push_str(&format!(" {}.", part.software.join(", ")));
    }
    text.push('\n');
    if !part.optimised {
        text.push_str("\n**The programs were not optimised: no figure here means anything.**\n");
    }
    if matches!(group, Group::Incremental | Group::Memory) {
        let was = if part.large { "was run" } else { "was not run" };
        text.push_str(&format!("\nThe part with 50 million rows (`--large`) {was}.\n"));
    }
    text.push_str(&format!(
        "\n| {} |\n|{}\n",
        COLUMNS.join(" | "),
        "---|".repeat(COLUMNS.len())
    ));
    for measurement in &part.scenarios {
        text.push_str(&format!("| {} |\n", cells(measurement).join(" | ")));
    }
    if !part.has_processes() {
        return text;
    }
    text.push_str("\nEach process: CPU seconds per million rows (of runs without rows: CPU seconds), and peak memory.\n\n| scenario | processes |\n|---|---|\n");
    for measurement in &part.scenarios {
        text.push_str(&format!("| {} | {} |\n", measurement.name, processes(measurement)));
    }
    text
}

fn of(group: Group) -> (&'static str, &'static str) {
    match group {
        Group::Discard => (
            "To a destination that discards",
            "The databases' own pace, then Longshore from them through all three of its processes. The number at the end is how many partitions were in flight. Rows are \
             the shop's events: 11 columns with text, numbers, timestamps, a boolean and JSON text.",
        ),
        Group::Batch => (
            "To Batch's API without rate limits",
            "`null` answers each call with 202 at once and looks at nothing; `sandbox` is the emulator, which reads, checks and keeps everything. The ceiling is reading the same \
             rows, so that the share says what mapping, JSON and HTTP add. The documented rate limits of Batch are far below all of these.",
        ),
        Group::Incremental => (
            "Incremental runs",
            "Wall time of `longshore sync` from its start to its exit, in a table of 50 million rows (with `--large`) or fewer. `few_new` reads 1,000 rows that were just added. \
             ClickHouse's runs look back two seconds (`overlap: 2s`): in the ten minutes of the default, rounds add more rows than a state remembers, and each run would read them all again.",
        ),
        Group::Peers => (
            "Peers",
            "The same rows in the same PostgreSQL, over TCP. connectorx and ADBC read all of them into Arrow in memory. dlt, with its fastest backend, hands Arrow batches to a function \
             that only counts rows, or sends them to the null endpoint as Batch takes them, 200 operations a call; `plain_loop` does the same with psycopg and httpx, as one would write it by hand. Times of \
             peers are without starting Python and importing packages; those of Longshore are of the whole command, three processes started included.",
        ),
        Group::Memory => (
            "Memory",
            "The peak of each process by number and size of rows, read from views whose rows the databases make one after another, to a destination that discards.",
        ),
        Group::Limits => (
            "Under the documented rate limits",
            "What the emulator, which keeps to the limits that Batch documents, let in within a minute from the first call on, by its own clock, as a share of what the token bucket gives in \
             that time. Rows are operations. A single 429 would be an error.",
        ),
    }
}
