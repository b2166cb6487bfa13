//! Lengths of time as people write them.

use std::{fmt, str::FromStr, time::Duration};

/// A length of time: a whole number of seconds, minutes, hours or days, such as `30s`, `15m`, `6h` or `1d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    seconds: u32,
}

/// Units from the largest to the smallest, so that the shortest exact form is found first.
const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Why a text is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// It is not a number and a unit.
    #[error("a length of time is a whole number and one of the units s, m, h, d, such as 30s, 15m or 6h")]
    Malformed,
    /// It is more than fits.
    #[error("the length of time is more than 366 days")]
    TooLong,
}

impl Span {
    /// The longest: more than a year between two runs is no schedule.
    pub const LONGEST: Self = Self { seconds: 366 * 86_400 };

    /// So many seconds; at most [`Self::LONGEST`].
    #[must_use]
    pub const fn from_seconds(seconds: u32) -> Self {
        let longest = Self::LONGEST.seconds;
        Self {
            seconds: if seconds > longest { longest } else { seconds },
        }
    }

    /// The number of seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.seconds
    }

    /// The same as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.seconds as u64)
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unit = text.chars().last().ok_or(SpanError::Malformed)?;
        let (_, factor) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or(SpanError::Malformed)?;
        let digits = &text[..text.len() - unit.len_utf8()];
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SpanError::Malformed);
        }
        let number: u32 = digits.parse().map_err(|_| SpanError::TooLong)?;
        let seconds = number.checked_mul(*factor).ok_or(SpanError::TooLong)?;
        let span = Self { seconds };
        if span > Self::LONGEST {
            return Err(SpanError::TooLong);
        }
        Ok(span)
    }
}

impl fmt::Display for Span {
    /// The largest unit that gives a whole number.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS
            .iter()
            .find(|(_, factor)| self.seconds != 0 && self.seconds.is_multiple_of(*factor));
        let (unit, factor) = exact.copied().unwrap_or(('s', 1));
        write!(formatter, "{}{unit}", self.seconds / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_shown_in_its_largest_whole_unit() {
        for (text, seconds, shown) in [
            ("0s", 0, "0s"),
            ("30s", 30, "30s"),
            ("90s", 90, "90s"),
            ("120s", 120, "2m"),
            ("15m", 900, "15m"),
            ("60m", 3_600, "1h"),
            ("24h", 86_400, "1d"),
            ("366d", 31_622_400, "366d"),
        ] {
            let span: Span = text.parse().expect("a span");
            assert_eq!((span.seconds(), span.to_string().as_str()), (seconds, shown), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "m", "15", "15 m", "-1m", "1.5h", "1w", "15M", "5µ"] {
            assert_eq!(text.parse::<Span>(), Err(SpanError::Malformed), "{text}");
        }
        for text in ["367d", "99999999999s", "4294967295d"] {
            assert_eq!(text.parse::<Span>(), Err(SpanError::TooLong), "{text}");
        }
    }
}
