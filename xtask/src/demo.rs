//! The demo: a shop moves from a database to Batch before the user's eyes, and the result is proved.

mod act;
mod shop;
mod stage;
mod sync;

use std::{io::BufRead as _, time::Instant};

use clap::Args;
use longshore_tests::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

use self::{shop::Source, stage::Stage};
use crate::{Cargo, Console, Outcome, Workspace, console, prerequisites, python};

#[derive(Args)]
pub(crate) struct DemoArguments {
    /// The database that the shop is in.
    #[arg(long, value_enum, default_value_t = Source::PostgreSql)]
    source: Source,
    /// Customers of the shop: rows of `profiles`.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..))]
    profiles: u32,
    /// What they did in the last hours: rows of `events`.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    events: u32,
    /// Keep the database and the emulator running in the end, until Enter is pressed.
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(
    arguments: &DemoArguments,
    workspace: &Workspace,
    cargo: &Cargo<'_>,
    console: &Console,
) -> Result<Outcome> {
    console.line(format_args!(
        "Longshore: rows of a {} table arrive at Batch, each of them, and once.",
        arguments.source.title()
    ));
    console.heading("Build");
    match arguments.source {
        Source::PostgreSql => prerequisites::postgresql(console)?,
        // Where the tests look for it, too.
        Source::ClickHouse => drop(python::environment(workspace, console)?),
    }
    cargo.build_programs()?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime can not be started")?;
    let started = Instant::now();
    let outcome = runtime.block_on(async {
        tokio::select! {
            played = play(arguments, workspace, console) => played.map(|()| Outcome::Done),
            asked = interrupted() => asked.map(|()| Outcome::Interrupted),
        }
    });
    // A read of standard input can not be cancelled and must not hold the end up.
    runtime.shutdown_background();
    if matches!(outcome, Ok(Outcome::Done)) && !arguments.keep {
        let took = console::duration(started.elapsed());
        console.line(format_args!(
            "\nDone in {took} after the build; nothing was left running."
        ));
    }
    outcome
}

/// Everything that was started ends when this future is done or dropped.
async fn play(arguments: &DemoArguments, workspace: &Workspace, console: &Console) -> Result<()> {
    let stage = Stage::set(arguments, workspace, console).await?;
    act::first_syncs(&stage, arguments, console).await?;
    act::nothing_new(&stage, console).await?;
    act::changes(&stage, console).await?;
    act::what_next(&stage, arguments.keep, console);
    if arguments.keep {
        enter_pressed().await?;
    }
    stage.clear().await
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

async fn enter_pressed() -> Result<()> {
    let line = tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new()));
    line.await
        .context("standard input was not read")?
        .context("standard input can not be read")?;
    Ok(())
}
