//! `cargo xtask`: everything that a person does by hand in this workspace.

mod bench;
mod cargo;
mod console;
mod demo;
mod instructions;
mod lint;
mod mutate;
mod pace;
mod prerequisites;
mod python;
mod soak;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use longshore_tests::Result;

use crate::{cargo::Cargo, console::Console, workspace::Workspace};

/// Every task of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Move a shop from a throwaway PostgreSQL, or from ClickHouse, to a local emulator of Batch, and prove that it arrived.
    Demo(demo::DemoArguments),
    /// Run every test; installs PostgreSQL and Python packages where they are missing.
    Test {
        /// Handed to `cargo test`, such as `-p longshore-core` or a part of a test's name.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure ceilings, Longshore and its peers side by side; `--help` has the options.
    #[command(disable_help_flag = true)]
    Bench {
        /// Handed to the bench, such as `--rows 1000000`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Write, sync, kill and cut for a while, then see whether every row is where it belongs.
    Soak(soak::SoakArguments),
    /// Measure how much of Batch's documented rates is used, by the sandbox's own count, and fail below 98 % or with a single 429. Slow.
    Pace(pace::PaceArguments),
    /// Switch protections off, one at a time, and see that a test fails for each. Slow: every mutation is built.
    Mutate(mutate::MutateArguments),
    /// Count the instructions that each hot path takes for a row, and compare them with the figures in `benches/hot_paths.toml`. Needs valgrind.
    Instructions(instructions::InstructionsArguments),
    /// Check format, lints and documentation.
    Lint,
    /// Build every program.
    Build,
    /// Make the Python environment of the tests, or bring it up to date: what `cargo test` without this program needs.
    Python,
}

/// The exit code after Ctrl-C, as of every program that a signal ends.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let console = Console::new();
    match run(command_line.task, &console) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => {
            console.line("\nInterrupted. Everything that was started has been stopped.");
            ExitCode::from(INTERRUPTED)
        }
        Err(failure) => {
            console.failure(&failure);
            ExitCode::FAILURE
        }
    }
}

/// How a task ended that did not fail.
enum Outcome {
    Done,
    Interrupted,
}

fn run(task: Task, console: &Console) -> Result<Outcome> {
    let workspace = Workspace::find()?;
    let cargo = Cargo::new(&workspace, console);
    match task {
        Task::Demo(arguments) => return demo::run(&arguments, &workspace, &cargo, console),
        Task::Test { arguments } => test::run(&arguments, &workspace, &cargo, console)?,
        Task::Bench { arguments } => bench::run(&arguments, &workspace, &cargo, console)?,
        Task::Soak(arguments) => soak::run(&arguments, &workspace, &cargo, console)?,
        Task::Pace(arguments) => pace::run(&arguments, &cargo, console)?,
        Task::Mutate(arguments) => mutate::run(&arguments, &workspace, console)?,
        Task::Instructions(arguments) => instructions::run(&arguments, &workspace, &cargo, console)?,
        Task::Lint => lint::run(&cargo)?,
        Task::Build => cargo.build_programs()?,
        Task::Python => {
            let interpreter = python::environment(&workspace, console)?;
            console.line(interpreter.display().to_string());
        }
    }
    Ok(Outcome::Done)
}
