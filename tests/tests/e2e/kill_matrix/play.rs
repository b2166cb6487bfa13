//! One cell: a run that is hit, what has to end it, and what has to be true afterwards.

use std::time::{Duration, Instant};

use longshore_tests::{
    Context, Failure, Finished, PATIENCE, Result, RunningLongshore, eventually,
    fault_proxy::{Fault, Fired, Victim},
    shop::Target,
};
use rustix::process::Signal;

use super::{
    cells::Cell,
    stage::{CellScene, ROWS, Stage},
};
use crate::report::Report;

/// Longer than the lease of a sync, and than it takes to give up a plugin that does not answer.
const STOPPED_FOR: Duration = Duration::from_secs(36);

/// One crash leaves no more rows in doubt than the destination asks for at once.
const WINDOW_ROWS: u64 = 2_000;

pub(super) async fn play(cell: Cell, stage: &Stage) -> Result<()> {
    let scene = CellScene::open(stage, cell.target).await?;
    scene.proxies.arm(Some(cell.plan))?;
    let report = match (cell.plan.victim, cell.plan.fault) {
        (Victim::Orchestrator, Fault::Kill) => next_sync_finishes(&scene).await?,
        (Victim::Orchestrator, Fault::Stop) => other_sync_takes_over(&scene).await?,
        (_, Fault::Stop) => same_sync_survives_a_stop(&scene).await?,
        (_, Fault::Kill | Fault::Reset) => well(start(&scene)?.finish().await?)?,
    };
    if cell.plan.fault == Fault::Kill {
        require(report.attempt == 2, || {
            format!("one death, one more attempt: {report:?}")
        })?;
    }
    scene.proxies.require_fired()?;
    scene.longshore.leaves_nothing_running().await?;
    everything_arrived(&scene, cell.target, &report).await?;
    nothing_is_left_to_do(&scene).await
}

fn start(scene: &CellScene<'_>) -> Result<RunningLongshore> {
    scene.longshore.start(["sync", "sync.yml", "--json"])
}

fn well(finished: Finished) -> Result<Report> {
    Report::of(&finished.succeeded()?)
}

async fn next_sync_finishes(scene: &CellScene<'_>) -> Result<Report> {
    let hit = start(scene)?.finish().await?;
    require(hit.ended_by(Signal::KILL), || format!("it was not killed: {hit}"))?;
    well(start(scene)?.finish().await?)
}

async fn same_sync_survives_a_stop(scene: &CellScene<'_>) -> Result<Report> {
    let running = start(scene)?;
    let fired = has_fired(scene).await?;
    // This is the fault itself, not a wait for something.
    tokio::time::sleep(STOPPED_FOR).await;
    fired.let_go_on();
    well(running.finish().await?)
}

/// The lease of a stopped orchestrator runs out; another one finishes the run; the first wakes up and must not go on.
async fn other_sync_takes_over(scene: &CellScene<'_>) -> Result<Report> {
    let stopped = start(scene)?;
    let fired = has_fired(scene).await?;
    let stopped_at = Instant::now();
    let answer = eventually("another sync has its answer", 2 * PATIENCE, async || {
        let finished = start(scene).ok()?.finish().await.ok()?;
        let is_held = finished.stderr.contains("is being run by process");
        let is_locked = is_locked_out(&finished) && stopped_at.elapsed() < STOPPED_FOR;
        (!is_held && !is_locked).then_some(finished)
    });
    let other = answer.await?;
    fired.let_go_on();
    let stopped = stopped.finish().await?;
    if is_locked_out(&other) {
        return well(stopped);
    }
    let report = well(other)?;
    let code = Report::of(&stopped)?.error_code().to_owned();
    require(code == "run_lost", || {
        format!("the stale one ended with {code}: {stopped}")
    })?;
    Ok(report)
}

/// A process that is stopped while it writes to the state file keeps it locked: nobody can take over, and it goes on itself when it wakes up.
fn is_locked_out(finished: &Finished) -> bool {
    finished.stderr.contains("error[state_busy]")
}

async fn has_fired(scene: &CellScene<'_>) -> Result<Fired> {
    eventually("the fault has fired", 2 * PATIENCE, async || {
        scene.proxies.fired().ok().flatten()
    })
    .await
}

/// Nothing is missing; repeats are announced, and only where a repeat leaves a trace.
async fn everything_arrived(scene: &CellScene<'_>, target: Target, report: &Report) -> Result<()> {
    require(report.status == "completed", || format!("{report:?}"))?;
    let table = report.only_table();
    require(
        table.complete && table.delivered == u64::try_from(ROWS).unwrap(),
        || format!("{report:?}"),
    )?;
    let comparison = scene.compare().await?;
    require(comparison.is_complete(), || comparison.to_string())?;
    let repeated = comparison.repeated.len() as u64;
    let announced = match target {
        Target::Profiles => 0,
        Target::Events => report.uncertain,
    };
    require(repeated <= announced, || {
        format!("{repeated} arrived twice, {announced} were announced: {comparison}")
    })?;
    require(report.uncertain <= WINDOW_ROWS, || {
        format!("more is in doubt than one crash can leave: {report:?}")
    })?;
    let shown = scene.longshore.json(["runs", "show", "last"]).await?;
    require(shown["uncertain"].as_u64() == Some(report.uncertain), || {
        format!("`runs show` counts otherwise: {shown}")
    })?;
    let violations = scene.sandbox.violations().await?;
    require(violations["count"] == 0, || violations.to_string())
}

async fn nothing_is_left_to_do(scene: &CellScene<'_>) -> Result<()> {
    scene.proxies.arm(None)?;
    let again = well(start(scene)?.finish().await?)?;
    let table = again.only_table();
    require(table.delivered + table.rejected == 0, || {
        format!("rows were new to the next sync: {again:?}")
    })?;
    scene
        .longshore
        .leaves_nothing_running()
        .await
        .context("after the sync with nothing new")
}

/// What is not so is a failure of this cell alone.
fn require(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Failure::new(what())) }
}
