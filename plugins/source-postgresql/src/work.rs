//! What a partition is to read: stored with the run's plan, so that every attempt reads the same.

use longshore_sdk::{
    incremental::{LeftOut, Unsettled, descriptor_of, read_descriptor},
    prelude::*,
};
use serde::{Deserialize, Serialize};

use crate::snapshot::Snapshot;

/// A partition's descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Work {
    /// In the order of the cursor, with a checkpoint where a reader can resume.
    Ordered(Box<Ordered>),
    /// The rows whose cursor is NULL.
    NullCursors { cursor: String },
    /// Some pages of a heap.
    Pages(Pages),
    /// All rows.
    Whole,
    /// None: so many were left out when the run was planned, and are counted here.
    LeftOut { rows: u64 },
    /// The rows whose column has a value, given as an SQL constant. Never stored: nobody goes on with looking at rows.
    Chosen { column: String, value: String },
}

/// See [`Work::Ordered`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ordered {
    pub(crate) cursor: String,
    /// Key columns that follow the cursor in the order.
    pub(crate) key: Vec<String>,
    /// No two rows share cursor and key, and the key is never NULL.
    pub(crate) unique: bool,
    pub(crate) since: Since,
    /// Rows before it are of no interest (`start_from`).
    pub(crate) from: Option<CursorValue>,
    /// The greatest cursor in the first attempt's view. What came later is the next run's.
    pub(crate) up_to: CursorValue,
    /// The newest rows are left for the next run.
    pub(crate) unsettled: Option<Unsettled>,
    /// Which rows the next run may see again.
    pub(crate) again: Again,
    /// Nothing is read. Plans of earlier versions have it for `start_from: now`, to read late what was to be remembered.
    pub(crate) baseline: bool,
    /// Rows with a NULL cursor that are left out; counted with this partition.
    pub(crate) skipped_nulls: u64,
    /// Rows up to here were counted before the run: those that are not awaited are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) known_to: Option<CursorValue>,
    /// The cursor that will be stored, where rows of this partition can be ahead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ahead_of: Option<CursorValue>,
}

/// Where an incremental read begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Since {
    /// All rows.
    Beginning,
    /// Rows after a cursor that was set by hand.
    After(CursorValue),
    /// Rows beyond what was delivered, and rows of the window that were written by transactions from `xmin` on.
    Transaction {
        delivered_to: CursorValue,
        window_from: Option<CursorValue>,
        xmin: u64,
    },
    /// All rows of the window.
    Window { from: CursorValue },
}

/// The rows of this run that match the next run's condition too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Again {
    /// Those of the window that were written by transactions from `xmin` on.
    Transaction {
        window_from: Option<CursorValue>,
        xmin: u64,
    },
    /// All of the window.
    Window { from: CursorValue },
    /// None: there is no next run that this one prepares.
    Never,
}

/// See [`Work::Pages`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pages {
    /// Quoted name of the heap.
    pub(crate) heap: String,
    pub(crate) from: u64,
    /// Exclusive; `None`: to the end.
    pub(crate) to: Option<u64>,
    /// Of the first attempt's snapshot.
    pub(crate) first_xmin: u64,
    /// The heap's file in the first attempt's view: another one means that its rows have other places now.
    pub(crate) file: Option<u32>,
    /// The server of the first attempt's view: places and transactions mean nothing to another one.
    #[serde(default)]
    pub(crate) server: Server,
    /// For a table with a cursor that has no index to be read in order by: which rows, and which of them the next run may see again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) of_cursor: Option<Box<Ordered>>,
}

/// What tells one server from another, and a promoted standby from what it followed; absent where the user may not see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) system_identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeline: Option<u32>,
}

impl Server {
    /// The server that a snapshot belongs to.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        Self {
            system_identifier: snapshot.system_identifier.clone(),
            timeline: snapshot.timeline,
        }
    }

    /// Whether a snapshot is of this server for sure.
    pub(crate) fn is(&self, snapshot: &Snapshot) -> bool {
        self.system_identifier.is_some() && self.timeline.is_some() && *self == Self::of(snapshot)
    }

    /// Whether a snapshot of this very server is older than one in which `xmin` was the oldest open transaction.
    pub(crate) fn is_behind(&self, xmin: u64, snapshot: &Snapshot) -> bool {
        self.is(snapshot) && snapshot.xmin < xmin
    }

    /// Whether a snapshot can be of this server, as far as is known.
    pub(crate) fn may_be(&self, snapshot: &Snapshot) -> bool {
        fn agree<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        agree(self.system_identifier.as_ref(), snapshot.system_identifier.as_ref())
            && agree(self.timeline.as_ref(), snapshot.timeline.as_ref())
    }
}

impl Work {
    pub(crate) fn into_partition(self, id: impl Into<String>, estimated_rows: Option<u64>) -> Result<Partition> {
        Ok(Partition {
            id: id.into(),
            descriptor: descriptor_of(&self)?,
            estimated_rows,
            total_order: matches!(&self, Self::Ordered(ordered) if ordered.unique),
        })
    }

    /// What these partitions read of pages.
    pub(crate) fn pages_of(partitions: &[Partition]) -> Result<Vec<Pages>> {
        let mut pages = Vec::new();
        for partition in partitions {
            if let Self::Pages(piece) = read_descriptor(&partition.descriptor)? {
                pages.push(piece);
            }
        }
        Ok(pages)
    }

    /// The rows that are left out, where there is nothing to ask the server for; `None` where there is.
    pub(crate) fn reads_nothing(&self) -> Option<LeftOut> {
        match self {
            Self::LeftOut { rows } => Some(LeftOut::by_plan(*rows)),
            Self::Ordered(ordered) if ordered.baseline => Some(LeftOut::by_earlier_version(ordered.skipped_nulls)),
            _ => None,
        }
    }

    /// Rows that are left out of a run which reads nothing else of its table; later runs read it in a total order or not.
    pub(crate) fn left_out(rows: u64, total_order: bool) -> Result<Partition> {
        let partition = Self::LeftOut { rows }.into_partition("left-out", Some(rows))?;
        Ok(Partition {
            total_order,
            ..partition
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_that_is_older_than_the_first_one_is_known_where_the_server_is() {
        let snapshot = |xmin, timeline| Snapshot {
            xmin,
            system_identifier: Some("7".to_owned()),
            timeline,
            ..Snapshot::default()
        };
        let server = Server::of(&snapshot(0, Some(1)));
        assert!(server.is_behind(700, &snapshot(699, Some(1))));
        assert!(!server.is_behind(700, &snapshot(700, Some(1))));
        // Numbers of another server, or of one that may be, say nothing.
        assert!(!server.is_behind(700, &snapshot(699, Some(2))));
        assert!(!Server::default().is_behind(700, &snapshot(699, Some(1))));
    }
}
