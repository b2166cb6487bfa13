//! Rows that a destination refuses.

use longshore_protocol::v1;

/// A row, or one column of it, that the destination refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reject {
    /// The batch.
    pub sequence: u64,
    /// The row within the batch, from 0.
    pub row: u64,
    /// The row's key as text, so that a person can find it. Empty: the SDK takes the table's primary key.
    pub key: String,
    /// Stable name of the rule, such as `string_too_long`.
    pub rule: String,
    /// The column at fault; empty for the whole row.
    pub column: String,
    /// What is wrong, with the value's shape but never the value.
    pub reason: String,
    /// `true`: the row was not delivered. `false`: only the column was left out.
    pub whole_row: bool,
    /// What the row would have replaced, whole and exact, such as the profile's id; see
    /// [`DestinationCapabilities::reports_superseded`](super::DestinationCapabilities::reports_superseded). Empty: nothing, or it is not known what.
    pub identity: String,
}

impl Reject {
    /// A row that is held because nobody knows whether it arrived: not to be sent again, but named by its key in the table, so that a person can look.
    #[must_use]
    pub fn held(sequence: u64, row: u64, reason: String) -> Self {
        Self {
            sequence,
            row,
            rule: longshore_protocol::UNCERTAIN_DELIVERY.to_owned(),
            reason,
            whole_row: true,
            ..Self::default()
        }
    }
}

impl From<Reject> for v1::Reject {
    fn from(reject: Reject) -> Self {
        Self {
            sequence: reject.sequence,
            row: reject.row,
            key: reject.key,
            rule: reject.rule,
            column: reject.column,
            reason: reject.reason,
            whole_row: reject.whole_row,
            identity: reject.identity,
            ..Self::default()
        }
    }
}
