//! Instructions that each hot path takes for a row, compared with the figures beside it.
//!
//! Valgrind counts them, and counts the same on a busy machine. Each path runs twice, with few rows and with many: the difference is what rows cost, without what
//! starting takes.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use clap::Args;
use longshore_tests::{Context, Failure, Result};
use serde_json::Value;

use crate::{Cargo, Console, Workspace};

/// What `cargo xtask instructions` takes.
#[derive(Args)]
pub(crate) struct InstructionsArguments {
    /// Only paths whose name contains one of these words; all of them when none is given.
    paths: Vec<String>,
}

/// The benchmark of a crate with hot paths, and its file of figures beside it.
const BENCHMARK: &str = "hot_paths";

const FEW_ROWS: u64 = 10_000;
const MANY_ROWS: u64 = 30_000;

/// A count may differ by this share of its figure; compilers and libraries change a little with every version.
const TOLERANCE: f64 = 0.05;

/// The compiled benchmark of one crate.
struct Benchmark {
    program: PathBuf,
    figures: toml::Table,
}

pub(crate) fn run(
    arguments: &InstructionsArguments,
    workspace: &Workspace,
    cargo: &Cargo<'_>,
    console: &Console,
) -> Result<()> {
    let valgrind = Command::new("valgrind").arg("--version").output();
    valgrind.context("valgrind can not be started; Debian has it in the package `valgrind`")?;
    let benchmarks = build(cargo, workspace.root())?;
    let mut beyond = Vec::new();
    console.heading("instructions per row");
    for benchmark in &benchmarks {
        for path in benchmark.paths()? {
            if !arguments.paths.is_empty() && !arguments.paths.iter().any(|word| path.contains(word.as_str())) {
                continue;
            }
            let counted = benchmark.instructions_per_row(&path)?;
            let figure = benchmark.figure(&path);
            let share = figure.map_or_else(
                || "no figure".to_owned(),
                |figure| format!("figure {figure:>8.0}  ratio {:.3}", counted / figure),
            );
            console.note(format_args!("{path:<32} {counted:>8.0}  {share}"));
            // A path without a figure would never be beyond it.
            if figure.is_none_or(|figure| (counted - figure).abs() > figure * TOLERANCE) {
                beyond.push(path);
            }
        }
    }
    if beyond.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} have no figure in benches/{BENCHMARK}.toml, or differ from it by more than {:.0} %: find out why, or write the new one down",
        beyond.join(", "),
        TOLERANCE * 100.0
    )))
}

/// Builds the benchmarks, and asks cargo where they are.
fn build(cargo: &Cargo<'_>, root: &Path) -> Result<Vec<Benchmark>> {
    let arguments = [
        "bench",
        "--workspace",
        "--bench",
        BENCHMARK,
        "--no-run",
        "--message-format",
        "json-render-diagnostics",
    ];
    let output = cargo
        .command(&arguments)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cargo can not be started")?;
    if !output.status.success() {
        return Err(Failure::new("the benchmarks can not be built"));
    }
    let mut benchmarks = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line).context("cargo said something that is no JSON")?;
        let (Some(program), Some(manifest)) = (message["executable"].as_str(), message["manifest_path"].as_str())
        else {
            continue;
        };
        if message["target"]["name"] == BENCHMARK {
            let folder = Path::new(manifest).parent().unwrap_or(root);
            benchmarks.push(Benchmark {
                program: program.into(),
                figures: figures(&folder.join(format!("benches/{BENCHMARK}.toml")))?,
            });
        }
    }
    if benchmarks.is_empty() {
        return Err(Failure::new(format!("no crate has a benchmark {BENCHMARK}")));
    }
    Ok(benchmarks)
}

fn figures(path: &Path) -> Result<toml::Table> {
    let text = std::fs::read_to_string(path).context(format!("{} can not be read", path.display()))?;
    toml::from_str(&text).context(format!("{} is no file of figures", path.display()))
}

impl Benchmark {
    fn paths(&self) -> Result<Vec<String>> {
        let output = Command::new(&self.program).arg("--list").output();
        let output = output.context("a benchmark can not be started")?;
        Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect())
    }

    fn figure(&self, path: &str) -> Option<f64> {
        let figure = self.figures.get(path)?.get("instructions_per_row")?;
        figure
            .as_float()
            .or_else(|| figure.as_integer().map(|whole| whole as f64))
    }

    fn instructions_per_row(&self, path: &str) -> Result<f64> {
        let (few, many) = (self.instructions(path, FEW_ROWS)?, self.instructions(path, MANY_ROWS)?);
        Ok(many.saturating_sub(few) as f64 / (MANY_ROWS - FEW_ROWS) as f64)
    }

    /// Instructions of the whole process.
    fn instructions(&self, path: &str, rows: u64) -> Result<u64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(&self.program)
            .args(["--run", path, &rows.to_string()])
            .output()
            .context("valgrind can not be started")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            return Err(Failure::new(format!("{path} fails under valgrind: {said}")));
        }
        collected(&said).context(format!(
            "valgrind does not say how many instructions {path} took: {said}"
        ))
    }
}

/// `==123== Collected : 4567`
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_in_what_valgrind_says() {
        let said = "==7== Callgrind, a call-graph generating cache profiler\n==7== Events    : Ir\n==7== Collected : 48213977\n==7== \n";
        assert_eq!(collected(said), Some(48_213_977));
        assert_eq!(collected("==7== killed\n"), None);
    }
}
