//! Where the programs of this workspace are.

use std::path::{Path, PathBuf};

use crate::{Context, Failure, Result};

/// Names the directory with the programs, in place of the one beside the test.
pub const DIRECTORY_VARIABLE: &str = "LONGSHORE_BIN_DIR";

/// Every program that the tests and the demo run.
pub const PROGRAMS: [&str; 7] = [
    "longshore",
    "longshore-batch-sandbox",
    "longshore-source-postgresql",
    "longshore-source-clickhouse",
    "longshore-source-generate",
    "longshore-destination-batch",
    "longshore-destination-discard",
];

/// One program of [`PROGRAMS`].
///
/// # Errors
/// It is not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let program = directory()?.join(name);
    require(&[name], &program)?;
    Ok(program)
}

/// The orchestrator, which looks for the plugins beside itself.
///
/// # Errors
/// One of [`PROGRAMS`] is not built.
pub fn longshore() -> Result<PathBuf> {
    let program = directory()?.join("longshore");
    require(&PROGRAMS, &program)?;
    Ok(program)
}

fn require(names: &[&str], program: &Path) -> Result<()> {
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !program.with_file_name(name).is_file())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let directory = program.parent().unwrap_or(program).display();
    Err(Failure::new(format!(
        "{} not built in {directory}; run `cargo xtask test`, or `cargo xtask build` before `cargo test`",
        missing.join(", ")
    )))
}

/// `LONGSHORE_BIN_DIR`, or else the target directory that the running program is in.
fn directory() -> Result<PathBuf> {
    match std::env::var_os(DIRECTORY_VARIABLE) {
        Some(named) => Ok(PathBuf::from(named)),
        None => beside_this_program(),
    }
}

fn beside_this_program() -> Result<PathBuf> {
    let program = std::env::current_exe().context("the path of the running program is unknown")?;
    let directory = program.parent().context("the running program is in no directory")?;
    // Tests are one level below the programs, in `deps`.
    let is_test = directory.file_name().is_some_and(|name| name == "deps");
    let programs = if is_test { directory.parent() } else { Some(directory) };
    programs
        .map(Path::to_owned)
        .context("the running program is in no directory")
}
