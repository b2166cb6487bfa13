//! What the state says of turns and runs, and whether that is as it has to be.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use longshore_tests::{Context, Longshore, Result};
use serde::Deserialize;

use super::syncs::{SYNCS, name_of, times_of};

/// A daemon's schedules count from its start; a machine under load takes a while for it.
const SLOW_START: TimeDelta = TimeDelta::minutes(20);

#[derive(Debug, Deserialize)]
struct Turn {
    sync: String,
    first_due_at: DateTime<Utc>,
    last_due_at: DateTime<Utc>,
    status: String,
    run_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Run {
    run_id: String,
    status: String,
    attempt: u32,
}

pub(super) struct Account {
    /// Oldest first.
    turns: Vec<Turn>,
    runs: Vec<Run>,
}

impl Account {
    pub(super) async fn open(longshore: &Longshore) -> Result<Self> {
        let turns = longshore.json(["syncs", "turns", "--limit", "100000"]).await?;
        let runs = longshore.json(["runs", "list", "--limit", "100000"]).await?;
        let mut turns: Vec<Turn> = serde_json::from_value(turns).context("every turn is for due times")?;
        turns.reverse();
        Ok(Self {
            turns,
            runs: serde_json::from_value(runs).context("runs are listed")?,
        })
    }

    /// What there is, for whoever watches the test.
    pub(super) fn in_words(&self) -> String {
        let of = |status: &str| self.turns.iter().filter(|turn| turn.status == status).count();
        format!(
            "{} turns, {} done, {} missed where that is wanted; {} runs",
            self.turns.len(),
            of("completed"),
            of("missed"),
            self.runs.len()
        )
    }

    fn of(&self, number: usize) -> impl Iterator<Item = &Turn> {
        let name = name_of(number);
        self.turns.iter().filter(move |turn| turn.sync == name)
    }

    /// Whether a run for a later due time is complete.
    pub(super) fn has_run_since(&self, number: usize, instant: DateTime<Utc>) -> bool {
        self.of(number)
            .any(|turn| turn.status == "completed" && turn.last_due_at > instant)
    }

    /// Every due time from the start to the last one that is decided has one turn, in the order of time, and all of them are done; missed ones only where
    /// that is wanted.
    pub(super) fn assert_every_due_time_done_once(&self, started_by: DateTime<Utc>, quiet_since: DateTime<Utc>) {
        for number in 0..SYNCS {
            let (name, times) = (name_of(number), times_of(number / 4));
            let turns: Vec<&Turn> = self.of(number).collect();
            let (first, last) = (turns.first().unwrap(), turns.last().unwrap());
            let expected_first = times.between(started_by, started_by + SLOW_START);
            assert!(
                first.first_due_at <= expected_first[0],
                "{name} missed its first due time: {first:?}"
            );
            assert!(last.last_due_at > quiet_since, "{name}: {last:?}");
            let before_first = first.first_due_at - TimeDelta::seconds(1);
            let due_times = times.between(before_first, last.last_due_at);
            assert!(due_times.len() >= 3, "{name} was due {} times only", due_times.len());
            for due in &due_times {
                let covering: Vec<&&Turn> = turns
                    .iter()
                    .filter(|turn| turn.first_due_at <= *due && *due <= turn.last_due_at)
                    .collect();
                assert_eq!(covering.len(), 1, "{name} at {due}: {covering:?}");
            }
            for turn in &turns {
                let ends = [turn.first_due_at, turn.last_due_at];
                assert!(
                    ends.iter().all(|end| due_times.contains(end)),
                    "{name} was not due then: {turn:?}"
                );
                let is_right = match turn.status.as_str() {
                    "completed" => true,
                    "missed" => !times.catches_up,
                    // The daemon was told to end while the next one waited.
                    "open" => turn.first_due_at == last.first_due_at,
                    _ => false,
                };
                assert!(is_right, "{name}: {turn:?}");
            }
        }
    }

    /// Each turn that is done was done by one complete run, which did no other turn, and no run is left over. Returns how many runs took several attempts.
    pub(super) fn assert_each_run_did_one_turn(&self) -> usize {
        let runs: BTreeMap<&str, &Run> = self.runs.iter().map(|run| (run.run_id.as_str(), run)).collect();
        let mut linked = BTreeSet::new();
        for turn in &self.turns {
            match &turn.run_id {
                Some(run_id) => {
                    assert!(
                        linked.insert(run_id.as_str()),
                        "the run of {turn:?} did another turn too"
                    );
                    let run = runs.get(run_id.as_str());
                    let done = run.is_some_and(|run| run.status == "completed");
                    assert!(done || turn.status == "open", "{turn:?}: {run:?}");
                }
                None => assert!(
                    turn.status == "missed" || turn.status == "open",
                    "it was done by no run: {turn:?}"
                ),
            }
        }
        assert_eq!(linked, runs.keys().copied().collect(), "a run was for no turn");
        self.gone_on_with()
    }

    /// How many runs took several attempts.
    pub(super) fn gone_on_with(&self) -> usize {
        self.runs.iter().filter(|run| run.attempt > 1).count()
    }
}
