//! `longshore sync`

mod dry_run;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clap::Args;
use longshore_config::Configuration;
use longshore_core::Error;
use longshore_state::{StateStore, Trigger, UnixMicros};
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
        report::{RunReport, TableReport},
        run::{Engine, SyncOutcome},
    },
    failure::{Exit, Failure},
    figures::counted,
    history::words_for,
    observe::alerts::{Alerter, condition::Ended, webhook::Patience},
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    selected: Selected,
    /// Read everything that a sync would, and say what would become of it: nothing is sent, no cursor moves.
    #[arg(long)]
    dry_run: bool,
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
    if arguments.dry_run {
        return dry_run::run(arguments, context).await;
    }
    let reading = arguments.again.reading()?;
    let configuration = context.load(&arguments.selected.files).await?;
    let host = context.plugin_host()?;
    let announced = Announced::default();
    let announce = |notice: &str| announced.say(context, notice);
    let store = context.store(&configuration).await?;
    let alerter = alerter(context, &configuration, &store).await?;
    let engine = Engine {
        host: &host,
        store,
        configuration: &configuration,
        holder: context.holder(),
        cancel: context.cancel.clone(),
        announce: &announce,
        turn: None,
        dry_run: None,
        trigger: Trigger::Command,
        observation: context.observation.clone(),
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
        if let Some(alerter) = &alerter {
            let ended = Ended::of(&outcome, false);
            let telling = alerter.run_ended(source, &ended, UnixMicros::now(), Patience::AGAIN);
            if let Err(error) = telling.await {
                tracing::warn!(%error, "alerts could not be looked at");
            }
        }
        let sync_exit = conclude(context, &source.spec.name, &outcome, &announced)?;
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

/// Who is told when a sync fails and the like; `None`: nobody wants to be.
async fn alerter(
    context: &Context,
    configuration: &Configuration,
    store: &Arc<dyn StateStore>,
) -> Result<Option<Alerter>, Error> {
    if configuration.sources.iter().all(|source| source.spec.alerts.is_none()) {
        return Ok(None);
    }
    let metrics = context.observation.metrics.clone();
    let names = configuration.sources.iter().map(|source| source.spec.name.clone());
    metrics.know_stored(store.as_ref(), &names.collect()).await?;
    Ok(Some(Alerter::new(Arc::clone(store), context.secrets.clone(), metrics)))
}

/// What was said before a row was read, and need not be said again at the end.
#[derive(Default)]
struct Announced(Mutex<HashSet<String>>);

impl Announced {
    fn say(&self, context: &Context, notice: &str) {
        context.console.line(&format!("warning: {notice}"));
        self.lock().insert(notice.to_owned());
    }

    /// Says those of a report's warnings that were not said yet.
    fn say_the_rest(&self, context: &Context, warnings: &[String]) {
        let announced = self.lock();
        let rest = warnings.iter().filter(|warning| !announced.contains(*warning));
        rest.for_each(|warning| context.output.note(&format!("warning: {warning}")));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn conclude(context: &Context, sync: &str, outcome: &SyncOutcome, announced: &Announced) -> Result<Exit, Failure> {
    match (&outcome.report, &outcome.failure) {
        (Some(report), failure) => {
            announced.say_the_rest(context, &report.warnings);
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

/// A sync without a report.
fn refused(context: &Context, sync: &str, error: &serde_json::Value, outcome: &SyncOutcome) -> Result<(), Failure> {
    let run_id = outcome.run_id();
    let report = json!({ "run_id": run_id, "sync": sync, "status": outcome.status(), "tables": [], "error": error });
    let run = run_id.map(|run| format!("; run {run}")).unwrap_or_default();
    let in_words = format!("sync {sync} {}{run}\n", words_for(outcome.status()));
    context.output.data(&report, |_| in_words)?;
    if let Some(failure) = &outcome.failure {
        context.output.explain(failure);
    }
    Ok(())
}

/// The counts of tables, in columns; `nothing` when there are none. What is delivered goes under `delivered`.
fn tables_in_words(tables: &[TableReport], delivered: &'static str, nothing: &str) -> String {
    let mut columns = Columns::new(&[
        "TABLE",
        "READ",
        delivered,
        "REJECTED",
        "FILTERED",
        "DEDUPLICATED",
        "CURSOR",
        "",
    ]);
    for table in tables {
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
    columns.render(nothing)
}

/// Why there are no tables in a report.
fn no_tables(error: Option<&Error>) -> &'static str {
    match error {
        Some(_) => "no table was opened",
        None => "no table is selected",
    }
}

fn in_words(report: &RunReport) -> String {
    let duration = Duration::from_millis(report.duration_ms);
    let mut text = tables_in_words(&report.tables, "DELIVERED", no_tables(report.error.as_ref()));
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
            "; {} uncertain at most: on the way when something broke",
            counted(report.uncertain, "row is", "rows are")
        ));
    }
    if report.rejects > 0 {
        text.push_str(&format!(
            "; {} in the ledger of rejects: `longshore rejects list --run {}`",
            counted(report.rejects, "entry", "entries"),
            report.run_id
        ));
    }
    if report.pending_rejects > report.rejects {
        text.push_str(&format!(
            "; {} pending in all: `longshore rejects list --sync {} --status pending`",
            counted(report.pending_rejects, "reject is", "rejects are"),
            report.sync
        ));
    }
    text.push('\n');
    text
}
