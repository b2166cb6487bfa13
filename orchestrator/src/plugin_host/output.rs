//! What a plugin prints: forwarded as log lines of Longshore's own, redacted, and the last of it remembered.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use longshore_config::Secrets;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tracing::Level;

/// The target of a plugin's lines among Longshore's own; their field `plugin` says whose they are.
pub(crate) const LOG_TARGET: &str = "plugin";

/// Lines that are kept for the report of a death.
const REMEMBERED_LINES: usize = 10;

/// A longer line is cut off there, in bytes.
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
    let mut lines = Lines::new(output);
    loop {
        match lines.next().await {
            Ok(Some(line)) => {
                let record = Record::parse(&secrets.redact(&line));
                last.push(record.to_string());
                record.log(&plugin);
            }
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(plugin, %error, "the plugin's output can not be read any more");
                return;
            }
        }
    }
}

/// Lines of any length and any bytes, in bounded memory: what is too long is cut, what is no UTF-8 is replaced.
struct Lines<R> {
    output: BufReader<R>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(output: R) -> Self {
        Self {
            output: BufReader::new(output),
        }
    }

    async fn next(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        let mut cut = false;
        loop {
            let available = self.output.fill_buf().await?;
            if available.is_empty() && line.is_empty() {
                return Ok(None);
            }
            let newline = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..newline.unwrap_or(available.len())];
            let room = MAX_LINE_BYTES - line.len();
            cut |= part.len() > room;
            line.extend_from_slice(&part[..part.len().min(room)]);
            let ended = newline.is_some() || available.is_empty();
            let consumed = newline.map_or(available.len(), |newline| newline + 1);
            self.output.consume(consumed);
            if ended {
                let mut text = String::from_utf8_lossy(&line).into_owned();
                if cut {
                    text.push('…');
                }
                return Ok(Some(text));
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
        let level = fields.get("level").and_then(|level| level_called(level.as_str()?));
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let found = ["message", "msg"]
            .into_iter()
            .find_map(|name| Some((name, text(name)?)));
        let Some((name, message)) = found else {
            return Self {
                level: level.unwrap_or(Level::INFO),
                ..plain()
            };
        };
        fields.remove(name);
        if level.is_some() {
            fields.remove("level");
        }
        for known in ["timestamp", "time", "target"] {
            fields.remove(known);
        }
        Self {
            level: level.unwrap_or(Level::INFO),
            message,
            fields: in_words(&fields),
        }
    }

    fn log(&self, plugin: &str) {
        let Self { level, message, fields } = self;
        let space = if fields.is_empty() { "" } else { " " };
        match *level {
            Level::ERROR => tracing::error!(target: LOG_TARGET, plugin, "{message}{space}{fields}"),
            Level::WARN => tracing::warn!(target: LOG_TARGET, plugin, "{message}{space}{fields}"),
            Level::INFO => tracing::info!(target: LOG_TARGET, plugin, "{message}{space}{fields}"),
            Level::DEBUG => tracing::debug!(target: LOG_TARGET, plugin, "{message}{space}{fields}"),
            Level::TRACE => tracing::trace!(target: LOG_TARGET, plugin, "{message}{space}{fields}"),
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

/// Loggers of other languages have names of their own for what is worth as much.
fn level_called(name: &str) -> Option<Level> {
    match name.to_ascii_lowercase().as_str() {
        "warning" => Some(Level::WARN),
        "fatal" | "critical" | "panic" | "dpanic" => Some(Level::ERROR),
        name => name.parse().ok(),
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
        for (line, level, message) in [
            (r#"{"level":"WARNING","msg":"slow"}"#, Level::WARN, "slow"),
            (
                r#"{"level":"critical","message":null,"msg":"bad"}"#,
                Level::ERROR,
                "bad",
            ),
            (r#"{"level":"loud","message":"x"}"#, Level::INFO, "x"),
        ] {
            let record = Record::parse(line);
            assert_eq!((record.level, record.message.as_str()), (level, message), "{line}");
        }
        let without_message = r#"{"level":"error","event":"disk"}"#;
        let record = Record::parse(without_message);
        assert_eq!(
            (record.level, record.message.as_str()),
            (Level::ERROR, without_message),
            "what it says is kept as it came"
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
        let lines = last.get();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].len() < MAX_LINE_BYTES + 20 && lines[0].ends_with('…'));
        assert_eq!(lines[1..], ["INFO \u{fffd}\u{fffd}", "INFO password ***"]);
    }
}
