//! What becomes of rejected rows: whether they are kept, for how long, and whether they are tried again.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// The longest time that rejects are kept: ten years.
const LONGEST_DAYS: u64 = 3_650;

/// What becomes of rejected rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejects {
    /// Whether the values of a rejected row are kept in the state, so that the row can be looked at, mended and sent again. Keys, reasons and the shape of
    /// what is wrong are kept in any case.
    #[serde(default)]
    pub values: RejectedValues,
    /// How long rejects are kept: hours or days, such as "30d". Older ones go with the next run, dealt with or not.
    #[serde(default)]
    #[schemars(extend("examples" = ["30d", "12h"]))]
    pub retention: Retention,
    /// Whether the next run sends rejected rows again, before it reads new ones.
    #[serde(default)]
    pub retry: Retry,
}

/// Whether the values of rejected rows are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RejectedValues {
    /// They are kept until the row is delivered, superseded or too old.
    #[default]
    Keep,
    /// They never leave the destination's process. Such rejects can be listed and not sent again.
    Omit,
}

/// When rejected rows are tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// By the next run, once, unless a newer version of the same row was delivered since.
    #[default]
    NextRun,
    /// Only by `longshore rejects replay`.
    Never,
}

/// A time for which rejects or runs are kept: whole hours or days, at least one hour and at most 3650 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    hours: u64,
}

/// Why a text is no retention.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time is a whole number of hours or days, from \"1h\" to \"3650d\", such as \"30d\"")]
pub struct RetentionError;

impl Retention {
    /// So many days.
    pub(crate) const fn of_days(days: u64) -> Self {
        Self {
            hours: days * DAY / HOUR,
        }
    }

    /// The time.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.hours * HOUR)
    }
}

impl Default for Retention {
    /// 30 days: long enough to notice and to mend, short enough that values of people do not stay for good.
    fn default() -> Self {
        Self::of_days(30)
    }
}

impl FromStr for Retention {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, unit_hours) = match (text.strip_suffix('h'), text.strip_suffix('d')) {
            (Some(number), _) => (number, 1),
            (_, Some(number)) => (number, DAY / HOUR),
            (None, None) => return Err(RetentionError),
        };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RetentionError);
        }
        let hours = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit_hours));
        match hours {
            Some(hours) if (1..=LONGEST_DAYS * DAY / HOUR).contains(&hours) => Ok(Self { hours }),
            _ => Err(RetentionError),
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hours.is_multiple_of(DAY / HOUR) {
            true => write!(formatter, "{}d", self.hours / (DAY / HOUR)),
            false => write!(formatter, "{}h", self.hours),
        }
    }
}

impl Serialize for Retention {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Retention {
    fn schema_name() -> Cow<'static, str> {
        "Retention".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+[hd]$",
            "format": crate::formats::RETENTION,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_whole_hours_or_days_within_its_range() {
        for (text, hours, shown) in [
            ("1h", 1, "1h"),
            ("48h", 48, "2d"),
            ("30d", 720, "30d"),
            ("3650d", 87_600, "3650d"),
        ] {
            let retention: Retention = text.parse().expect("a retention");
            assert_eq!(retention.duration(), Duration::from_secs(hours * HOUR));
            assert_eq!(retention.to_string(), shown);
        }
        for text in [
            "",
            "h",
            "0h",
            "0d",
            "30",
            "30 d",
            "-1d",
            "1.5d",
            "3651d",
            "30m",
            "99999999999999999999d",
        ] {
            assert_eq!(text.parse::<Retention>(), Err(RetentionError), "{text}");
        }
        assert_eq!(Retention::default().to_string(), "30d");
    }
}
