//! Points in time, as people read them.

use chrono::{DateTime, SecondsFormat};
use longshore_state::UnixMicros;

/// RFC 3339 in UTC, to the second.
#[must_use]
pub fn shown(at: UnixMicros) -> String {
    DateTime::from_timestamp_micros(at.0).map_or_else(
        || format!("{} µs", at.0),
        |at| at.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}
