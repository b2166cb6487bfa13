//! Instants and days, which the API takes as RFC 3339 text in UTC.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike, Utc};

use super::Violation;

/// Writes an instant without quotes, such as `2026-11-20T10:00:00Z`; a fraction only where there is one, with 3, 6 or 9 digits.
pub(crate) fn write(instant: DateTime<Utc>, out: &mut Vec<u8>) -> Result<(), Violation> {
    let local = instant.naive_utc();
    let year = u32::try_from(local.year())
        .ok()
        .filter(|year| *year <= 9_999)
        .ok_or_else(out_of_range)?;
    push_digits::<4>(out, year);
    // Of several million instants a run, digit by digit: the formatting machinery takes five times as long.
    for (before, part) in [
        (b'-', local.month()),
        (b'-', local.day()),
        (b'T', local.hour()),
        (b':', local.minute()),
        (b':', local.second()),
    ] {
        out.push(before);
        push_digits::<2>(out, part);
    }
    // A leap second is a nanosecond beyond 10^9.
    let nanosecond = local.nanosecond() % 1_000_000_000;
    if nanosecond != 0 {
        out.push(b'.');
        match nanosecond {
            _ if nanosecond.is_multiple_of(1_000_000) => push_digits::<3>(out, nanosecond / 1_000_000),
            _ if nanosecond.is_multiple_of(1_000) => push_digits::<6>(out, nanosecond / 1_000),
            _ => push_digits::<9>(out, nanosecond),
        }
    }
    out.push(b'Z');
    Ok(())
}

/// The last `N` decimal digits of a number, zeros in front.
fn push_digits<const N: usize>(out: &mut Vec<u8>, number: u32) {
    let mut digits = [b'0'; N];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits);
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
