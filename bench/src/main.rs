//! Ceilings, Longshore and its peers, measured side by side. `cargo xtask bench` builds what is measured and starts this program.

mod arguments;
mod machine;
mod meter;
mod programs;
mod report;
mod results;
mod scenario;
mod session;
mod stage;
mod statistics;
mod table;
mod work;

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;
use longshore_tests::{Context, Failure, Result};
use tokio::signal::unix::{SignalKind, signal};

use arguments::Arguments;

/// The exit code after Ctrl-C, as of every program that a signal ends.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Everything that was started ends when the future is dropped.
    let outcome = tokio::select! {
        measured = session::run(&arguments) => measured.map(|()| ExitCode::SUCCESS),
        asked = interrupted() => asked.map(|()| ExitCode::from(INTERRUPTED)),
    };
    outcome.unwrap_or_else(|failure: Failure| {
        // Without standard error there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "\nerror: {failure}");
        ExitCode::FAILURE
    })
}

async fn interrupted() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C can not be listened to")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can not be listened to")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
