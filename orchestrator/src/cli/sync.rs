//! `longshore sync`

use std::time::Duration;

use clap::Args;
use longshore_core::Error;
use longshore_state::RunStatus;
use serde_json::json;

use super::{
    Context, Selected,
    output::{Columns, grouped},
    progress_display::ProgressDisplay,
};
use crate::{
    engine::{
        progress::Progress,
        reading::{ReadAgain, Reading},
        report::RunReport,
        run::{Engine, SyncOutcome},
    },
    failure::{Exit, Failure},
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    selected: Selected,
    /// Show no progress.
    #[arg(long)]
    no_progress: bool,
    #[command(flatten)]
    again: Again,
}

/// A range to read again.
#[derive(Args)]
struct Again {
    /// Read again the rows whose cursor is at least this, whatever was delivered before. The stored cursors are not touched.
    #[arg(long, value_name = "CURSOR")]
    from: Option<String>,
    /// Read again the rows whose cursor is less than this.
    #[arg(long, value_name = "CURSOR")]
    to: Option<String>,
    /// With --from or --to: only this table; may be given several times.
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<String>,
}

impl Again {
    fn reading(&self) -> Result<Reading, Error> {
        if self.from.is_none() && self.to.is_none() {
            if self.tables.is_empty() {
                return Ok(Reading::New);
            }
            let error = Error::config(
                "range_missing",
                "--table names a table to read again, and no range is given",
            );
            return Err(error.with_remedy("Give --from, --to or both; without them a sync moves all its tables."));
        }
        Ok(Reading::Again(ReadAgain {
            from: self.from.clone(),
            to: self.to.clone(),
            tables: self.tables.clone(),
        }))
    }
}

/// Syncs run one after another: two that write to one project would otherwise have to share its rate limit across processes.
pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let reading = arguments.again.reading()?;
    let configuration = context.load(&arguments.selected.files)?;
    let host = context.plugin_host()?;
    let engine = Engine {
        host: &host,
        store: context.store(&configuration).await?,
        configuration: &configuration,
        holder: context.holder(),
        cancel: context.cancel.clone(),
    };
    let mut exit = Exit::Done;
    for source in arguments.selected.of(&configuration)? {
        let progress = Progress::default();
        let display = (!arguments.no_progress)
            .then(|| ProgressDisplay::start(&context.console, &source.spec.name, progress.clone()));
        let outcome = engine.sync(source, &reading, &progress).await;
        if let Some(display) = display {
            display.end().await;
        }
        let sync_exit = conclude(context, &source.spec.name, &outcome)?;
        // One sync that fails does not keep the others from running; the first failure decides the exit code.
        if exit == Exit::Done {
            exit = sync_exit;
        }
        if context.cancel.is_cancelled() {
            return Ok(Exit::Cancelled);
        }
    }
    Ok(exit)
}

fn conclude(context: &Context, sync: &str, outcome: &SyncOutcome) -> Result<Exit, Failure> {
    match (&outcome.report, &outcome.failure) {
        (Some(report), failure) => {
            report
                .warnings
                .iter()
                .for_each(|warning| context.output.note(&format!("warning: {warning}")));
            context.output.data(report, in_words)?;
            match failure {
                Some(Failure::Cancelled) => context
                    .output
                    .note("cancelled; the same command goes on where this one stopped"),
                Some(failure) => context.output.explain(failure),
                None => {}
            }
        }
        (None, Some(Failure::Configuration(diagnostics))) => {
            let error = json!({ "code": "configuration_invalid", "diagnostics": diagnostics });
            refused(context, sync, &error, outcome)?;
        }
        (None, Some(failure)) => refused(context, sync, &json!(failure.to_error()), outcome)?,
        (None, None) => {}
    }
    Ok(outcome.failure.as_ref().map_or(Exit::Done, Failure::exit))
}

/// A sync that did not come to a run.
fn refused(context: &Context, sync: &str, error: &serde_json::Value, outcome: &SyncOutcome) -> Result<(), Failure> {
    let report = json!({ "run_id": null, "sync": sync, "status": RunStatus::Failed, "tables": [], "error": error });
    context.output.data(&report, |_| String::new())?;
    if let Some(failure) = &outcome.failure {
        context.output.explain(failure);
    }
    Ok(())
}

fn in_words(report: &RunReport) -> String {
    let mut columns = Columns::new(&[
        "TABLE",
        "READ",
        "DELIVERED",
        "REJECTED",
        "FILTERED",
        "DEDUPLICATED",
        "CURSOR",
        "",
    ]);
    for table in &report.tables {
        columns.row(vec![
            table.table.clone(),
            grouped(table.read),
            grouped(table.delivered),
            grouped(table.rejected),
            grouped(table.filtered),
            grouped(table.deduplicated),
            table.cursor.clone().unwrap_or_else(|| "-".to_owned()),
            if table.complete {
                String::new()
            } else {
                "incomplete".to_owned()
            },
        ]);
    }
    let duration = Duration::from_millis(report.duration_ms);
    let mut text = columns.render(if report.error.is_some() {
        "no table was opened"
    } else {
        "no table is selected"
    });
    for retry in &report.retries {
        text.push_str(&retry.in_words());
        text.push('\n');
    }
    text.push_str(&format!(
        "sync {} {} in {:.1} s; run {}",
        report.sync,
        words_for(report.status),
        duration.as_secs_f64(),
        report.run_id
    ));
    if report.attempt > 1 {
        text.push_str(&format!(", attempt {}", report.attempt));
    }
    if report.uncertain > 0 {
        text.push_str(&format!(
            "; {} rows are uncertain at most: they were on their way when something broke",
            grouped(report.uncertain)
        ));
    }
    if report.rejects > 0 {
        text.push_str(&format!(
            "; {} entries in the ledger of rejects: `longshore rejects list --run {}`",
            grouped(report.rejects),
            report.run_id
        ));
    }
    text.push('\n');
    text
}

/// A status in words.
pub(super) fn words_for(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "is running",
        RunStatus::Completed => "completed",
        RunStatus::CompletedWithRejects => "completed with rejects",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "was cancelled",
    }
}
