//! Where traces and metrics are pushed, and how a trace goes from one process to the next. The crate's README.md is the road map.

mod carrying;
mod exporting;
mod target;

pub use carrying::{carried, carry};
pub use exporting::{ExportError, meter_provider, shut_down, tracer_provider};
pub use target::{Signal, Target, TargetError};
