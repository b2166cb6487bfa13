//! `longshore runs list|show|cancel`

mod cancel;

mod log;
mod shown;

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use longshore_core::Error;
use longshore_state::{RunDetails, RunFilter, RunStatus, StateStore, UnixMicros};

use super::{Context, state_location::StateArguments};
use crate::{
    failure::{Exit, Failure},
    moment,
};
use log::ShownLog;
use shown::{ShownDetails, ShownRun, list_in_words};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The latest runs.
    List {
        #[command(flatten)]
        state: StateArguments,
        /// Of this sync only.
        #[arg(long)]
        sync: Option<String>,
        /// With this status only: running, completed, completed_with_rejects, failed or cancelled.
        #[arg(long)]
        status: Option<RunStatus>,
        /// Only those that began since: a date, an instant as in RFC 3339, or how long ago, such as 90m, 24h or 7d.
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One run with its attempts, tables and partitions.
    Show {
        /// The run's id, or `last`.
        run: String,
        #[command(flatten)]
        state: StateArguments,
        /// And what was logged while it went on.
        #[arg(long)]
        logs: bool,
    },
    /// End a run of the daemon in order. What is acked is committed; the next run of the sync goes on there.
    Cancel {
        /// The run's id.
        run: String,
        #[command(flatten)]
        state: StateArguments,
    },
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    match arguments.command {
        Command::List {
            state,
            sync,
            status,
            since,
            limit,
        } => {
            let since = since.as_deref().map(|text| moment::since(text, UnixMicros::now()));
            let since = since.transpose()?;
            let store = state.open(context).await?;
            if let Some(sync) = &sync {
                require_sync(store.as_ref(), sync).await?;
            }
            let filter = RunFilter { sync, status, since };
            let runs = store.list_runs(&filter, limit).await?;
            let shown: Vec<ShownRun> = runs.into_iter().map(ShownRun::from).collect();
            context.output.data(&shown, |shown| list_in_words(shown))?;
        }
        Command::Show { run, state, logs } => {
            let store = state.open(context).await?;
            let details = run_called(store.as_ref(), &run).await?;
            let log = match logs {
                true => Some(ShownLog::of(store.as_ref(), &details.run.run_id).await?),
                false => None,
            };
            let shown = ShownDetails::of(details, log);
            context.output.data(&shown, ShownDetails::in_words)?;
        }
        Command::Cancel { run, state } => cancel::run(run, &state, context).await?,
    }
    Ok(Exit::Done)
}

/// The run with this id, or the latest one when it is called `last`.
pub(super) async fn run_called(store: &dyn StateStore, name: &str) -> Result<RunDetails, Error> {
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
pub(super) async fn require_sync(store: &dyn StateStore, sync: &str) -> Result<(), Error> {
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
