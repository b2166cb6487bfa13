//! The ledger of refused rows.

use crate::moment::UnixMicros;

/// The ledger keeps at most so many rejects of one sync; beyond, the oldest are dropped and counted.
///
/// 100,000 rejects take about 30 MB of a state file. Whoever has more does not read them one by one: a rule or a mapping is wrong, and the newest
/// show it as well as the oldest.
pub const MAX_REJECTS_PER_SYNC: u64 = 100_000;

/// A refused row, to be recorded with the checkpoint that passes it. Table, partition and run are those of the commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewReject {
    /// The destination that refused.
    pub destination: String,
    /// The row's key as text, so that a person can find it.
    pub key: String,
    /// Stable name of the rule, such as `string_too_long`.
    pub rule: String,
    /// The column at fault; empty: the whole row.
    pub column: String,
    /// What is wrong, with the value's shape but never the value.
    pub reason: String,
    /// `true`: the row was not delivered. `false`: only the column was left out.
    pub whole_row: bool,
    /// The batch, within the stream that read it.
    pub sequence: u64,
    /// The row within the batch, from 0.
    pub row: u64,
}

/// A reject as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Grows with time; never used again.
    pub id: i64,
    /// The sync.
    pub sync: String,
    /// The run that recorded it.
    pub run_id: String,
    /// The table.
    pub table: String,
    /// The partition.
    pub partition: String,
    /// When it was recorded.
    pub at: UnixMicros,
    /// What was refused, and why.
    pub reject: NewReject,
}

/// Which rejects are meant; a field that is `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectFilter {
    /// Of this sync.
    pub sync: Option<String>,
    /// Of this table.
    pub table: Option<String>,
    /// Of this run.
    pub run_id: Option<String>,
    /// Older than this one, to read page after page.
    pub before: Option<i64>,
}

/// How many rejects the ledger holds of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectCount {
    /// The sync.
    pub sync: String,
    /// The table.
    pub table: String,
    /// The destination.
    pub destination: String,
    /// The rule.
    pub rule: String,
    /// The column at fault; empty: the whole row.
    pub column: String,
    /// How many.
    pub rejects: u64,
}
