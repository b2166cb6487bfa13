//! Counts what the code costs that every row passes.
//!
//! A benchmark of a crate calls [`main`] with its paths and the text of its figures. Times are left to the scenarios that move real tables: here is
//! counted what is the same on a busy machine as on an idle one.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program's table and complaints"
)]

mod figures;

use std::process::ExitCode;

use figures::Figures;

/// Rows that allocations are counted over: several batches of the usual size.
const COUNTED_ROWS: usize = 20_000;

/// Code that rows pass, and rows to send through it.
pub struct HotPath {
    /// Its name among the figures.
    pub name: &'static str,
    /// Makes the rows, which is not counted, and returns what sends so many of them through.
    pub prepare: fn() -> Box<dyn FnMut(usize)>,
}

/// What `benches/hot_paths.rs` does. Without arguments (`cargo test`, `cargo bench`): counts allocations, prints them, and fails where they differ from
/// `figures`, the text of the figures' file. `--list` prints the names. `--run NAME ROWS` only sends rows through a path, for a tool that counts instructions.
#[must_use]
pub fn main(paths: &[HotPath], figures: &str) -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--list", ..] => {
            paths.iter().for_each(|path| println!("{}", path.name));
            ExitCode::SUCCESS
        }
        ["--run", name, rows] => run(paths, name, rows),
        _ => count_allocations(paths, figures),
    }
}

fn run(paths: &[HotPath], name: &str, rows: &str) -> ExitCode {
    let path = paths.iter().find(|path| path.name == name);
    let (Some(path), Ok(rows)) = (path, rows.parse()) else {
        eprintln!("no path has the name {name}, or {rows} is no number of rows");
        return ExitCode::FAILURE;
    };
    (path.prepare)()(rows);
    ExitCode::SUCCESS
}

fn count_allocations(paths: &[HotPath], figures: &str) -> ExitCode {
    let figures = match Figures::read(figures) {
        Ok(figures) => figures,
        Err(problem) => {
            eprintln!("the figures can not be read: {problem}");
            return ExitCode::FAILURE;
        }
    };
    let mut problems = figures.of_no_path(paths);
    println!(
        "{:<40} {:>16} {:>10}",
        "allocations per 1,000 rows", "counted", "figure"
    );
    for path in paths {
        let mut send = (path.prepare)();
        // What is made once, such as a table of known names, is no cost of a row.
        send(COUNTED_ROWS);
        let counted = allocation_counter::measure(|| send(COUNTED_ROWS)).count_total;
        #[expect(clippy::cast_precision_loss, reason = "counts of allocations are far below 2^52")]
        let per_thousand = counted as f64 * 1_000.0 / COUNTED_ROWS as f64;
        let figure = figures.allocations(path.name);
        let shown = figure.map_or_else(|| "none".to_owned(), |figure| format!("{figure:.1}"));
        println!("{:<40} {per_thousand:>16.1} {shown:>10}", path.name);
        problems.extend(figures::difference(path.name, per_thousand, figure));
    }
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
