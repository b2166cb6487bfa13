//! Instants and days, which the API takes as RFC 3339 text in UTC.

use std::io::Write;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike, Utc};

use super::Violation;

/// Writes an instant without quotes, such as `2026-11-20T10:00:00Z`; a fraction only where there is one, with 3, 6 or 9 digits.
pub(crate) fn write(instant: DateTime<Utc>, out: &mut Vec<u8>) -> Result<(), Violation> {
    let year = instant.year();
    if !(0..=9_999).contains(&year) {
        return Err(out_of_range());
    }
    let (month, day) = (instant.month(), instant.day());
    let (hour, minute, second) = (instant.hour(), instant.minute(), instant.second());
    let nanosecond = instant.nanosecond() % 1_000_000_000;
    let written = write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
        .and_then(|()| match nanosecond {
            0 => Ok(()),
            _ if nanosecond.is_multiple_of(1_000_000) => write!(out, ".{:03}", nanosecond / 1_000_000),
            _ if nanosecond.is_multiple_of(1_000) => write!(out, ".{:06}", nanosecond / 1_000),
            _ => write!(out, ".{nanosecond:09}"),
        })
        .and_then(|()| out.write_all(b"Z"));
    written.expect("a Vec takes every byte");
    Ok(())
}

/// Writes an instant as a JSON string.
pub(crate) fn write_json(instant: DateTime<Utc>, out: &mut Vec<u8>) -> Result<(), Violation> {
    out.push(b'"');
    write(instant, out)?;
    out.push(b'"');
    Ok(())
}

/// The start of a day, counted from 1970-01-01, in UTC.
pub(crate) fn from_days(days: i64) -> Result<DateTime<Utc>, Violation> {
    let seconds = days.checked_mul(86_400).ok_or_else(out_of_range)?;
    DateTime::from_timestamp(seconds, 0).ok_or_else(out_of_range)
}

/// Reads an RFC 3339 text with its offset; a blank may stand for the `T`. A day alone is its start in UTC where `day_alone` says so.
pub(crate) fn parse(text: &str, day_alone: bool) -> Result<DateTime<Utc>, Violation> {
    let text = text.trim();
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(instant.with_timezone(&Utc));
    }
    if day_alone
        && text.len() == 10
        && let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d")
    {
        return Ok(NaiveDateTime::from(day).and_utc());
    }
    let reason = format!(
        "A text of {} characters that is no RFC 3339 time with Z or an offset",
        text.chars().count()
    );
    Err(Violation::new("date_invalid", reason))
}

/// RFC 3339 has four digits for the year: PostgreSQL's `infinity` and years BC can not be written.
pub(crate) fn out_of_range() -> Violation {
    Violation::new(
        "date_out_of_range",
        "A date outside the years 0000 to 9999 (or infinity)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(instant: DateTime<Utc>) -> Result<String, &'static str> {
        let mut out = Vec::new();
        write(instant, &mut out).map_err(|violation| violation.rule)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn instants_are_written_with_as_many_digits_as_they_have() {
        for (seconds, nanoseconds, expected) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (-1, 0, "1969-12-31T23:59:59Z"),
            (1, 120_000_000, "1970-01-01T00:00:01.120Z"),
            (1, 1_000, "1970-01-01T00:00:01.000001Z"),
            (1, 1, "1970-01-01T00:00:01.000000001Z"),
            (253_402_300_799, 0, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(
                written(DateTime::from_timestamp(seconds, nanoseconds).unwrap()).unwrap(),
                expected
            );
        }
        assert_eq!(
            written(DateTime::from_timestamp(253_402_300_800, 0).unwrap()),
            Err("date_out_of_range")
        );
        assert_eq!(from_days(i64::from(i32::MAX)).unwrap_err().rule, "date_out_of_range");
    }

    #[test]
    fn text_must_say_its_offset() {
        let normal = |text| {
            parse(text, true)
                .map(|instant| written(instant).unwrap())
                .map_err(|violation| violation.rule)
        };
        assert_eq!(normal("2026-04-17T04:25:00Z").as_deref(), Ok("2026-04-17T04:25:00Z"));
        assert_eq!(
            normal("2026-04-17 06:25:00.5+02:00").as_deref(),
            Ok("2026-04-17T04:25:00.500Z")
        );
        assert_eq!(normal(" 1990-01-02 ").as_deref(), Ok("1990-01-02T00:00:00Z"));
        for text in ["2026-04-17T04:25:00", "17/04/2026", "", "yesterday", "2026-02-30"] {
            assert_eq!(normal(text), Err("date_invalid"), "{text}");
        }
        assert_eq!(parse("1990-01-02", false).unwrap_err().rule, "date_invalid");
    }
}
