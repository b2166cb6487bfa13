//! Two processes on one state: one of them moves rows, and a stale one that wakes up moves nothing any more.

use longshore_tests::{Failure, Finished, PATIENCE, Result, RunningLongshore, eventually, shop::Target};
use rustix::process::Signal;
use serde_json::json;

use crate::{
    bad_input::{assert_refused, exit},
    report::Report,
    scene::Scene,
};

/// Enough that a run lasts for seconds at a slow sandbox.
const ROWS: i64 = 30_000;
/// When that many have arrived, the run is in its middle.
const ARRIVED: usize = 4_000;

async fn slow_scene(target: Target) -> Result<Scene> {
    let (profiles, events) = match target {
        Target::Profiles => (ROWS, 0),
        Target::Events => (100, ROWS),
    };
    let scene = Scene::open(profiles, events).await?;
    let configuration = scene
        .configuration(target)
        .with_source_line("max_unacked_bytes: 1 MiB")
        .with_destination_option("endpoint: update");
    scene.configure(target, &configuration)?;
    scene.sandbox.set_faults(json!([{ "kind": "slow", "ms": 150 }])).await?;
    Ok(scene)
}

async fn start_and_reach_the_middle(scene: &Scene, target: Target) -> Result<RunningLongshore> {
    let running = scene.start_sync(target)?;
    eventually("rows are on their way", PATIENCE, async || {
        let counts = scene.sandbox.counts().await.ok()?;
        (counts.profiles.max(counts.events) >= ARRIVED).then_some(())
    })
    .await?;
    Ok(running)
}

fn is_held(finished: &Finished) -> bool {
    finished.stderr.contains("error[sync_held]")
}

/// Stops a process at a moment when it does not hold the lock of the state file, as it does for milliseconds at a time: others could not even look.
async fn stop_between_writes(scene: &Scene, running: &RunningLongshore, target: Target) -> Result<()> {
    const TRIES: usize = 5;
    for _ in 0..TRIES {
        running.signal(Signal::STOP)?;
        let other = scene.sync(target).await?;
        if is_held(&other) {
            return Ok(());
        }
        running.signal(Signal::CONT)?;
    }
    Err(Failure::new("it was stopped while it wrote to its state, each time"))
}

/// Waits until the lease of a stopped process has run out and another sync has finished its run.
async fn taken_over(scene: &Scene, target: Target) -> Result<Report> {
    let finished = eventually("another sync takes over", 2 * PATIENCE, async || {
        let finished = scene.sync(target).await.ok()?;
        (!is_held(&finished)).then_some(finished)
    });
    Report::of(&finished.await?.succeeded()?)
}

/// The stale process goes on, and stops with an error that says why.
async fn wake(stale: RunningLongshore) -> Result<()> {
    stale.signal(Signal::CONT)?;
    let finished = stale.finish().await?;
    assert!(!finished.status.success(), "{finished}");
    assert_eq!(Report::of(&finished)?.error_code(), "run_lost", "{finished}");
    Ok(())
}

#[tokio::test]
async fn a_second_orchestrator_says_who_holds_the_run_and_moves_nothing() -> Result<()> {
    let scene = slow_scene(Target::Events).await?;
    let first = start_and_reach_the_middle(&scene, Target::Events).await?;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let second = scene.sync(Target::Events).await?;
    let (pid, year) = (
        format!("process {}", first.pid()),
        chrono::Utc::now().format("since %Y-").to_string(),
    );
    assert_refused(&second, exit::CONFIGURATION, &["sync_held", &pid, host.trim(), &year]);
    let printed = second.json()?;
    assert_eq!(printed["run_id"], json!(null), "{printed}");

    let report = Report::of(&first.finish().await?.succeeded()?)?;
    assert_eq!((report.attempt, report.uncertain), (1, 0), "{report:?}");
    scene.assert_exact(Target::Events).await?;
    let runs = scene.longshore.json(["runs", "list"]).await?;
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs}");
    scene.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_stale_orchestrator_moves_no_cursor_and_repeats_no_more_than_was_announced() -> Result<()> {
    let scene = slow_scene(Target::Events).await?;
    let stale = start_and_reach_the_middle(&scene, Target::Events).await?;
    stop_between_writes(&scene, &stale, Target::Events).await?;
    let report = taken_over(&scene, Target::Events).await?;
    assert_eq!((report.status.as_str(), report.attempt), ("completed", 2), "{report:?}");
    let state = scene.longshore.json(["state", "list"]).await?;
    wake(stale).await?;
    assert_eq!(scene.longshore.json(["state", "list"]).await?, state);
    scene.longshore.leaves_nothing_running().await?;

    let comparison = scene.compare(Target::Events).await?;
    assert!(comparison.is_complete(), "{comparison}");
    let repeated = comparison.repeated.len() as u64;
    assert!(repeated <= report.uncertain, "{repeated} arrived twice: {report:?}");
    let again = scene.sync_well(Target::Events).await?;
    assert_eq!(again.only_table().delivered, 0, "{again:?}");
    Ok(())
}

#[tokio::test]
async fn a_stale_orchestrator_does_not_bring_old_values_back() -> Result<()> {
    let scene = slow_scene(Target::Profiles).await?;
    let stale = start_and_reach_the_middle(&scene, Target::Profiles).await?;
    stop_between_writes(&scene, &stale, Target::Profiles).await?;
    // What was on its way to the API when the process stopped arrives before anything newer does.
    scene.sandbox.clear_faults().await?;
    taken_over(&scene, Target::Profiles).await?;
    assert_eq!(scene.shop.change_profiles(ROWS).await?.len() as i64, ROWS);
    let newest = scene.sync_well(Target::Profiles).await?;
    assert_eq!(newest.only_table().delivered as i64, ROWS, "{newest:?}");

    let requests = scene.sandbox.counts().await?.requests;
    wake(stale).await?;
    scene.longshore.leaves_nothing_running().await?;
    let comparison = scene.compare(Target::Profiles).await?;
    let late = scene.sandbox.counts().await?.requests - requests;
    assert!(comparison.is_exact(), "{late} requests came late: {comparison}");
    Ok(())
}
