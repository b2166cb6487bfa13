//! Who is told when a sync fails, lags or rejects too much, and when it is well again.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::max_rejects::MaxRejects;

/// Alerts of a sync. Each is sent once when its condition begins to hold, and once when it does not hold any more.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// Where alerts are sent: an HTTP(S) address that takes a POST with JSON, which docs/observability.md describes. It is a secret.
    #[schemars(extend("format" = crate::formats::WEBHOOK, "examples" = ["${ALERT_WEBHOOK}"]))]
    pub url: Webhook,
    /// Whether a failed sync is told of. One that is going to be tried again has not failed yet.
    #[serde(default = "yes")]
    pub failure: bool,
    /// How far a table's cursor may be behind the source's clock before it is told: seconds, minutes, hours or days, such as "30m". Without it, any time. Only
    /// tables whose cursor is a time have a lag.
    #[serde(default)]
    #[schemars(extend("examples" = ["30m", "2h"]))]
    pub max_lag: Option<Lag>,
    /// How many rows of a run may be refused as a whole before it is told: a count, or a share of the rows read such as "1%". Without it, any number.
    #[serde(default)]
    #[schemars(extend("examples" = [100, "1%"]))]
    pub max_rejects: Option<MaxRejects>,
}

fn yes() -> bool {
    true
}

/// From this length on, in characters, the path of an address for alerts may be a key: `services/T0000/B0000/…`, and not `hooks/longshore`.
const SHORTEST_SECRET_PATH: usize = 20;

/// An address that takes alerts. `Debug` does not show it: whoever knows it can post to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook(String);

/// Why a text is no address for alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address begins with `https://` or `http://` and names a host, such as `https://alerts.example.com/hook`")]
pub struct WebhookError;

impl Webhook {
    /// The address.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What of it must not be shown: the address, and its path by itself where that is long enough to be what gives access.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let after_scheme = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let path = after_scheme.find(['/', '?']).map(|at| &after_scheme[at + 1..]);
        let path = path.filter(|path| path.chars().count() >= SHORTEST_SECRET_PATH);
        std::iter::once(self.reveal()).chain(path)
    }
}

impl FromStr for Webhook {
    type Err = WebhookError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
        let is_address = host.is_some_and(|host| !host.is_empty()) && !text.contains(char::is_whitespace);
        is_address.then(|| Self(text.to_owned())).ok_or(WebhookError)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Webhook(***)")
    }
}

impl<'de> Deserialize<'de> for Webhook {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Webhook {
    fn schema_name() -> Cow<'static, str> {
        "Webhook".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^https?://.",
            "format": crate::formats::WEBHOOK,
            "writeOnly": true,
        })
    }
}

/// A time by which a cursor may be behind: whole seconds, minutes, hours or days, at least one second and at most 365 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    seconds: u64,
}

/// Why a text is no such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time is a whole number of seconds, minutes, hours or days, from \"1s\" to \"365d\", such as \"30m\"")]
pub struct LagError;

const LONGEST_SECONDS: u64 = 365 * 86_400;

/// Units, the longest first: a time is shown in the longest that it is a whole number of.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl Lag {
    /// The time.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

impl FromStr for Lag {
    type Err = LagError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = UNITS
            .iter()
            .find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, seconds)));
        let (number, unit) = found.ok_or(LagError)?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(LagError);
        }
        let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*unit));
        match seconds {
            Some(seconds) if (1..=LONGEST_SECONDS).contains(&seconds) => Ok(Self { seconds }),
            _ => Err(LagError),
        }
    }
}

impl fmt::Display for Lag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, seconds)| self.seconds.is_multiple_of(*seconds));
        let (unit, seconds) = whole.expect("every time is a whole number of seconds");
        write!(formatter, "{}{unit}", self.seconds / seconds)
    }
}

impl Serialize for Lag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Lag {
    fn schema_name() -> Cow<'static, str> {
        "Lag".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+[smhd]$",
            "format": crate::formats::LAG,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_a_whole_number_of_a_unit_within_its_range() {
        for (text, seconds, shown) in [
            ("1s", 1, "1s"),
            ("90s", 90, "90s"),
            ("120s", 120, "2m"),
            ("48h", 172_800, "2d"),
        ] {
            let lag: Lag = text.parse().expect("a lag");
            assert_eq!((lag.duration().as_secs(), &*lag.to_string()), (seconds, shown));
        }
        for text in [
            "",
            "m",
            "0m",
            "30",
            "1.5h",
            "-1m",
            "366d",
            "5w",
            "99999999999999999999s",
        ] {
            assert_eq!(text.parse::<Lag>(), Err(LagError), "{text}");
        }
    }

    #[test]
    fn an_address_for_alerts_is_one_of_the_web_and_is_not_shown() {
        let webhook: Webhook = "https://alerts.example.com/hook?token=hunter2"
            .parse()
            .expect("an address");
        assert_eq!(webhook.reveal(), "https://alerts.example.com/hook?token=hunter2");
        assert!(!format!("{webhook:?}").contains("hunter2"));
        for text in [
            "",
            "alerts.example.com",
            "ftp://x",
            "https://",
            "https:///path",
            "http://a b",
        ] {
            assert_eq!(text.parse::<Webhook>(), Err(WebhookError), "{text}");
        }
    }
}
