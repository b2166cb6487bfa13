//! What is stored when a checkpoint is committed.

use std::sync::Arc;

use longshore_core::partition::Commit;

use crate::{
    moment::UnixMicros,
    reject::{NewReject, Supersession},
};

/// A partition, named in full.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartitionId {
    /// The run.
    pub run_id: Arc<str>,
    /// The table.
    pub table: Arc<str>,
    /// Its id within table and run.
    pub partition: Arc<str>,
}

impl PartitionId {
    /// A partition of a table of a run.
    pub fn new(run_id: impl Into<Arc<str>>, table: impl Into<Arc<str>>, partition: impl Into<Arc<str>>) -> Self {
        Self {
            run_id: run_id.into(),
            table: table.into(),
            partition: partition.into(),
        }
    }
}

/// A checkpoint that every destination has acked, to be stored with everything that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointCommit {
    /// The partition.
    pub partition: PartitionId,
    /// The revision of the partition's progress that this commit starts from.
    pub from_revision: u64,
    /// What the flow says: the position, and the counts and fingerprints since the previous commit.
    pub commit: Commit,
    /// Names of the destinations, in the order of `commit.destinations`.
    pub destinations: Arc<[String]>,
    /// Rejects of the rows up to the checkpoint and behind the previous commit.
    pub rejects: Vec<NewReject>,
    /// The table as the rows of these rejects came, in the caller's own form; stored once however many rejects share it. `None`: no row is kept.
    pub rejected_table: Option<Arc<[u8]>>,
    /// What rows up to the checkpoint, and behind the previous commit, supersede among the rejects recorded before.
    pub superseded: Vec<Supersession>,
    /// The next mark, to save a call of its own; see [`SentMark::rows`]. It is stored as durably as a mark always is.
    pub sent_rows: Option<u64>,
    /// Now.
    pub at: UnixMicros,
}

/// What a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The revision that the next commit of the partition starts from.
    pub revision: u64,
    /// Pending rejects that the ledger dropped to stay within its bound; the user must hear of it.
    pub dropped_rejects: u64,
    /// Rows of pending rejects that it let go, likewise: they are still named and can not be sent again.
    pub dropped_rows: u64,
}

/// "Up to so many rows of the partition may have been sent": stored before they are sent to a target that appends.
///
/// A crash leaves the rows between the last commit and the mark uncertain. A mark waits for the disk (milliseconds), so mark a window ahead of what
/// is sent rather than each batch, several partitions in one call, or the next window together with a commit
/// ([`CheckpointCommit::sent_rows`]); the count of uncertain rows then is an upper bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMark {
    /// The partition.
    pub partition: PartitionId,
    /// Rows from the start of the partition, those of earlier attempts that are committed included: `forwarded` of the last commit plus the rows
    /// behind it. A mark never goes back within an attempt.
    pub rows: u64,
}

/// "So many rows of the partition are about to be sent once more": a destination does not know whether they arrived, and its target appends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResentRows {
    /// The partition.
    pub partition: PartitionId,
    /// Name of the destination.
    pub destination: String,
    /// How many; each row as often as it is sent once more.
    pub rows: u64,
}
