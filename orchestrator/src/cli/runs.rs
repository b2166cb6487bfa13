//! `longshore runs list|show|cancel`

mod cancel;

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use longshore_core::{Error, cursor::CursorValue};
use longshore_state::{Attempt, Run, RunDetails, RunFilter, RunKind, RunStatus, StateStore, TableProgress};
use serde::Serialize;

use super::{
    Context,
    output::{Columns, grouped},
    state_location::StateArguments,
    sync::words_for,
};
use crate::{
    engine::report::{RetryReport, TableReport},
    failure::{Exit, Failure},
    moment::shown,
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
    },
    /// End a run of the daemon in order. What is acked is committed; the next run of the sync goes on there.
    Cancel {
        /// The run's id.
        run: String,
        #[command(flatten)]
        state: StateArguments,
    },
}

#[derive(Serialize)]
struct ShownRun {
    run_id: String,
    kind: RunKind,
    sync: String,
    status: RunStatus,
    attempt: u32,
    started_at: String,
    ended_at: Option<String>,
    uncertain: u64,
    rejects: u64,
    dropped_rejects: u64,
    dropped_rows: u64,
    error: Option<Error>,
    /// The range that it reads again; absent: what is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct ShownDetails {
    #[serde(flatten)]
    run: ShownRun,
    holder: ShownHolder,
    attempts: Vec<ShownAttempt>,
    tables: Vec<ShownTable>,
    /// Rejects of earlier runs that it has sent again.
    retries: Vec<RetryReport>,
}

#[derive(Serialize)]
struct ShownHolder {
    host: String,
    pid: u32,
}

#[derive(Serialize)]
struct ShownAttempt {
    number: u32,
    started_at: String,
    ended_at: Option<String>,
    uncertain: u64,
    error: Option<Error>,
}

#[derive(Serialize)]
struct ShownTable {
    #[serde(flatten)]
    report: TableReport,
    cursor_before: Option<String>,
    cursor_after: Option<String>,
    partitions: Vec<ShownPartition>,
}

#[derive(Serialize)]
struct ShownPartition {
    partition: String,
    complete: bool,
    forwarded: u64,
    cursor: Option<String>,
    uncertain: u64,
    commits: u64,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    match arguments.command {
        Command::List { state, sync, limit } => {
            let store = state.open(context).await?;
            if let Some(sync) = &sync {
                require_sync(store.as_ref(), sync).await?;
            }
            let filter = RunFilter { sync, status: None };
            let runs = store.list_runs(&filter, limit).await?;
            let shown: Vec<ShownRun> = runs.into_iter().map(ShownRun::from).collect();
            context.output.data(&shown, |shown| list_in_words(shown))?;
        }
        Command::Show { run, state } => {
            let store = state.open(context).await?;
            let details = run_called(store.as_ref(), &run).await?;
            context
                .output
                .data(&ShownDetails::from(details), ShownDetails::in_words)?;
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
        status: None,
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

impl ShownDetails {
    fn in_words(&self) -> String {
        let run = &self.run;
        let what = match run.kind {
            RunKind::Sync => "run",
            RunKind::Replay => "replay",
        };
        let mut text = format!("{what} {} of sync {} {}\n", run.run_id, run.sync, words_for(run.status));
        if let Some(again) = &run.again {
            let end = |end: &str| again[end].as_str().map_or_else(|| "the end".to_owned(), str::to_owned);
            text.push_str(&format!(
                "  reads again  from {} to before {}\n",
                end("from"),
                end("to")
            ));
        }
        text.push_str(&format!(
            "  uncertain    {} rows at most were on their way when something broke\n",
            grouped(run.uncertain)
        ));
        text.push_str(&format!(
            "  rejects      {} (dropped from the ledger since: {}; without their rows since: {})\n",
            grouped(run.rejects),
            grouped(run.dropped_rejects),
            grouped(run.dropped_rows)
        ));
        text.push_str(&format!(
            "  run by       process {} on {}\n",
            self.holder.pid, self.holder.host
        ));
        for attempt in &self.attempts {
            let ended = attempt.ended_at.as_deref().unwrap_or("no recorded end");
            text.push_str(&format!(
                "  attempt {}    {} to {ended}\n",
                attempt.number, attempt.started_at
            ));
            if let Some(error) = &attempt.error {
                text.push_str(&format!("               {}: {}\n", error.code, error.message));
            }
        }
        for retry in &self.retries {
            text.push_str(&retry.in_words());
            text.push('\n');
        }
        for table in &self.tables {
            let report = &table.report;
            let done = if report.complete { "complete" } else { "incomplete" };
            text.push_str(&format!(
                "table {} ({done}): read {}, delivered {}, rejected {}, filtered {}, deduplicated {}, uncertain {}\n",
                report.table,
                grouped(report.read),
                grouped(report.delivered),
                grouped(report.rejected),
                grouped(report.filtered),
                grouped(report.deduplicated),
                grouped(report.uncertain)
            ));
            let cursor = |cursor: &Option<String>| cursor.clone().unwrap_or_else(|| "-".to_owned());
            text.push_str(&format!(
                "  cursor {} → {}\n",
                cursor(&table.cursor_before),
                cursor(&table.cursor_after)
            ));
            for partition in &table.partitions {
                let done = if partition.complete { "complete" } else { "incomplete" };
                let rows = grouped(partition.forwarded);
                text.push_str(&format!(
                    "  partition {}: {done}, {rows} rows, cursor {}\n",
                    partition.partition,
                    cursor(&partition.cursor)
                ));
            }
        }
        text
    }
}

impl From<Run> for ShownRun {
    fn from(run: Run) -> Self {
        Self {
            run_id: run.run_id,
            kind: run.kind,
            sync: run.sync,
            status: run.status,
            attempt: run.attempt,
            started_at: shown(run.started_at),
            ended_at: run.ended_at.map(shown),
            uncertain: run.uncertain_rows,
            rejects: run.rejects,
            dropped_rejects: run.dropped_rejects,
            dropped_rows: run.dropped_rows,
            error: run.error,
            again: run.again,
        }
    }
}

impl From<RunDetails> for ShownDetails {
    fn from(details: RunDetails) -> Self {
        let holder = ShownHolder {
            host: details.run.holder.host.clone(),
            pid: details.run.holder.pid,
        };
        let uncertain = details.uncertain_rows();
        Self {
            holder,
            attempts: details.attempts.into_iter().map(ShownAttempt::from).collect(),
            tables: details.tables.iter().map(ShownTable::from).collect(),
            retries: details.retries.iter().map(RetryReport::from).collect(),
            run: ShownRun {
                uncertain,
                ..details.run.into()
            },
        }
    }
}

impl From<Attempt> for ShownAttempt {
    fn from(attempt: Attempt) -> Self {
        Self {
            number: attempt.number,
            started_at: shown(attempt.started_at),
            ended_at: attempt.ended_at.map(shown),
            uncertain: attempt.uncertain_rows,
            error: attempt.error,
        }
    }
}

impl From<&TableProgress> for ShownTable {
    fn from(table: &TableProgress) -> Self {
        let text = |cursor: &Option<CursorValue>| cursor.as_ref().map(CursorValue::to_string);
        let partitions = table.partitions.iter().map(|partition| ShownPartition {
            partition: partition.partition.clone(),
            complete: partition.complete,
            forwarded: partition.forwarded,
            cursor: text(&partition.cursor),
            uncertain: partition.uncertain_rows,
            commits: partition.revision,
        });
        Self {
            report: TableReport::from(table),
            cursor_before: text(&table.cursor_before),
            cursor_after: text(&table.cursor_after),
            partitions: partitions.collect(),
        }
    }
}
