//! The ledger of refused rows.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::moment::UnixMicros;

/// The ledger keeps at most so many rejects of one sync; beyond, those that are dealt with go first, then the oldest, which are counted.
///
/// 100,000 rejects take about 30 MB of a state file, and as much again or more for their rows. Whoever has more does not read them one by one: a rule
/// or a mapping is wrong, and the newest show it as well as the oldest.
pub const MAX_REJECTS_PER_SYNC: u64 = 100_000;

/// Bytes of rows that the ledger keeps of one sync; beyond, the oldest rejects stay named and lose their rows, which is counted. A row of ten
/// columns takes about a kilobyte, so that the rows of a full ledger find room.
pub const MAX_ROW_BYTES_PER_SYNC: u64 = 256 * 1024 * 1024;

/// A refused row, to be recorded with the checkpoint that passes it. Table, partition and run are those of the commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewReject {
    /// The destination that refused.
    pub destination: String,
    /// The row's key as text, so that a person can find it.
    pub key: String,
    /// The row's primary key as text, where it is another than `key`.
    pub primary_key: String,
    /// Stable name of the rule, such as `string_too_long`.
    pub rule: String,
    /// The column at fault; empty: the whole row.
    pub column: String,
    /// What is wrong, with the value's shape but never the value.
    pub reason: String,
    /// `true`: the row was not delivered. `false`: only the column was left out.
    pub whole_row: bool,
    /// What the row would have replaced; a later row of the same identity supersedes it. Empty: none does.
    pub identity: String,
    /// The column that the identity comes from: identities of different columns are not comparable. Empty: the destination names none.
    pub identity_column: String,
    /// Tells the row from all others of its table, in every run that reads it again: 16 bytes, opaque. Empty: nothing does.
    pub fingerprint: Vec<u8>,
    /// The batch, within the stream that read it.
    pub sequence: u64,
    /// The row within the batch, from 0.
    pub row: u64,
    /// The row itself, opaque; empty: it is not kept. See [`crate::CheckpointCommit::rejected_table`].
    pub row_data: Vec<u8>,
    /// A newer row of the same identity was delivered already, before this reject could be recorded.
    pub superseded: bool,
}

/// Where a reject stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectStatus {
    /// Nothing has come of it yet.
    #[default]
    Pending,
    /// It was sent again and delivered.
    Redelivered,
    /// A newer row of the same identity was delivered; or the row was read again and refused again, and has a newer reject.
    Superseded,
    /// It was sent again and left out by a declared rule.
    Filtered,
    /// A person has given it up.
    Discarded,
}

impl RejectStatus {
    /// Every status, in the order in which people think of them.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Redelivered,
        Self::Superseded,
        Self::Filtered,
        Self::Discarded,
    ];

    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Redelivered => "redelivered",
            Self::Superseded => "superseded",
            Self::Filtered => "filtered",
            Self::Discarded => "discarded",
        }
    }
}

impl fmt::Display for RejectStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RejectStatus {
    type Err = UnknownRejectStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| UnknownRejectStatus(text.to_owned()))
    }
}

/// A text that names no status of a reject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRejectStatus(String);

impl fmt::Display for UnknownRejectStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = RejectStatus::ALL.map(RejectStatus::as_str).join(", ");
        write!(f, "'{}' is no status of a reject; they are: {known}", self.0)
    }
}

impl std::error::Error for UnknownRejectStatus {}

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
    /// Where it stands.
    pub status: RejectStatus,
    /// How often it was sent again.
    pub attempts: u32,
    /// When it was sent again last.
    pub tried_at: Option<UnixMicros>,
    /// It was sent again to a target that appends, and nobody knows whether it arrived.
    pub uncertain: bool,
    /// The run that dealt with it; `None` also when a person discarded it.
    pub resolved_run: Option<String>,
    /// When that was.
    pub resolved_at: Option<UnixMicros>,
    /// The row is kept, so that it can be shown and sent again.
    pub row_kept: bool,
    /// The table as the row came, see [`crate::StateStore::rejected_table`].
    pub row_table: Option<i64>,
    /// What was refused, and why; of the last time that it was tried. `row_data` is empty here, see [`KeptReject::row_data`].
    pub reject: NewReject,
}

/// A row within its stream: rejects that agree in this are about the same one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowPlace {
    run_id: String,
    table: String,
    partition: String,
    destination: String,
    sequence: u64,
    row: u64,
    /// Streams that are opened again count from 1 again: what was recorded together is one row.
    at: UnixMicros,
}

impl Reject {
    /// Which row it is about.
    #[must_use]
    pub fn place(&self) -> RowPlace {
        RowPlace {
            run_id: self.run_id.clone(),
            table: self.table.clone(),
            partition: self.partition.clone(),
            destination: self.reject.destination.clone(),
            sequence: self.reject.sequence,
            row: self.reject.row,
            at: self.at,
        }
    }
}

/// A reject with its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptReject {
    /// The reject.
    pub reject: Reject,
    /// Its row, opaque, as it was recorded; empty: it is not kept.
    pub row_data: Vec<u8>,
}

/// Which rejects are meant; a field that is `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectFilter {
    /// Of this sync.
    pub sync: Option<String>,
    /// Of this table.
    pub table: Option<String>,
    /// Refused by this destination.
    pub destination: Option<String>,
    /// Of this run.
    pub run_id: Option<String>,
    /// Under this rule.
    pub rule: Option<String>,
    /// About this column.
    pub column: Option<String>,
    /// That stand there.
    pub status: Option<RejectStatus>,
    /// With these numbers.
    pub ids: Option<Vec<i64>>,
    /// Older than this one, to read page after page.
    pub before: Option<i64>,
}

/// How much of the ledger is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Behind the reject with this number; 0: from the oldest on.
    pub after: i64,
    /// At most so many.
    pub rejects: u32,
    /// No more, once their rows have so many bytes together.
    pub bytes: u64,
}

/// Rejects that a run may try again by itself: pending whole rows that are kept, that neither this run has recorded or tried, nor anybody holds because
/// they may have been delivered; and of which it is known that no newer version was delivered since, where the target replaces rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retryable {
    /// The sync.
    pub sync: String,
    /// The table.
    pub table: String,
    /// The destination.
    pub destination: String,
    /// The run.
    pub run_id: String,
    /// Also those that an interrupted run may have delivered already.
    pub uncertain_too: bool,
    /// Not those of these tables: the destination has refused their columns.
    pub except_tables: Vec<i64>,
    /// The rule of rejects that are held because they may have been delivered; only a person sends them again.
    pub held_rule: &'static str,
    /// The target replaces rows, by an identity from this column (empty: it names none): only what is not
    /// [of unknown version](crate::StateStore::rejects_of_unknown_version) is tried. `None`: the target adds rows.
    pub replaces_by: Option<String>,
}

/// Which identities are asked for: those of a table that its destination has rejects of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedIdentities {
    /// The sync.
    pub sync: String,
    /// The table.
    pub table: String,
    /// The destination.
    pub destination: String,
    /// See [`NewReject::identity_column`].
    pub identity_column: String,
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
    /// Where they stand.
    pub status: RejectStatus,
    /// How many.
    pub rejects: u64,
}

/// What rejects have in common of which a delivered row is the newer version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Versions {
    /// What they replace at the destination; see [`NewReject::identity`], never empty.
    OfIdentity {
        /// The identity.
        identity: String,
        /// See [`NewReject::identity_column`].
        column: String,
    },
    /// They are the same row of the table; see [`NewReject::fingerprint`], never empty.
    OfRow(Vec<u8>),
}

/// A row was delivered: older rejects of the commit's table are superseded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Supersession {
    /// The destination.
    pub destination: String,
    /// Which rejects.
    pub versions: Versions,
}

impl NewReject {
    /// What later rows supersede it by.
    pub fn versions(&self) -> impl Iterator<Item = Versions> {
        let identity = (!self.identity.is_empty()).then(|| Versions::OfIdentity {
            identity: self.identity.clone(),
            column: self.identity_column.clone(),
        });
        let row = (!self.fingerprint.is_empty()).then(|| Versions::OfRow(self.fingerprint.clone()));
        identity.into_iter().chain(row)
    }
}

/// Rejects that are about to be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryMark {
    /// The run that sends them.
    pub run_id: String,
    /// Their numbers.
    pub ids: Vec<i64>,
    /// The target appends: when the run breaks off before [`crate::StateStore::settle_retry`], they are counted as uncertain.
    pub appends: bool,
    /// Now.
    pub at: UnixMicros,
}

/// What became of rows that were sent again, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySettlement {
    /// The run that sent them.
    pub run_id: String,
    /// The table.
    pub table: String,
    /// The destination.
    pub destination: String,
    /// The rows.
    pub rows: Vec<RetriedRow>,
    /// Now.
    pub at: UnixMicros,
}

/// A row that was sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetriedRow {
    /// The rejects of the row: one for the whole row, or one for each column that was left out.
    pub ids: Vec<i64>,
    /// What became of it.
    pub fate: RetriedFate,
    /// Of which rejects the destination says that it is the newer version, when it was delivered.
    pub supersedes: Vec<Versions>,
}

/// What became of a row that was sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetriedFate {
    /// It was delivered; these columns were left out of it. Rejects that stay take the row as it was sent.
    Redelivered(Vec<NewReject>),
    /// It was refused again as a whole.
    RejectedAgain(Box<NewReject>),
    /// It was left out by a declared rule.
    Filtered,
}

/// What a run has sent again of one table's rejects to one destination: `retried = redelivered + rejected + filtered`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryCounts {
    /// The table.
    pub table: String,
    /// The destination.
    pub destination: String,
    /// Rows sent, of which it is known what became of them.
    pub retried: u64,
    /// Rows delivered.
    pub redelivered: u64,
    /// Rows refused again as a whole.
    pub rejected: u64,
    /// Rows left out by a declared rule.
    pub filtered: u64,
    /// Rows that a target which appends may hold twice: sent when the run broke off, or sent once more by the destination.
    pub uncertain: u64,
}

/// Rejects that retention has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Those that were still pending: the user must hear of it.
    pub pending: u64,
    /// Those that were dealt with.
    pub resolved: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_as_it_is_written() {
        for status in RejectStatus::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        let unknown = "gone".parse::<RejectStatus>().unwrap_err().to_string();
        assert!(unknown.contains("pending, redelivered"), "{unknown}");
    }
}
