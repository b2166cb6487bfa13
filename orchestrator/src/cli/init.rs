//! `longshore init`

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use longshore_core::Error;
use serde_json::json;

use super::Context;
use crate::failure::{Exit, Failure};

#[derive(Args)]
pub(super) struct Arguments {
    /// The file to write; an existing one is never touched.
    #[arg(default_value = "longshore.yml", value_name = "CONFIGURATION")]
    path: PathBuf,
    /// What the rows become at Batch.
    #[arg(long, value_enum, default_value_t = Target::ProfileAttributes)]
    target: Target,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    #[value(name = "profile_attributes")]
    ProfileAttributes,
    #[value(name = "profile_events")]
    ProfileEvents,
}

const PROFILE_ATTRIBUTES: &str = include_str!("init/profile_attributes.yml");
const PROFILE_EVENTS: &str = include_str!("init/profile_events.yml");

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let template = match arguments.target {
        Target::ProfileAttributes => PROFILE_ATTRIBUTES,
        Target::ProfileEvents => PROFILE_EVENTS,
    };
    write_new(&arguments.path, template)?;
    let path = arguments.path.display().to_string();
    context.output.data(&json!({ "written": path }), |_| {
        format!(
            "wrote {path}\n\nnext:\n  1. put your table and Batch target into it, and set the environment variables it names\n  \
             2. longshore validate {path}\n  3. longshore test-connection {path}\n  4. longshore preview {path}\n  5. longshore sync {path}\n"
        )
    })?;
    Ok(Exit::Done)
}

fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        let exists = error.kind() == std::io::ErrorKind::AlreadyExists;
        let message = if exists {
            "is there already and is left alone"
        } else {
            "can not be written"
        };
        let error =
            Error::config("file_not_written", format!("The file {} {message}", path.display())).with_cause(&error);
        if exists {
            error.with_remedy("Give another path, or remove the file first.")
        } else {
            error
        }
    };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
