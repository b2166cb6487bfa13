//! One call of the bench: groups one after another, the scenarios of a group in turns.

use std::{collections::BTreeSet, fmt::Display, io::Write as _, time::Instant};

use chrono::{SecondsFormat, Utc};
use longshore_tests::{Context, Failure, Result};

use crate::{
    arguments::Arguments,
    machine::{self, Machine},
    programs, report,
    results::{Measurement, Part, Results, Summary},
    scenario::{Group, Kind, Scenario},
    stage::{Need, Stage},
    work::{Runner, Sample},
};

/// Packages of the peers whose version matters.
const PEERS: &str = "connectorx, adbc-driver-postgresql, pyarrow, dlt, psycopg, httpx";

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let scenarios = arguments.scenarios();
    if scenarios.is_empty() {
        return Err(Failure::new("no scenario has such a name; `--list` shows them"));
    }
    if arguments.list {
        return list(&scenarios);
    }
    if arguments.records_parts_of_groups() {
        return Err(Failure::new(
            "only whole groups are recorded: give groups to `--only`, or leave `--record` out",
        ));
    }
    let file = arguments.results_file();
    // A quick run has nothing worth keeping.
    let mut results = if arguments.is_quick() {
        Results::none()
    } else {
        Results::read(&file)?
    };
    let mut stage = Stage::new(arguments.sizes());
    let groups: BTreeSet<Group> = scenarios.iter().map(|scenario| scenario.group).collect();
    let started = Instant::now();
    for group in groups {
        let of_group: Vec<&Scenario> = scenarios.iter().filter(|scenario| scenario.group == group).collect();
        let part = measure_group(arguments, group, &of_group, &mut stage).await?;
        print(format_args!(
            "\n{}\n{}",
            report::table(&part),
            report::processes_of(&part)
        ))?;
        results.parts.insert(group, part);
        // After each group: what was measured is not lost when a later one fails.
        results.write(&file)?;
        if let Some(page) = arguments.page() {
            std::fs::write(&page, report::page(&results)).context(format!("{} can not be written", page.display()))?;
        }
    }
    if arguments.is_quick() {
        print(
            "Quick: everything works. Figures of programs that are not optimised, and of so few rows, mean nothing.",
        )?;
    }
    print(format_args!(
        "All samples: {}. Done in {:.0} s.",
        file.display(),
        started.elapsed().as_secs_f64()
    ))
}

async fn measure_group(
    arguments: &Arguments,
    group: Group,
    scenarios: &[&Scenario],
    stage: &mut Stage,
) -> Result<Part> {
    let started = Instant::now();
    let started_at = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    print(format_args!("\n{group:?}: {} scenarios", scenarios.len()))?;
    let needs: BTreeSet<Need> = scenarios.iter().flat_map(|scenario| scenario.needs()).collect();
    stage
        .set(&needs, |what| {
            // What is being loaded is only told so that nobody thinks it hangs.
            let _ = print(format_args!("  {what}"));
        })
        .await?;
    let mut runner = Runner::default();
    if arguments.warms_up(group) {
        round(&mut runner, scenarios, stage, "warm-up").await?;
    }
    let repeats = arguments.repeats();
    let mut samples: Vec<Vec<Sample>> = scenarios.iter().map(|_| Vec::new()).collect();
    for number in 1..=repeats {
        let label = format!("round {number} of {repeats}");
        let of_round = round(&mut runner, scenarios, stage, &label).await?;
        for (all, sample) in samples.iter_mut().zip(of_round) {
            all.push(sample);
        }
    }
    let mut software = stage.versions().await?;
    if scenarios.iter().any(|scenario| scenario.kind() == Kind::Peer) {
        software.extend(peers()?);
    }
    Ok(Part {
        command: command(),
        started_at,
        took_seconds: started.elapsed().as_secs_f64(),
        commit: machine::commit(),
        machine: Machine::this(),
        software,
        optimised: !cfg!(debug_assertions),
        large: arguments.is_large(),
        repeats,
        scenarios: measurements(scenarios, &samples)?,
    })
}

/// Each scenario once.
async fn round(runner: &mut Runner, scenarios: &[&Scenario], stage: &Stage, label: &str) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for scenario in scenarios {
        let sample = runner.run(scenario, stage).await;
        let sample = sample.context(format!("{} can not be measured", scenario.name))?;
        print(format_args!("  {label}: {} {:.3} s", scenario.name, sample.seconds))?;
        samples.push(sample);
    }
    Ok(samples)
}

fn measurements(scenarios: &[&Scenario], samples: &[Vec<Sample>]) -> Result<Vec<Measurement>> {
    let of_name = |name: &str| {
        let position = scenarios.iter().position(|scenario| scenario.name == name)?;
        Some(samples[position].as_slice())
    };
    let measurement = |(scenario, own): (&&Scenario, &Vec<Sample>)| {
        let ceiling = match scenario.ceiling {
            Some(name) => Some(of_name(name).context(format!("{name} was not measured"))?),
            None => None,
        };
        Ok(Measurement {
            name: scenario.name.clone(),
            kind: scenario.kind(),
            ceiling: scenario.ceiling.map(str::to_owned),
            summary: Summary::of(own, ceiling)?,
            samples: own.clone(),
        })
    };
    scenarios.iter().zip(samples).map(measurement).collect()
}

/// As a person would type it.
fn command() -> String {
    let words = std::env::args().skip(1);
    ["cargo xtask bench".to_owned()]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

fn peers() -> Result<Vec<String>> {
    let script =
        format!("import importlib.metadata as m\nfor name in '{PEERS}'.split(', '): print(name, m.version(name))");
    let output = std::process::Command::new(programs::peers_python()?)
        .args(["-c", &script])
        .output();
    let output = output.context("the peers' Python can not be started")?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect())
}

fn list(scenarios: &[Scenario]) -> Result<()> {
    for scenario in scenarios {
        let group = format!("{:?}", scenario.group).to_lowercase();
        let ceiling = scenario
            .ceiling
            .map(|ceiling| format!("of {ceiling}"))
            .unwrap_or_default();
        print(format_args!("{group:<12} {:<42} {ceiling}", scenario.name))?;
    }
    Ok(())
}

fn print(text: impl Display) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("standard output can not be written to")
}
