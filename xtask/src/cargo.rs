//! Running cargo from a program that cargo runs.

use std::{ffi::OsString, path::PathBuf, process::Command};

use longshore_tests::{Context, Failure, Result};

use crate::{Console, Workspace};

/// The cargo that runs this program.
pub(crate) fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Runs cargo in the workspace and shows the command.
pub(crate) struct Cargo<'a> {
    root: PathBuf,
    console: &'a Console,
}

impl<'a> Cargo<'a> {
    pub(crate) fn new(workspace: &Workspace, console: &'a Console) -> Self {
        Self {
            root: workspace.root().to_owned(),
            console,
        }
    }

    /// A cargo command with the environment that a person's shell would give it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(&self.root);
        // `cargo run` describes this package in variables. Build scripts that watch them would run again, and half of the dependencies with them, each
        // time that cargo is called from here and from a shell in turn.
        let of_this_package = |name: &str| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_PRIMARY_PACKAGE"
        };
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(of_this_package) {
                command.env_remove(name);
            }
        }
        command
    }

    /// Shows and runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<()> {
        self.run_with(arguments, &[])
    }

    /// As [`run`](Self::run), with environment variables.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<()> {
        let shown = format!("cargo {}", arguments.join(" "));
        self.console.command(&shown);
        let status = self
            .command(arguments)
            .envs(variables.iter().copied())
            .status()
            .context("cargo can not be started")?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("`{shown}` fails ({status})")))
    }

    /// Builds every program of the workspace.
    pub(crate) fn build_programs(&self) -> Result<()> {
        self.run(&["build", "--workspace", "--bins", "--exclude", "xtask"])
    }

    /// Builds every program of the workspace as users build it.
    pub(crate) fn build_optimised_programs(&self) -> Result<()> {
        self.run(&["build", "--release", "--workspace", "--bins", "--exclude", "xtask"])
    }
}
