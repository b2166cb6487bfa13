use proptest::prelude::*;

use super::*;

fn set_of(hashes: impl IntoIterator<Item = u64>) -> Fingerprints {
    let mut set = Fingerprints::default();
    hashes.into_iter().for_each(|hash| set.insert(hash));
    set
}

/// So many that have nothing to do with each other.
fn many(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn with_ahead(mut set: Fingerprints, hashes: impl IntoIterator<Item = u64>) -> Fingerprints {
    hashes.into_iter().for_each(|hash| set.insert_ahead(hash));
    set
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn packing_loses_nothing(hashes in proptest::collection::vec(0_u64..50, 0..100), more in 0_u64..9_000, ahead in 0_u64..2_000, overflowed: bool) {
        let mut set = with_ahead(set_of(hashes.into_iter().chain(many(more))), many(ahead));
        set.overflowed |= overflowed;
        prop_assert_eq!(Fingerprints::from_packed(&set.to_packed()).unwrap(), set);
    }

    #[test]
    fn exactly_what_was_delivered_is_taken_back(behind in proptest::collection::vec(0_u64..50, 0..100), ahead in proptest::collection::vec(40_u64..90, 0..100)) {
        for mut set in [with_ahead(set_of(behind.clone()), ahead.clone()), with_ahead(set_of(behind.clone()), ahead.clone()).sealed()] {
            for hash in behind.iter().chain(&ahead) {
                prop_assert!(set.take(*hash));
            }
            prop_assert!(set.is_empty());
            for hash in behind.iter().chain(&ahead) {
                prop_assert!(!set.take(*hash), "an equal row more than was delivered is a new row");
            }
        }
    }

    /// Checkpoints, partitions and a plan add up to the same however they are grouped.
    #[test]
    fn parts_add_up_to_the_whole_however_they_are_grouped(sizes in proptest::collection::vec(0_u64..4_000, 1..5), first in 1_usize..5) {
        let parts: Vec<Fingerprints> = (0..).zip(&sizes).map(|(salt, size)| set_of(many(*size).map(|hash| hash ^ salt))).collect();
        let sum = |parts: &[Fingerprints]| {
            let mut sum = Fingerprints::default();
            parts.iter().for_each(|part| sum.extend(part));
            sum
        };
        let (left, right) = parts.split_at(first.min(parts.len()));
        prop_assert_eq!(sum(&[sum(right), sum(left)]), sum(&parts));
        prop_assert_eq!(sum(&parts).len() as u64, sizes.iter().sum::<u64>());
    }
}

#[test]
fn beyond_the_bound_nothing_is_forgotten_and_the_next_run_can_tell_what_is_new() {
    let mut set = set_of(many(Fingerprints::MAX as u64));
    assert!(set.sketch().is_none());
    set.insert(7);
    assert!(!set.overflowed());
    assert_eq!(set.len(), Fingerprints::MAX + 1);
    assert!(!set.take(7), "a sketch does not know a row by itself");
    let mut census = Census::new(set.sketch().unwrap().clone());
    many(Fingerprints::MAX as u64)
        .chain([7, 8])
        .skip(1)
        .for_each(|hash| census.count(hash, hash < 9));
    let reconciled = census.finish().unwrap();
    assert_eq!(reconciled.awaited, [8].into_iter().collect());
    assert_eq!((reconciled.gone, reconciled.kept), (1, set_of([7, 8])));
}

#[test]
fn too_many_rows_ahead_are_forgotten_loudly() {
    let ahead = Fingerprints::MAX_AHEAD as u64;
    let mut set = with_ahead(set_of(many(5_000)), many(ahead));
    assert!(!set.overflowed());
    set.insert_ahead(3);
    assert!(set.overflowed());
    assert!(!set.take(3), "what is not kept is delivered again");
    assert!(many(ahead).all(|hash| set.take(hash)));

    let mut alone = with_ahead(Fingerprints::default(), many(Fingerprints::MAX as u64));
    assert!(!alone.overflowed(), "alone they have all the room");
    alone.insert(3);
    assert!(
        alone.overflowed() && alone.sketch().is_none(),
        "nothing that is held is forgotten for one more"
    );
    alone.extend(&set_of(many(5_000)));
    assert!(alone.sketch().is_some() && alone.ahead.len() == Fingerprints::MAX_AHEAD);
}

#[test]
fn what_no_partition_brought_is_not_taken_for_delivered() {
    for common in [0, 5_000] {
        let mut set = set_of(many(common).chain([1, 2, 2]));
        set.extend(&set_of([1]));
        set.withdraw(&[1, 2].into_iter().collect());
        assert_eq!(
            set,
            set_of(many(common).chain([1, 2])),
            "1 was brought, one of 2 was not"
        );
    }
    let mut set = set_of([1]);
    set.withdraw(&[1, 1, 3].into_iter().collect());
    assert!(set.is_empty());
}

#[test]
fn a_damaged_packed_form_is_refused() {
    let broken = |packed: PackedFingerprints| Fingerprints::from_packed(&packed).is_err();
    let packed = PackedFingerprints::default;
    assert!(!broken(packed()));
    assert!(broken(PackedFingerprints {
        exact: vec![1; 3],
        ..packed()
    }));
    assert!(broken(PackedFingerprints {
        ahead: vec![1; 9],
        ..packed()
    }));
    assert!(broken(PackedFingerprints {
        sketch: vec![1; 9],
        ..packed()
    }));
}
