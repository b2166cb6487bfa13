//! Counters of a run that others may watch while it goes on.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

use longshore_core::{CursorValue, Error};
use longshore_state::UnixMicros;

/// What a run has done so far. Cheap to clone; all clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    tables: Arc<Mutex<Vec<Arc<TableCounters>>>>,
    run: Arc<Mutex<Option<CurrentRun>>>,
    broken_off: Arc<Mutex<Option<BrokenOff>>>,
    begun_anew: Arc<AtomicU32>,
}

/// An attempt has broken off, and the next one waits for its time.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokenOff {
    /// Why.
    pub error: Error,
    /// When the next one begins.
    pub next_at: UnixMicros,
}

/// The run that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentRun {
    /// Its id.
    pub run_id: Arc<str>,
    /// The number of its attempt.
    pub attempt: u32,
}

/// One table's counters. They show progress and decide nothing: the law is checked against the store.
#[derive(Debug, Default)]
pub struct TableCounters {
    /// The table.
    pub name: String,
    /// Rows expected, as far as the source could tell; 0: unknown.
    pub expected: AtomicU64,
    /// Rows that came from the source; of a replay, from the ledger.
    pub forwarded: AtomicU64,
    /// Rows that the slowest destination has acked; of a replay, those of all destinations together.
    pub acked: AtomicU64,
    /// Rows refused as a whole.
    pub rejected: AtomicU64,
    /// All partitions are complete.
    pub complete: AtomicBool,
    /// Where the cursor stands and where it is going.
    pub cursor: Mutex<CursorSpan>,
}

/// The way of a table's cursor within a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorSpan {
    /// Committed so far.
    pub at: Option<CursorValue>,
    /// Upper bound of the run's view.
    pub upper_bound: Option<CursorValue>,
}

impl Progress {
    /// Adds a table.
    pub(super) fn add(
        &self,
        name: &str,
        expected: Option<u64>,
        upper_bound: Option<CursorValue>,
    ) -> Arc<TableCounters> {
        let counters = Arc::new(TableCounters {
            name: name.to_owned(),
            expected: expected.unwrap_or(0).into(),
            cursor: Mutex::new(CursorSpan { at: None, upper_bound }),
            ..TableCounters::default()
        });
        self.tables
            .lock()
            .expect("no holder of this lock panics")
            .push(Arc::clone(&counters));
        counters
    }

    /// Says that an attempt broke off and when the next one begins.
    pub(super) fn broke_off(&self, error: Error, next_at: UnixMicros) {
        *self.broken_off.lock().expect("no holder of this lock panics") = Some(BrokenOff { error, next_at });
    }

    /// No attempt follows.
    pub(super) fn ended(&self) {
        *self.broken_off.lock().expect("no holder of this lock panics") = None;
    }

    /// Another attempt of the run begins: forgets why the last one broke off, and the tables, which it adds as they stand then.
    pub(super) fn begin_anew(&self) {
        self.ended();
        self.tables.lock().expect("no holder of this lock panics").clear();
        self.begun_anew.fetch_add(1, Ordering::Relaxed);
    }

    /// How often another attempt began after one that had broken off.
    #[must_use]
    pub fn begun_anew(&self) -> u32 {
        self.begun_anew.load(Ordering::Relaxed)
    }

    /// Why no attempt goes on at the moment.
    #[must_use]
    pub fn broken_off(&self) -> Option<BrokenOff> {
        self.broken_off.lock().expect("no holder of this lock panics").clone()
    }

    /// Says which run it is, once that is recorded.
    pub(super) fn began(&self, run_id: &Arc<str>, attempt: u32) {
        let run_id = Arc::clone(run_id);
        *self.run.lock().expect("no holder of this lock panics") = Some(CurrentRun { run_id, attempt });
    }

    /// The run, once it has begun; its latest attempt.
    #[must_use]
    pub fn run(&self) -> Option<CurrentRun> {
        self.run.lock().expect("no holder of this lock panics").clone()
    }

    /// The tables, in the order of the plan.
    #[must_use]
    pub fn tables(&self) -> Vec<Arc<TableCounters>> {
        self.tables.lock().expect("no holder of this lock panics").clone()
    }

    /// Rows forwarded and rows rejected, of all tables.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        self.tables().iter().fold((0, 0), |(forwarded, rejected), table| {
            (
                forwarded + table.forwarded.load(Ordering::Relaxed),
                rejected + table.rejected.load(Ordering::Relaxed),
            )
        })
    }
}

impl TableCounters {
    /// The way of the cursor.
    #[must_use]
    pub fn cursor_span(&self) -> CursorSpan {
        self.cursor.lock().expect("no holder of this lock panics").clone()
    }

    pub(super) fn moved_to(&self, cursor: Option<CursorValue>) {
        if cursor.is_some() {
            self.cursor.lock().expect("no holder of this lock panics").at = cursor;
        }
    }
}
