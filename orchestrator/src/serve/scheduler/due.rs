//! Due times that have passed and are not decided, and what becomes of them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use longshore_config::CatchUp;
use longshore_schedule::Schedule;
use longshore_state::{DueTimes, UnixMicros};

/// A run that starts within this of its time is on time: a daemon that was just restarted, a run before it that took a little longer.
pub(super) const LATE_AFTER: Duration = Duration::from_secs(60);

/// A clock that is this far behind what is decided was set back: due times count from now, or the sync would stand still until then. Less than that is an
/// adjustment, and what was decided stays.
pub(super) const SET_BACK: Duration = Duration::from_secs(60 * 60);

/// The next due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Upcoming {
    pub(super) due: UnixMicros,
    /// The due time and its jitter.
    pub(super) start: UnixMicros,
}

/// What is to be done about due times that have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// They are over.
    Miss(DueTimes),
    /// One run is for all of them.
    Run(DueTimes),
}

/// The first due time after an instant.
pub(super) fn upcoming(sync: &str, schedule: &Schedule, decided_until: UnixMicros) -> Option<Upcoming> {
    let due = schedule.next_after(instant(decided_until))?;
    Some(Upcoming {
        due: micros(due),
        start: micros(schedule.start_of(sync, due)),
    })
}

/// What becomes of the due times from the first that is not decided on.
pub(super) fn decide(
    sync: &str,
    schedule: &Schedule,
    catch_up: CatchUp,
    first: Upcoming,
    now: UnixMicros,
) -> Option<Decision> {
    let all = started_until(sync, schedule, first, now)?;
    let last_start = micros(schedule.start_of(sync, instant(all.last)));
    let on_time = now.since(last_start) <= LATE_AFTER;
    match catch_up {
        CatchUp::Once => Some(Decision::Run(all)),
        CatchUp::Skip if !on_time => Some(Decision::Miss(all)),
        CatchUp::Skip if all.first == all.last => Some(Decision::Run(all)),
        CatchUp::Skip => Some(Decision::Miss(DueTimes {
            last: before(schedule, all.last).unwrap_or(all.first),
            ..all
        })),
    }
}

/// The due times, from the first that is not decided on, whose start had come at an instant.
pub(super) fn started_until(sync: &str, schedule: &Schedule, first: Upcoming, until: UnixMicros) -> Option<DueTimes> {
    (first.start <= until).then(|| DueTimes {
        first: first.due,
        last: last_started(sync, schedule, first, until).due,
    })
}

/// The last due time whose start has come; at least the first one.
fn last_started(sync: &str, schedule: &Schedule, first: Upcoming, now: UnixMicros) -> Upcoming {
    let with_start = |due: UnixMicros| Upcoming {
        due,
        start: micros(schedule.start_of(sync, instant(due))),
    };
    let latest = schedule.latest_until(instant(now)).map(micros).map(with_start);
    let started = match latest {
        // Jitter never reaches the next due time, so the one before has started for certain.
        Some(latest) if latest.start > now => before(schedule, latest.due).map(with_start),
        latest => latest,
    };
    started.filter(|started| started.due > first.due).unwrap_or(first)
}

fn before(schedule: &Schedule, due: UnixMicros) -> Option<UnixMicros> {
    let just_before = instant(due).checked_sub_signed(TimeDelta::microseconds(1))?;
    schedule.latest_until(just_before).map(micros)
}

pub(in crate::serve) fn instant(at: UnixMicros) -> DateTime<Utc> {
    let clamped = if at.0 < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    };
    DateTime::from_timestamp_micros(at.0).unwrap_or(clamped)
}

pub(in crate::serve) fn micros(at: DateTime<Utc>) -> UnixMicros {
    UnixMicros(at.timestamp_micros())
}
