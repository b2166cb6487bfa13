//! The Python environment in which plugins written in Python run in tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use longshore_tests::{Context, Failure, Result};

use crate::{Console, Workspace, prerequisites};

/// Makes the environment, or brings it up to date, and gives its interpreter.
///
/// # Errors
/// There is no Python, or a package can not be installed.
pub(crate) fn environment(workspace: &Workspace, console: &Console) -> Result<PathBuf> {
    let folder = workspace.target().join("python-venv");
    let interpreter = folder.join("bin/python");
    let requirements = workspace.root().join("tests/python/requirements.txt");
    let wanted = fs::read_to_string(&requirements).context(format!("{} can not be read", requirements.display()))?;
    // Written last, so that an environment that was interrupted half-way is made again.
    let installed = folder.join("installed-requirements.txt");
    if interpreter.exists() && fs::read_to_string(&installed).is_ok_and(|known| known == wanted) {
        return Ok(interpreter);
    }
    make(&folder, console)?;
    let requirements = requirements.to_string_lossy();
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        &requirements,
    ];
    run(&interpreter, &pip, console)?;
    fs::write(&installed, wanted).context("the environment can not be marked as complete")?;
    Ok(interpreter)
}

fn make(folder: &Path, console: &Console) -> Result<()> {
    let folder = folder.to_string_lossy();
    let python = Path::new("python3");
    let create = ["-m", "venv", "--clear", &folder];
    if run(python, &create, console).is_ok() {
        return Ok(());
    }
    // Debian keeps the module in a package of its own.
    prerequisites::apt_install("python3-venv", console)?;
    run(python, &create, console)
}

fn run(program: &Path, arguments: &[&str], console: &Console) -> Result<()> {
    let shown = format!("{} {}", program.display(), arguments.join(" "));
    console.command(&shown);
    let status = Command::new(program)
        .args(arguments)
        .status()
        .context(format!("{} can not be started", program.display()))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{shown}` fails ({status})")))
}
