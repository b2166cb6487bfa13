//! Schedules and instants in short.

use chrono::{DateTime, SecondsFormat, Utc};
use longshore_schedule::{Cron, Every, Rhythm, Schedule, Span};

pub(crate) fn cron(text: &str, zone: &str) -> Schedule {
    Schedule {
        rhythm: Rhythm::Cron(Cron::parse(text, zone.parse().unwrap()).unwrap()),
        jitter: Span::default(),
    }
}

pub(crate) fn every(text: &str) -> Schedule {
    Schedule {
        rhythm: Rhythm::Every(Every::new(text.parse().unwrap()).unwrap()),
        jitter: Span::default(),
    }
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The next due times after an instant, in UTC.
pub(crate) fn next(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let due = |after: &DateTime<Utc>| schedule.next_after(*after);
    std::iter::successors(due(&at(after)), due)
        .take(count)
        .map(|due| due.to_rfc3339_opts(SecondsFormat::Secs, true))
        .collect()
}
