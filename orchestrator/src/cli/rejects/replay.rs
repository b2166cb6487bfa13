//! `longshore rejects replay`

use std::path::PathBuf;

use clap::Args;
use longshore_core::Result;
use longshore_state::{RunStatus, StateStore, Trigger};
use serde_json::json;

use crate::{
    cli::{ConfigurationFiles, Context, DEFAULT_CONFIGURATION},
    engine::{
        progress::Progress,
        report::{RetryReport, RunReport},
        run::{Engine, SyncOutcome},
    },
    failure::{Exit, Failure},
    history::words_for,
    ledger::{
        filters::Filters,
        mended,
        replays::{Wanted, left_out, replays},
    },
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: ReplayedConfiguration,
    #[command(flatten)]
    filters: Filters,
    /// Only the rejects with these numbers.
    #[arg(long = "id", value_name = "ID", value_delimiter = ',', conflicts_with = "file")]
    ids: Vec<i64>,
    /// The rejects of this file, which `rejects export` has written and a person has mended: lines of JSON. Only values that differ from the stored ones
    /// are taken from it.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Send also what would be refused: rows that were delivered but for a column, to a destination that adds rows; and rows of which nobody can tell
    /// whether a newer version was delivered.
    #[arg(long)]
    insist: bool,
}

/// Where the configuration is: named as for `rejects list` and the others, or as for `sync`.
#[derive(Args, Clone)]
struct ReplayedConfiguration {
    /// The configuration with the destinations, and with the state's location; may be given several times. Without it, `longshore.yml`.
    #[arg(long = "config", value_name = "CONFIGURATION")]
    named: Vec<PathBuf>,
    /// The same without --config.
    #[arg(value_name = "CONFIGURATION", conflicts_with = "named")]
    paths: Vec<PathBuf>,
}

impl ReplayedConfiguration {
    fn files(&self) -> ConfigurationFiles {
        let paths = [self.named.as_slice(), &self.paths].concat();
        ConfigurationFiles {
            paths: match paths.is_empty() {
                true => vec![DEFAULT_CONFIGURATION.into()],
                false => paths,
            },
        }
    }
}

/// Sends pending rejects again: those that filters, numbers or a file name, and all of the configuration's syncs without any.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let configuration = context.load(&arguments.configuration.files()).await?;
    let store = context.store(&configuration).await?;
    let wanted = wanted(&arguments, store.as_ref()).await?;
    let replays = replays(wanted, &configuration, store.as_ref()).await?;
    if arguments.ids.is_empty()
        && arguments.file.is_none()
        && let Some(text) = left_out(&arguments.filters, &configuration, store.as_ref()).await?
    {
        context.output.note(&text);
    }
    let host = context.plugin_host()?;
    let engine = Engine {
        host: &host,
        store,
        configuration: &configuration,
        holder: context.holder(),
        cancel: context.cancel.clone(),
        announce: &|text| context.output.note(text),
        trigger: Trigger::Command,
        observation: context.observation.clone(),
        turn: None,
        dry_run: None,
    };
    let mut exit = Exit::Done;
    for (source, replay) in replays {
        let outcome = engine.replay(source, &replay, &Progress::default()).await;
        let this_exit = conclude(context, &source.spec.name, &outcome)?;
        if exit == Exit::Done {
            exit = this_exit;
        }
        if context.cancel.is_cancelled() {
            return Ok(Exit::Cancelled);
        }
    }
    Ok(exit)
}

async fn wanted(arguments: &Arguments, store: &dyn StateStore) -> Result<Wanted> {
    let mended = match &arguments.file {
        Some(file) => Some(mended::read(file, store).await?),
        None => None,
    };
    Ok(Wanted {
        filters: arguments.filters.clone(),
        ids: arguments.ids.clone(),
        mended,
        insist: arguments.insist,
    })
}

fn conclude(context: &Context, sync: &str, outcome: &SyncOutcome) -> Result<Exit, Failure> {
    match (&outcome.report, &outcome.failure) {
        (Some(report), failure) => {
            report
                .warnings
                .iter()
                .for_each(|warning| context.output.note(&format!("warning: {warning}")));
            context.output.data(report, in_words)?;
            if let Some(failure) = failure {
                context.output.explain(failure);
            }
        }
        (None, Some(failure)) => {
            let error = json!(failure.to_error());
            let report =
                json!({ "run_id": null, "sync": sync, "status": RunStatus::Failed, "retries": [], "error": error });
            context.output.data(&report, |_| String::new())?;
            context.output.explain(failure);
        }
        (None, None) => {}
    }
    Ok(outcome.failure.as_ref().map_or(Exit::Done, Failure::exit))
}

fn in_words(report: &RunReport) -> String {
    let mut text = String::new();
    for retry in &report.retries {
        text.push_str(&RetryReport::in_words(retry));
        text.push('\n');
    }
    text.push_str(&format!(
        "replay of sync {} {}; run {}\n",
        report.sync,
        words_for(report.status),
        report.run_id
    ));
    text
}
