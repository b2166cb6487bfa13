//! Points in time, as they are stored.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00 UTC, negative before.
///
/// Stores never read a clock: whoever calls them says what time it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMicros(pub i64);

impl UnixMicros {
    /// The system's clock, for the edge of a program.
    #[must_use]
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// This long after; stays at the end of the range rather than wrap.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// This long before; stays at the end of the range rather than wrap.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    /// The time passed since `earlier`; zero when a clock was set back in between.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

impl From<SystemTime> for UnixMicros {
    fn from(time: SystemTime) -> Self {
        let clamped = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => clamped(after),
            Err(before) => -clamped(before.duration()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_before_1970_is_negative() {
        assert_eq!(UnixMicros::from(UNIX_EPOCH - Duration::from_micros(3)), UnixMicros(-3));
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_negative_duration() {
        assert_eq!(UnixMicros(5).since(UnixMicros(9)), Duration::ZERO);
        assert_eq!(UnixMicros(9).since(UnixMicros(5)), Duration::from_micros(4));
        assert_eq!(UnixMicros(i64::MAX).after(Duration::from_secs(1)), UnixMicros(i64::MAX));
    }
}
