//! A token bucket that says when, not whether. Pure: time comes in as a value.

use std::time::Duration;

use tokio::time::Instant;

/// How long the first request after a rest may take to arrive before that is no longer waited for: see [`TokenBucket::arrived`].
const ARRIVAL: Duration = Duration::from_secs(1);

/// A token bucket whose level may go below zero: tokens beyond the level are promised for later, first come, first served.
///
/// The schedule is exact: a wait that ends late does not shift the ones after it, so the rate is used to the full.
///
/// It follows a bucket at the server, which overflows while it is full. That one begins to fill again when the first request *gets there*, not when it is
/// sent: until then nothing is added here either. Otherwise whatever holds up the first request would be counted as tokens that the server never had.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    /// Up to when tokens have been added. Ahead of now while the first request after a rest is on its way.
    at: Instant,
    /// When the first request after a rest was granted, until it has arrived.
    left_full_at: Option<Instant>,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) fn new(capacity: f64, per_second: f64, now: Instant) -> Self {
        Self {
            capacity,
            per_second,
            level: capacity,
            at: now,
            left_full_at: None,
        }
    }

    /// Takes tokens and says from when on they may be used. `now` may also lie ahead: nothing is granted before it.
    pub(crate) fn reserve(&mut self, tokens: f64, now: Instant) -> Instant {
        self.refill(now);
        if self.level >= self.capacity {
            self.left_full_at = Some(now);
            self.at = now + ARRIVAL;
        }
        self.level -= tokens;
        if self.level >= 0.0 {
            now
        } else {
            self.at.max(now) + Duration::from_secs_f64(-self.level / self.per_second)
        }
    }

    /// A request got there. True: it is the first one after a rest, and what was promised may be had earlier.
    pub(crate) fn arrived(&mut self, now: Instant) -> bool {
        if self.left_full_at.is_none_or(|left_full_at| now < left_full_at) {
            return false;
        }
        self.left_full_at = None;
        let is_early = now < self.at;
        self.at = self.at.min(now);
        is_early
    }

    /// Gives tokens back that were reserved and not used.
    pub(crate) fn refund(&mut self, tokens: f64) {
        self.level = (self.level + tokens).min(self.capacity);
    }

    /// Forgets what was promised and starts from nothing: the server has just said that there is nothing left.
    pub(crate) fn empty(&mut self, now: Instant) {
        self.level = 0.0;
        self.at = now;
        self.left_full_at = None;
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
        bucket.arrived(start);
        assert_eq!(bucket.reserve(150.0, start), after(start, 500));
        assert_eq!(bucket.reserve(150.0, start), after(start, 1_000));
        assert_eq!(bucket.reserve(150.0, after(start, 700)), after(start, 1_500));
    }

    #[tokio::test]
    async fn after_a_rest_tokens_are_added_from_when_the_first_request_has_arrived() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1_000.0, 100.0, start);
        assert_eq!(bucket.reserve(1_000.0, start), start);
        assert_eq!(bucket.reserve(50.0, start), after(start, 1_500), "it may take a second");
        bucket.refund(50.0);
        assert!(bucket.arrived(after(start, 200)), "it took less");
        assert_eq!(bucket.reserve(50.0, after(start, 200)), after(start, 700));
        assert!(!bucket.arrived(after(start, 300)), "only the first one matters");
        assert_eq!(bucket.reserve(50.0, after(start, 300)), after(start, 1_200));
    }

    #[tokio::test]
    async fn a_rest_fills_the_bucket_and_not_more() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100.0, 10.0, start);
        bucket.reserve(100.0, start);
        let later = after(start, 1_000_000);
        assert_eq!(bucket.reserve(100.0, later), later);
        bucket.arrived(later);
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
        bucket.arrived(start);
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

    /// The bucket at the server: full at first, no promises.
    struct Server {
        level: f64,
        at: Instant,
    }

    impl Server {
        fn take(&mut self, tokens: f64, now: Instant) -> bool {
            let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
            self.level = (self.level + elapsed * 300.0).min(1_000.0);
            self.at = now;
            self.level -= tokens;
            self.level >= -1e-3
        }
    }

    proptest! {
        /// However long the first request takes to arrive, up to a second: the others are not refused.
        #[test]
        fn a_late_first_request_costs_no_refusal(late in 0_u64..1_000, sizes in prop::collection::vec(1_u32..200, 1..60)) {
            let start = Instant::now();
            let mut bucket = TokenBucket::new(1_000.0, 300.0, start);
            let mut server = Server { level: 1_000.0, at: start };
            let arrival = after(start, late);
            let mut has_arrived = false;
            for tokens in std::iter::once(200).chain(sizes) {
                let tokens = f64::from(tokens);
                let mut granted = bucket.reserve(tokens, if has_arrived { arrival } else { start });
                if granted > start && !has_arrived {
                    has_arrived = true;
                    bucket.refund(tokens);
                    bucket.arrived(arrival);
                    granted = bucket.reserve(tokens, arrival);
                }
                // What is sent before the first one has arrived arrives with it, all the others at once.
                prop_assert!(server.take(tokens, granted.max(arrival)));
            }
        }

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
