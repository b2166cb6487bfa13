//! Programs that are run.

use std::path::PathBuf;

use longshore_tests::{Context, Failure, Result};

/// Names the interpreter with the packages of `bench/peers/requirements.txt`. `cargo xtask bench` sets it.
const PEERS_PYTHON_VARIABLE: &str = "LONGSHORE_BENCH_PYTHON";

/// A program of this crate, which is built beside this one.
pub(crate) fn beside_this(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("the path of the running program is unknown")?;
    let program = this.with_file_name(name);
    if program.is_file() {
        return Ok(program);
    }
    Err(Failure::new(format!(
        "{} is not built; `cargo xtask bench` builds it",
        program.display()
    )))
}

/// The interpreter that peers run in.
pub(crate) fn peers_python() -> Result<PathBuf> {
    let named = std::env::var_os(PEERS_PYTHON_VARIABLE).map(PathBuf::from);
    named.context(format!(
        "{PEERS_PYTHON_VARIABLE} names no interpreter; `cargo xtask bench` makes the environment and names it"
    ))
}

/// PostgreSQL's client, that of the server's own version where it is.
pub(crate) fn psql() -> Result<PathBuf> {
    let beside_the_server = longshore_tests::postgres_programs()?.join("psql");
    Ok(if beside_the_server.is_file() {
        beside_the_server
    } else {
        PathBuf::from("psql")
    })
}
