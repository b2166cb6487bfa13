//! What a plugin prints: forwarded as log lines of Longshore's own, redacted, and the last of it remembered.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use futures_util::StreamExt as _;
use longshore_config::Secrets;
use serde_json::{Map, Value};
use tokio::io::AsyncRead;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tracing::Level;

/// Lines that are kept for the report of a death.
const REMEMBERED_LINES: usize = 10;

/// A longer line is cut off and its rest skipped, in bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// The last lines that a plugin printed.
#[derive(Clone, Debug, Default)]
pub(super) struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl LastLines {
    pub(super) fn get(&self) -> Vec<String> {
        self.0
            .lock()
            .expect("no holder of this lock panics")
            .iter()
            .cloned()
            .collect()
    }

    fn push(&self, line: String) {
        let mut lines = self.0.lock().expect("no holder of this lock panics");
        if lines.len() == REMEMBERED_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Forwards lines until the plugin closes its end.
pub(super) async fn forward(plugin: String, output: impl AsyncRead + Unpin, secrets: Secrets, last: LastLines) {
    let mut lines = FramedRead::new(output, LinesCodec::new_with_max_length(MAX_LINE_BYTES));
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) => {
                let record = Record::parse(&secrets.redact(&line));
                last.push(record.to_string());
                record.log(&plugin);
            }
            Err(LinesCodecError::MaxLineLengthExceeded) => {
                tracing::warn!(plugin, "a log line of more than {MAX_LINE_BYTES} bytes was left out");
            }
            Err(LinesCodecError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                tracing::warn!(plugin, "a log line that is no UTF-8 was left out");
            }
            Err(LinesCodecError::Io(error)) => {
                tracing::debug!(plugin, %error, "the plugin's output can not be read any more");
                return;
            }
        }
    }
}

/// One line, as far as it is understood.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    level: Level,
    message: String,
    fields: String,
}

impl Record {
    fn parse(line: &str) -> Self {
        let plain = || Self {
            level: Level::INFO,
            message: line.to_owned(),
            fields: String::new(),
        };
        let Ok(Value::Object(mut fields)) = serde_json::from_str(line) else {
            return plain();
        };
        let Some(Value::String(message)) = fields.remove("message") else {
            return plain();
        };
        let level = fields
            .remove("level")
            .and_then(|level| level.as_str()?.parse().ok())
            .unwrap_or(Level::INFO);
        for known in ["timestamp", "time", "target"] {
            fields.remove(known);
        }
        Self {
            level,
            message,
            fields: in_words(&fields),
        }
    }

    fn log(&self, plugin: &str) {
        let Self { level, message, fields } = self;
        let space = if fields.is_empty() { "" } else { " " };
        match *level {
            Level::ERROR => tracing::error!(target: "plugin", plugin, "{message}{space}{fields}"),
            Level::WARN => tracing::warn!(target: "plugin", plugin, "{message}{space}{fields}"),
            Level::INFO => tracing::info!(target: "plugin", plugin, "{message}{space}{fields}"),
            Level::DEBUG => tracing::debug!(target: "plugin", plugin, "{message}{space}{fields}"),
            Level::TRACE => tracing::trace!(target: "plugin", plugin, "{message}{space}{fields}"),
        }
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.level, self.message)?;
        if self.fields.is_empty() {
            Ok(())
        } else {
            write!(f, " {}", self.fields)
        }
    }
}

fn in_words(fields: &Map<String, Value>) -> String {
    let words: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_keeps_its_level_and_fields() {
        let record = Record::parse(r#"{"timestamp":"now","level":"WARN","message":"slow","rows":3,"target":"x"}"#);
        assert_eq!(
            record,
            Record {
                level: Level::WARN,
                message: "slow".to_owned(),
                fields: "rows=3".to_owned()
            }
        );
        assert_eq!(
            Record::parse(r#"{"level":"error","message":"bad"}"#).level,
            Level::ERROR
        );
    }

    #[test]
    fn any_other_line_is_kept_as_it_is() {
        for line in ["Traceback (most recent call last):", "{\"message\":", "[1]", ""] {
            assert_eq!(Record::parse(line).message, line);
        }
    }

    #[tokio::test]
    async fn long_and_broken_lines_do_not_stop_the_rest() {
        let last = LastLines::default();
        let secrets = Secrets::new();
        secrets.insert("hunter2hunter2");
        let mut output = vec![b'x'; MAX_LINE_BYTES * 3];
        output.extend_from_slice(b"\n\xff\xfe\npassword hunter2hunter2\n");
        forward("test".to_owned(), output.as_slice(), secrets, last.clone()).await;
        assert_eq!(last.get(), ["INFO password ***"]);
    }
}
