//! The attempts that one sync makes at its run: how many, how far apart, and what is said of those that broke off.

use std::time::{Duration, Instant};

use longshore_core::{Error, retry::RetryPolicy};

use super::{report::RunReport, run::SyncOutcome};
use crate::failure::Failure;

/// The attempts so far.
pub(super) struct Attempts {
    started: Instant,
    /// Attempts in a row that ended where they had begun.
    in_vain: u32,
    furthest: Option<Reached>,
    /// What the last attempt that had a run knew.
    last: Option<RunReport>,
    warnings: Vec<String>,
}

/// How far a run is: rows committed and not refused, then tables completed.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Reached {
    rows: u64,
    tables: usize,
}

impl Attempts {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            in_vain: 0,
            furthest: None,
            last: None,
            warnings: Vec::new(),
        }
    }

    /// How long to wait before the next attempt; `None` when there is nothing to go on with, or no use.
    pub(super) fn delay_after(&mut self, outcome: &SyncOutcome) -> Option<Duration> {
        let Some(Failure::Error(error)) = &outcome.failure else {
            return None;
        };
        let reached = outcome.report.as_ref().map(Reached::of);
        // Nothing is above `None`: the first attempt counts from what it has done, whatever earlier syncs did before it.
        if self.furthest.is_some() && reached > self.furthest {
            self.in_vain = 0;
        }
        self.furthest = self.furthest.max(reached);
        self.in_vain += 1;
        let delay = RetryPolicy::RUN.delay_before(self.in_vain + 1, crate::chance::number());
        // What has run before in this sync can run again, also when its program now dies at its start.
        let can_pass = error.retryable || (outcome.report.is_none() && self.last.is_some());
        let delay = delay.filter(|_| can_pass)?;
        tracing::warn!(?delay, %error, code = error.code, causes = error.causes.join(": "), "the attempt broke off; another one is to follow");
        Some(delay)
    }

    /// Keeps what an attempt knew, for the report at the end, when another one follows.
    pub(super) fn broke_off(&mut self, outcome: SyncOutcome) {
        let attempt = outcome.report.as_ref().map(|report| report.attempt);
        if let Some(report) = outcome.report {
            self.warnings_of(&report);
            self.last = Some(report);
        }
        if let Some(failure) = outcome.failure {
            self.warnings.push(broken_off(attempt, &failure.to_error()));
        }
    }

    /// The outcome of the sync: the last attempt's, with what was to be said of the others.
    pub(super) fn conclude(mut self, outcome: SyncOutcome) -> SyncOutcome {
        let SyncOutcome {
            report,
            failure,
            failed_start,
        } = outcome;
        let error = failure.as_ref().map(Failure::to_error);
        let report = report.or(self.last.take()).map(|report| {
            self.warnings_of(&report);
            RunReport {
                warnings: std::mem::take(&mut self.warnings),
                duration_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
                error,
                ..report
            }
        });
        SyncOutcome {
            report,
            failure,
            failed_start,
        }
    }

    /// Each attempt is warned of the same missing index: once is enough.
    fn warnings_of(&mut self, report: &RunReport) {
        for warning in &report.warnings {
            if !self.warnings.contains(warning) {
                self.warnings.push(warning.clone());
            }
        }
    }
}

impl Reached {
    fn of(report: &RunReport) -> Self {
        Self {
            // An outage under `uncertain: hold` turns rows into rejects, which is no way forward.
            rows: report
                .tables
                .iter()
                .map(|table| table.read.saturating_sub(table.rejected))
                .sum(),
            tables: report.tables.iter().filter(|table| table.complete).count(),
        }
    }
}

fn broken_off(attempt: Option<u32>, error: &Error) -> String {
    let which = attempt.map_or_else(|| "an attempt".to_owned(), |number| format!("attempt {number}"));
    format!("{which} broke off and another one followed: {error}")
}

#[cfg(test)]
mod tests {
    use longshore_state::RunStatus;

    use super::*;
    use crate::engine::report::TableReport;

    fn broken(read: u64, error: Error) -> SyncOutcome {
        let table = TableReport {
            table: "t".to_owned(),
            complete: false,
            read,
            delivered: read,
            rejected: 0,
            filtered: 0,
            deduplicated: 0,
            uncertain: 0,
            cursor: None,
            destinations: Vec::new(),
        };
        let report = RunReport {
            run_id: "r".to_owned(),
            sync: "s".to_owned(),
            status: RunStatus::Failed,
            attempt: 1,
            tables: vec![table],
            retries: Vec::new(),
            uncertain: 0,
            rejects: 0,
            pending_rejects: 0,
            warnings: vec!["an index is missing".to_owned()],
            duration_ms: 0,
            error: Some(error.clone()),
        };
        SyncOutcome {
            report: Some(report),
            failure: Some(error.into()),
            ..SyncOutcome::default()
        }
    }

    fn passing() -> Error {
        Error::source("plugin_died", "It died").retryable()
    }

    #[test]
    fn a_run_that_does_not_move_is_given_up_after_a_few_attempts() {
        let mut attempts = Attempts::new(Instant::now());
        for _ in 1..RetryPolicy::RUN.max_attempts {
            assert!(attempts.delay_after(&broken(7, passing())).is_some());
        }
        assert!(attempts.delay_after(&broken(7, passing())).is_none());
    }

    #[test]
    fn a_run_that_moves_is_attempted_as_often_as_it_takes() {
        let mut attempts = Attempts::new(Instant::now());
        for rows in 0..100 {
            assert!(attempts.delay_after(&broken(rows, passing())).is_some(), "{rows}");
        }
    }

    #[test]
    fn what_can_not_pass_is_not_attempted_again() {
        let mut attempts = Attempts::new(Instant::now());
        let lasting = Error::source("table_not_found", "It is gone");
        assert!(attempts.delay_after(&broken(7, lasting)).is_none());
        let cancelled = SyncOutcome::before_a_run(Failure::Cancelled);
        assert!(attempts.delay_after(&cancelled).is_none());
    }

    #[test]
    fn the_report_tells_of_every_attempt_and_says_nothing_twice() {
        let mut attempts = Attempts::new(Instant::now());
        attempts.broke_off(broken(7, passing()));
        let ended = attempts.conclude(SyncOutcome::before_a_run(Error::source("plugin_not_started", "No")));
        let report = ended.report.unwrap();
        assert_eq!(
            report.warnings,
            [
                "an index is missing",
                "attempt 1 broke off and another one followed: It died"
            ]
        );
        assert_eq!(report.error.unwrap().code, "plugin_not_started");
    }
}
