//! How much of the documented rates is used: what is measured, and what it says. The work is in `longshore_tests::pace`.

use std::time::Duration;

use clap::Args;
use longshore_tests::{
    Context, Failure, Result,
    pace::{BAR, Endpoint, Measured, Pace},
};

use crate::{Cargo, Console};

#[derive(Args)]
pub(crate) struct PaceArguments {
    /// How long each run is measured, from its first call on.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=3_600))]
    seconds: u64,
    /// Runs of each kind: the spread is shown.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    repeats: u32,
}

const KINDS: [(&str, Endpoint, u32); 4] = [
    ("update, one stream", Endpoint::Update, 1),
    ("update, two streams", Endpoint::Update, 2),
    ("mass_update, one stream", Endpoint::MassUpdate, 1),
    ("mass_update, two streams", Endpoint::MassUpdate, 2),
];

pub(crate) fn run(arguments: &PaceArguments, cargo: &Cargo<'_>, console: &Console) -> Result<()> {
    cargo.build_programs()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime can not be started")?;
    let seconds = arguments.seconds;
    console.heading(format_args!(
        "Of what Batch's buckets give in {seconds} s, by the sandbox's count"
    ));
    console.note(format_args!(
        "{:<26}{:>9}    {:>9} {:>9} {:>5}",
        "", "used", "given", "share", "429"
    ));
    let mut failed = Vec::new();
    for (name, endpoint, streams) in KINDS {
        let pace = Pace {
            endpoint,
            streams,
            time: Duration::from_secs(seconds),
        };
        let mut runs = Vec::new();
        for _ in 0..arguments.repeats {
            let measured = runtime.block_on(pace.measure()).context(name)?;
            console.note(format_args!("{name:<26}{measured}"));
            runs.push(measured);
        }
        if runs.len() > 1 {
            console.aside(spread(&runs));
        }
        if !runs.iter().all(Measured::is_good) {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        console.proof(format_args!(
            "every run used {} % or more, and none was refused",
            100.0 * BAR
        ));
        return Ok(());
    }
    Err(Failure::new(format!(
        "less than {} % used, or a 429: {}",
        100.0 * BAR,
        failed.join("; ")
    )))
}

fn spread(runs: &[Measured]) -> String {
    let mut shares: Vec<f64> = runs.iter().map(|run| 100.0 * run.share()).collect();
    shares.sort_by(f64::total_cmp);
    let (least, most) = (shares[0], shares[shares.len() - 1]);
    let middle = shares[shares.len() / 2];
    format!("  {} runs: {least:.2} to {most:.2} %, median {middle:.2} %", runs.len())
}
