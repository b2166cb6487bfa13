//! Runs as they are shown: by commands, as JSON and in words, and by the API.

use longshore_core::{Domain, Error, cursor::CursorValue};
use longshore_state::{
    Attempt, AttemptOutcome, PluginVersion, Run, RunDetails, RunKind, RunStatus, TableProgress, Trigger,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{log::ShownLog, words_for};
use crate::{
    documents::ErrorDocument,
    engine::report::{RetryReport, TableReport},
    failure::CANCELLED,
    figures::{counted, grouped},
    moment::shown,
};

/// A run.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub(crate) struct ShownRun {
    pub(crate) run_id: String,
    pub(crate) kind: RunKind,
    pub(crate) sync: String,
    pub(crate) status: RunStatus,
    pub(crate) attempt: u32,
    pub(crate) started_at: String,
    pub(crate) ended_at: Option<String>,
    pub(crate) uncertain: u64,
    pub(crate) rejects: u64,
    dropped_rejects: u64,
    dropped_rows: u64,
    #[schemars(with = "Option<ErrorDocument>")]
    pub(crate) error: Option<Error>,
    /// The range that it reads again; absent: what is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<serde_json::Value>,
}

/// All that is known about a run.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RunDetails")]
pub(crate) struct ShownDetails {
    #[serde(flatten)]
    run: ShownRun,
    holder: ShownHolder,
    attempts: Vec<ShownAttempt>,
    tables: Vec<ShownTable>,
    /// Rejects of earlier runs that it has sent again.
    retries: Vec<RetryReport>,
    /// The time that its attempts took.
    duration_ms: u64,
    /// What the user was told.
    warnings: Vec<String>,
    /// When it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<ShownLog>,
}

/// The process that runs it, or ran its last attempt.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RunHolder")]
pub(crate) struct ShownHolder {
    host: String,
    pid: u32,
}

/// One try of a run.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RunAttempt")]
pub(crate) struct ShownAttempt {
    number: u32,
    started_at: String,
    ended_at: Option<String>,
    outcome: AttemptOutcome,
    uncertain: u64,
    #[schemars(with = "Option<ErrorDocument>")]
    error: Option<Error>,
    /// Absent where nobody has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger: Option<ShownTrigger>,
    /// The version that ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    longshore: Option<String>,
    plugins: Vec<PluginVersion>,
}

/// Why an attempt began.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schemars(rename = "Trigger")]
pub(crate) enum ShownTrigger {
    Command,
    Schedule { due: String },
    Request,
    Recovery,
}

/// What became of the rows of one table.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RunTable")]
pub(crate) struct ShownTable {
    #[serde(flatten)]
    report: TableReport,
    cursor_before: Option<String>,
    cursor_after: Option<String>,
    partitions: Vec<ShownPartition>,
}

/// A part of a table.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RunPartition")]
pub(crate) struct ShownPartition {
    partition: String,
    complete: bool,
    forwarded: u64,
    cursor: Option<String>,
    uncertain: u64,
    commits: u64,
}

impl ShownDetails {
    pub(crate) fn in_words(&self) -> String {
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
            "  uncertain    {} at most, on the way when something broke\n",
            counted(run.uncertain, "row", "rows")
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
                "  attempt {}    {} to {ended}, {}\n",
                attempt.number,
                attempt.started_at,
                attempt.outcome_in_words()
            ));
            if let Some(trigger) = &attempt.trigger {
                text.push_str(&format!("               begun by {}\n", trigger.in_words()));
            }
            if !attempt.plugins.is_empty() {
                text.push_str(&format!("               {}\n", attempt.versions_in_words()));
            }
            if let Some(error) = &attempt.error {
                text.push_str(&error_in_words(error));
            }
        }
        for warning in &self.warnings {
            text.push_str(&format!("  warning      {warning}\n"));
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
                let rows = counted(partition.forwarded, "row", "rows");
                text.push_str(&format!(
                    "  partition {}: {done}, {rows}, cursor {}\n",
                    partition.partition,
                    cursor(&partition.cursor)
                ));
            }
        }
        if let Some(log) = &self.log {
            text.push_str(&log.in_words());
        }
        text
    }
}

impl ShownAttempt {
    fn outcome_in_words(&self) -> &'static str {
        match self.outcome {
            AttemptOutcome::Running => "going on, or its process died and nobody has taken over",
            AttemptOutcome::Died => "its process died",
            AttemptOutcome::Completed => "completed",
            AttemptOutcome::CompletedWithRejects => "completed with rejects",
            AttemptOutcome::Failed => "failed",
            AttemptOutcome::Cancelled => "cancelled",
        }
    }

    fn versions_in_words(&self) -> String {
        let longshore = self.longshore.iter().map(|version| format!("longshore {version}"));
        let plugins = self.plugins.iter().map(|plugin| {
            let PluginVersion {
                role,
                name,
                plugin,
                version,
            } = plugin;
            format!("{role} {name}: {plugin} {version}")
        });
        longshore.chain(plugins).collect::<Vec<_>>().join(", ")
    }
}

impl ShownTrigger {
    fn in_words(&self) -> String {
        match self {
            Self::Command => "a command".to_owned(),
            Self::Schedule { due } => format!("the schedule, due at {due}"),
            Self::Request => "a request to the daemon".to_owned(),
            Self::Recovery => "the daemon, to go on with what was interrupted".to_owned(),
        }
    }
}

fn domain_in_words(domain: Domain) -> &'static str {
    match domain {
        Domain::Config => "configuration",
        Domain::Source => "source",
        Domain::Destination => "destination",
        Domain::Protocol => "plugin contract",
        Domain::Internal => "program itself",
    }
}

fn error_in_words(error: &Error) -> String {
    let again = match error.retryable {
        true => "can pass by itself",
        false => "does not pass by itself",
    };
    // That somebody ended a run is nobody's fault.
    let whose = match error.code == CANCELLED {
        true => String::new(),
        false => format!(" (of the {}; {again})", domain_in_words(error.domain)),
    };
    let mut text = format!("               {}: {}{whose}\n", error.code, error.message);
    for cause in &error.causes {
        text.push_str(&format!("               cause: {cause}\n"));
    }
    if !error.remedy.is_empty() {
        text.push_str(&format!("               help: {}\n", error.remedy));
    }
    text
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

impl ShownDetails {
    pub(crate) fn of(details: RunDetails, log: Option<ShownLog>) -> Self {
        let duration = details.duration();
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
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            warnings: warnings(details.run.summary.as_ref()),
            log,
            run: ShownRun {
                uncertain,
                ..details.run.into()
            },
        }
    }
}

/// What a run's summary says that the user was told.
fn warnings(summary: Option<&serde_json::Value>) -> Vec<String> {
    let warnings = summary.and_then(|summary| summary["warnings"].as_array());
    let texts = warnings.into_iter().flatten().filter_map(|warning| warning.as_str());
    texts.map(str::to_owned).collect()
}

impl From<Trigger> for ShownTrigger {
    fn from(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Command => Self::Command,
            Trigger::Schedule { due } => Self::Schedule { due: shown(due) },
            Trigger::Request => Self::Request,
            Trigger::Recovery => Self::Recovery,
        }
    }
}

impl From<Attempt> for ShownAttempt {
    fn from(attempt: Attempt) -> Self {
        let (trigger, longshore, plugins) = match attempt.origin {
            Some(origin) => (
                Some(ShownTrigger::from(origin.trigger)),
                Some(origin.longshore),
                origin.plugins,
            ),
            None => (None, None, Vec::new()),
        };
        Self {
            trigger,
            longshore,
            plugins,
            outcome: attempt.outcome,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    #[test]
    fn a_cancel_is_no_fault_of_the_configuration() {
        let cancelled = error_in_words(&Failure::Cancelled.to_error());
        assert_eq!(cancelled.trim(), "cancelled: The run was cancelled");
        let other = error_in_words(&Error::source("table_gone", "The table is gone"));
        assert_eq!(
            other.trim(),
            "table_gone: The table is gone (of the source; does not pass by itself)"
        );
    }
}
