//! Dates, times and instants as text with exactly the digits of their unit.

use arrow::datatypes::TimeUnit;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _};

const NANOSECONDS_A_SECOND: i64 = 1_000_000_000;

/// Milliseconds of a day, the unit of a `Date64`.
pub(crate) const MILLISECONDS_A_DAY: i64 = 86_400_000;

/// How many of a unit make a second.
pub(crate) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => NANOSECONDS_A_SECOND,
    }
}

fn digits(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// Seconds and, behind the point, the digits that the unit has.
fn fraction(value: i64, unit: TimeUnit) -> (i64, String) {
    let per_second = per_second(unit);
    let (seconds, rest) = (value.div_euclid(per_second), value.rem_euclid(per_second));
    match digits(unit) {
        0 => (seconds, String::new()),
        width => (seconds, format!(".{rest:0width$}")),
    }
}

/// An instant; `None` where the calendar ends.
pub(crate) fn timestamp(value: i64, unit: TimeUnit, zoned: bool) -> Option<String> {
    let (seconds, fraction) = fraction(value, unit);
    let moment = DateTime::from_timestamp(seconds, 0)?;
    let zone = if zoned { "Z" } else { "" };
    Some(format!("{}{fraction}{zone}", moment.format("%Y-%m-%dT%H:%M:%S")))
}

/// A day since 1970-01-01; `None` where the calendar ends.
pub(crate) fn date(days: i64) -> Option<String> {
    let moment = DateTime::from_timestamp(days.checked_mul(86_400)?, 0)?;
    Some(moment.format("%Y-%m-%d").to_string())
}

/// A day, of which the milliseconds since 1970 are given; `None` where the calendar ends, and within a day.
pub(crate) fn date_of_milliseconds(milliseconds: i64) -> Option<String> {
    let is_whole = milliseconds % MILLISECONDS_A_DAY == 0;
    is_whole.then(|| date(milliseconds / MILLISECONDS_A_DAY)).flatten()
}

/// A time of day; `None` when it is none.
pub(crate) fn time(value: i64, unit: TimeUnit) -> Option<String> {
    let (seconds, fraction) = fraction(value, unit);
    let time = NaiveTime::from_num_seconds_from_midnight_opt(u32::try_from(seconds).ok()?, 0)?;
    Some(format!("{}{fraction}", time.format("%H:%M:%S")))
}

pub(crate) fn read_date(text: &str) -> Option<i64> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.signed_duration_since(NaiveDate::default()).num_days())
}

pub(crate) fn read_time(text: &str, unit: TimeUnit) -> Option<i64> {
    let (whole, nanoseconds) = split_fraction(text)?;
    let time = NaiveTime::parse_from_str(whole, "%H:%M:%S").ok()?;
    in_unit(
        time.num_seconds_from_midnight().into(),
        plain(time.nanosecond(), nanoseconds)?,
        unit,
    )
}

pub(crate) fn read_timestamp(text: &str, unit: TimeUnit, zoned: bool) -> Option<i64> {
    let (local, offset_seconds) = match zoned {
        true => split_zone(text)?,
        false => (text, 0),
    };
    let (whole, nanoseconds) = split_fraction(local)?;
    let moment = NaiveDateTime::parse_from_str(whole, "%Y-%m-%dT%H:%M:%S").ok()?;
    let seconds = moment.and_utc().timestamp() - offset_seconds;
    in_unit(seconds, plain(moment.nanosecond(), nanoseconds)?, unit)
}

/// A leap second is no value of a column.
fn plain(beyond_the_second: u32, nanoseconds: i64) -> Option<i64> {
    (beyond_the_second == 0).then_some(nanoseconds)
}

/// Text before the point, and what is behind it in nanoseconds.
fn split_fraction(text: &str) -> Option<(&str, i64)> {
    let Some((whole, fraction)) = text.split_once('.') else {
        return Some((text, 0));
    };
    let is_digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let kept = fraction.trim_end_matches('0');
    if !is_digits || kept.len() > 9 {
        return None;
    }
    Some((whole, format!("{kept:0<9}").parse().ok()?))
}

/// An instant's local part and its offset from UTC: `Z`, `+02:00` or `-02:00`.
fn split_zone(text: &str) -> Option<(&str, i64)> {
    if let Some(local) = text.strip_suffix('Z') {
        return Some((local, 0));
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, clock) = offset.split_at_checked(1)?;
    let (hours, minutes) = clock.split_once(':')?;
    let all_digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(hours) || !all_digits(minutes) {
        return None;
    }
    let seconds = hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60;
    match sign {
        "+" => Some((local, seconds)),
        "-" => Some((local, -seconds)),
        _ => None,
    }
}

/// `None` when the unit does not keep all digits, or the value is beyond it.
fn in_unit(seconds: i64, nanoseconds: i64, unit: TimeUnit) -> Option<i64> {
    let nanoseconds_a_unit = NANOSECONDS_A_SECOND / per_second(unit);
    if nanoseconds % nanoseconds_a_unit != 0 {
        return None;
    }
    // A moment before 1970 whose seconds alone are beyond the range may fit with its fraction.
    let value = i128::from(seconds) * i128::from(per_second(unit)) + i128::from(nanoseconds / nanoseconds_a_unit);
    i64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_may_be_given_with_any_offset_and_no_digit_too_many() {
        let at = |text: &str| read_timestamp(text, TimeUnit::Millisecond, true);
        assert_eq!(at("1970-01-01T00:00:01.500Z"), Some(1_500));
        assert_eq!(at("1970-01-01T02:00:01.5+02:00"), Some(1_500));
        assert_eq!(at("1969-12-31T23:59:59.999Z"), Some(-1));
        for refused in [
            "1970-01-01T00:00:01.0005Z",
            "1970-01-01T00:00:01",
            "1970-01-01",
            "1970-01-01T00:00:60Z",
            "Z",
            "",
        ] {
            assert_eq!(at(refused), None, "{refused}");
        }
        assert_eq!(read_timestamp("1970-01-01T00:00:01", TimeUnit::Second, false), Some(1));
        assert_eq!(read_timestamp("1970-01-01T00:00:01Z", TimeUnit::Second, false), None);
    }

    #[test]
    fn where_the_calendar_ends_there_is_no_text() {
        assert_eq!(timestamp(i64::MAX, TimeUnit::Second, true), None);
        assert_eq!(date(i64::from(i32::MAX)), None);
        assert_eq!(time(86_400, TimeUnit::Second), None);
    }
}
