//! `longshore runs list|show|cancel`

mod cancel;

use clap::{Args, Subcommand};
use longshore_state::{RunFilter, RunKind, RunStatus, UnixMicros};

use super::{
    Context,
    known_sync::require_known,
    output::{Columns, grouped},
    state_location::StateArguments,
};
use crate::{
    failure::{Exit, Failure},
    history::{
        log::ShownLog,
        run_called,
        shown::{ShownDetails, ShownRun},
    },
    moment,
};

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
                let location = state.location(context).await?;
                require_known(store.as_ref(), location.sqlite_path(), sync).await?;
            }
            let filter = RunFilter {
                sync,
                kind: None,
                status,
                since,
                before: None,
            };
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

fn list_in_words(runs: &[ShownRun]) -> String {
    let mut columns = Columns::new(&[
        "RUN",
        "SYNC",
        "STATUS",
        "ATTEMPT",
        "STARTED",
        "ENDED",
        "REJECTS",
        "UNCERTAIN",
        "ERROR",
    ]);
    for run in runs {
        columns.row(vec![
            run.run_id.clone(),
            run.sync.clone(),
            match run.kind {
                RunKind::Sync => run.status.to_string(),
                RunKind::Replay => format!("{} (replay)", run.status),
            },
            run.attempt.to_string(),
            run.started_at.clone(),
            run.ended_at.clone().unwrap_or_else(|| "-".to_owned()),
            grouped(run.rejects),
            grouped(run.uncertain),
            run.error.as_ref().map_or_else(String::new, |error| error.code.clone()),
        ]);
    }
    columns.render("no runs")
}
