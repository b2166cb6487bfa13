//! What was logged while a run went on, as it is shown.

use longshore_core::Error;
use longshore_state::{StateStore, StoredLogLine, run_log::MAX_LOG_LINES};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{figures::counted, moment::shown_to_the_millisecond, printable::printable};

/// A run's log.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RunLog")]
pub(crate) struct ShownLog {
    lines: Vec<ShownLine>,
    /// Lines between beginning and end that are not kept.
    left_out: u64,
    /// Lines that never reached the store.
    lost: u64,
}

/// One line.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LogLine")]
struct ShownLine {
    at: String,
    level: &'static str,
    /// Absent: Longshore itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    message: String,
    /// Lines right before this one that are not kept.
    #[serde(skip_serializing_if = "is_zero")]
    left_out_before: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl ShownLog {
    pub(crate) async fn of(store: &dyn StateStore, run_id: &str) -> Result<Self, Error> {
        // A log is bounded: all of it is read at once.
        let log = store
            .read_log(run_id, 0, u32::try_from(MAX_LOG_LINES).unwrap_or(u32::MAX))
            .await?;
        Ok(Self {
            lines: log.lines.into_iter().map(ShownLine::from).collect(),
            left_out: log.left_out,
            lost: log.lost,
        })
    }

    pub(crate) fn in_words(&self) -> String {
        let mut text = String::from("log\n");
        for line in &self.lines {
            if line.left_out_before > 0 {
                text.push_str(&format!(
                    "  … {} left out …\n",
                    counted(line.left_out_before, "line", "lines")
                ));
            }
            let plugin = line
                .plugin
                .iter()
                .map(|plugin| format!("[{plugin}] "))
                .collect::<String>();
            let message = printable(&line.message);
            text.push_str(&format!("  {} {:<5} {plugin}{message}\n", line.at, line.level));
        }
        if self.lines.is_empty() {
            text.push_str("  nothing was logged, or an earlier version ran it\n");
        }
        if self.lost > 0 {
            text.push_str(&format!(
                "  {} of the log lost: the state took nothing for too long\n",
                counted(self.lost, "line", "lines")
            ));
        }
        text
    }
}

impl From<StoredLogLine> for ShownLine {
    fn from(stored: StoredLogLine) -> Self {
        Self {
            at: shown_to_the_millisecond(stored.line.at),
            level: stored.line.level.as_str(),
            plugin: stored.line.plugin,
            message: stored.line.message,
            left_out_before: stored.left_out_before,
        }
    }
}
