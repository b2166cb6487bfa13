//! What is counted on the way.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use crate::shop::Target;

/// Counts that writers and syncs share.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: RefCell<Counts>,
    /// Microseconds since 1970: how far completed syncs have read, by table.
    cursors: RefCell<HashMap<&'static str, i64>>,
    /// Runs that said that they deliver rows again, with the rows that they delivered.
    repeating: RefCell<BTreeMap<String, u64>>,
}

/// What a soak has survived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Syncs by how they ended.
    pub syncs: BTreeMap<&'static str, u64>,
    /// What befell them, by kind, where it hit something.
    pub troubles: BTreeMap<String, u64>,
    /// Transactions by how they ended.
    pub transactions: BTreeMap<&'static str, u64>,
    /// Rows inserted and updated by transactions that were committed.
    pub rows: u64,
    /// Of them, those whose transaction was committed after a sync had read past their cursor.
    pub late_rows: u64,
    /// Rows that syncs have delivered.
    pub delivered: u64,
    /// Rows that syncs have recognised as delivered before.
    pub deduplicated: u64,
    /// Runs that went on in another attempt.
    pub resumed: BTreeSet<String>,
}

impl Tally {
    pub(super) fn counts(&self) -> Counts {
        self.counts.borrow().clone()
    }

    pub(super) fn add(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.borrow_mut());
    }

    /// Every row up to this cursor that was visible then was delivered.
    pub(super) fn read_up_to(&self, target: Target, micros: i64) {
        let mut cursors = self.cursors.borrow_mut();
        let known = cursors.entry(target.table()).or_insert(micros);
        *known = micros.max(*known);
    }

    /// Whether a sync has read past this cursor already.
    pub(super) fn is_late(&self, target: Target, micros: i64) -> bool {
        self.cursors
            .borrow()
            .get(target.table())
            .is_some_and(|read| micros < *read)
    }

    /// A run said that it repeats rows that it could not remember.
    pub(super) fn repeats(&self, run_id: &str, delivered: u64) {
        self.repeating.borrow_mut().insert(run_id.to_owned(), delivered);
    }

    /// Rows that were delivered by the runs, of those given, that said that they repeat some.
    pub(super) fn repeated_by<'a>(&self, runs: impl Iterator<Item = &'a str>) -> u64 {
        let repeating = self.repeating.borrow();
        runs.filter_map(|run_id| repeating.get(run_id)).sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |counts: &BTreeMap<_, u64>| -> String {
            let parts: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            parts.join(", ")
        };
        let named = |counts: &BTreeMap<&'static str, u64>| {
            listed(
                &counts
                    .iter()
                    .map(|(kind, count)| ((*kind).to_owned(), *count))
                    .collect(),
            )
        };
        let syncs: u64 = self.syncs.values().sum();
        let troubles: u64 = self.troubles.values().sum();
        writeln!(
            formatter,
            "{syncs} syncs ({}), {} runs resumed",
            named(&self.syncs),
            self.resumed.len()
        )?;
        writeln!(formatter, "{troubles} troubles ({})", listed(&self.troubles))?;
        let (rows, late) = (self.rows, self.late_rows);
        writeln!(
            formatter,
            "{rows} rows written ({}), {late} of them committed after a sync had read past their cursor",
            named(&self.transactions)
        )?;
        let (delivered, deduplicated) = (self.delivered, self.deduplicated);
        write!(
            formatter,
            "{delivered} rows delivered, {deduplicated} recognised as delivered before"
        )
    }
}
