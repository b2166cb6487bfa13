//! Runs of the past and of the moment, as people ask for them. Commands and the API use the same.

pub(crate) mod log;
pub(crate) mod shown;
pub(crate) mod turns;

use std::collections::BTreeSet;

use longshore_core::Error;
use longshore_state::{RunDetails, RunFilter, RunStatus, StateStore};

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
