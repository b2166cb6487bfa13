//! `longshore man`

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use longshore_core::Error;
use serde_json::json;

use super::{CommandLine, Context};
use crate::failure::{Exit, Failure};

#[derive(Args)]
pub(super) struct Arguments {
    /// Where to; it is made where it does not exist.
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

/// Writes a page for the program and for each of its commands.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let directory = &arguments.directory;
    let unwritable = |error: std::io::Error| {
        Error::config(
            "directory_unwritable",
            format!("Man pages can not be written to {}", directory.display()),
        )
        .with_cause(&error)
        .with_remedy("Name a directory that you may write to, such as ~/.local/share/man/man1.")
    };
    std::fs::create_dir_all(directory).map_err(unwritable)?;
    clap_mangen::generate_to(CommandLine::command().name("longshore"), directory).map_err(unwritable)?;
    let written = json!({ "directory": directory.display().to_string() });
    context.output.data(&written, |_| {
        format!("man pages are in {}; read them with `man -l`\n", directory.display())
    })?;
    Ok(Exit::Done)
}
