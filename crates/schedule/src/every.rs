//! Intervals.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::span::Span;

/// Due at every whole multiple of a length of time since 1970-01-01T00:00:00 UTC: `15m` at :00, :15, :30 and :45.
///
/// Aligned to a fixed point and not to the start of a process, so that a restart changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Every(Span);

/// Why a length of time is no interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an interval is at least {}", Every::SHORTEST)]
pub struct EveryError;

impl Every {
    /// The shortest interval: starting the plugins of a run takes a good part of a second.
    pub const SHORTEST: Span = Span::from_seconds(5);

    /// An interval.
    ///
    /// # Errors
    /// It is shorter than [`Self::SHORTEST`].
    pub fn new(span: Span) -> Result<Self, EveryError> {
        match span < Self::SHORTEST {
            true => Err(EveryError),
            false => Ok(Self(span)),
        }
    }

    /// The length of time.
    #[must_use]
    pub fn span(self) -> Span {
        self.0
    }

    pub(crate) fn next_after(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.latest_until(at)?.checked_add_signed(self.delta())
    }

    pub(crate) fn latest_until(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let seconds = i64::from(self.0.seconds());
        let multiple = at.timestamp().div_euclid(seconds) * seconds;
        DateTime::from_timestamp(multiple, 0)
    }

    fn delta(self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.0.seconds()))
    }
}

impl fmt::Display for Every {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "every {}", self.0)
    }
}
