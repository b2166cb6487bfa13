//! How fast a destination that does nothing acks.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::spec::DiscardSpec;

/// Holds acks back: each by the same delay, all of them together by a rate.
pub(crate) struct Pace {
    delay: Duration,
    interval: Option<Duration>,
    next: Mutex<Instant>,
}

impl Pace {
    pub(crate) fn new(spec: &DiscardSpec) -> Self {
        Self {
            delay: Duration::from_millis(spec.ack_delay),
            interval: spec.batches_per_second.map(|rate| Duration::from_secs(1) / rate.get()),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits until the next batch may be acked.
    pub(crate) async fn wait(&self) {
        if let Some(interval) = self.interval {
            tokio::time::sleep_until(self.reserve(interval).into()).await;
        }
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }

    /// Takes the next free place of the rate, so that partitions that wait at the same time do not share one.
    fn reserve(&self, interval: Duration) -> Instant {
        let mut next = self.next.lock().expect("no holder of this lock panics");
        let place = (*next).max(Instant::now());
        *next = place + interval;
        place
    }
}
