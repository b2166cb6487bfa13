//! The kill matrix: who is hit, when, by what. Whatever it is, no row is missing, and what came twice was announced.

mod cells;
mod play;
mod stage;

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use longshore_tests::{Failure, Result, fault_proxy::Fault};

use cells::Cell;
use stage::Stage;

/// Cells that work at the same time: more would only wait for one another.
const AT_WORK: usize = 6;
/// Cells that wait at the same time. Each has a handful of processes and of connections.
const WAITING: usize = 36;
/// No cell takes longer: a stopped process is let go on after less than a minute.
const CELL_BOUND: Duration = Duration::from_secs(240);

#[tokio::test]
async fn processes_killed_at_any_moment_of_a_run_lose_nothing() -> Result<()> {
    play_all(Fault::Kill, AT_WORK).await
}

#[tokio::test]
async fn processes_stopped_at_any_moment_for_longer_than_the_lease_lose_nothing() -> Result<()> {
    play_all(Fault::Stop, WAITING).await
}

#[tokio::test]
async fn connections_reset_at_any_moment_of_a_run_lose_nothing() -> Result<()> {
    play_all(Fault::Reset, AT_WORK).await
}

/// Plays every cell of one kind, and says of each that fails why.
async fn play_all(fault: Fault, at_once: usize) -> Result<()> {
    let stage = Stage::set().await?;
    let cells = Cell::all_of(fault);
    let count = cells.len();
    let outcomes = stream::iter(cells).map(async |cell| outcome(cell, &stage).await);
    let failed: Vec<String> = outcomes
        .buffer_unordered(at_once)
        .filter_map(std::future::ready)
        .collect()
        .await;
    if failed.is_empty() {
        return Ok(());
    }
    let (some, failures) = (failed.len(), failed.join("\n\n"));
    Err(Failure::new(format!("{some} of {count} cells failed:\n{failures}")))
}

/// Why a cell failed, if it did.
async fn outcome(cell: Cell, stage: &Stage) -> Option<String> {
    let playing = AssertUnwindSafe(play::play(cell, stage)).catch_unwind();
    let what = match tokio::time::timeout(CELL_BOUND, playing).await {
        Ok(Ok(Ok(()))) => return None,
        Ok(Ok(Err(failure))) => failure.to_string(),
        Ok(Err(panic)) => format!("an assertion failed: {}", words_of(panic.as_ref())),
        Err(_) => format!("it did not end within {CELL_BOUND:?}"),
    };
    Some(format!("{cell}\n    {}", what.replace('\n', "\n    ")))
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without words")
}
