//! What was logged while a run went on: its beginning and its end, and how much is missing between them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::moment::UnixMicros;

/// Lines of one run's log that are kept at most.
pub const MAX_LOG_LINES: u64 = 2_000;

/// Bytes of messages of one run's log that are kept at most: a thousand runs then need no more than a gigabyte, whatever their plugins print.
pub const MAX_LOG_BYTES: u64 = 1024 * 1024;

/// The first lines of a log stay whatever follows: how a run began explains how it ended.
pub const MAX_HEAD_LINES: u64 = 500;

/// Bytes of the messages that belong to the beginning at most.
pub const MAX_HEAD_BYTES: u64 = MAX_LOG_BYTES / 4;

/// Bytes of one message at most; whoever appends a line cuts it.
pub const MAX_LOG_LINE_BYTES: usize = 4 * 1024;

/// How serious a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something went wrong.
    Error,
    /// Something a person should look at.
    Warn,
    /// What happens.
    Info,
    /// For whoever looks for a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLogLevel(String);

impl fmt::Display for UnknownLogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no level of a log", self.0)
    }
}

impl std::error::Error for UnknownLogLevel {}

impl FromStr for LogLevel {
    type Err = UnknownLogLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|level| level.as_str() == text);
        found.ok_or_else(|| UnknownLogLevel(text.to_owned()))
    }
}

/// One line. Without secrets and cell values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was logged.
    pub at: UnixMicros,
    /// How serious it is.
    pub level: LogLevel,
    /// The plugin that printed it, such as `destination batch (batch)`; `None`: Longshore itself.
    pub plugin: Option<String>,
    /// What it says, fields included: at most [`MAX_LOG_LINE_BYTES`].
    pub message: String,
}

/// A line as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLogLine {
    /// Grows from line to line; not without gaps.
    pub number: i64,
    /// Lines that were logged right before this one and are not kept.
    pub left_out_before: u64,
    /// The line.
    pub line: LogLine,
}

/// A part of a run's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunLog {
    /// In the order in which they were appended.
    pub lines: Vec<StoredLogLine>,
    /// Lines between beginning and end that are not kept, to stay within the bounds.
    pub left_out: u64,
    /// Lines that never reached the store, because it took none for too long.
    pub lost: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_as_it_is_written() {
        for level in LogLevel::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
        }
        assert!("loud".parse::<LogLevel>().is_err());
    }
}
