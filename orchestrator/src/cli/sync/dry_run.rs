//! `longshore sync --dry-run`

use std::time::Duration;

use longshore_config::Retry;
use longshore_core::Error;
use longshore_protocol::UNCERTAIN_DELIVERY;
use longshore_state::{Reject, RejectFilter, RejectStatus, StateStore, Trigger};

use super::{super::Context, Announced, Arguments, no_tables, tables_in_words};
use crate::{
    cli::{
        output::{Columns, grouped},
        progress_display::ProgressDisplay,
    },
    engine::{
        dry_run::{DryRun, DryRunReport, EstimateReport, RejectKind},
        progress::Progress,
        run::{Engine, SyncOutcome},
    },
    failure::{Exit, Failure},
    figures::counted,
    observe::Observation,
};

/// What a dry run says of an empty table of rejects.
const NO_REJECTS: &str = "nothing would be rejected";

/// Dry runs go one after another, as the syncs would. Each begins from the stored cursors, in a copy of the state that is gone afterwards; a sync that runs at
/// the same time is not disturbed.
pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let reading = arguments.again.reading()?;
    let configuration = context.load(&arguments.selected.files).await?;
    let host = context.plugin_host()?;
    let announced = Announced::default();
    let announce = |notice: &str| announced.say(context, notice);
    let mut exit = Exit::Done;
    for source in arguments.selected.of(&configuration)? {
        let folder = tempfile::Builder::new()
            .prefix("longshore-dry-run-")
            .tempdir()
            .map_err(|error| {
                Error::config(
                    "folder_unwritable",
                    "No temporary folder can be made for a copy of the state",
                )
                .with_cause(&error)
            })?;
        let dry_run = DryRun::default();
        let engine = Engine {
            host: &host,
            store: longshore_state::open_copy(&configuration.settings.state.to_string(), folder.path()).await?,
            configuration: &configuration,
            holder: context.holder(),
            cancel: context.cancel.clone(),
            announce: &announce,
            turn: None,
            dry_run: Some(dry_run.clone()),
            trigger: Trigger::Command,
            // Nothing happens that is to be counted or remembered.
            observation: Observation::default(),
        };
        let progress = Progress::default();
        let display = (!arguments.no_progress)
            .then(|| ProgressDisplay::start(&context.console, &source.spec.name, progress.clone()));
        let outcome = engine.sync(source, &reading, &progress).await;
        if let Some(display) = display {
            display.end().await;
        }
        let mut report = dry_run.report(&source.spec.name, &outcome);
        if source.spec.rejects.retry == Retry::NextRun && reading.moves_cursors() {
            let again = sent_again(engine.store.as_ref(), &source.spec.name).await?;
            report.warnings.extend(again);
        }
        let dry_exit = conclude(context, &report, &outcome, &announced)?;
        if exit == Exit::Done {
            exit = dry_exit;
        }
        if context.cancel.is_cancelled() {
            return Ok(Exit::Cancelled);
        }
    }
    Ok(exit)
}

/// Pending rejects that are looked at to say how many there are.
const COUNTED: u32 = 10_000;

/// What a sync would send besides what it reads.
async fn sent_again(store: &dyn StateStore, sync: &str) -> Result<Option<String>, Error> {
    let pending = RejectFilter {
        sync: Some(sync.to_owned()),
        status: Some(RejectStatus::Pending),
        ..RejectFilter::default()
    };
    let found = store.list_rejects(&pending, COUNTED).await?;
    // What a run tries by itself: whole rows that are kept, and none that the destination may have already.
    let is_tried =
        |reject: &&Reject| reject.reject.whole_row && reject.row_kept && reject.reject.rule != UNCERTAIN_DELIVERY;
    let rows = found.iter().filter(is_tried).count() as u64;
    let more = if found.len() == COUNTED as usize {
        " or more"
    } else {
        ""
    };
    Ok((rows > 0).then(|| {
        format!(
            "the ledger has {}{more} of earlier runs: a sync sends what is in it again before it reads, and none of these counts has it",
            counted(rows, "rejected row", "rejected rows")
        )
    }))
}

fn conclude(
    context: &Context,
    report: &DryRunReport,
    outcome: &SyncOutcome,
    announced: &Announced,
) -> Result<Exit, Failure> {
    announced.say_the_rest(context, &report.warnings);
    context.output.data(report, in_words)?;
    match &outcome.failure {
        Some(Failure::Cancelled) => context.output.note("cancelled; nothing was sent"),
        Some(failure) => context.output.explain(failure),
        None => {}
    }
    Ok(outcome.failure.as_ref().map_or(Exit::Done, Failure::exit))
}

fn in_words(report: &DryRunReport) -> String {
    let mut text = tables_in_words(&report.tables, "WOULD DELIVER", no_tables(report.error.as_ref()));
    if report.tables.is_empty() {
        return text;
    }
    text.push('\n');
    text.push_str(&rejects_in_words(&report.rejects));
    if report.rejects_of_other_kinds > 0 {
        text.push_str(&format!(
            "and {} of further kinds\n",
            counted(report.rejects_of_other_kinds, "reject", "rejects")
        ));
    }
    text.push('\n');
    text.push_str(&requests_in_words(&report.estimates));
    text.push_str(&format!(
        "dry run of sync {} {} in {:.1} s; nothing was sent, no cursor moved\n",
        report.sync,
        if report.complete { "completed" } else { "stopped early" },
        Duration::from_millis(report.duration_ms).as_secs_f64()
    ));
    if let Some(milliseconds) = report.estimated_ms {
        text.push_str(&format!(
            "the rate limits make a real run take at least {}\n",
            in_time(Duration::from_millis(milliseconds))
        ));
    }
    text
}

fn rejects_in_words(rejects: &[RejectKind]) -> String {
    let mut columns = Columns::new(&["TABLE", "RULE", "COLUMN", "WHAT", "REJECTS", "FIRST KEYS"]);
    for kind in rejects {
        let keys: Vec<&str> = kind.examples.iter().map(|example| example.key.as_str()).collect();
        columns.row(vec![
            kind.table.clone(),
            kind.rule.clone(),
            kind.column.clone(),
            if kind.whole_row { "row" } else { "column" }.to_owned(),
            grouped(kind.rejects),
            keys.join(", "),
        ]);
    }
    let mut text = columns.render(NO_REJECTS);
    for kind in rejects {
        if let Some(first) = kind.examples.first() {
            text.push_str(&format!("  {}: {}\n", kind.rule, first.reason));
        }
    }
    text
}

fn requests_in_words(estimates: &[EstimateReport]) -> String {
    let mut columns = Columns::new(&["DESTINATION", "TABLE", "ENDPOINT", "REQUESTS", "UPDATES", "BYTES"]);
    for estimate in estimates {
        for requests in &estimate.requests {
            columns.row(vec![
                estimate.destination.clone(),
                requests.table.clone(),
                requests.endpoint.clone(),
                grouped(requests.requests),
                grouped(requests.operations),
                grouped(requests.bytes),
            ]);
        }
    }
    let text = columns.render("no requests would be sent");
    format!("{text}\n")
}

/// A length of time in its two largest units.
fn in_time(length: Duration) -> String {
    let seconds = length.as_secs_f64().ceil() as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_two_units() {
        let lengths =
            [0.0, 0.2, 59.0, 60.5, 3_600.0, 90_061.0].map(|seconds| in_time(Duration::from_secs_f64(seconds)));
        assert_eq!(lengths, ["0 s", "1 s", "59 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]);
    }
}
