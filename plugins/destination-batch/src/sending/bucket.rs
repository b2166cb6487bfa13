//! A token bucket that follows the one at the server. Pure: time comes in as a value.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// A request that is not answered after this long is taken to have arrived.
const ARRIVAL: Duration = Duration::from_secs(1);

/// What the server's bucket has at least.
///
/// That one overflows while it is full, and a request takes its tokens when it *gets there*, not when it is sent. Whatever holds a request up would otherwise be
/// counted as tokens that the server never had. So the tokens of a request on its way are set aside, and count against the capacity, until it is answered.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    capacity: f64,
    per_second: f64,
    /// Tokens, those that are set aside included.
    level: f64,
    /// Up to when tokens have been added.
    at: Instant,
    /// In the order of sending.
    on_their_way: VecDeque<OnItsWay>,
    sent: u64,
}

#[derive(Clone, Copy, Debug)]
struct OnItsWay {
    number: u64,
    tokens: f64,
    sent_at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) fn new(capacity: f64, per_second: f64, now: Instant) -> Self {
        Self {
            capacity,
            per_second,
            level: capacity,
            at: now,
            on_their_way: VecDeque::new(),
            sent: 0,
        }
    }

    /// Sets tokens aside for a request that is sent now, and numbers it; or says when to ask again, at the latest: an answer may allow it earlier. A request
    /// of more than the capacity goes when the bucket is full.
    pub(crate) fn take(&mut self, tokens: f64, now: Instant) -> Result<u64, Instant> {
        self.advance(now);
        let set_aside: f64 = self.on_their_way.iter().map(|request| request.tokens).sum();
        let wanted = tokens.min(self.capacity);
        let missing = wanted - (self.level - set_aside);
        // A microsecond is not waited for: rounding would make it many.
        if missing <= self.per_second * 1e-6 {
            self.sent += 1;
            self.on_their_way.push_back(OnItsWay {
                number: self.sent,
                tokens,
                sent_at: now,
            });
            return Ok(self.sent);
        }
        let filled_at = self.at.max(now) + Duration::from_secs_f64(missing / self.per_second);
        // Tokens that would have to be added beyond the capacity only come when a request has arrived.
        let has_room = self.capacity - set_aside >= wanted;
        match self.on_their_way.front() {
            Some(first) if !has_room => Err(first.sent_at + ARRIVAL),
            _ => Err(filled_at),
        }
    }

    /// How long it takes until so many tokens have been given, if every request arrives at once.
    pub(crate) fn time_for(&self, tokens: f64) -> Duration {
        Duration::from_secs_f64((tokens - self.level).max(0.0) / self.per_second)
    }

    /// A request was answered, so it got there.
    pub(crate) fn arrived(&mut self, number: u64, now: Instant) {
        self.advance(now);
        let place = self.on_their_way.iter().position(|request| request.number == number);
        if let Some(request) = place.and_then(|place| self.on_their_way.remove(place)) {
            self.level -= request.tokens;
        }
    }

    /// Starts from nothing: the server has just said that there is nothing left.
    pub(crate) fn empty(&mut self, now: Instant) {
        self.level = 0.0;
        self.at = now;
        self.on_their_way.clear();
    }

    fn advance(&mut self, now: Instant) {
        while let Some(first) = self.on_their_way.front().copied() {
            let arrived_at = first.sent_at + ARRIVAL;
            if arrived_at > now {
                break;
            }
            self.fill(arrived_at);
            self.level -= first.tokens;
            self.on_their_way.pop_front();
        }
        self.fill(now);
    }

    fn fill(&mut self, until: Instant) {
        let elapsed = until.saturating_duration_since(self.at);
        self.level = (self.level + elapsed.as_secs_f64() * self.per_second).min(self.capacity);
        self.at = self.at.max(until);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    /// Sends a request that arrives at once.
    fn send(bucket: &mut TokenBucket, tokens: f64, now: Instant) {
        let number = bucket.take(tokens, now).unwrap();
        bucket.arrived(number, now);
    }

    #[tokio::test]
    async fn the_burst_goes_at_once_and_the_rest_at_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1_000.0, 300.0, start);
        for _ in 0..5 {
            send(&mut bucket, 200.0, start);
        }
        assert_eq!(bucket.take(150.0, start), Err(after(start, 500)));
        send(&mut bucket, 150.0, after(start, 500));
        assert_eq!(bucket.take(150.0, after(start, 700)), Err(after(start, 1_000)));
    }

    #[tokio::test]
    async fn a_rest_fills_the_bucket_and_not_more() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100.0, 10.0, start);
        send(&mut bucket, 100.0, start);
        let later = after(start, 1_000_000);
        send(&mut bucket, 100.0, later);
        assert_eq!(bucket.take(10.0, later), Err(later + Duration::from_secs(1)));
    }

    #[tokio::test]
    async fn nothing_is_added_to_a_full_bucket_before_the_first_request_has_arrived() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1_000.0, 100.0, start);
        let number = bucket.take(1_000.0, start).unwrap();
        assert_eq!(
            bucket.take(50.0, after(start, 600)),
            Err(after(start, 1_000)),
            "a second at most"
        );
        bucket.arrived(number, after(start, 700));
        assert_eq!(bucket.take(50.0, after(start, 700)), Err(after(start, 1_200)));
        assert!(bucket.take(50.0, after(start, 1_200)).is_ok());
    }

    #[tokio::test]
    async fn a_request_that_is_never_answered_has_arrived_after_a_second() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1_000.0, 100.0, start);
        bucket.take(1_000.0, start).unwrap();
        assert_eq!(bucket.take(50.0, after(start, 1_000)), Err(after(start, 1_500)));
    }

    #[tokio::test]
    async fn a_request_beyond_the_capacity_waits_for_a_full_bucket() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(0.75, 1.0, start);
        send(&mut bucket, 1.0, start);
        assert_eq!(bucket.take(1.0, start), Err(after(start, 1_000)));
        send(&mut bucket, 1.0, after(start, 1_000));
    }

    #[tokio::test]
    async fn an_emptied_bucket_begins_with_nothing() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100.0, 10.0, start);
        bucket.take(50.0, start).unwrap();
        bucket.empty(after(start, 500));
        assert_eq!(bucket.take(10.0, after(start, 500)), Err(after(start, 1_500)));
    }

    /// A request as it went: how many tokens, how long until the answer, at which part of that it arrived, and the rest before it.
    type Sent = (u32, u64, f64, u64);

    fn sent() -> impl Strategy<Value = Sent> {
        (
            1_u32..500,
            0_u64..1_000,
            0.0..1.0_f64,
            prop_oneof![Just(0_u64), 0_u64..3_000],
        )
    }

    /// Sends them as early as the bucket allows. Gives what arrived and when, in that order.
    fn arrivals(bucket: &mut TokenBucket, start: Instant, requests: &[Sent]) -> Vec<(Instant, f64)> {
        let mut now = start;
        let (mut answers, mut arrivals) = (Vec::new(), Vec::new());
        for (tokens, latency, part, rest) in requests {
            now += Duration::from_millis(*rest);
            let number = loop {
                answers.sort();
                while let Some((at, number)) = answers.first().copied().filter(|(at, _)| *at <= now) {
                    bucket.arrived(number, at);
                    answers.remove(0);
                }
                match bucket.take(f64::from(*tokens), now) {
                    Ok(number) => break number,
                    Err(again_at) => now = answers.first().map_or(again_at, |(at, _)| again_at.min(*at)),
                }
            };
            let latency = Duration::from_millis(*latency);
            answers.push((now + latency, number));
            arrivals.push((now + latency.mul_f64(*part), f64::from(*tokens)));
        }
        arrivals.sort_by_key(|(at, _)| *at);
        arrivals
    }

    proptest! {
        /// Wherever between sending and answer a request arrives: the server, whose bucket is as large, has enough for it.
        #[test]
        fn no_request_finds_the_servers_bucket_empty(requests in prop::collection::vec(sent(), 1..80)) {
            let start = Instant::now();
            let (capacity, rate) = (1_000.0, 300.0);
            let mut bucket = TokenBucket::new(capacity, rate, start);
            let (mut level, mut at) = (capacity, start);
            for (arrival, tokens) in arrivals(&mut bucket, start, &requests) {
                level = (level + (arrival - at).as_secs_f64() * rate).min(capacity) - tokens;
                at = arrival;
                prop_assert!(level >= -1e-3, "{level}");
            }
        }
    }
}
