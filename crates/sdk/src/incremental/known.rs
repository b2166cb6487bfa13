//! What is known of a table's rows when a run reads them: what the last run remembered, and what this run's plan found out.

use longshore_core::{
    Result, TableState,
    fingerprints::{Census, Fingerprints, Multiset, Reconciled, Sketch},
};

use super::{RowMarks, SeenRows, delivered_before};
use crate::source::{PartitionWriter, ReadPartition, TablePlan};

/// What a run knows of the rows that it may see again.
#[derive(Clone, Debug, Default)]
pub struct KnownRows {
    delivered: Fingerprints,
    awaited: Multiset,
}

impl KnownRows {
    /// Of a table with this state and this plan. For `own` see [`delivered_before`].
    ///
    /// # Errors
    /// Those of `own`.
    pub fn of<T>(
        state: Option<&TableState>,
        plan: &TablePlan,
        own: impl FnOnce(&TableState) -> Result<Option<T>>,
    ) -> Result<Self> {
        let completed = plan.completed_state.as_ref();
        Ok(Self {
            delivered: delivered_before(state, own)?,
            awaited: completed.map(|state| state.awaited.clone()).unwrap_or_default(),
        })
    }

    /// For a partition that has seen none of it yet. `counted`: its plan was made with what a [`Recount`] found.
    #[must_use]
    pub fn rows(&self, counted: bool) -> SeenRows {
        if counted {
            SeenRows::counted(self.delivered.clone(), self.awaited.clone())
        } else {
            SeenRows::new(self.delivered.clone())
        }
    }
}

/// The rows that are there when a first run begins with what comes (`start_from: now`): it delivers none of them, and the next run must know those that it
/// sees again.
///
/// Take each row from where the next run's window begins on when the run is *planned*, after the plan's own cursor and window are fixed. Whatever appears
/// after that is then new to the next run, however often this one is interrupted before it is complete.
#[derive(Debug, Default)]
pub struct Baseline {
    known: Fingerprints,
    rows: u64,
}

impl Baseline {
    /// Takes a row over. One that is too new is left for the next run.
    pub fn take(&mut self, hash: u64, marks: RowMarks) {
        if marks.unsettled {
            return;
        }
        self.rows += 1;
        match (marks.again, marks.ahead) {
            (false, _) => {}
            (true, false) => self.known.insert(hash),
            (true, true) => self.known.insert_ahead(hash),
        }
    }

    /// Puts what is known into the state that the plan leads to. Answers how many rows the run leaves out.
    #[must_use]
    pub fn plan(self, completed: &mut TableState) -> u64 {
        completed.fingerprints = self.known;
        self.rows
    }
}

/// Rows that a partition leaves out without reading any.
#[derive(Clone, Copy, Debug)]
pub struct LeftOut {
    rows: u64,
    by_earlier_version: bool,
}

impl LeftOut {
    /// So many were left out when the run was planned.
    #[must_use]
    pub fn by_plan(rows: u64) -> Self {
        Self {
            rows,
            by_earlier_version: false,
        }
    }

    /// So many, and the rows that an earlier version meant to read here, late, for a [`Baseline`].
    #[must_use]
    pub fn by_earlier_version(rows: u64) -> Self {
        Self {
            rows,
            by_earlier_version: true,
        }
    }

    /// How many are counted.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Counts them, unless an earlier attempt has.
    pub fn count(&self, partition: &ReadPartition, output: &mut PartitionWriter) {
        if self.by_earlier_version {
            tracing::warn!(
                table = partition.table,
                "an earlier version has planned this run: the next one delivers rows that were there when it began"
            );
        }
        if partition.resume_from.is_none() {
            output.filtered(self.rows);
        }
    }
}

/// The count of what is there that a run needs before it reads, where the last run remembered more rows than are kept one by one.
///
/// Count each row that was within reach of the last run and is not beyond the cursor that it stored, in one pass, after the plan's own cursor and
/// window are fixed. Rows that appear after the pass are this run's matter only beyond that cursor; those behind it are found by the next run, because
/// the count does not have them.
#[derive(Debug)]
pub struct Recount {
    /// The cursor that the last run stored: rows beyond it are not counted.
    pub up_to: longshore_core::CursorValue,
    /// Takes the rows.
    pub census: Census,
}

impl Recount {
    /// What is to be counted; `None` when each row is kept by itself, or nothing is remembered. For `own` see [`delivered_before`].
    ///
    /// # Errors
    /// Those of `own`.
    pub fn needed<T>(
        state: Option<&TableState>,
        own: impl FnOnce(&TableState) -> Result<Option<T>>,
    ) -> Result<Option<Self>> {
        let delivered = delivered_before(state, own)?;
        let cursor = state.and_then(|state| state.cursor.clone());
        Ok(delivered.sketch().zip(cursor).map(|(sketch, up_to)| Self {
            up_to,
            census: Census::new(sketch.clone()),
        }))
    }

    /// Puts what was found into the state that the plan leads to; with nothing found, that state is made of what the partitions bring.
    pub fn plan(found: Reconciled, completed: &mut TableState) {
        completed.fingerprints = found.kept;
        completed.awaited = found.awaited;
    }

    /// What to tell the user when the differences can not be told one by one. All rows must be taken for new then.
    #[must_use]
    pub fn too_different(table: &str) -> String {
        format!(
            "Within the overlap of {table}, more than {} rows appeared late, changed or went since the last run. Which ones can not be told: all rows of the overlap are \
             delivered again. A shorter `overlap` makes that rarer.",
            Sketch::DECODED
        )
    }

    /// What to tell the user when the last run could not remember every row; `None` when it could.
    #[must_use]
    pub fn forgotten(table: &str, state: Option<&TableState>) -> Option<String> {
        state.filter(|state| state.fingerprints.overflowed()).map(|_| {
            format!(
                "The last run delivered more rows of {table} with a date in the future than can be remembered: some of them are delivered again."
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_there_when_a_run_begins_now_the_next_run_knows_each_row_that_it_sees_again() {
        let again = RowMarks {
            again: true,
            ..RowMarks::default()
        };
        let ahead = RowMarks { ahead: true, ..again };
        let unsettled = RowMarks {
            unsettled: true,
            ..again
        };
        let mut baseline = Baseline::default();
        for (hash, marks) in [
            (1, again),
            (1, again),
            (2, ahead),
            (3, unsettled),
            (4, RowMarks::default()),
        ] {
            baseline.take(hash, marks);
        }
        let mut completed = TableState::default();
        assert_eq!(baseline.plan(&mut completed), 4, "what is too new is not counted");
        let mut known = completed.promoted([]).fingerprints;
        let found = [1, 1, 1, 2, 3, 4].map(|hash| known.take(hash));
        assert_eq!(found, [true, true, false, true, false, false]);
    }
}
