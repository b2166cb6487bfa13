//! The due times of a schedule, and jitter.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use xxhash_rust::xxh3::xxh3_64;

use crate::{cron::Cron, every::Every, span::Span};

/// What decides the due times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// A cron expression in a time zone.
    Cron(Cron),
    /// An interval.
    Every(Every),
}

/// When a sync is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What decides the due times.
    pub rhythm: Rhythm,
    /// The most by which a run starts after its due time.
    pub jitter: Span,
}

/// Windows in which the latest due time is looked for, each from its length before the instant asked about. Searching forwards alone keeps one rule for
/// clock changes; growing windows keep the number of steps small, because a rhythm that has nothing in one window has little in the next.
const WINDOWS: [TimeDelta; 6] = [
    TimeDelta::hours(1),
    TimeDelta::days(1),
    TimeDelta::days(32),
    TimeDelta::days(367),
    TimeDelta::days(5 * 366),
    TimeDelta::days(41 * 366),
];

impl Schedule {
    /// The first due time after an instant; `None`: there is none any more.
    #[must_use]
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.rhythm {
            Rhythm::Cron(cron) => cron.next_after(at),
            Rhythm::Every(every) => every.next_after(at),
        }
    }

    /// The last due time at an instant or before it.
    #[must_use]
    pub fn latest_until(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if let Rhythm::Every(every) = &self.rhythm {
            return every.latest_until(at);
        }
        WINDOWS.into_iter().find_map(|window| {
            let start = at.checked_sub_signed(window)?;
            let due = |after: &DateTime<Utc>| self.next_after(*after).filter(|next| *next <= at);
            std::iter::successors(due(&start), due).last()
        })
    }

    /// When the run for a due time starts: the same for a sync and a due time whoever asks, at least a millisecond before the next due time, and never more
    /// than [`Self::jitter`] after its own.
    #[must_use]
    pub fn start_of(&self, sync: &str, due: DateTime<Utc>) -> DateTime<Utc> {
        if self.jitter.seconds() == 0 {
            return due;
        }
        let jitter = i64::from(self.jitter.seconds()) * 1_000;
        let until_next = self
            .next_after(due)
            .map_or(i64::MAX, |next| (next - due).num_milliseconds());
        let most = jitter.min(until_next - 1).max(0);
        let key = format!("{sync}\0{}", due.timestamp());
        // Spread over all of `0..=most`; the remainder's bias is far below what anybody could notice.
        let share = xxh3_64(key.as_bytes()) % most.unsigned_abs().saturating_add(1);
        let put_off = TimeDelta::milliseconds(i64::try_from(share).unwrap_or(0));
        due.checked_add_signed(put_off).unwrap_or(due)
    }
}

impl fmt::Display for Rhythm {
    /// As the user wrote it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(cron) => cron.fmt(formatter),
            Self::Every(every) => every.fmt(formatter),
        }
    }
}

impl fmt::Display for Schedule {
    /// Everything that decides the due times, and nothing else: two schedules that differ in it have different ones.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rhythm {
            Rhythm::Cron(cron) => write!(formatter, "{cron} {}", cron.zone()),
            Rhythm::Every(every) => every.fmt(formatter),
        }
    }
}
