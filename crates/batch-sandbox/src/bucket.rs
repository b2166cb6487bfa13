//! The token bucket of one project and endpoint.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits;

/// How many updates an endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Updates a second that can be kept up.
    pub per_second: u64,
    /// Updates that fit into the bucket. A call of more operations than this is never admitted.
    pub burst: u64,
}

/// The documented rate of `/profiles/update`.
pub const UPDATE: Rate = Rate {
    per_second: limits::UPDATE_RATE,
    burst: limits::UPDATE_BURST,
};

/// The documented rate of `/profiles/mass-update`.
pub const MASS_UPDATE: Rate = Rate {
    per_second: limits::MASS_UPDATE_RATE,
    burst: limits::MASS_UPDATE_BURST,
};

/// One token is this many parts, so that a refill of any number of nanoseconds is exact.
const PARTS_PER_TOKEN: u128 = 1_000_000_000;

/// A bucket that starts full. It knows no clock: time comes in as a value.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate: Rate,
    parts: u128,
    refilled_at: Duration,
}

impl TokenBucket {
    /// A full bucket at the time `now`.
    pub fn full(rate: Rate, now: Duration) -> Self {
        Self {
            rate,
            parts: u128::from(rate.burst) * PARTS_PER_TOKEN,
            refilled_at: now,
        }
    }

    /// Takes `cost` tokens, or none: a refused call costs nothing (not documented, our inference).
    pub fn try_take(&mut self, cost: u64, now: Duration) -> bool {
        self.refill(now);
        let wanted = u128::from(cost) * PARTS_PER_TOKEN;
        if wanted > self.parts {
            return false;
        }
        self.parts -= wanted;
        true
    }

    /// Whole tokens left at the time `now`.
    pub fn available(&mut self, now: Duration) -> u64 {
        self.refill(now);
        u64::try_from(self.parts / PARTS_PER_TOKEN).unwrap_or(u64::MAX)
    }

    fn refill(&mut self, now: Duration) {
        let Some(passed) = now.checked_sub(self.refilled_at) else {
            return;
        };
        let capacity = u128::from(self.rate.burst) * PARTS_PER_TOKEN;
        // A token a second is one part a nanosecond.
        let gained = passed.as_nanos().saturating_mul(u128::from(self.rate.per_second));
        self.parts = self.parts.saturating_add(gained).min(capacity);
        self.refilled_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(7);

    fn after(milliseconds: u64) -> Duration {
        START + Duration::from_millis(milliseconds)
    }

    #[test]
    fn update_takes_five_full_calls_at_once_and_then_one_and_a_half_a_second() {
        let mut bucket = TokenBucket::full(UPDATE, START);
        for call in 0..5 {
            assert!(bucket.try_take(200, START), "call {call} fits into the burst");
        }
        assert!(!bucket.try_take(1, START), "the burst is spent");
        assert!(!bucket.try_take(200, after(666)), "200 updates take 666.7 ms");
        assert!(bucket.try_take(200, after(667)));
        assert_eq!(bucket.available(after(667)), 0);
    }

    #[test]
    fn mass_update_takes_one_full_call_a_second_and_saves_nothing_beyond_it() {
        let mut bucket = TokenBucket::full(MASS_UPDATE, START);
        assert!(bucket.try_take(10_000, START));
        assert!(!bucket.try_take(10_000, after(999)));
        assert!(bucket.try_take(10_000, after(1_000)));
        assert!(bucket.try_take(10_000, after(60_000)), "a long pause fills the bucket");
        assert!(!bucket.try_take(1, after(60_000)), "and no more than that");
    }

    #[test]
    fn a_refused_call_costs_nothing() {
        let mut bucket = TokenBucket::full(
            Rate {
                per_second: 1,
                burst: 10,
            },
            START,
        );
        assert!(!bucket.try_take(11, START));
        assert!(bucket.try_take(10, START));
    }

    #[test]
    fn a_minute_of_tiny_steps_gains_exactly_the_rate() {
        let mut bucket = TokenBucket::full(UPDATE, START);
        assert!(bucket.try_take(1_000, START));
        let mut taken = 0;
        for step in 1..=60_000 {
            while bucket.try_take(1, after(step)) {
                taken += 1;
            }
        }
        assert_eq!(taken, 60 * 300);
    }

    #[test]
    fn time_that_goes_back_gains_nothing() {
        let mut bucket = TokenBucket::full(UPDATE, START);
        assert!(bucket.try_take(1_000, START));
        assert!(!bucket.try_take(1, Duration::ZERO));
        assert_eq!(bucket.available(after(10)), 3);
    }
}
