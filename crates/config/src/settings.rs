//! `kind: settings`: what concerns all syncs together. At most one such document, and none is needed.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{rejects::Retention, serve::Serve};

/// The state of a directory's syncs when nothing else is said.
const DEFAULT_STATE_FILE: &str = ".longshore/state.db";

/// The options of the settings document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where cursors, runs and rejects are kept: `sqlite:PATH`, the path looked up from the working directory.
    #[serde(default)]
    #[schemars(extend("examples" = ["sqlite:.longshore/state.db", "sqlite:/var/lib/longshore/state.db"]))]
    pub state: StateLocation,
    /// How `longshore serve` runs syncs.
    #[serde(default)]
    pub serve: Serve,
    /// How long runs are remembered.
    #[serde(default)]
    pub history: History,
}

/// Days for which runs are remembered when nothing else is said: a quarter, so that what went well three months ago can be compared with.
const DEFAULT_HISTORY_DAYS: u64 = 90;

/// Runs of one sync that are remembered when nothing else is said: about three days of a run a minute, some 30 MB of state.
const DEFAULT_MAX_RUNS: u32 = 5_000;

/// How long runs are remembered: their attempts, counts, cursors and logs. What is still needed stays in any case: a run that goes on, the latest of each sync,
/// and runs whose rejects are in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct History {
    /// For how long: hours or days, such as "90d". Older runs go when the next one of the sync begins.
    #[schemars(extend("examples" = ["90d", "48h"]))]
    pub retention: Retention,
    /// How many runs of each sync at most.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_runs: u32,
}

impl Default for History {
    fn default() -> Self {
        Self {
            retention: Retention::of_days(DEFAULT_HISTORY_DAYS),
            max_runs: DEFAULT_MAX_RUNS,
        }
    }
}

/// Where the state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateLocation {
    /// An SQLite file; a relative path is meant from the working directory.
    Sqlite(PathBuf),
}

impl Default for StateLocation {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from(DEFAULT_STATE_FILE))
    }
}

/// Why a text is not a location of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateLocationError {
    /// PostgreSQL, which a later version will support.
    #[error("state in PostgreSQL is not available yet: use `sqlite:PATH`")]
    PostgresqlNotAvailable,
    /// A database in memory.
    #[error("state must outlive the process: name a file, such as `sqlite:.longshore/state.db`")]
    InMemory,
    /// Written as a URL with an authority.
    #[error("write `sqlite:` and the path without `//` before it, such as `sqlite:/var/lib/longshore/state.db`")]
    Url,
    /// Anything else.
    #[error("the state is written as `sqlite:PATH`, such as `sqlite:.longshore/state.db`")]
    Unknown,
}

impl FromStr for StateLocation {
    type Err = StateLocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgresql:") || text.starts_with("postgres:") {
            return Err(StateLocationError::PostgresqlNotAvailable);
        }
        match text.strip_prefix("sqlite:") {
            None | Some("") => Err(StateLocationError::Unknown),
            Some(":memory:") => Err(StateLocationError::InMemory),
            Some(path) if path.starts_with("//") => Err(StateLocationError::Url),
            Some(path) => Ok(Self::Sqlite(PathBuf::from(path))),
        }
    }
}

impl StateLocation {
    /// The SQLite file.
    pub fn sqlite_path(&self) -> &Path {
        let Self::Sqlite(path) = self;
        path
    }
}

impl fmt::Display for StateLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Sqlite(path) = self;
        write!(formatter, "sqlite:{}", path.display())
    }
}

impl Serialize for StateLocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StateLocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for StateLocation {
    fn schema_name() -> Cow<'static, str> {
        "StateLocation".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^sqlite:.",
            "format": crate::formats::STATE,
        })
    }
}

/// The whole document.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Settings")]
pub(crate) struct SettingsDocument {
    /// What the document describes.
    #[expect(dead_code, reason = "part of the schema")]
    kind: SettingsKind,
    /// What concerns all syncs together.
    pub(crate) spec: Settings,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum SettingsKind {
    /// What concerns all syncs together.
    Settings,
}
