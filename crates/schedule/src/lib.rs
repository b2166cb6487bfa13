//! When a sync is due: cron expressions in time zones, intervals, jitter.
//!
//! Everything here is a function of its arguments: there is no clock and no chance. The crate's README.md is the road map.

mod cron;
mod every;
mod schedule;
mod span;
mod zone;

pub use cron::{Cron, CronError};
pub use every::{Every, EveryError};
pub use schedule::{Rhythm, Schedule};
pub use span::{Span, SpanError};
pub use zone::{Zone, ZoneError, zone_names};
