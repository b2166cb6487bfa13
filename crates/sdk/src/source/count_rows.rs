//! How many rows a run is going to read, and how many of them are old.

use std::time::Duration;

use longshore_core::{
    cursor::Timestamp,
    error::{Error, Result},
};
use longshore_protocol::{convert::timestamp, v1};

/// Rows to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountRows {
    /// An open run.
    pub run_id: String,
    /// One of its tables.
    pub table: String,
    /// A column of the table: of a date or timestamp type, or text in RFC 3339. Without zone, a value is taken as UTC.
    pub column: String,
    /// An instant.
    pub before: Timestamp,
    /// A run waits for the answer so long.
    pub timeout: Duration,
}

/// Counted rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowCount {
    /// Rows that the run is going to read.
    pub rows: u64,
    /// Those among them with the column before the instant. A NULL is not before anything.
    pub before: u64,
    /// Both are estimates, made in this way, such as "the server's planner was asked"; `None`: they are exact.
    pub estimated: Option<String>,
}

impl TryFrom<v1::CountRowsRequest> for CountRows {
    type Error = Error;

    fn try_from(request: v1::CountRowsRequest) -> Result<Self> {
        let broken = || Error::protocol("count_broken", "Rows are to be counted before an instant that is none");
        let before = request.before.and_then(timestamp).ok_or_else(broken)?;
        Ok(Self {
            run_id: request.run_id,
            table: request.table,
            column: request.column,
            before,
            timeout: Duration::from_millis(request.timeout_ms),
        })
    }
}

impl From<RowCount> for v1::CountRowsResponse {
    fn from(count: RowCount) -> Self {
        Self {
            count: Some(v1::RowCount {
                rows: count.rows,
                before: count.before,
                estimated: count.estimated.is_some(),
            }),
            note: count.estimated.unwrap_or_default(),
        }
    }
}
