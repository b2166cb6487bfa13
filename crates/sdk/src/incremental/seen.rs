//! Rows that the last run delivered and this one sees again.

use longshore_core::{
    Result, TableState,
    fingerprints::{Fingerprints, Multiset},
};

use crate::source::PartitionWriter;

/// Where a row's cursor lies. A mark that a partition's plan has no use for is `false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowMarks {
    /// The next run may see the row again.
    pub again: bool,
    /// It is ahead of the cursor that this run will store, with a date in the future.
    pub ahead: bool,
    /// It is not beyond the cursor that the last run has stored. Needed where rows are known by a count of what is there.
    pub behind: bool,
    /// It is too new to be delivered, and left for the next run.
    pub unsettled: bool,
}

/// Decides for each row of an incremental read whether it is new.
#[derive(Clone, Debug, Default)]
pub struct SeenRows {
    delivered: Fingerprints,
    /// Of the rows behind the stored cursor, those that are new, when they were counted before the run: all others are known.
    awaited: Option<Multiset>,
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Delivered,
    Deduplicated,
    /// It belongs to the next run, and is not counted.
    Left,
}

/// What becomes of a row, and the fingerprint that is remembered of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Judgement {
    fate: Fate,
    remembered: Option<u64>,
}

impl SeenRows {
    /// `delivered` is what the last run remembered.
    #[must_use]
    pub fn new(delivered: Fingerprints) -> Self {
        Self {
            delivered,
            awaited: None,
        }
    }

    /// The same for a run that has counted what is there: of the rows behind the stored cursor those that are `awaited` are new.
    #[must_use]
    pub fn counted(delivered: Fingerprints, awaited: Multiset) -> Self {
        Self {
            delivered,
            awaited: Some(awaited),
        }
    }

    /// Whether a row is to be delivered; one that is not is counted as deduplicated, or not at all when it is left for the next run. What the next run has to
    /// know of it is remembered. `fingerprint` is asked only when it is needed: two rows with the same content must have the same in every run.
    pub fn is_new(&mut self, marks: RowMarks, fingerprint: impl FnOnce() -> u64, output: &mut PartitionWriter) -> bool {
        let Judgement { fate, remembered } = self.judge(marks, fingerprint);
        match remembered {
            Some(hash) if marks.ahead => output.fingerprint_ahead(hash),
            Some(hash) => output.fingerprint(hash),
            None => {}
        }
        match fate {
            Fate::Delivered => return true,
            Fate::Deduplicated => output.deduplicated(1),
            Fate::Left => {}
        }
        false
    }

    fn judge(&mut self, marks: RowMarks, fingerprint: impl FnOnce() -> u64) -> Judgement {
        let fate_of_new = if marks.unsettled { Fate::Left } else { Fate::Delivered };
        let needs_no_fingerprint = if marks.unsettled {
            self.delivered.knows_no_row()
        } else {
            self.lets_all_pass() && !marks.again
        };
        if needs_no_fingerprint {
            return Judgement {
                fate: fate_of_new,
                remembered: None,
            };
        }
        let hash = fingerprint();
        if marks.behind
            && let Some(awaited) = &mut self.awaited
        {
            return Self::judge_counted(hash, marks, awaited);
        }
        if self.delivered.take(hash) {
            // One that is too new was delivered ahead of its time, and the next run sees it again.
            return Judgement {
                fate: Fate::Deduplicated,
                remembered: (marks.again || marks.unsettled).then_some(hash),
            };
        }
        Judgement {
            fate: fate_of_new,
            remembered: (marks.again && fate_of_new != Fate::Left).then_some(hash),
        }
    }

    /// A row behind the stored cursor, where what is there was counted. The plan's own fingerprints hold those that are known; of one that appeared since they were
    /// counted nobody knows, so that the next run finds it.
    fn judge_counted(hash: u64, marks: RowMarks, awaited: &mut Multiset) -> Judgement {
        let fate = match marks.unsettled {
            true => Fate::Left,
            false if awaited.take(hash) => Fate::Delivered,
            false => Fate::Deduplicated,
        };
        Judgement {
            fate,
            // Also of a row that the next run does not see: the plan has taken it out in advance.
            remembered: (fate == Fate::Delivered).then_some(hash),
        }
    }

    /// Whether no row needs its fingerprint but those that the next run may see again.
    #[must_use]
    pub fn lets_all_pass(&self) -> bool {
        self.delivered.knows_no_row() && self.awaited.is_none()
    }
}

/// The rows that the last run delivered and this one may see again. `own` reads the source's part of a state, and answers `None` for a cursor that was set
/// by hand: it means that rows are wanted again.
///
/// # Errors
/// Those of `own`.
pub fn delivered_before<T>(
    state: Option<&TableState>,
    own: impl FnOnce(&TableState) -> Result<Option<T>>,
) -> Result<Fingerprints> {
    match state {
        Some(state) if own(state)?.is_some() => Ok(state.fingerprints.clone()),
        Some(_) | None => Ok(Fingerprints::default()),
    }
}

#[cfg(test)]
mod tests;
