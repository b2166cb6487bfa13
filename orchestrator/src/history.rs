//! Runs of the past and of the moment, as people ask for them. Commands and the API use the same.

pub(crate) mod log;
pub(crate) mod shown;
pub(crate) mod turns;

use std::collections::BTreeSet;

use longshore_core::Error;
use longshore_state::{RunDetails, RunFilter, RunKind, RunStatus, StateStore};

/// Runs of a sync that are looked at for its tables; the last one that ended well is mostly the newest.
const LOOKED_AT: u32 = 50;

/// The run with this id, or the latest one when it is called `last`.
pub(crate) async fn run_called(store: &dyn StateStore, name: &str) -> Result<RunDetails, Error> {
    let latest = match name {
        "last" => store.list_runs(&RunFilter::default(), 1).await?.pop(),
        _ => None,
    };
    let details = store.get_run(latest.as_ref().map_or(name, |run| &run.run_id)).await?;
    details.ok_or_else(|| {
        Error::config("run_unknown", format!("There is no run {name}"))
            .with_remedy("`longshore runs list` shows the ids; `last` means the latest.")
    })
}

/// The tables that a sync reads: those of its newest run, and of the last one that ended well. One that has left the sync keeps its state, and is none of
/// them. `None`: no run that ended well is known, so that every table with a state may be one.
pub(crate) async fn tables_read(store: &dyn StateStore, sync: &str) -> Result<Option<BTreeSet<String>>, Error> {
    let filter = RunFilter {
        sync: Some(sync.to_owned()),
        kind: Some(RunKind::Sync),
        ..RunFilter::default()
    };
    let runs = store.list_runs(&filter, LOOKED_AT).await?;
    // What reads a range again may be for some tables only.
    let runs: Vec<_> = runs.iter().filter(|run| run.again.is_none()).collect();
    let Some(complete) = runs.iter().position(|run| run.status.is_complete()) else {
        return Ok(None);
    };
    let mut tables = BTreeSet::new();
    for run in [runs[0], runs[complete]].into_iter().take(1 + complete.min(1)) {
        let details = store.get_run(&run.run_id).await?;
        tables.extend(details.into_iter().flat_map(|run| run.tables).map(|table| table.table));
    }
    Ok(Some(tables))
}

/// Refuses the name of a sync that was never run: an empty list would look like an answer.
pub(crate) async fn require_sync(store: &dyn StateStore, sync: &str) -> Result<(), Error> {
    let filter = RunFilter {
        sync: Some(sync.to_owned()),
        ..RunFilter::default()
    };
    if !store.list_runs(&filter, 1).await?.is_empty() || !store.list_states(Some(sync)).await?.is_empty() {
        return Ok(());
    }
    let known: BTreeSet<String> = store
        .list_runs(&RunFilter::default(), 1_000)
        .await?
        .into_iter()
        .map(|run| run.sync)
        .collect();
    let known: Vec<String> = known.into_iter().collect();
    let remedy = match known.as_slice() {
        [] => "No sync was run with this state yet.".to_owned(),
        known => format!(
            "A sync has the name of its source; this state knows: {}.",
            known.join(", ")
        ),
    };
    Err(Error::config("sync_unknown", format!("Nothing is stored about a sync {sync}")).with_remedy(remedy))
}

/// A status in words.
pub(crate) fn words_for(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "is running",
        RunStatus::Completed => "completed",
        RunStatus::CompletedWithRejects => "completed with rejects",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "was cancelled",
    }
}
