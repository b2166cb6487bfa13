//! What a partition is to read: stored with the run's plan, so that every attempt reads the same.

use longshore_sdk::{
    core::interval::Interval,
    incremental::{LeftOut, Unsettled, descriptor_of},
    prelude::*,
};
use serde::{Deserialize, Serialize};

/// A partition's descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Work {
    /// In the order of the cursor, with a checkpoint where a reader can resume.
    Ordered(Box<Ordered>),
    /// The rows whose cursor is NULL.
    NullCursors { cursor: String },
    /// The rows with a column within an interval, in no order.
    Slice { column: String, within: Interval },
    /// All rows.
    Whole,
    /// None: so many were left out when the run was planned, and are counted here.
    LeftOut { rows: u64 },
    /// The rows with this value in a column. Never stored: nobody goes on with looking at rows.
    Chosen { column: String, value: CursorValue },
}

/// See [`Work::Ordered`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ordered {
    pub(crate) cursor: String,
    /// Key columns that follow the cursor in the order.
    pub(crate) key: Vec<String>,
    /// No two rows share cursor and key.
    pub(crate) unique: bool,
    pub(crate) since: Since,
    /// Rows before it are of no interest (`start_from`).
    pub(crate) start: Option<CursorValue>,
    /// This partition's share.
    pub(crate) within: Interval,
    /// The greatest cursor in the first attempt's view; what came later is the next run's. `None` when a range was asked for. Earlier versions had `None` where
    /// there was no row but those with a NULL cursor, too.
    pub(crate) up_to: Option<CursorValue>,
    /// The newest rows are left for the next run.
    pub(crate) unsettled: Option<Unsettled>,
    /// The next run may see rows from here on again. `None`: it sees none of this partition.
    pub(crate) again_from: Option<CursorValue>,
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
    /// All rows of the window.
    Window { from: CursorValue },
}

impl Work {
    pub(crate) fn into_partition(self, id: impl Into<String>, estimated_rows: Option<u64>) -> Result<Partition> {
        Ok(Partition {
            id: id.into(),
            descriptor: descriptor_of(&self)?,
            estimated_rows,
            // Without a unique key rows with one position come in any order.
            total_order: matches!(&self, Self::Ordered(ordered) if ordered.unique),
        })
    }

    /// The rows that are left out, where there is nothing to ask the server for; `None` where there is.
    pub(crate) fn reads_nothing(&self) -> Option<LeftOut> {
        match self {
            Self::LeftOut { rows } => Some(LeftOut::by_plan(*rows)),
            Self::Ordered(ordered) if ordered.baseline => Some(LeftOut::by_earlier_version(ordered.skipped_nulls)),
            // Not bounded, and what is read is not remembered.
            Self::Ordered(ordered) if ordered.up_to.is_none() && ordered.skipped_nulls > 0 => {
                Some(LeftOut::by_plan(ordered.skipped_nulls))
            }
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
    use longshore_sdk::{core::interval::Bound, incremental::read_descriptor};

    use super::*;

    #[test]
    fn a_plan_that_was_stored_is_read_as_it_was_meant() {
        let golden = r#"{"kind":"ordered","cursor":"at","key":["id"],"unique":true,"since":{"window":{"from":{"type":"int","value":3}}},"start":null,"within":{"from":{"included":{"type":"int","value":5}},"to":"open"},"up_to":{"type":"int","value":9},"unsettled":null,"again_from":null,"baseline":false,"skipped_nulls":0}"#;
        let work: Work = read_descriptor(golden).unwrap();
        let Work::Ordered(ordered) = &work else {
            panic!("{work:?}")
        };
        assert_eq!(ordered.within.from, Bound::Included(CursorValue::Int(5)));
        assert_eq!(work.into_partition("p", None).unwrap().descriptor, golden);
    }

    #[test]
    fn what_earlier_versions_planned_to_remember_or_without_a_bound_is_not_read() {
        let stored = |since: &str, up_to: &str, baseline: bool, skipped_nulls: u64| {
            let text = format!(
                r#"{{"kind":"ordered","cursor":"at","key":[],"unique":false,"since":{since},"start":null,"within":{{"from":"open","to":"open"}},"up_to":{up_to},"unsettled":null,"again_from":null,"baseline":{baseline},"skipped_nulls":{skipped_nulls}}}"#
            );
            read_descriptor::<Work>(&text)
                .unwrap()
                .reads_nothing()
                .map(|left_out| left_out.rows())
        };
        let nine = r#"{"type":"int","value":9}"#;
        let window = r#"{"window":{"from":{"type":"int","value":3}}}"#;
        assert_eq!(stored(window, nine, true, 2), Some(2));
        assert_eq!(stored(r#""beginning""#, "null", false, 2), Some(2));
        assert_eq!(stored(r#""beginning""#, "null", false, 0), None, "a range");
        assert_eq!(stored(r#""beginning""#, nine, false, 2), None);
    }
}
