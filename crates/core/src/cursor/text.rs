//! Cursor values as people write and read them.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta};

use super::{CursorType, CursorValue, Sign, TimeUnit, Timestamp, decimal::is_decimal};

/// A text is no value of the cursor's type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {expected}")]
pub struct ParseCursorError {
    text: String,
    expected: String,
}

impl fmt::Display for CursorValue {
    /// Integers and decimals in digits, dates as `2026-11-20`, instants as RFC 3339 UTC, local times without a zone, UUIDs in their usual
    /// form, bytes as `\x…`. A date that the calendar type can not hold is shown as its number of units, so nothing is ever shown wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Uint(value) => write!(f, "{value}"),
            Self::Decimal(value) | Self::Text(value) => f.write_str(value),
            Self::Date(days) => match date_of(*days) {
                Some(date) => write!(f, "{date}"),
                None => write!(f, "day {days} since 1970-01-01"),
            },
            Self::Timestamp(at) => at.fmt(f),
            Self::Uuid(bytes) => {
                let hex = hex_of(bytes);
                write!(
                    f,
                    "{}-{}-{}-{}-{}",
                    &hex[..8],
                    &hex[8..12],
                    &hex[12..16],
                    &hex[16..20],
                    &hex[20..]
                )
            }
            Self::Binary(bytes) => write!(f, "\\x{}", hex_of(bytes)),
            Self::Infinity(Sign::Negative) => f.write_str("-infinity"),
            Self::Infinity(Sign::Positive) => f.write_str("infinity"),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.unit.per_second();
        let seconds = self.value.div_euclid(per_second);
        let nanoseconds = self.value.rem_euclid(per_second) * (1_000_000_000 / per_second);
        let nanoseconds = u32::try_from(nanoseconds).expect("a remainder of one second is below 10⁹ ns");
        let Some(at) = DateTime::from_timestamp(seconds, nanoseconds) else {
            return write!(f, "{} {:?}s since 1970-01-01", self.value, self.unit);
        };
        let digits = match self.unit {
            TimeUnit::Second => SecondsFormat::Secs,
            TimeUnit::Millisecond => SecondsFormat::Millis,
            TimeUnit::Microsecond => SecondsFormat::Micros,
            TimeUnit::Nanosecond => SecondsFormat::Nanos,
        };
        let text = at.to_rfc3339_opts(digits, true);
        f.write_str(if self.instant {
            &text
        } else {
            text.trim_end_matches('Z')
        })
    }
}

impl CursorType {
    /// Reads a value as a person writes it, in the form that [`CursorValue`] is shown in. A date alone is its midnight, in UTC for an instant.
    ///
    /// # Errors
    /// When the text is no value of the type, or says more digits than the type's unit keeps: nothing is rounded.
    pub fn parse(self, text: &str) -> Result<CursorValue, ParseCursorError> {
        self.parse_option(text).ok_or_else(|| ParseCursorError {
            text: text.to_owned(),
            expected: self.expectation().to_owned(),
        })
    }

    fn parse_option(self, text: &str) -> Option<CursorValue> {
        match (self, text) {
            (Self::Date | Self::Timestamp { .. }, "infinity") => return Some(CursorValue::Infinity(Sign::Positive)),
            (Self::Date | Self::Timestamp { .. }, "-infinity") => return Some(CursorValue::Infinity(Sign::Negative)),
            _ => {}
        }
        Some(match self {
            Self::Int => CursorValue::Int(text.parse().ok()?),
            Self::Uint => CursorValue::Uint(text.parse().ok()?),
            Self::Decimal => CursorValue::Decimal(Some(text).filter(|text| is_decimal(text))?.to_owned()),
            Self::Date => {
                let date: NaiveDate = text.parse().ok()?;
                let days = date.signed_duration_since(NaiveDate::default()).num_days();
                CursorValue::Date(i32::try_from(days).ok()?)
            }
            Self::Timestamp { unit, instant } => {
                let since_epoch = match text.parse::<NaiveDate>() {
                    Ok(date) => date.signed_duration_since(NaiveDate::default()),
                    Err(_) if instant => DateTime::parse_from_rfc3339(text)
                        .ok()?
                        .signed_duration_since(DateTime::UNIX_EPOCH),
                    Err(_) => {
                        let local: NaiveDateTime = text.replacen(' ', "T", 1).parse().ok()?;
                        local.signed_duration_since(DateTime::UNIX_EPOCH.naive_utc())
                    }
                };
                CursorValue::Timestamp(Timestamp {
                    value: in_unit(since_epoch, unit)?,
                    unit,
                    instant,
                })
            }
            Self::Text => CursorValue::Text(text.to_owned()),
            Self::Uuid => CursorValue::Uuid(bytes_of(&text.replace('-', ""))?.try_into().ok()?),
            Self::Binary => CursorValue::Binary(bytes_of(text.strip_prefix("\\x")?)?),
        })
    }

    fn expectation(self) -> &'static str {
        match self {
            Self::Int => "a whole number of 64 bits",
            Self::Uint => "a whole number of 64 bits, zero or more",
            Self::Decimal => "a decimal number such as -12.340",
            Self::Date => "a date such as 2026-11-20",
            Self::Timestamp { instant: true, .. } => {
                "an RFC 3339 time with zone, such as 2026-11-20T10:00:00Z, with no more digits than the column keeps, or a date"
            }
            Self::Timestamp { instant: false, .. } => {
                "a date and time without zone, such as 2026-11-20T10:00:00, with no more digits than the column keeps, or a date"
            }
            Self::Text => "text",
            Self::Uuid => "a UUID",
            Self::Binary => "bytes written as \\x followed by hexadecimal digits",
        }
    }
}

fn date_of(days: i32) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(TimeDelta::days(i64::from(days)))
}

fn in_unit(since_epoch: TimeDelta, unit: TimeUnit) -> Option<i64> {
    let seconds = since_epoch.num_seconds();
    let rest = i64::from(since_epoch.subsec_nanos());
    let nanoseconds_per_unit = 1_000_000_000 / unit.per_second();
    if rest % nanoseconds_per_unit != 0 {
        return None;
    }
    seconds
        .checked_mul(unit.per_second())?
        .checked_add(rest / nanoseconds_per_unit)
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect();
    let digits = digits?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    Some(pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// Bytes as hexadecimal text in JSON.
pub(super) mod bytes_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::hex_of(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::bytes_of(&text).ok_or_else(|| D::Error::custom("not hexadecimal text"))
    }
}

/// A UUID as hexadecimal text in JSON.
pub(super) mod uuid_hex {
    use serde::{Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
        super::bytes_hex::serialize(bytes, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
        let bytes = super::bytes_hex::deserialize(deserializer)?;
        bytes.try_into().map_err(|_| D::Error::custom("not 16 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::any_value, *};

    const MICROSECOND_INSTANT: CursorType = CursorType::Timestamp {
        unit: TimeUnit::Microsecond,
        instant: true,
    };

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(value in any_value()) {
            let Some(cursor_type) = value.cursor_type() else { return Ok(()) };
            let shown = value.to_string();
            // Years outside the calendar of RFC 3339 are shown as a count of units and refused when typed in.
            prop_assume!(!shown.contains("since 1970-01-01") && !shown.starts_with('+'));
            prop_assume!(!matches!(value, CursorValue::Timestamp(_)) || !shown.starts_with('-'));
            prop_assert_eq!(cursor_type.parse(&shown), Ok(value));
        }
    }

    #[test]
    fn instants_are_read_with_any_offset_and_local_times_with_none() {
        let plus_seven = MICROSECOND_INSTANT.parse("2026-11-20T17:00:00.000001+07:00").unwrap();
        assert_eq!(plus_seven.to_string(), "2026-11-20T10:00:00.000001Z");
        assert!(MICROSECOND_INSTANT.parse("2026-11-20T10:00:00").is_err());
        let local = CursorType::Timestamp {
            unit: TimeUnit::Second,
            instant: false,
        };
        assert_eq!(
            local.parse("1969-12-31 23:59:59").unwrap().to_string(),
            "1969-12-31T23:59:59"
        );
        assert!(local.parse("2026-11-20T10:00:00Z").is_err());
    }

    #[test]
    fn digits_that_the_unit_does_not_keep_are_refused_not_rounded() {
        let error = MICROSECOND_INSTANT.parse("2026-11-20T10:00:00.123456789Z").unwrap_err();
        assert!(
            error.to_string().contains("no more digits than the column keeps"),
            "{error}"
        );
    }

    #[test]
    fn nonsense_is_refused_for_every_type() {
        for cursor_type in [
            CursorType::Int,
            CursorType::Uint,
            CursorType::Decimal,
            CursorType::Date,
            MICROSECOND_INSTANT,
            CursorType::Uuid,
            CursorType::Binary,
        ] {
            for nonsense in ["", "soon", "1e5", "12,5", "0x10", "--1", "1.", "infinit"] {
                assert!(
                    cursor_type.parse(nonsense).is_err(),
                    "{cursor_type:?} took {nonsense:?}"
                );
            }
        }
    }
}
