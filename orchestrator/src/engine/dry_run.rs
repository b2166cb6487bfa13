//! A run that sends nothing and leaves nothing: what it finds, and what is said of it.
//!
//! It is the ordinary engine with two differences. Its store is a copy that nobody else uses, so nothing is held and no cursor moves. And its destinations are asked
//! for dry streams, which ack what would become of the rows. Rejects are counted by kind with a few examples of each, so memory does not grow with them.

mod report;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use longshore_core::Error;
use longshore_protocol::{status::from_status, v1};
use longshore_state::NewReject;

use super::{
    begin::OpenedRun,
    session::{Session, refuse_missing},
};
use crate::{
    failure::Failure,
    figures::{counted, were},
};

pub use report::{DryRunReport, EstimateReport, Example, RejectKind, RequestsReport, WouldStop};

/// Examples kept of each kind of reject.
const EXAMPLES: usize = 3;

/// Kinds of rejects told apart: a destination that puts a value into a rule's name must not fill memory.
const MAX_KINDS: usize = 1_000;

/// What to do about too many rejects before there are any.
const TO_MEND: &str = "Mend what the kinds of rejects name, or raise max_rejects.";

/// What a dry run has found. Cheap to clone; all clones see the same.
#[derive(Clone, Debug, Default)]
pub struct DryRun(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    kinds: BTreeMap<Kind, Counted>,
    /// Rejects of kinds beyond [`MAX_KINDS`].
    others: u64,
    would_stop: Option<WouldStop>,
    estimates: Vec<EstimateReport>,
}

/// What tells one kind of reject from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    table: String,
    destination: String,
    rule: String,
    column: String,
    whole_row: bool,
}

#[derive(Debug, Default)]
struct Counted {
    rejects: u64,
    examples: Vec<Example>,
}

impl DryRun {
    /// Refuses destinations that would send.
    ///
    /// # Errors
    /// `capability_missing`.
    pub(super) fn check(session: &Session) -> Result<(), Failure> {
        for destination in &session.destinations {
            let plugin = &destination.plugin;
            let able = plugin
                .description
                .destination
                .as_ref()
                .is_some_and(|destination| destination.dry_run);
            if !able {
                let remedy = "Leave --dry-run out, or try the rows with `longshore preview` where the destination can show them.";
                return Err(refuse_missing(plugin, "take a dry run", remedy).into());
            }
        }
        Ok(())
    }

    /// Counts rejects that a real run would record.
    pub(super) fn keep(&self, table: &str, rejects: Vec<NewReject>) {
        let mut found = self.lock();
        for reject in rejects {
            let kind = Kind {
                table: table.to_owned(),
                destination: reject.destination,
                rule: reject.rule,
                column: reject.column,
                whole_row: reject.whole_row,
            };
            if !found.kinds.contains_key(&kind) && found.kinds.len() >= MAX_KINDS {
                found.others += 1;
                continue;
            }
            let counted = found.kinds.entry(kind).or_default();
            counted.rejects += 1;
            if counted.examples.len() < EXAMPLES {
                counted.examples.push(Example {
                    key: reject.key,
                    reason: reject.reason,
                });
            }
        }
    }

    /// A real run would stop here because of `max_rejects`; the first place counts.
    pub(super) fn would_stop(&self, table: &str, read: u64, rejected: u64) {
        self.lock().would_stop.get_or_insert_with(|| WouldStop {
            table: table.to_owned(),
            read,
            rejected,
        });
    }

    /// Asks the destinations what they would have sent, and judges as a real run would have ended.
    pub(super) async fn end_attempt(
        &self,
        session: &Session,
        run: &OpenedRun,
        moved: Result<(), Failure>,
    ) -> Result<(), Failure> {
        let moved = match moved {
            Ok(()) => Ok(()),
            Err(Failure::TooManyRejects(error)) => Err(Failure::TooManyRejects(error.with_remedy(TO_MEND))),
            failed => return failed,
        };
        let mut estimates = Vec::new();
        for destination in &session.destinations {
            let plugin = &destination.plugin;
            let request = v1::EstimateRequest {
                run_id: run.run_id.to_string(),
            };
            match plugin.destination().estimate(request).await {
                Ok(response) => estimates.push(EstimateReport::new(&plugin.name, response.into_inner())),
                Err(status) => return Err(destination.located(plugin.explain(from_status(&status)).await)),
            }
        }
        let mut found = self.lock();
        found.estimates = estimates;
        match &found.would_stop {
            Some(stop) => Err(Failure::TooManyRejects(stop.error())),
            None => moved,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WouldStop {
    fn error(&self) -> Error {
        Error::destination(
            "too_many_rejects",
            format!(
                "A real run would stop in table {}, after about {} of which {} {} rejected, because of max_rejects",
                self.table,
                counted(self.read, "row", "rows"),
                self.rejected,
                were(self.rejected)
            ),
        )
        .with_remedy(TO_MEND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(rule: &str, key: u64) -> NewReject {
        NewReject {
            destination: "batch".to_owned(),
            key: key.to_string(),
            rule: rule.to_owned(),
            reason: "why".to_owned(),
            ..NewReject::default()
        }
    }

    #[test]
    fn rejects_are_counted_by_kind_with_the_first_examples() {
        let dry_run = DryRun::default();
        dry_run.keep("t", (0..10).map(|key| reject("long", key)).collect());
        dry_run.keep("t", vec![reject("short", 7), reject("long", 10)]);
        dry_run.keep("u", vec![reject("long", 11)]);
        let kinds = dry_run.rejects();
        let counts: Vec<_> = kinds
            .iter()
            .map(|kind| (&*kind.table, &*kind.rule, kind.rejects))
            .collect();
        assert_eq!(counts, [("t", "long", 11), ("t", "short", 1), ("u", "long", 1)]);
        let keys: Vec<_> = kinds[0].examples.iter().map(|example| &*example.key).collect();
        assert_eq!(keys, ["0", "1", "2"]);
    }

    #[test]
    fn kinds_without_end_are_counted_together() {
        let dry_run = DryRun::default();
        let rejects = (0..2_000).map(|key| reject(&format!("rule {key}"), key));
        dry_run.keep("t", rejects.collect());
        assert_eq!(dry_run.rejects().len(), MAX_KINDS);
        assert_eq!(dry_run.lock().others, 1_000);
    }

    #[test]
    fn the_first_place_where_a_run_would_stop_is_the_one_to_tell() {
        let dry_run = DryRun::default();
        dry_run.would_stop("t", 10, 3);
        dry_run.would_stop("u", 20, 6);
        assert_eq!(
            dry_run
                .lock()
                .would_stop
                .as_ref()
                .map(|stop| (stop.read, stop.rejected)),
            Some((10, 3))
        );
    }
}
