//! The daemon's clock: the system's, or for tests one that runs faster.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use longshore_state::UnixMicros;

/// No sleep is longer: the system's clock may be set, or the machine suspended, while a timer of this process knows nothing of it.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What time it is for schedules. Leases, the history and everything within a run go by the system's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// How many times as fast as the system's clock it runs.
    factor: u32,
    /// When both showed the same.
    base: UnixMicros,
}

/// Why a text is no clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a clock for tests is written as FACTOR@INSTANT, such as 60@2026-11-26T10:00:00Z, with a factor from 1 to 100000"
)]
pub struct ClockError;

impl Default for Clock {
    /// The system's clock.
    fn default() -> Self {
        Self {
            factor: 1,
            base: UnixMicros(0),
        }
    }
}

impl FromStr for Clock {
    type Err = ClockError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (factor, base) = text.split_once('@').ok_or(ClockError)?;
        let factor = factor.parse().map_err(|_| ClockError)?;
        let base: DateTime<Utc> = base.parse().map_err(|_| ClockError)?;
        let base = UnixMicros(base.timestamp_micros());
        (1..=100_000)
            .contains(&factor)
            .then_some(Self { factor, base })
            .ok_or(ClockError)
    }
}

impl Clock {
    /// What time it is.
    pub(super) fn now(self) -> UnixMicros {
        self.at(UnixMicros::now())
    }

    /// What it shows when the system's clock shows `system`.
    #[must_use]
    pub fn at(self, system: UnixMicros) -> UnixMicros {
        let since = system.0.saturating_sub(self.base.0);
        UnixMicros(self.base.0.saturating_add(since.saturating_mul(self.factor.into())))
    }

    /// How long to sleep until an instant may have come; shorter where that is long, so that the clock is looked at again.
    pub(super) fn sleep_until(self, instant: Option<UnixMicros>) -> Duration {
        let until = instant.map(|instant| instant.since(self.now()) / self.factor);
        // A timer that wakes a little early would only find nothing to do.
        let until = until.map(|until| until + Duration::from_millis(1));
        until.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_for_tests_runs_faster_from_its_base_on() {
        let clock: Clock = "60@1970-01-01T00:01:40Z".parse().unwrap();
        assert_eq!(clock.at(UnixMicros(100_000_000)), UnixMicros(100_000_000));
        assert_eq!(clock.at(UnixMicros(101_000_000)), UnixMicros(160_000_000));
        assert_eq!(Clock::default().at(UnixMicros(7)), UnixMicros(7));
    }

    #[test]
    fn what_is_no_clock_is_refused() {
        for text in [
            "",
            "60",
            "0@1970-01-01T00:00:00Z",
            "-1@1970-01-01T00:00:00Z",
            "60@yesterday",
        ] {
            assert_eq!(text.parse::<Clock>(), Err(ClockError), "{text}");
        }
    }
}
