//! A token bucket that says when, not whether. Pure: time comes in as a value.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket whose level may go below zero: tokens beyond the level are promised for later, first come, first served.
///
/// The schedule is exact: a wait that ends late does not shift the ones after it, so the rate is used to the full.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) fn new(capacity: f64, per_second: f64, now: Instant) -> Self {
        Self {
            capacity,
            per_second,
            level: capacity,
            at: now,
        }
    }

    /// Takes tokens and says from when on they may be used. `now` may also lie ahead: nothing is granted before it.
    pub(crate) fn reserve(&mut self, tokens: f64, now: Instant) -> Instant {
        self.refill(now);
        self.level -= tokens;
        let from = self.at.max(now);
        if self.level >= 0.0 {
            from
        } else {
            from + Duration::from_secs_f64(-self.level / self.per_second)
        }
    }

    /// Gives tokens back that were reserved and not used.
    pub(crate) fn refund(&mut self, tokens: f64) {
        self.level = (self.level + tokens).min(self.capacity);
    }

    /// Forgets what was promised and starts from nothing: the server has just said that there is nothing left.
    pub(crate) fn empty(&mut self, now: Instant) {
        self.level = 0.0;
        self.at = now;
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at);
        self.level = (self.level + elapsed.as_secs_f64() * self.per_second).min(self.capacity);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[tokio::test]
    async fn the_burst_goes_at_once_and_the_rest_at_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1_000.0, 300.0, start);
        for _ in 0..5 {
            assert_eq!(bucket.reserve(200.0, start), start);
        }
        assert_eq!(bucket.reserve(150.0, start), after(start, 500));
        assert_eq!(bucket.reserve(150.0, start), after(start, 1_000));
        assert_eq!(bucket.reserve(150.0, after(start, 700)), after(start, 1_500));
    }

    #[tokio::test]
    async fn a_rest_fills_the_bucket_and_not_more() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100.0, 10.0, start);
        bucket.reserve(100.0, start);
        let later = after(start, 1_000_000);
        assert_eq!(bucket.reserve(100.0, later), later);
        assert_eq!(bucket.reserve(10.0, later), later + Duration::from_secs(1));
    }

    #[tokio::test]
    async fn what_is_given_back_can_be_used_again() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100.0, 10.0, start);
        bucket.reserve(100.0, start);
        bucket.refund(50.0);
        assert_eq!(bucket.reserve(50.0, start), start);
        bucket.refund(1_000.0);
        bucket.reserve(100.0, start);
        assert_eq!(bucket.reserve(10.0, start), after(start, 1_000));
    }

    #[tokio::test]
    async fn an_emptied_bucket_has_no_promises_left() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100.0, 10.0, start);
        bucket.reserve(500.0, start);
        bucket.empty(after(start, 1_000));
        assert_eq!(bucket.reserve(10.0, after(start, 1_000)), after(start, 2_000));
    }

    proptest! {
        /// In no stretch of time is more granted than capacity and rate allow.
        #[test]
        fn grants_never_exceed_burst_and_rate(steps in prop::collection::vec((1_u32..200, 0_u64..3_000), 1..80)) {
            let start = Instant::now();
            let (capacity, rate) = (1_000.0, 300.0);
            let mut bucket = TokenBucket::new(capacity, rate, start);
            let mut now = start;
            let mut grants: Vec<(Instant, f64)> = Vec::new();
            for (tokens, pause) in steps {
                now += Duration::from_millis(pause);
                let tokens = f64::from(tokens);
                grants.push((bucket.reserve(tokens, now), tokens));
            }
            for first in 0..grants.len() {
                let mut total = 0.0;
                for (at, tokens) in &grants[first..] {
                    total += tokens;
                    let allowed = capacity + rate * (*at - grants[first].0).as_secs_f64();
                    prop_assert!(total <= allowed + 1e-3, "{total} > {allowed}");
                }
            }
        }
    }
}
