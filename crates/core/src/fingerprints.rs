//! The bounded multiset of delivered rows that a later run may see again.

use std::collections::BTreeMap;

/// Fingerprints of rows, 64 bits each, never more than [`Fingerprints::MAX`].
///
/// A multiset, because rows may be equal: two equal rows delivered take back two equal rows seen again, and a third one is new.
/// Over the bound it says so and keeps nothing more: rows that it does not hold are delivered again, never left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprints {
    counts: BTreeMap<u64, u32>,
    total: usize,
    overflowed: bool,
}

impl Fingerprints {
    /// Keeps a table's state document below 64 KiB: 4,096 × 8 bytes are 43.7 KB of base 64.
    pub const MAX: usize = 4_096;

    /// Reads the packed form: 8 bytes each, little endian.
    ///
    /// Returns `None` when the length is not a multiple of 8.
    #[must_use]
    pub fn from_packed(bytes: &[u8], overflowed: bool) -> Option<Self> {
        let chunks = bytes.chunks_exact(8);
        if !chunks.remainder().is_empty() {
            return None;
        }
        let mut set = Self {
            overflowed,
            ..Self::default()
        };
        for chunk in chunks {
            set.insert(u64::from_le_bytes(
                chunk.try_into().expect("chunks_exact(8) yields 8 bytes"),
            ));
        }
        Some(set)
    }

    /// The packed form: 8 bytes each, little endian, ascending, equal ones repeated.
    #[must_use]
    pub fn to_packed(&self) -> Vec<u8> {
        let repeated = self
            .counts
            .iter()
            .flat_map(|(hash, count)| std::iter::repeat_n(hash, *count as usize));
        repeated.flat_map(|hash| hash.to_le_bytes()).collect()
    }

    /// Adds one; over the bound it is not kept and the multiset is marked.
    pub fn insert(&mut self, hash: u64) {
        if self.total >= Self::MAX {
            self.overflowed = true;
            return;
        }
        *self.counts.entry(hash).or_default() += 1;
        self.total += 1;
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: &Self) {
        self.overflowed |= other.overflowed;
        for (hash, count) in &other.counts {
            for _ in 0..*count {
                self.insert(*hash);
            }
        }
    }

    /// Takes one out: `true` when a row with this fingerprint was delivered and not yet taken back. A `true` is as sure as 64 bits are.
    pub fn take(&mut self, hash: u64) -> bool {
        let Some(count) = self.counts.get_mut(&hash) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&hash);
        }
        self.total -= 1;
        true
    }

    /// Whether there were more than it may hold.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// How many are held, equal ones counted each.
    #[must_use]
    pub fn len(&self) -> usize {
        self.total
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packing_loses_nothing(hashes in proptest::collection::vec(0_u64..50, 0..100), overflowed: bool) {
            let mut set = Fingerprints { overflowed, ..Fingerprints::default() };
            hashes.iter().for_each(|hash| set.insert(*hash));
            prop_assert_eq!(Fingerprints::from_packed(&set.to_packed(), overflowed), Some(set));
        }

        #[test]
        fn exactly_what_was_delivered_is_taken_back(hashes in proptest::collection::vec(0_u64..50, 0..100)) {
            let mut set = Fingerprints::default();
            hashes.iter().for_each(|hash| set.insert(*hash));
            for hash in &hashes {
                prop_assert!(set.take(*hash));
            }
            prop_assert!(set.is_empty());
            for hash in &hashes {
                prop_assert!(!set.take(*hash), "an equal row more than was delivered is a new row");
            }
        }
    }

    #[test]
    fn beyond_the_bound_it_forgets_loudly() {
        let mut set = Fingerprints::default();
        (0..Fingerprints::MAX as u64).for_each(|hash| set.insert(hash));
        assert!(!set.overflowed());
        set.insert(u64::MAX);
        assert!(set.overflowed());
        assert_eq!(set.len(), Fingerprints::MAX);
        assert!(!set.take(u64::MAX), "what is not kept is delivered again");
    }

    #[test]
    fn a_torn_packed_form_is_refused() {
        assert_eq!(Fingerprints::from_packed(&[1, 2, 3], false), None);
    }
}
