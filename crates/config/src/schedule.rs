//! When `longshore serve` runs a sync.

use std::borrow::Cow;

use longshore_schedule::{Cron, Every, Rhythm, Schedule, Span, Zone};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// When a sync runs by itself: a cron expression, or a mapping with `cron` or `every`.
///
/// In a loaded configuration it is always usable: [`schedule`](Self::schedule).
#[derive(Clone, Debug, PartialEq)]
pub struct SyncSchedule {
    schedule: Result<Schedule, Problem>,
    catch_up: CatchUp,
}

/// What becomes of due times at which the sync could not run: nobody ran the daemon, the sync was paused, or its last run still went on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// One run as soon as possible makes up for all of them together: it reads everything that is new.
    #[default]
    Once,
    /// They are left out; the sync runs at its next due time.
    Skip,
}

impl CatchUp {
    /// The word in a document.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Skip => "skip",
        }
    }
}

/// What is wrong with a schedule as a whole; each part of it is well formed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    /// Below the schedule.
    pub(crate) pointer: &'static str,
    pub(crate) message: &'static str,
    pub(crate) help: &'static str,
}

impl SyncSchedule {
    /// The due times and the jitter.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        let schedule = self.schedule.as_ref();
        schedule.expect("loading refuses a configuration with a schedule that is none")
    }

    /// What becomes of missed due times.
    #[must_use]
    pub fn catch_up(&self) -> CatchUp {
        self.catch_up
    }

    pub(crate) fn problem(&self) -> Option<&Problem> {
        self.schedule.as_ref().err()
    }
}

/// The two forms of a schedule.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Cron(String),
    Options(Options),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    cron: Option<String>,
    time_zone: Option<String>,
    every: Option<String>,
    jitter: Option<String>,
    catch_up: CatchUp,
}

impl Options {
    /// The due times and the jitter. A part that is not well formed was refused by the schema before; it counts as left out here.
    fn schedule(&self) -> Result<Schedule, Problem> {
        let jitter = self
            .jitter
            .as_deref()
            .and_then(|text| text.parse().ok())
            .unwrap_or_default();
        let rhythm = match (&self.cron, &self.every) {
            (Some(_), Some(_)) => Err(Problem {
                pointer: "/every",
                message: "a schedule has either `cron` or `every`, and this one has both",
                help: "remove one of them",
            }),
            (None, None) => Err(Problem {
                pointer: "",
                message: "a schedule needs `cron` or `every`",
                help: "write `{cron: \"*/5 * * * *\", time_zone: Europe/Paris}` or `{every: 15m}`",
            }),
            (Some(cron), None) => self.cron(cron),
            (None, Some(every)) => self.every(every),
        };
        Ok(Schedule {
            rhythm: rhythm?,
            jitter,
        })
    }

    fn cron(&self, text: &str) -> Result<Rhythm, Problem> {
        let zone = self.time_zone.as_deref().and_then(|name| name.parse().ok());
        let cron = Cron::parse(text, zone.unwrap_or(Zone::UTC)).map_err(|_| Problem {
            pointer: "/cron",
            message: "this is no cron expression",
            help: "write five fields: minute, hour, day of month, month, day of week",
        });
        cron.map(Rhythm::Cron)
    }

    fn every(&self, text: &str) -> Result<Rhythm, Problem> {
        if self.time_zone.is_some() {
            return Err(Problem {
                pointer: "/time_zone",
                message: "`time_zone` has a meaning with `cron` only",
                help: "an interval is the same everywhere and counts from 1970-01-01T00:00:00 UTC: remove `time_zone`",
            });
        }
        let every = text.parse::<Span>().ok().and_then(|span| Every::new(span).ok());
        every.map(Rhythm::Every).ok_or(Problem {
            pointer: "/every",
            message: "this is no interval",
            help: "write a whole number and a unit, such as 30s, 15m, 6h or 1d",
        })
    }
}

impl<'de> Deserialize<'de> for SyncSchedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let options = match Written::deserialize(deserializer)? {
            Written::Cron(cron) => Options {
                cron: Some(cron),
                ..Options::default()
            },
            Written::Options(options) => options,
        };
        Ok(Self {
            schedule: options.schedule(),
            catch_up: options.catch_up,
        })
    }
}

impl JsonSchema for SyncSchedule {
    fn schema_name() -> Cow<'static, str> {
        "SyncSchedule".into()
    }

    fn inline_schema() -> bool {
        true
    }

    /// Both forms in one schema: what is said of text counts for text alone, what is said of keys for a mapping alone. Alternatives would make an editor's
    /// and our own words worse.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut catch_up = CatchUp::json_schema(generator);
        catch_up.insert(
            "description".to_owned(),
            "What becomes of due times at which the sync could not run: `once`: one run as soon as possible makes up for all of them; `skip`: they are left out.".into(),
        );
        catch_up.insert("default".to_owned(), CatchUp::default().name().into());
        json_schema!({
            "type": ["string", "object"],
            "format": crate::formats::CRON,
            "additionalProperties": false,
            "properties": {
                "cron": {
                    "type": "string",
                    "format": crate::formats::CRON,
                    "description": "When the sync is due: minute, hour, day of month, month, day of week.",
                    "examples": ["*/5 * * * *", "30 6 * * MON-FRI"],
                },
                "time_zone": {
                    "type": "string",
                    "format": crate::formats::TIME_ZONE,
                    "description": "The time zone whose clock `cron` follows, by its IANA name.",
                    "default": "UTC",
                    "examples": ["Europe/Paris"],
                },
                "every": {
                    "type": "string",
                    "format": crate::formats::INTERVAL,
                    "pattern": "^[0-9]+[smhd]$",
                    "description": "The interval between two due times, such as 30s, 15m, 6h or 1d; counted from 1970-01-01T00:00:00 UTC, so that a restart changes nothing.",
                    "examples": ["15m"],
                },
                "jitter": {
                    "type": "string",
                    "format": crate::formats::SPAN,
                    "pattern": "^[0-9]+[smhd]$",
                    "description": "The most by which a run starts after its due time, so that syncs that are due together do not all start at once. Never beyond the next due time.",
                    "default": "0s",
                    "examples": ["30s"],
                },
                "catch_up": catch_up,
            },
            "examples": ["*/5 * * * *", {"cron": "30 6 * * MON-FRI", "time_zone": "Europe/Paris"}, {"every": "15m", "jitter": "30s", "catch_up": "skip"}],
        })
    }
}
