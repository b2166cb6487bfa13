//! `longshore completions`

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{CommandLine, Context};
use crate::failure::{Exit, Failure};

#[derive(Args)]
pub(super) struct Arguments {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "longshore", &mut script);
    context.output.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
