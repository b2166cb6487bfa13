//! Kills in the middle of a sync: it goes on by itself when a plugin died, the next one finishes it when Longshore did, no row is missing, and what came
//! twice was announced.

use std::collections::BTreeSet;

use longshore_tests::{Context, PATIENCE, Result, RunningLongshore, eventually, shop::Target};
use rustix::process::Signal;
use serde::Deserialize;
use serde_json::json;

use crate::{bad_input::exit, report::Report, scene::Scene};

/// Enough that a process can be hit while rows are on their way.
const EVENTS: i64 = 200_000;
/// When that many have arrived, it is hit.
const ARRIVED: usize = 20_000;

/// A sync of events to a sandbox that takes its time.
async fn slow_scene() -> Result<Scene> {
    slow_scene_with("uncertain: resend").await
}

async fn slow_scene_with(source_line: &str) -> Result<Scene> {
    let scene = Scene::open(20_000, EVENTS).await?;
    // Little on its way at once keeps the source reading for as long as the destination writes.
    let configuration = scene
        .configuration(Target::Events)
        .with_source_line("max_unacked_bytes: 512 KiB")
        .with_source_line(source_line);
    scene.configure(Target::Events, &configuration)?;
    scene.sandbox.set_faults(json!([{ "kind": "slow", "ms": 30 }])).await?;
    Ok(scene)
}

/// Waits until rows are on their way.
async fn mid_sync(scene: &Scene) -> Result<()> {
    eventually("rows are on their way", 2 * PATIENCE, async || {
        let counts = scene.sandbox.counts().await.ok()?;
        (counts.events >= ARRIVED).then_some(())
    })
    .await
}

/// Finishes what was interrupted, and compares.
async fn finish(scene: &Scene) -> Result<Report> {
    scene.longshore.leaves_nothing_running().await?;
    scene.sandbox.clear_faults().await?;
    let before = scene.sandbox.counts().await?.events;
    assert!(
        before < EVENTS as usize,
        "it was not interrupted in the middle: {before}"
    );

    let report = scene.sync_well(Target::Events).await?;
    finished_well(scene, &report).await?;
    Ok(report)
}

/// The second attempt of a run has delivered the whole table, and repeated no more than it says.
async fn finished_well(scene: &Scene, report: &Report) -> Result<()> {
    assert_eq!((report.status.as_str(), report.attempt), ("completed", 2), "{report:?}");
    let comparison = scene.compare(Target::Events).await?;
    assert!(comparison.is_complete(), "{comparison}");
    let repeated = comparison.repeated.len() as u64;
    assert!(
        repeated <= report.uncertain,
        "{repeated} arrived twice, {} were announced",
        report.uncertain
    );
    // The bound itself is small: what was on its way, not the table.
    assert!(report.uncertain < EVENTS as u64 / 4, "{report:?}");

    let again = scene.sync_well(Target::Events).await?;
    assert_eq!(again.only_table().delivered, 0, "{again:?}");
    scene.longshore.leaves_nothing_running().await
}

async fn plugin_is_killed(program: &str) -> Result<()> {
    let scene = slow_scene().await?;
    let running = scene.start_sync(Target::Events)?;
    let plugin = running.plugin(program).await?;
    mid_sync(&scene).await?;
    plugin.signal(Signal::KILL)?;
    let finished = running.finish().await?;
    assert_eq!(finished.code(), Some(exit::DONE), "{finished}");
    let report = Report::of(&finished)?;
    assert!(
        report.warnings.iter().any(|warning| warning.contains("signal 9")),
        "{report:?}"
    );
    finished_well(&scene, &report).await
}

#[tokio::test]
async fn a_killed_source_loses_nothing() -> Result<()> {
    plugin_is_killed("longshore-source-postgresql").await
}

#[tokio::test]
async fn a_killed_destination_loses_nothing() -> Result<()> {
    plugin_is_killed("longshore-destination-batch").await
}

#[tokio::test]
async fn rows_that_are_held_come_never_twice_and_what_is_missing_is_in_the_ledger() -> Result<()> {
    let scene = slow_scene_with("uncertain: hold").await?;
    let running = scene.start_sync(Target::Events)?;
    let plugin = running.plugin("longshore-destination-batch").await?;
    mid_sync(&scene).await?;
    plugin.signal(Signal::KILL)?;
    let report = Report::of(&running.finish().await?.succeeded()?)?;
    assert_eq!(
        (report.status.as_str(), report.attempt),
        ("completed_with_rejects", 2),
        "{report:?}"
    );

    let comparison = scene.compare(Target::Events).await?;
    assert!(
        comparison.repeated.is_empty() && comparison.unexpected.is_empty(),
        "{comparison}"
    );
    let held = held_rows(&scene).await?;
    assert!(
        !held.is_empty(),
        "nothing was on its way when the destination was killed"
    );
    assert_eq!(
        (held.len() as u64, report.uncertain),
        (report.rejects, report.rejects),
        "{report:?}"
    );
    for missing in &comparison.missing {
        assert!(
            held.contains(&format!("event_id = {missing}")),
            "{missing} is lost without a word"
        );
    }
    Ok(())
}

/// The keys of the rows in the ledger, all of which are held.
pub(crate) async fn held_rows(scene: &Scene) -> Result<BTreeSet<String>> {
    let listed = scene
        .longshore
        .run(["rejects", "list", "--limit", "100000", "--json"])
        .await?;
    let listed: Vec<Held> = serde_json::from_value(listed.succeeded()?.json()?).context("the ledger is listed")?;
    assert!(
        listed.iter().all(|held| held.rule == "uncertain_delivery"),
        "{listed:?}"
    );
    Ok(listed.into_iter().map(|held| held.key).collect())
}

/// An entry of the ledger.
#[derive(Debug, Deserialize)]
struct Held {
    key: String,
    rule: String,
}

#[tokio::test]
async fn a_killed_orchestrator_loses_nothing_and_takes_its_plugins_along() -> Result<()> {
    let scene = slow_scene().await?;
    let running = scene.start_sync(Target::Events)?;
    mid_sync(&scene).await?;
    let plugins = running.plugins();
    assert_eq!(plugins.len(), 2, "{plugins:?}");
    running.signal(Signal::KILL)?;
    let finished = running.finish().await?;
    assert!(finished.ended_by(Signal::KILL), "{finished}");
    eventually("the plugins are gone", PATIENCE, async || {
        plugins.iter().all(|plugin| !plugin.runs()).then_some(())
    })
    .await?;
    finish(&scene).await?;
    Ok(())
}

#[tokio::test]
async fn an_interrupted_sync_ends_in_order_and_repeats_nothing() -> Result<()> {
    let scene = slow_scene().await?;
    let running = scene.start_sync(Target::Events)?;
    mid_sync(&scene).await?;
    running.signal(Signal::INT)?;
    let finished = running.finish().await?;
    assert_eq!(finished.code(), Some(exit::CANCELLED), "{finished}");
    assert_eq!(Report::of(&finished)?.status, "cancelled");
    // What was on its way was acked, and the checkpoint behind it was taken.
    assert_eq!(finish(&scene).await?.uncertain, 0);
    assert_eq!(scene.compare(Target::Events).await?.repeated.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_second_interrupt_ends_at_once() -> Result<()> {
    let scene = slow_scene().await?;
    // Nothing that is on its way comes back in time.
    let running = scene.start_sync(Target::Events)?;
    mid_sync(&scene).await?;
    scene
        .sandbox
        .set_faults(json!([{ "kind": "slow", "ms": 20_000 }]))
        .await?;
    in_flight(&scene).await?;
    interrupt_twice(&running).await?;
    let interrupted = std::time::Instant::now();
    let finished = running.finish().await?;
    assert!(interrupted.elapsed() < std::time::Duration::from_secs(5), "{finished}");
    assert_eq!(finished.code(), Some(exit::CANCELLED), "{finished}");
    finish(&scene).await?;
    Ok(())
}

/// Waits until the slow answers have begun.
async fn in_flight(scene: &Scene) -> Result<()> {
    eventually("a slow answer has begun", PATIENCE, async || {
        let faults: serde_json::Value = scene.sandbox.ask("/faults").await.ok()?;
        (faults["rules"][0]["fired"].as_u64()? > 0).then_some(())
    })
    .await
}

/// Two signals of one kind that come together count as one: the second is sent once the first was heard.
async fn interrupt_twice(running: &RunningLongshore) -> Result<()> {
    running.signal(Signal::INT)?;
    eventually("the first interrupt was heard", PATIENCE, async || {
        running.said("stopping").then_some(())
    })
    .await?;
    running.signal(Signal::INT).context("it has not ended by itself")
}
