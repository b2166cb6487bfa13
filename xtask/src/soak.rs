//! The soak: what it is told, and what it says. The work is in `longshore_tests::soak`.

use std::{
    fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use clap::{Args, ValueEnum};
use longshore_tests::{
    Context, Failure, Result,
    soak::{Database, Soak},
};

use crate::{Cargo, Console, Workspace, console, prerequisites, python};

#[derive(Args)]
pub(crate) struct SoakArguments {
    /// How long writers write and syncs are disturbed; what comes before and after takes half a minute more.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,
    /// What every decision comes from; a fresh one when not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Where rows come from.
    #[arg(long, value_enum, default_value_t = SourceArgument::Postgresql)]
    source: SourceArgument,
}

#[derive(Clone, Copy, ValueEnum)]
enum SourceArgument {
    /// A throwaway cluster.
    Postgresql,
    /// The engine in the Python environment of the tests, or the server that `LONGSHORE_TEST_CLICKHOUSE_URL` names.
    Clickhouse,
}

impl SourceArgument {
    fn database(self) -> Database {
        match self {
            Self::Postgresql => Database::Postgresql,
            Self::Clickhouse => Database::Clickhouse,
        }
    }
}

pub(crate) fn run(
    arguments: &SoakArguments,
    workspace: &Workspace,
    cargo: &Cargo<'_>,
    console: &Console,
) -> Result<()> {
    match arguments.source {
        SourceArgument::Postgresql => prerequisites::postgresql(console)?,
        SourceArgument::Clickhouse => drop(python::environment(workspace, console)?),
    }
    cargo.build_programs()?;
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => fresh_seed()?,
    };
    let folder = workspace.target().join("soak").join(format!("seed-{seed}"));
    if folder.exists() {
        // Of an earlier soak with this seed.
        fs::remove_dir_all(&folder).context("the folder of an earlier soak can not be removed")?;
    }
    fs::create_dir_all(&folder).context("the folder of the soak can not be made")?;
    let source = arguments
        .source
        .to_possible_value()
        .context("every source has a name")?;
    let again = format!(
        "cargo xtask soak --minutes {} --seed {seed} --source {}",
        arguments.minutes,
        source.get_name()
    );
    console.heading(format_args!("Soak with seed {seed}"));
    console.command(&again);
    let soak = Soak {
        database: arguments.source.database(),
        duration: Duration::from_secs(60 * arguments.minutes),
        seed,
        folder: folder.clone(),
    };
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime can not be started")?;
    let outcome = runtime.block_on(soak.run(|counts| {
        let (syncs, troubles): (u64, u64) = (counts.syncs.values().sum(), counts.troubles.values().sum());
        let (rows, late) = (console::thousands(counts.rows), console::thousands(counts.late_rows));
        console.aside(format_args!(
            "{syncs} syncs, {troubles} troubles, {rows} rows, {late} of them late"
        ));
    }));
    let took = console::duration(started.elapsed());
    match outcome {
        Ok(outcome) => {
            for line in outcome.to_string().lines() {
                console.note(line);
            }
            console.proof(format_args!("nothing is missing, with seed {seed}, in {took}"));
            fs::remove_dir_all(&folder).context("the folder of the soak can not be removed")
        }
        Err(failure) => Err(Failure::new(format!(
            "{failure}\n\nSeed {seed} failed after {took}. Once more: {again}\nWhat is left of it: {}",
            folder.display()
        ))),
    }
}

/// Another one each time; printed, so that it can be had again.
fn fresh_seed() -> Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.context("the clock is before 1970")?;
    // Short enough to be typed.
    Ok((since.as_micros() % 1_000_000_000) as u64)
}
