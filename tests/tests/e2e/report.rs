//! What `longshore sync --json` prints.

use longshore_tests::{Context, Finished, Result};
use serde::Deserialize;

/// The report of one run.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) run_id: Option<String>,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) attempt: u32,
    pub(crate) tables: Vec<TableReport>,
    /// Rows that may have arrived twice, at most.
    #[serde(default)]
    pub(crate) uncertain: u64,
    #[serde(default)]
    pub(crate) rejects: u64,
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    pub(crate) error: Option<serde_json::Value>,
}

/// The part of one table.
#[derive(Debug, Deserialize)]
pub(crate) struct TableReport {
    pub(crate) table: String,
    pub(crate) complete: bool,
    pub(crate) read: u64,
    pub(crate) delivered: u64,
    pub(crate) rejected: u64,
    pub(crate) filtered: u64,
    pub(crate) deduplicated: u64,
    pub(crate) cursor: Option<String>,
}

impl Report {
    /// The report of a run that ended, in whatever way. The law of conservation must hold for every table that is complete.
    pub(crate) fn of(finished: &Finished) -> Result<Self> {
        let report: Self =
            serde_json::from_value(finished.json()?).context(format!("this is no report of a sync\n{finished}"))?;
        for table in report.tables.iter().filter(|table| table.complete) {
            let accounted = table.delivered + table.rejected + table.filtered + table.deduplicated;
            assert_eq!(table.read, accounted, "rows are unaccounted for: {table:?}");
        }
        Ok(report)
    }

    /// The part of the only table.
    pub(crate) fn only_table(&self) -> &TableReport {
        let [table] = self.tables.as_slice() else {
            panic!("one table was to be synced: {self:?}");
        };
        table
    }

    /// The stable code of the error that ended the run.
    pub(crate) fn error_code(&self) -> &str {
        let error = self.error.as_ref().expect("the run failed");
        error["code"].as_str().expect("an error has a code")
    }
}
