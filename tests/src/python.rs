//! The Python environment that tests run plugins and servers in.

use std::path::{Path, PathBuf};

use crate::{Context, Result};

/// Names the interpreter, in place of the one in the target directory.
pub const INTERPRETER_VARIABLE: &str = "LONGSHORE_TEST_PYTHON";

/// Where `cargo xtask` makes the environment.
pub fn environment(target: &Path) -> PathBuf {
    target.join("python-venv")
}

/// The interpreter of an environment.
pub fn interpreter_of(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

/// The interpreter with the packages of `tests/python/requirements.txt` and the stubs of our protocol: `LONGSHORE_TEST_PYTHON`, or else that of the
/// target directory which the running program is in.
///
/// # Errors
/// The environment was not made; the message says how to make it.
pub fn interpreter() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(INTERPRETER_VARIABLE) {
        return Ok(PathBuf::from(named));
    }
    let program = std::env::current_exe().context("the path of the running program is unknown")?;
    program
        .ancestors()
        .map(|folder| interpreter_of(&environment(folder)))
        .find(|interpreter| interpreter.exists())
        .context(format!(
            "there is no Python environment: run `cargo xtask test`, or `cargo xtask python` before `cargo test`; or name an interpreter in {INTERPRETER_VARIABLE}"
        ))
}
