//! The acts of the demo. Each proves what it says, or fails.

use std::{collections::BTreeSet, time::Instant};

use longshore_tests::{
    Failure, Result,
    oracle::Oracle,
    shop::{BATCH_KEY_VARIABLE, Configuration, PASSWORD_VARIABLE, Target},
};

use super::{DemoArguments, stage::Stage, sync};
use crate::{
    Console,
    console::{duration, thousands},
};

const TARGETS: [Target; 2] = [Target::Profiles, Target::Events];

/// What happens between the first and the last sync.
const CHANGED_PROFILES: i64 = 25;
const NEW_PROFILES: i64 = 10;
const NEW_EVENTS: i64 = 100;

/// Everything is moved for the first time.
pub(super) async fn first_syncs(stage: &Stage, arguments: &DemoArguments, console: &Console) -> Result<()> {
    console.heading("4  The first syncs: everything");
    for (target, rows) in [
        (Target::Profiles, arguments.profiles),
        (Target::Events, arguments.events),
    ] {
        let delivered = sync::run(stage, target, console).await?;
        require(delivered == u64::from(rows), || {
            format!(
                "{rows} rows of {} were to be delivered, not {delivered}",
                target.table()
            )
        })?;
    }
    prove_equality(stage, console).await
}

/// The same again moves nothing.
pub(super) async fn nothing_new(stage: &Stage, console: &Console) -> Result<()> {
    console.heading("5  The same again: nothing is new");
    let before = stage.sandbox.counts().await?.requests;
    for target in TARGETS {
        let delivered = sync::run(stage, target, console).await?;
        require(delivered == 0, || format!("{delivered} rows were delivered again"))?;
    }
    let after = stage.sandbox.counts().await?.requests;
    require(before == after, || {
        format!("{} requests were sent for nothing", after - before)
    })?;
    console.proof("no row was sent again: there was no request");
    Ok(())
}

/// The shop is busy, and exactly that is moved.
pub(super) async fn changes(stage: &Stage, console: &Console) -> Result<()> {
    console.heading("6  The shop is busy");
    let changed = stage.shop.change_profiles(CHANGED_PROFILES).await?;
    let added = stage.shop.add_profiles(NEW_PROFILES).await?;
    let events = stage.shop.add_events(NEW_EVENTS).await?;
    console.note(format_args!(
        "{} customers change, {} are new, {} events happen",
        changed.len(),
        added.len(),
        events.len()
    ));

    let first_new_request = stage
        .sandbox
        .requests()
        .await?
        .iter()
        .map(|request| request.sequence + 1)
        .max();
    sync::run(stage, Target::Profiles, console).await?;
    let touched = profiles_in_requests(stage, first_new_request.unwrap_or_default()).await?;
    let expected: BTreeSet<String> = changed.into_iter().chain(added).collect();
    require(touched == expected, || {
        format!("{} profiles were sent, {} changed", touched.len(), expected.len())
    })?;
    console.proof(format_args!(
        "the requests name exactly the {} customers that changed or are new",
        expected.len()
    ));

    let events_before = stage.sandbox.counts().await?.events;
    sync::run(stage, Target::Events, console).await?;
    let arrived = stage.sandbox.counts().await?.events - events_before;
    require(arrived == events.len(), || format!("{arrived} events arrived"))?;
    console.proof(format_args!("exactly the {arrived} new events arrived"));
    prove_equality(stage, console).await
}

/// Where a user goes from here.
pub(super) fn what_next(stage: &Stage, kept: bool, console: &Console) {
    console.heading("What to try next");
    if !kept {
        console.note("cargo xtask demo --keep        keeps the database and the emulator for you to play with");
        console.note("cargo xtask test               every test, failures and crashes included");
        console.note("docs/first-syncs.md            your own database, and Batch itself");
        return;
    }
    let folder = stage.longshore.folder().display();
    let program = stage.longshore.program().display();
    let events = Target::Events.table();
    console.note("In another terminal:");
    console.command(format_args!("cd {folder}"));
    let variables = Configuration::variables_for(stage.shop.origin()).map(|(name, value)| format!("{name}={value}"));
    console.command(format_args!("export {}", variables.join(" ")));
    console.command(format_args!("alias longshore={program}"));
    console.command(stage.shop.line_that_adds_events());
    console.command(format_args!("longshore preview {events}.yml"));
    console.command(format_args!("longshore sync {events}.yml"));
    console.command(format_args!("longshore state list"));
    console.command(format_args!("longshore runs list"));
    console.command(format_args!("curl {}/_sandbox/counts", stage.sandbox.base_url()));
    console.aside(format_args!(
        "{PASSWORD_VARIABLE} and {BATCH_KEY_VARIABLE} are what the files refer to: secrets stay out of them."
    ));
    console.note("Press Enter here to stop the database and the emulator.");
}

/// Compares both tables with what the emulator holds, field by field.
async fn prove_equality(stage: &Stage, console: &Console) -> Result<()> {
    let oracle = Oracle::new(stage.shop.origin(), &stage.sandbox);
    for target in TARGETS {
        let began = Instant::now();
        let comparison = oracle.compare(target).await?;
        require(comparison.is_exact(), || {
            format!(
                "the emulator does not hold what `{}` holds: {comparison}",
                target.table()
            )
        })?;
        console.proof(format_args!(
            "the emulator holds each of the {} rows of `{}` once, every field equal (compared in {})",
            thousands(comparison.expected as u64),
            target.table(),
            duration(began.elapsed())
        ));
    }
    let violations = stage.sandbox.violations().await?;
    require(violations["count"] == 0, || {
        format!("requests broke a rule of the API: {violations}")
    })
}

/// The custom ids in the bodies of all requests from one on.
async fn profiles_in_requests(stage: &Stage, first: u64) -> Result<BTreeSet<String>> {
    let mut custom_ids = BTreeSet::new();
    for request in stage.sandbox.requests().await? {
        if request.sequence < first {
            continue;
        }
        let body = stage.sandbox.request_body(request.sequence).await?;
        let operations = body.as_array().into_iter().flatten();
        let ids = operations.filter_map(|operation| operation["identifiers"]["custom_id"].as_str());
        custom_ids.extend(ids.map(str::to_owned));
    }
    Ok(custom_ids)
}

fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Failure::new(otherwise())) }
}
