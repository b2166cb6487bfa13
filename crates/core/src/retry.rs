//! How long to wait before trying again, and when to stop.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Exponential growth with a cap, jitter and a bounded number of attempts.
///
/// The policy has no clock and no source of chance: whoever waits passes a number between 0 and 1 and does the sleeping.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; at least 1.
    pub max_attempts: u32,
    /// Delay before the second attempt, before jitter.
    pub first_delay: Duration,
    /// Each delay is the previous one times this.
    pub factor: f64,
    /// No delay is longer, jitter included.
    pub max_delay: Duration,
}

impl RetryPolicy {
    /// For a run whose plugin died, or whose view of the data went: attempts in a row that do not move it. Long enough for a server to restart, short
    /// enough for a person who waits at a terminal.
    pub const RUN: Self = Self {
        max_attempts: 5,
        first_delay: Duration::from_millis(500),
        factor: 3.0,
        max_delay: Duration::from_secs(15),
    };

    /// For a partition whose stream broke while its plugins live: a failure that repeats is a bug, so there are few attempts.
    pub const PARTITION: Self = Self {
        max_attempts: 4,
        first_delay: Duration::from_millis(200),
        factor: 4.0,
        max_delay: Duration::from_secs(10),
    };

    /// The delay before attempt number `next_attempt` (2 for the first repetition), or `None` when it is time to give up.
    ///
    /// `chance` is a number in `[0, 1)`: the delay lies between one half and the whole of the exponential value, so that many clients that failed
    /// together do not come back together.
    #[must_use]
    pub fn delay_before(&self, next_attempt: u32, chance: f64) -> Option<Duration> {
        if next_attempt > self.max_attempts {
            return None;
        }
        let repetitions = next_attempt.saturating_sub(2);
        let exponent = i32::try_from(repetitions).unwrap_or(i32::MAX);
        let full = self.first_delay.as_secs_f64() * self.factor.powi(exponent);
        let capped = full.min(self.max_delay.as_secs_f64());
        Some(Duration::from_secs_f64(capped * (0.5 + chance.clamp(0.0, 1.0) / 2.0)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_gives_up_after_the_last_attempt() {
        let policy = RetryPolicy::PARTITION;
        assert!(policy.delay_before(policy.max_attempts, 0.5).is_some());
        assert_eq!(policy.delay_before(policy.max_attempts + 1, 0.5), None);
    }

    proptest! {
        #[test]
        fn delays_stay_between_half_and_the_whole_and_below_the_cap(attempt in 2_u32..200, chance in 0.0_f64..1.0) {
            let policy = RetryPolicy { max_attempts: 1_000, ..RetryPolicy::PARTITION };
            let delay = policy.delay_before(attempt, chance).unwrap();
            prop_assert!(delay <= policy.max_delay);
            prop_assert!(delay >= policy.first_delay / 2);
        }
    }
}
