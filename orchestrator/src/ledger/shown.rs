//! A reject as it is shown: by commands, as JSON and in words, and by the API.

use longshore_row_json::StoredRow;
use longshore_state::{Reject, RejectStatus};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{figures::counted, moment::shown, printable::printable};

/// Characters of a key that a table shows.
const KEY_IN_TABLE: usize = 64;

/// A row or a column that a destination refused.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ShownReject {
    /// Its number; grows with time.
    pub(crate) id: i64,
    pub(crate) sync: String,
    /// The run that recorded it.
    run_id: String,
    pub(crate) table: String,
    partition: String,
    destination: String,
    /// What a person finds the row by.
    key: String,
    /// The primary key, where it is another than `key`.
    primary_key: String,
    /// Stable name of the rule that it breaks.
    pub(crate) rule: String,
    /// The column at fault; empty: the whole row.
    column: String,
    /// What is wrong, without the value.
    pub(crate) reason: String,
    /// The row was not delivered; otherwise only the column was left out.
    whole_row: bool,
    /// When it was recorded.
    pub(crate) at: String,
    status: RejectStatus,
    /// How often it was sent again.
    attempts: u32,
    /// When it was sent again last.
    tried_at: Option<String>,
    /// It was sent again, and nobody knows whether it arrived.
    uncertain: bool,
    /// The run that dealt with it.
    resolved_run: Option<String>,
    resolved_at: Option<String>,
    /// Its row is kept, so that it can be shown and sent again.
    row_kept: bool,
    /// Absent in lists; null where it is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<Option<Map<String, Value>>>,
}

impl ShownReject {
    /// With its row, where that is kept.
    pub(crate) fn with_row(reject: Reject, row: Option<&StoredRow>) -> Self {
        Self {
            row: Some(row.map(StoredRow::to_json)),
            ..Self::from(reject)
        }
    }

    /// The key, and the primary key where that is another.
    pub(crate) fn key_in_words(&self) -> String {
        self.key_with(quoted_if_blank)
    }

    /// The same for a table: a long key would push all other columns out of sight.
    pub(crate) fn short_key_in_words(&self) -> String {
        self.key_with(|key| shortened(&printable(&quoted_if_blank(key))))
    }

    fn key_with(&self, written: impl Fn(&str) -> String) -> String {
        match self.primary_key.as_str() {
            "" => written(&self.key),
            primary_key => format!("{} ({})", written(&self.key), written(primary_key)),
        }
    }

    /// The column at fault.
    pub(crate) fn column_in_words(&self) -> String {
        match (self.whole_row, self.column.as_str()) {
            (true, "") => "(row)".to_owned(),
            (true, column) => format!("{column} (row)"),
            (false, column) => column.to_owned(),
        }
    }

    /// Where it stands.
    pub(crate) fn status_in_words(&self) -> String {
        let uncertain = self.uncertain && self.status == RejectStatus::Pending;
        match uncertain {
            true => format!("{}, uncertain", self.status),
            false => self.status.to_string(),
        }
    }

    /// `row`: its columns with their values.
    pub(crate) fn in_words(&self, row: Option<&[(String, String)]>) -> String {
        let fate = if self.whole_row {
            "the row was not delivered"
        } else {
            "the rest of the row was delivered"
        };
        let mut text = format!("reject {}: {} ({fate})\n", self.id, self.rule);
        let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<12} {}\n", printable(value)));
        line("reason", &self.reason);
        line("rule", &self.rule);
        line("key", &self.key_in_words());
        line("column", &self.column_in_words());
        line("table", &format!("{} of sync {}", self.table, self.sync));
        line("destination", &self.destination);
        line("run", &format!("{}, partition {}", self.run_id, self.partition));
        line("recorded", &self.at);
        let status = match (&self.resolved_run, &self.resolved_at) {
            (Some(run), Some(at)) => format!("{} by run {run} at {at}", self.status),
            _ => self.status_in_words(),
        };
        line("status", &status);
        if let Some(tried_at) = &self.tried_at {
            line(
                "sent again",
                &format!("{}, last at {tried_at}", counted(self.attempts.into(), "time", "times")),
            );
        }
        if self.uncertain && self.status == RejectStatus::Pending {
            line("", "it was sent again when something broke, and may be there already");
        }
        match row {
            Some(columns) => {
                line("row", "");
                let width = columns.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
                for (name, value) in columns {
                    text.push_str(&format!("    {name:<width$}  {}\n", printable(value)));
                }
            }
            None if self.status == RejectStatus::Pending => line("row", "not kept, so that it can not be sent again"),
            None => line("row", "not kept any longer"),
        }
        text
    }
}

impl From<Reject> for ShownReject {
    fn from(stored: Reject) -> Self {
        let Reject {
            id,
            sync,
            run_id,
            table,
            partition,
            at,
            status,
            attempts,
            tried_at,
            uncertain,
            resolved_run,
            resolved_at,
            row_kept,
            row_table: _,
            reject,
        } = stored;
        Self {
            id,
            sync,
            run_id,
            table,
            partition,
            destination: reject.destination,
            key: reject.key,
            primary_key: reject.primary_key,
            rule: reject.rule,
            column: reject.column,
            reason: reject.reason,
            whole_row: reject.whole_row,
            at: shown(at),
            status,
            attempts,
            tried_at: tried_at.map(shown),
            uncertain,
            resolved_run,
            resolved_at: resolved_at.map(shown),
            row_kept,
            row: None,
        }
    }
}

/// A key of blanks alone would look like none.
fn quoted_if_blank(key: &str) -> String {
    match !key.is_empty() && key.trim().is_empty() {
        true => format!("\"{key}\""),
        false => key.to_owned(),
    }
}

fn shortened(key: &str) -> String {
    if key.chars().count() <= KEY_IN_TABLE {
        return key.to_owned();
    }
    let kept = key.chars().take(KEY_IN_TABLE - 1);
    kept.chain(['…']).collect()
}
