//! Time as a value: what the bucket and the event window are measured against.

use std::fmt::Debug;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::sync::locked;

/// Where the sandbox reads the time. Replaced in tests, so that limits over time are tested without waiting.
pub trait Clock: Debug + Send + Sync {
    /// Time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;
    /// The time of day, which may jump.
    fn wall(&self) -> DateTime<Utc>;
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    fn wall(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<(Duration, DateTime<Utc>)>,
}

impl ManualClock {
    /// A clock that stands at `wall`.
    pub fn starting_at(wall: DateTime<Utc>) -> Self {
        Self {
            now: Mutex::new((Duration::ZERO, wall)),
        }
    }

    /// Moves both clocks forward by `step`.
    pub fn advance(&self, step: Duration) {
        let mut now = locked(&self.now);
        now.0 += step;
        now.1 += step;
    }
}

impl Clock for ManualClock {
    fn elapsed(&self) -> Duration {
        locked(&self.now).0
    }

    fn wall(&self) -> DateTime<Utc> {
        locked(&self.now).1
    }
}
