//! Durations as users write them.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

/// A length of time such as `500ms`, `10s`, `10m`, `2h`, `1d`, or several in a row (`1h30m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no duration; write a number and a unit, such as 500ms, 10s, 10m, 2h or 1d");
        let mut total = Duration::ZERO;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.find(|symbol: char| !symbol.is_ascii_digit()).ok_or_else(wrong)?;
            let count: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = &rest[digits..];
            let letters = rest.find(|symbol: char| symbol.is_ascii_digit()).unwrap_or(rest.len());
            let milliseconds_each: u64 = match rest[..letters].trim() {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(wrong()),
            };
            rest = &rest[letters..];
            let milliseconds = count.checked_mul(milliseconds_each).ok_or_else(wrong)?;
            total = total
                .checked_add(Duration::from_millis(milliseconds))
                .ok_or_else(wrong)?;
        }
        Ok(Self(total))
    }
}

impl Span {
    /// Whole microseconds; as many as an `i64` holds when there are more.
    #[must_use]
    pub fn microseconds(self) -> i64 {
        i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^\\s*([0-9]+\\s*(ms|s|m|h|d)\\s*)+$",
            "description": "A length of time such as 500ms, 10s, 10m, 2h or 1d."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        let span = |text: &str| text.parse::<Span>().map(|span| span.0.as_millis()).ok();
        assert_eq!(span("10m"), Some(600_000));
        assert_eq!(span("1h30m"), Some(5_400_000));
        assert_eq!(span("0s"), Some(0));
        assert_eq!(span("2 d"), Some(172_800_000));
        for wrong in ["", "10", "m", "-1s", "1.5h", "10 minutes", "99999999999999999999s"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }
}
