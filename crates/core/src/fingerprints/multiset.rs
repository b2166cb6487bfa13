//! Fingerprints that are kept one by one.

use std::collections::BTreeMap;

use super::field;

/// A multiset of fingerprints, because rows may be equal: two equal rows delivered take back two equal rows seen again, and a third one is new.
///
/// The 59 greatest fingerprints are taken for the 59 least ([`Sketch`](super::Sketch) calculates modulo a prime).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Multiset {
    counts: BTreeMap<u64, u32>,
    total: usize,
}

impl Multiset {
    /// Reads a form of 8 bytes each, little endian. `None` when the length is not a multiple of 8.
    #[must_use]
    pub fn from_packed(bytes: &[u8]) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<8>();
        rest.is_empty()
            .then(|| chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect())
    }

    /// 8 bytes each, little endian, ascending, equal ones repeated.
    #[must_use]
    pub fn to_packed(&self) -> Vec<u8> {
        let repeated = self
            .counts
            .iter()
            .flat_map(|(hash, count)| std::iter::repeat_n(hash, *count as usize));
        repeated.flat_map(|hash| hash.to_le_bytes()).collect()
    }

    /// Reads a form of 12 bytes for each that is different: the fingerprint and how often it is held, both little endian. `None` when the length is
    /// not a multiple of 12.
    #[must_use]
    pub fn from_counted(bytes: &[u8]) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<12>();
        let mut set = Self::default();
        for chunk in chunks {
            let [hash, count] = [&chunk[..8], &chunk[8..]].map(number);
            set.insert_times(hash, u32::try_from(count).ok()?);
        }
        rest.is_empty().then_some(set)
    }

    /// 12 bytes for each that is different; see [`Self::from_counted`].
    #[must_use]
    pub fn to_counted(&self) -> Vec<u8> {
        let counted = self.counts.iter();
        counted
            .flat_map(|(hash, count)| hash.to_le_bytes().into_iter().chain(count.to_le_bytes()))
            .collect()
    }

    /// Adds one.
    pub fn insert(&mut self, hash: u64) {
        self.insert_times(hash, 1);
    }

    /// Adds one so many times.
    pub fn insert_times(&mut self, hash: u64, times: u32) {
        if times == 0 {
            return;
        }
        let count = self.counts.entry(field::reduced(hash)).or_default();
        let more = times.min(u32::MAX - *count);
        *count += more;
        self.total += more as usize;
    }

    /// Takes one out: `true` when it was there. That is as sure as 64 bits are.
    pub fn take(&mut self, hash: u64) -> bool {
        let hash = field::reduced(hash);
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

    /// Those held, each that is different with its number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32)> {
        self.counts.iter().map(|(hash, count)| (*hash, *count))
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

impl FromIterator<u64> for Multiset {
    fn from_iter<T: IntoIterator<Item = u64>>(hashes: T) -> Self {
        let mut set = Self::default();
        hashes.into_iter().for_each(|hash| set.insert(hash));
        set
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packing_loses_nothing(hashes in proptest::collection::vec(0_u64..50, 0..100)) {
            let set: Multiset = hashes.iter().copied().collect();
            prop_assert_eq!(set.to_packed().len(), 8 * hashes.len());
            prop_assert_eq!(Multiset::from_packed(&set.to_packed()), Some(set.clone()));
            prop_assert_eq!(Multiset::from_counted(&set.to_counted()), Some(set));
        }

        #[test]
        fn exactly_what_was_put_in_is_taken_out(hashes in proptest::collection::vec(prop_oneof![0_u64..50, u64::MAX - 100..], 0..100)) {
            let mut set: Multiset = hashes.iter().copied().collect();
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
    fn a_torn_packed_form_is_refused() {
        assert_eq!(Multiset::from_packed(&[1, 2, 3]), None);
        assert_eq!(Multiset::from_counted(&[0; 8]), None);
    }
}
