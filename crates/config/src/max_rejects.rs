//! How many refused rows a run may have.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Parts per million in the whole: shares are kept as integers, so that the comparison is exact.
const WHOLE: u32 = 1_000_000;

/// Digits after the point that a percentage may have: one part per million.
const PERCENT_DECIMALS: usize = 4;

/// A bound on rejects: a count such as `100`, or a share of the rows read such as `"1%"` or `"0.05%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxRejects {
    /// At most so many rows.
    Count(u64),
    /// At most so many of a million rows read; 0 to 1,000,000.
    PartsPerMillion(u32),
}

/// Why a text is not a share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the bound is a whole number of rows, or a share from 0% to 100% with at most 4 decimals, such as \"1%\" or \"0.05%\""
)]
pub struct MaxRejectsError;

impl MaxRejects {
    /// Whether `rejected` of `read` rows are too many. A share of a run that is still going swings at its start: the
    /// caller decides from how many rows on it asks.
    pub fn is_exceeded(self, rejected: u64, read: u64) -> bool {
        match self {
            Self::Count(most) => rejected > most,
            Self::PartsPerMillion(parts) => {
                u128::from(rejected) * u128::from(WHOLE) > u128::from(parts) * u128::from(read)
            }
        }
    }
}

impl FromStr for MaxRejects {
    type Err = MaxRejectsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('%').ok_or(MaxRejectsError)?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(decimals) || decimals.len() > PERCENT_DECIMALS {
            return Err(MaxRejectsError);
        }
        let digits = format!("{whole}{decimals:0<PERCENT_DECIMALS$}");
        match digits.parse::<u32>() {
            Ok(parts) if parts <= WHOLE => Ok(Self::PartsPerMillion(parts)),
            _ => Err(MaxRejectsError),
        }
    }
}

impl fmt::Display for MaxRejects {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(most) => write!(formatter, "{most}"),
            Self::PartsPerMillion(parts) => {
                let text = format!("{}.{:04}", parts / 10_000, parts % 10_000);
                let text = text.trim_end_matches('0').trim_end_matches('.');
                write!(formatter, "{text}%")
            }
        }
    }
}

impl Serialize for MaxRejects {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(most) => serializer.serialize_u64(*most),
            Self::PartsPerMillion(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for MaxRejects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = MaxRejects;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number of rows, or a share such as \"1%\"")
            }

            fn visit_u64<E: de::Error>(self, most: u64) -> Result<MaxRejects, E> {
                Ok(MaxRejects::Count(most))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<MaxRejects, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for MaxRejects {
    fn schema_name() -> Cow<'static, str> {
        "MaxRejects".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "minimum": 0,
            "pattern": "^[0-9]{1,3}(\\.[0-9]{1,4})?%$",
            "format": crate::formats::MAX_REJECTS,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact() {
        for (text, parts) in [
            ("0%", 0),
            ("1%", 10_000),
            ("0.05%", 500),
            ("0.0001%", 1),
            ("100%", WHOLE),
        ] {
            let bound: MaxRejects = text.parse().expect("a share");
            assert_eq!(bound, MaxRejects::PartsPerMillion(parts));
            assert_eq!(bound.to_string(), text);
        }
        for text in [
            "1",
            "%",
            "1 %",
            "-1%",
            "101%",
            "100.0001%",
            "0.00001%",
            "1.%",
            ".5%",
            "9999999999%",
        ] {
            assert!(text.parse::<MaxRejects>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_bound_is_exceeded_by_the_first_row_beyond_it() {
        assert!(!MaxRejects::Count(2).is_exceeded(2, 2));
        assert!(MaxRejects::Count(2).is_exceeded(3, 1_000_000));
        let one_percent = MaxRejects::PartsPerMillion(10_000);
        assert!(!one_percent.is_exceeded(10, 1000));
        assert!(one_percent.is_exceeded(11, 1000));
        assert!(!one_percent.is_exceeded(0, 0));
        assert!(!MaxRejects::PartsPerMillion(WHOLE).is_exceeded(u64::MAX, u64::MAX));
    }
}
