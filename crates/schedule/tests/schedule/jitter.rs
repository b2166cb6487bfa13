//! Jitter: the same after a restart, spread, and within its bounds.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use longshore_schedule::Schedule;
use proptest::prelude::*;

use super::support::{at, cron, every};

fn with_jitter(schedule: Schedule, jitter: &str) -> Schedule {
    Schedule {
        jitter: jitter.parse().unwrap(),
        ..schedule
    }
}

#[test]
fn without_jitter_a_run_starts_when_it_is_due() {
    let due = at("2026-11-26T10:15:00Z");
    assert_eq!(every("15m").start_of("shop", due), due);
}

#[test]
fn the_jitter_of_a_due_time_is_always_the_same() {
    let due = at("2026-11-26T10:15:00Z");
    let start = || with_jitter(every("15m"), "5m").start_of("shop", due);
    assert_eq!(start(), start());
    // Written down, so that another version of this program finds the same one after a restart.
    assert_eq!(start(), at(GOLDEN));
}

const GOLDEN: &str = "2026-11-26T10:16:12.878Z";

#[test]
fn syncs_that_are_due_together_are_spread() {
    let schedule = with_jitter(every("15m"), "5m");
    let due = at("2026-11-26T10:15:00Z");
    let starts: BTreeSet<DateTime<Utc>> = (0..20)
        .map(|sync| schedule.start_of(&format!("sync-{sync}"), due))
        .collect();
    assert!(starts.len() > 15, "{starts:?}");
    let width = *starts.last().unwrap() - *starts.first().unwrap();
    assert!(width > TimeDelta::minutes(3), "{width}");
}

proptest! {
    #[test]
    fn jitter_stays_within_its_bound_and_before_the_next_due_time(sync in "[a-z]{1,8}", number in 0_i64..100_000, jitter in 1_u32..3_600) {
        for schedule in [every("10m"), cron("*/10 * * * *", "Europe/Paris")] {
            let schedule = with_jitter(schedule, &format!("{jitter}s"));
            let due = at("2026-01-01T00:00:00Z") + TimeDelta::minutes(10 * number);
            let start = schedule.start_of(&sync, due);
            prop_assert!(start >= due && start <= due + TimeDelta::seconds(jitter.into()));
            prop_assert!(start < schedule.next_after(due).unwrap());
        }
    }
}
