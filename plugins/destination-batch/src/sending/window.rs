//! How many requests may be in flight: more while it helps, half as many when it hurts. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// Additive increase, multiplicative decrease, between one and a configured maximum.
#[derive(Debug)]
pub(crate) struct Window {
    limit: f64,
    max: f64,
    /// The quickest answer lately: what the server takes when it is not queueing. It creeps up, so that an old record does not bind for ever.
    base: Option<Duration>,
    last_decrease: Option<Instant>,
}

/// Where a window begins: enough to fill the documented rates at ordinary latencies.
const START: f64 = 4.0;
/// An answer that takes longer than this many times the quickest one says that requests queue: more in flight would only wait there.
const QUEUEING: u32 = 3;
/// Answers below this are quick whatever the quickest one was.
const QUICK: Duration = Duration::from_millis(50);

impl Window {
    pub(crate) fn new(max: u32) -> Self {
        let max = f64::from(max.max(1));
        Self {
            limit: START.min(max),
            max,
            base: None,
            last_decrease: None,
        }
    }

    /// Requests that may be in flight.
    pub(crate) fn limit(&self) -> usize {
        // Between 1 and 64.
        self.limit as usize
    }

    /// An answer came after this long, with `in_flight` requests (itself included) at that time.
    pub(crate) fn succeeded(&mut self, latency: Duration, in_flight: usize) {
        let base = self.base.map_or(latency, |base| latency.min(base + base / 100));
        self.base = Some(base);
        let is_used = in_flight >= self.limit();
        let is_quick = latency <= QUICK || latency <= base * QUEUEING;
        if is_used && is_quick {
            self.limit = (self.limit + 1.0 / self.limit).min(self.max);
        }
    }

    /// The server refused for lack of capacity, failed or did not answer. Failures of requests that were sent before the last decrease tell nothing new.
    pub(crate) fn failed(&mut self, sent: Instant, now: Instant) {
        if self.last_decrease.is_some_and(|last| sent < last) {
            return;
        }
        self.limit = (self.limit / 2.0).max(1.0);
        self.last_decrease = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: Duration = Duration::from_millis(100);

    #[test]
    fn it_grows_by_one_a_round_while_it_is_used() {
        let mut window = Window::new(8);
        assert_eq!(window.limit(), 4);
        for _ in 0..5 {
            window.succeeded(LATENCY, 4);
        }
        assert_eq!(window.limit(), 5);
        for _ in 0..1_000 {
            let in_flight = window.limit();
            window.succeeded(LATENCY, in_flight);
        }
        assert_eq!(window.limit(), 8);
    }

    #[test]
    fn it_stays_where_it_is_when_unused_or_when_answers_queue() {
        let mut window = Window::new(8);
        for _ in 0..100 {
            window.succeeded(LATENCY, 1);
        }
        for _ in 0..10 {
            window.succeeded(LATENCY * 10, 4);
        }
        assert_eq!(window.limit(), 4);
    }

    #[tokio::test]
    async fn it_halves_once_a_round_and_never_below_one() {
        let start = Instant::now();
        let mut window = Window::new(8);
        window.failed(start, start + LATENCY);
        window.failed(start, start + LATENCY);
        assert_eq!(window.limit(), 2);
        for round in 1..10 {
            window.failed(start + LATENCY * round, start + LATENCY * (round + 1));
        }
        assert_eq!(window.limit(), 1);
    }
}
