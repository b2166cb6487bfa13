//! Points in time, as people read and write them.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat};
use longshore_core::Error;
use longshore_state::UnixMicros;

/// RFC 3339 in UTC, to the second.
#[must_use]
pub fn shown(at: UnixMicros) -> String {
    shown_to(at, SecondsFormat::Secs)
}

/// RFC 3339 in UTC, to the millisecond.
#[must_use]
pub fn shown_to_the_millisecond(at: UnixMicros) -> String {
    shown_to(at, SecondsFormat::Millis)
}

fn shown_to(at: UnixMicros, precision: SecondsFormat) -> String {
    DateTime::from_timestamp_micros(at.0)
        .map_or_else(|| format!("{} µs", at.0), |at| at.to_rfc3339_opts(precision, true))
}

/// The moment that a person means: a date (its beginning in UTC), an instant in RFC 3339, or how long before `now`, such as `90m`, `24h` or `7d`.
///
/// # Errors
/// `moment_invalid`.
pub fn since(text: &str, now: UnixMicros) -> Result<UnixMicros, Error> {
    let text = text.trim();
    let instant = DateTime::parse_from_rfc3339(text).map(|instant| instant.timestamp_micros());
    let date = text.parse::<NaiveDate>();
    let date = date.map(|date| date.and_time(NaiveTime::MIN).and_utc().timestamp_micros());
    let moment = instant.or(date).map(UnixMicros).ok();
    let moment = moment.or_else(|| Some(now.before(ago(text)?)));
    moment.ok_or_else(|| {
        Error::config("moment_invalid", format!("`{text}` is no moment")).with_remedy(
            "Write a date (2026-11-01), an instant (2026-11-01T08:00:00Z), or how long ago (90m, 24h, 7d).",
        )
    })
}

fn ago(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number = text.strip_suffix(unit)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| is_number)?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_an_instant_or_how_long_ago() {
        let now = since("2026-11-26T12:00:00Z", UnixMicros(0)).unwrap();
        for (text, moment) in [
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T09:00:00+01:00", "2026-11-01T08:00:00Z"),
            ("90m", "2026-11-26T10:30:00Z"),
            ("24h", "2026-11-25T12:00:00Z"),
            ("7d", "2026-11-19T12:00:00Z"),
            ("30s", "2026-11-26T11:59:30Z"),
        ] {
            assert_eq!(shown(since(text, now).unwrap()), moment, "{text}");
        }
        for text in [
            "",
            "d",
            "-1d",
            "+1d",
            "1.5h",
            "yesterday",
            "2026-13-01",
            "7 d",
            "99999999999999999999d",
        ] {
            assert_eq!(since(text, now).unwrap_err().code, "moment_invalid", "{text}");
        }
    }

    #[test]
    fn a_moment_is_shown_in_utc() {
        assert_eq!(shown(UnixMicros(1_500)), "1970-01-01T00:00:00Z");
        assert_eq!(shown_to_the_millisecond(UnixMicros(1_500)), "1970-01-01T00:00:00.001Z");
    }
}
