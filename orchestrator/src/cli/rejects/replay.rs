//! `longshore rejects replay`

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use longshore_config::{Configuration, Source};
use longshore_core::Error;
use longshore_state::{RejectFilter, RejectStatus, RunStatus, StateStore, Trigger};
use serde_json::json;

use super::{filters::Filters, mended, unknown};
use crate::{
    cli::{ConfigurationFiles, Context, sync::words_for},
    engine::{
        replay::Replay,
        report::{RetryReport, RunReport},
        run::{Engine, SyncOutcome},
    },
    failure::{Exit, Failure},
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    files: ConfigurationFiles,
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

/// Sends pending rejects again: those that filters, numbers or a file name, and all of the configuration's syncs without any.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let configuration = context.load(&arguments.files)?;
    let store = context.store(&configuration).await?;
    let replays = replays(&arguments, &configuration, store.as_ref()).await?;
    let host = context.plugin_host()?;
    let engine = Engine {
        host: &host,
        store,
        configuration: &configuration,
        holder: context.holder(),
        cancel: context.cancel.clone(),
        announce: &|text| context.output.note(text),
        turn: None,
        dry_run: None,
        trigger: Trigger::Command,
        observation: context.observation.clone(),
    };
    let mut exit = Exit::Done;
    for (source, replay) in replays {
        let outcome = engine.replay(source, &replay).await;
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

/// What is to be sent again of each sync.
async fn replays<'c>(
    arguments: &Arguments,
    configuration: &'c Configuration,
    store: &dyn StateStore,
) -> Result<Vec<(&'c Source, Replay)>, Failure> {
    if arguments.filters.means_resolved() {
        let message = "Only pending rejects can be sent again";
        return Err(Error::config("reject_not_pending", message)
            .with_remedy("Leave --status out, or give `--status pending`.")
            .into());
    }
    let filter = arguments.filters.resolve(store).await?;
    let mut mended = BTreeMap::new();
    let by_sync = match (&arguments.file, arguments.ids.as_slice()) {
        (Some(file), _) => {
            let file = mended::read(file, store).await?;
            mended = file.rows;
            file.ids
        }
        (None, []) => return matching(configuration, store, filter, arguments.insist).await,
        (None, ids) => by_sync(store, ids).await?,
    };
    if !arguments.filters.is_empty() {
        let message = "Numbers and a file say already which rejects are meant";
        return Err(Error::config("filters_needless", message)
            .with_remedy("Leave the filters out.")
            .into());
    }
    let of_sync = |(sync, ids): (String, Vec<i64>)| {
        let source = configuration
            .source(&sync)
            .ok_or_else(|| sync_missing(configuration, &sync))?;
        let replay = Replay {
            mended: ids
                .iter()
                .filter_map(|id| Some((*id, mended.get(id)?.clone())))
                .collect(),
            filter: RejectFilter {
                ids: Some(ids),
                ..RejectFilter::default()
            },
            insist: arguments.insist,
        };
        Ok((source, replay))
    };
    by_sync.into_iter().map(of_sync).collect()
}

async fn by_sync(store: &dyn StateStore, ids: &[i64]) -> Result<BTreeMap<String, Vec<i64>>, Error> {
    let mut found = BTreeMap::<String, Vec<i64>>::new();
    for &id in ids {
        let kept = store.get_reject(id).await?.ok_or_else(|| unknown(id))?;
        found.entry(kept.reject.sync).or_default().push(id);
    }
    Ok(found)
}

/// The syncs of the configuration that have pending rejects like this.
async fn matching<'c>(
    configuration: &'c Configuration,
    store: &dyn StateStore,
    filter: RejectFilter,
    insist: bool,
) -> Result<Vec<(&'c Source, Replay)>, Failure> {
    if let Some(sync) = &filter.sync
        && configuration.source(sync).is_none()
    {
        return Err(sync_missing(configuration, sync).into());
    }
    let mut replays = Vec::new();
    for source in &configuration.sources {
        let name = &source.spec.name;
        if filter.sync.as_ref().is_some_and(|sync| sync != name) {
            continue;
        }
        let of_sync = RejectFilter {
            sync: Some(name.clone()),
            status: Some(RejectStatus::Pending),
            ..filter.clone()
        };
        if store.list_rejects(&of_sync, 1).await?.is_empty() {
            continue;
        }
        let replay = Replay {
            filter: of_sync,
            insist,
            ..Replay::default()
        };
        replays.push((source, replay));
    }
    if replays.is_empty() {
        let pending = RejectFilter {
            status: Some(RejectStatus::Pending),
            ..filter
        };
        if let Some(other) = store.list_rejects(&pending, 1).await?.first() {
            return Err(sync_missing(configuration, &other.sync).into());
        }
        let message = "The ledger has no pending reject like this";
        return Err(Error::config("nothing_to_replay", message)
            .with_remedy("`longshore rejects list --status pending` shows what there is.")
            .into());
    }
    Ok(replays)
}

fn sync_missing(configuration: &Configuration, sync: &str) -> Error {
    let names: Vec<&str> = configuration
        .sources
        .iter()
        .map(|source| source.spec.name.as_str())
        .collect();
    Error::config(
        "source_unknown",
        format!("The configuration has no source `{sync}`, whose rejects are to be sent again"),
    )
    .with_remedy(format!("Its sources are: {}. Nothing was sent.", names.join(", ")))
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
