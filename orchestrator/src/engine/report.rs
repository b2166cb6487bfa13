//! What is said at the end of a run: to a person, as JSON, and to the store.

use longshore_core::{
    CursorValue, Error,
    balance::{DestinationCounts, SourceCounts},
};
use longshore_state::{RetryCounts, RunStatus, TableProgress};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::documents::ErrorDocument;

/// The outcome of one `sync`; what `sync --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// The run.
    pub run_id: String,
    /// The sync: the source's name.
    pub sync: String,
    /// How it ended.
    pub status: RunStatus,
    /// Which attempt of the run this was; above 1, it went on where an earlier one stopped.
    pub attempt: u32,
    /// Tables in the order of the plan. Counts are of the whole run, over all its attempts.
    pub tables: Vec<TableReport>,
    /// Rejects of earlier runs that this one has sent again: no part of the tables' counts. `retried = redelivered + rejected + filtered`.
    #[serde(default)]
    pub retries: Vec<RetryReport>,
    /// Rows that an append target may hold twice, because they were on their way when an attempt broke off. At most so many.
    pub uncertain: u64,
    /// Refused rows and columns recorded in the ledger by this run.
    pub rejects: u64,
    /// Refused rows and columns of the sync that nothing has come of yet, of this run and of earlier ones.
    #[serde(default)]
    pub pending_rejects: u64,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// From the start of this attempt to its end.
    pub duration_ms: u64,
    /// Why it stopped short; absent when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ErrorDocument>")]
    pub error: Option<Error>,
}

/// The outcome for one table. `read = delivered + rejected + filtered + deduplicated`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TableReport {
    /// The table.
    pub table: String,
    /// Whether it is done, and its cursor promoted.
    pub complete: bool,
    /// Rows the source fetched.
    pub read: u64,
    /// Rows that are durable at the destination; of several destinations, at the one that delivered the fewest.
    pub delivered: u64,
    /// Rows that destination refused as a whole.
    pub rejected: u64,
    /// Rows left out by a declared rule, at the source or at that destination.
    pub filtered: u64,
    /// Rows left out because an earlier run had delivered them.
    pub deduplicated: u64,
    /// See [`RunReport::uncertain`].
    pub uncertain: u64,
    /// The cursor after the run, as text; absent for a table that is read whole.
    pub cursor: Option<String>,
    /// Each destination's own counts.
    pub destinations: Vec<DestinationReport>,
}

/// One destination's counts for one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DestinationReport {
    /// The destination.
    pub destination: String,
    /// Rows that are durable.
    pub delivered: u64,
    /// Rows refused as a whole.
    pub rejected: u64,
    /// Rows left out by a declared rule.
    pub filtered: u64,
}

/// What a run has sent again of one table's rejects to one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetryReport {
    /// The table.
    pub table: String,
    /// The destination.
    pub destination: String,
    /// Rows sent again.
    pub retried: u64,
    /// Rows delivered.
    pub redelivered: u64,
    /// Rows refused again as a whole.
    pub rejected: u64,
    /// Rows left out by a declared rule.
    pub filtered: u64,
    /// See [`RunReport::uncertain`].
    pub uncertain: u64,
}

impl RetryReport {
    /// The counts in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut text = format!(
            "rejects of table {} sent again to {}: {}, delivered {}, rejected again {}, filtered {}",
            self.table, self.destination, self.retried, self.redelivered, self.rejected, self.filtered
        );
        if self.uncertain > 0 {
            text.push_str(&format!(", uncertain {}", self.uncertain));
        }
        text
    }
}

impl From<&RetryCounts> for RetryReport {
    fn from(counts: &RetryCounts) -> Self {
        Self {
            table: counts.table.clone(),
            destination: counts.destination.clone(),
            retried: counts.retried,
            redelivered: counts.redelivered,
            rejected: counts.rejected,
            filtered: counts.filtered,
            uncertain: counts.uncertain,
        }
    }
}

impl From<&TableProgress> for TableReport {
    fn from(progress: &TableProgress) -> Self {
        let source: SourceCounts = progress.source();
        let destinations = progress.destinations();
        let fewest: DestinationCounts = destinations
            .values()
            .min_by_key(|counts| counts.delivered)
            .copied()
            .unwrap_or_default();
        let cursor = progress.cursor_after.as_ref().or(progress.cursor_before.as_ref());
        Self {
            table: progress.table.clone(),
            complete: progress.complete,
            read: source.read,
            delivered: fewest.delivered,
            rejected: fewest.rejected,
            filtered: source.filtered + fewest.filtered,
            deduplicated: source.deduplicated,
            uncertain: progress.uncertain_rows(),
            cursor: cursor.map(CursorValue::to_string),
            destinations: destinations
                .into_iter()
                .map(|(destination, counts)| DestinationReport {
                    destination,
                    delivered: counts.delivered,
                    rejected: counts.rejected,
                    filtered: counts.filtered,
                })
                .collect(),
        }
    }
}
