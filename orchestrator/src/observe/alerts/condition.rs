//! Which conditions of a sync hold after what has happened. Pure: what happened comes in as values.

use longshore_config::Alerts;
use longshore_core::Error;

use crate::{
    engine::{report::RunReport, run::SyncOutcome},
    failure::Failure,
};

/// What somebody may be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The sync's last run failed.
    Failure,
    /// A table's cursor is too far behind its source's clock.
    Lag,
    /// The last run that ended well had too many rejects.
    Rejects,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Failure, Self::Lag, Self::Rejects];

    /// Its name in messages, metrics and the state.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Lag => "lag",
            Self::Rejects => "rejects",
        }
    }
}

/// How a sync ended, as far as it is of interest here.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// The run, when there was one.
    pub run_id: Option<String>,
    /// What it came to.
    pub outcome: Outcome,
    /// Why it failed.
    pub error: Option<Error>,
    /// Rows read by the run.
    pub read: u64,
    /// Of these, rows that were refused as a whole.
    pub rejected: u64,
}

/// What a sync came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Every row was delivered or recorded.
    Succeeded,
    /// It failed and is not tried again before its time.
    Failed,
    /// Nothing can be said yet: it was stopped, or is tried again.
    #[default]
    Open,
}

impl Ended {
    /// From what a sync came to. `tried_again`: it has not failed yet.
    #[must_use]
    pub fn of(outcome: &SyncOutcome, tried_again: bool) -> Self {
        let failure = outcome.failure.as_ref();
        Self {
            run_id: outcome.run_id().map(str::to_owned),
            error: failure.map(Failure::to_error),
            outcome: match failure {
                _ if tried_again || outcome.is_held_elsewhere() => Outcome::Open,
                None => Outcome::Succeeded,
                Some(Failure::Cancelled) => Outcome::Open,
                Some(Failure::Error(_) | Failure::Configuration(_) | Failure::TooManyRejects(_)) => Outcome::Failed,
            },
            ..outcome.report.as_ref().map(Self::counted).unwrap_or_default()
        }
    }

    /// The run and its counts; what it came to is for the caller to say.
    #[must_use]
    pub fn counted(report: &RunReport) -> Self {
        Self {
            run_id: Some(report.run_id.clone()),
            outcome: Outcome::Open,
            error: report.error.clone(),
            read: report.tables.iter().map(|table| table.read).sum(),
            rejected: report.tables.iter().map(|table| table.rejected).sum(),
        }
    }
}

/// Why a condition holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Details {
    /// The run and its error.
    Failed {
        /// The run, when there was one.
        run_id: Option<String>,
        /// Why.
        error: Option<Error>,
    },
    /// The table that is furthest behind.
    Lags {
        /// The table.
        table: String,
        /// By so much.
        seconds: f64,
        /// The bound, as the user wrote it.
        bound: String,
        /// The bound.
        bound_seconds: u64,
    },
    /// The counts of the run.
    Rejected {
        /// The run.
        run_id: Option<String>,
        /// Rows refused as a whole.
        rejected: u64,
        /// Rows read.
        read: u64,
        /// The bound, as the user wrote it.
        bound: String,
    },
}

/// What is known of conditions: why one holds, or that it does not. Of others nothing is known.
pub type Verdicts = Vec<(Condition, Option<Details>)>;

/// What follows from the end of a run.
#[must_use]
pub fn after_a_run(rules: &Alerts, ended: &Ended) -> Verdicts {
    let mut verdicts = Verdicts::new();
    let failed = ended.outcome == Outcome::Failed && rules.failure;
    if ended.outcome != Outcome::Open {
        let details = failed.then(|| Details::Failed {
            run_id: ended.run_id.clone(),
            error: ended.error.clone(),
        });
        verdicts.push((Condition::Failure, details));
    }
    // Of a run that stopped short, the counts say nothing yet, unless it stopped for their sake.
    let stopped_for_rejects = ended
        .error
        .as_ref()
        .is_some_and(|error| error.code == "too_many_rejects");
    if ended.outcome == Outcome::Succeeded || stopped_for_rejects {
        let bound = rules
            .max_rejects
            .filter(|bound| bound.is_exceeded(ended.rejected, ended.read));
        let details = bound.map(|bound| Details::Rejected {
            run_id: ended.run_id.clone(),
            rejected: ended.rejected,
            read: ended.read,
            bound: bound.to_string(),
        });
        verdicts.push((Condition::Rejects, details));
    }
    verdicts
}

/// What follows from how far the tables of a sync, with their lag in seconds, are behind.
#[must_use]
pub fn of_lag(rules: &Alerts, tables: impl Iterator<Item = (String, f64)>) -> Verdicts {
    let furthest = tables.max_by(|(_, one), (_, other)| one.total_cmp(other));
    // Before the first cursor, or where no table with one is left, none is behind.
    let beyond = rules
        .max_lag
        .zip(furthest)
        .filter(|(bound, (_, seconds))| *seconds > bound.duration().as_secs_f64());
    let details = beyond.map(|(bound, (table, seconds))| Details::Lags {
        table,
        seconds,
        bound: bound.to_string(),
        bound_seconds: bound.duration().as_secs(),
    });
    vec![(Condition::Lag, details)]
}
