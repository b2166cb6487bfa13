//! Which identities have rows in the ledger of rejects, and whether a row that was delivered is newer than one of theirs.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Rejects of a table that are remembered: twice what the ledger keeps of a whole sync, so that none is forgotten here that is still pending there.
const REMEMBERED: usize = 200_000;

/// The identities of all tables that this process writes.
#[derive(Debug, Default)]
pub(crate) struct RejectedIdentities {
    tables: Mutex<HashMap<String, Rejected>>,
    streams: AtomicU64,
}

/// What is known of the rejects of one table. Cheap to clone; all clones see the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rejected {
    /// By what the destination says that they replace.
    pub(crate) identities: Arc<TableIdentities>,
    /// By the fingerprints of their keys: an older version of a row that is delivered, wherever it goes.
    pub(crate) rows: Arc<TableIdentities>,
}

impl RejectedIdentities {
    /// Those of one table, for all of its streams.
    pub(crate) fn of(&self, table: &str) -> Rejected {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.entry(table.to_owned()).or_default().clone()
    }

    /// A number for a stream that is opened. None has 0: that is what came before this process.
    pub(super) fn next_stream(&self) -> u64 {
        self.streams.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Where a row was rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) stream: u64,
    pub(super) sequence: u64,
    pub(super) row: u64,
}

impl Place {
    /// Rows of one stream are in order. Of two streams, what was rejected before the other one was delivered counts as older: there is no other order.
    fn is_older_than(self, delivered: Self) -> bool {
        self.stream != delivered.stream || (self.sequence, self.row) < (delivered.sequence, delivered.row)
    }
}

/// The identities of one table.
#[derive(Debug, Default)]
pub(crate) struct TableIdentities {
    /// Something is known: so that a table without rejects costs no look-up.
    watching: AtomicBool,
    known: Mutex<Known>,
    hasher: RandomState,
}

/// By hash: of two identities with one hash, one may be reported for the other, and then no reject of the ledger has the reported one.
#[derive(Debug, Default)]
struct Known {
    places: HashMap<u64, Vec<Place>>,
    order: VecDeque<(u64, Place)>,
}

impl TableIdentities {
    /// The ledger has rows of these from before this process.
    pub(crate) fn watch<I: AsRef<[u8]>>(&self, identities: &[I]) {
        for identity in identities {
            self.rejected(identity.as_ref(), Place::default());
        }
    }

    /// A row was rejected.
    pub(super) fn rejected(&self, identity: &[u8], place: Place) {
        if identity.is_empty() {
            return;
        }
        self.watching.store(true, Ordering::Relaxed);
        self.lock().add(self.hasher.hash_one(identity), place);
    }

    pub(super) fn is_watching(&self) -> bool {
        self.watching.load(Ordering::Relaxed)
    }

    /// Whether the row that was delivered here is newer than a rejected one, which is then forgotten.
    pub(super) fn supersedes(&self, identity: &[u8], delivered: Place) -> bool {
        self.lock().take_older(self.hasher.hash_one(identity), delivered)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add(&mut self, identity: u64, place: Place) {
        self.places.entry(identity).or_default().push(place);
        self.order.push_back((identity, place));
        if self.order.len() > REMEMBERED
            && let Some((oldest, place)) = self.order.pop_front()
            && let Some(places) = self.places.get_mut(&oldest)
        {
            places.retain(|other| *other != place);
            if places.is_empty() {
                self.places.remove(&oldest);
            }
        }
    }

    fn take_older(&mut self, identity: u64, delivered: Place) -> bool {
        let Some(places) = self.places.get_mut(&identity) else {
            return false;
        };
        let before = places.len();
        places.retain(|place| !place.is_older_than(delivered));
        let found = places.len() < before;
        if places.is_empty() {
            self.places.remove(&identity);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(stream: u64, sequence: u64, row: u64) -> Place {
        Place { stream, sequence, row }
    }

    #[test]
    fn only_a_later_row_of_the_same_identity_supersedes() {
        let table = TableIdentities::default();
        assert!(!table.is_watching());
        table.rejected(b"ada", place(1, 2, 5));
        assert!(table.is_watching());
        assert!(!table.supersedes(b"ada", place(1, 2, 4)), "an earlier row of its batch");
        assert!(
            !table.supersedes(b"ada", place(1, 2, 5)),
            "the row itself, of which a column was left out"
        );
        assert!(!table.supersedes(b"bob", place(1, 3, 0)));
        assert!(table.supersedes(b"ada", place(1, 2, 6)));
        assert!(!table.supersedes(b"ada", place(1, 2, 7)), "it is said once");
    }

    #[test]
    fn what_was_rejected_behind_the_delivered_row_stays_known() {
        let table = TableIdentities::default();
        table.rejected(b"ada", place(1, 1, 0));
        table.rejected(b"ada", place(1, 1, 9));
        assert!(table.supersedes(b"ada", place(1, 1, 5)), "the first is older");
        assert!(!table.supersedes(b"ada", place(1, 1, 6)), "the second is not");
        assert!(table.supersedes(b"ada", place(1, 2, 0)));
    }

    #[test]
    fn rejects_of_another_stream_and_of_earlier_runs_are_older() {
        let table = TableIdentities::default();
        table.watch(&["ada".to_owned()]);
        assert!(table.supersedes(b"ada", place(1, 1, 0)));
        table.rejected(b"ada", place(2, 7, 7));
        assert!(table.supersedes(b"ada", place(1, 1, 1)));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let table = TableIdentities::default();
        for number in 0..=REMEMBERED as u64 {
            table.rejected(number.to_string().as_bytes(), place(1, number, 0));
        }
        assert!(!table.supersedes(b"0", place(2, 1, 0)));
        assert!(table.supersedes(b"1", place(2, 1, 0)));
        assert_eq!(table.lock().order.len(), REMEMBERED);
    }

    #[test]
    fn a_row_without_identity_is_not_watched() {
        let table = TableIdentities::default();
        table.rejected(b"", place(1, 1, 0));
        assert!(!table.is_watching());
    }
}
