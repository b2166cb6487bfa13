//! What is there now, counted against what was delivered.

use super::{Fingerprints, Multiset, Sketch};

/// A count of the rows that are there where an earlier run has delivered, made in one pass that keeps none of them.
///
/// It is right whatever happens to the rows after it. A row that appears later is in neither answer: it is not taken for new by this run, and not for delivered by
/// the next.
#[derive(Clone, Debug)]
pub struct Census {
    delivered: Sketch,
    there: Sketch,
    kept: Fingerprints,
}

/// What a [`Census`] found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// The rows that the next run may see again, awaited ones included.
    pub kept: Fingerprints,
    /// The rows that are there and were not delivered. Every other one was.
    pub awaited: Multiset,
    /// How many were delivered and are gone, equal ones counted each.
    pub gone: u64,
}

impl Census {
    /// A count against what an earlier run has delivered.
    #[must_use]
    pub fn new(delivered: Sketch) -> Self {
        Self {
            delivered,
            there: Sketch::default(),
            kept: Fingerprints::default(),
        }
    }

    /// Counts a row. The next run may see it `again`.
    pub fn count(&mut self, hash: u64, again: bool) {
        self.there.add(hash, 1);
        if again {
            self.kept.insert(hash);
        }
    }

    /// Compares. `None`: more than [`Sketch::DECODED`] or so different rows appeared or went, and which ones can not be told.
    #[must_use]
    pub fn finish(self) -> Option<Reconciled> {
        let mut difference = self.there;
        difference.subtract(&self.delivered);
        let (mut awaited, mut gone) = (Multiset::default(), 0);
        for (hash, times) in difference.read()? {
            if times > 0 {
                awaited.insert_times(hash, u32::try_from(times).ok()?);
            } else {
                gone += times.unsigned_abs();
            }
        }
        Some(Reconciled {
            kept: self.kept,
            awaited,
            gone,
        })
    }
}
