use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// So many fingerprints that have nothing to do with each other.
fn random(seed: u64, count: usize) -> impl Iterator<Item = u64> {
    (0..count as u64).map(move |number| mixed(mixed(seed).wrapping_add(number)))
}

fn sketch_of(counted: impl IntoIterator<Item = (u64, i64)>) -> Sketch {
    let mut sketch = Sketch::default();
    counted.into_iter().for_each(|(hash, times)| sketch.add(hash, times));
    sketch
}

fn read(sketch: &Sketch) -> Option<BTreeMap<u64, i64>> {
    let found = sketch.read()?;
    let read: BTreeMap<u64, i64> = found.iter().copied().collect();
    assert_eq!(read.len(), found.len(), "each is read once");
    Some(read)
}

/// Fingerprints, some of them near the ends and near each other, each some times more or less.
fn changes() -> impl Strategy<Value = BTreeMap<u64, i64>> {
    let hash = prop_oneof![any::<u64>(), 0_u64..40, field::PRIME - 40..field::PRIME];
    let times = prop_oneof![Just(1_i64), Just(-1), -300_i64..300, Just(2), Just(-2), Just(1 << 30)];
    proptest::collection::btree_map(hash.prop_map(field::reduced), times, 0..600)
        .prop_map(|changes| changes.into_iter().filter(|(_, times)| *times != 0).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_there_before_the_changes_are_read_exactly(seed: u64, common in 0_usize..5_000, changes in changes()) {
        let mut before = sketch_of(random(seed, common).map(|hash| (hash, 1)));
        let mut after = before.clone();
        for (hash, times) in &changes {
            let (target, times) = if *times > 0 { (&mut after, *times) } else { (&mut before, -times) };
            target.add(*hash, times);
        }
        after.subtract(&before);
        prop_assert_eq!(read(&after), Some(changes));
    }

    #[test]
    fn a_difference_of_any_size_is_read_exactly_or_refused(seed: u64, size in 0_usize..3_000) {
        let held: BTreeMap<u64, i64> = random(seed, size).map(|hash| (hash, 1)).collect();
        let read = read(&sketch_of(held.clone()));
        prop_assert!(read.is_some() || size > Sketch::DECODED, "{} are few", size);
        prop_assert!(read.is_none_or(|read| read == held));
    }

    #[test]
    fn parts_add_up_to_the_whole_in_any_order(seed: u64, sizes in proptest::collection::vec(0_usize..300, 0..6)) {
        let parts: Vec<Sketch> = (seed..).zip(&sizes).map(|(seed, size)| sketch_of(random(seed, *size).map(|hash| (hash, 1)))).collect();
        let mut forward = Sketch::default();
        parts.iter().for_each(|part| forward.extend(part));
        let mut backward = Sketch::default();
        parts.iter().rev().for_each(|part| backward.extend(part));
        prop_assert!(forward == backward);
        prop_assert_eq!(forward.total(), sizes.iter().sum::<usize>() as i64);
        parts.iter().for_each(|part| forward.subtract(part));
        prop_assert!(forward == Sketch::default());
    }

    #[test]
    fn a_sketch_survives_storage(seed: u64, size in 0_usize..3_000) {
        let sketch = sketch_of(random(seed, size).map(|hash| (hash, 1)));
        let bytes = sketch.to_bytes();
        prop_assert_eq!(bytes.len(), Sketch::BYTES);
        prop_assert!(Sketch::from_bytes(&bytes) == Some(sketch));
    }

    /// Bits that fell over in a stored sketch: what is read from it is nothing, or what was there.
    #[test]
    fn a_damaged_sketch_is_never_read_wrongly(seed: u64, size in 0_usize..1_000, place in 0..Sketch::BYTES, bit in 0..8) {
        let held: BTreeMap<u64, i64> = random(seed, size).map(|hash| (hash, 1)).collect();
        let mut bytes = sketch_of(held).to_bytes();
        bytes[place] ^= 1_u8 << bit;
        prop_assert!(Sketch::from_bytes(&bytes).is_none_or(|sketch| sketch.read().is_none()));
    }
}

#[test]
fn many_equal_rows_are_one_difference() {
    let counted: BTreeMap<u64, i64> = random(7, Sketch::DECODED)
        .zip((1..).map(|times| times * 1_000))
        .collect();
    assert_eq!(read(&sketch_of(counted.clone())), Some(counted));
}

#[test]
fn a_number_of_equal_rows_that_no_cell_can_count_is_refused() {
    assert_eq!(read(&sketch_of([(9, (1 << 32) + 1)])), None);
    assert_eq!(read(&sketch_of([(9, 1 << 32)])), None);
}

#[test]
fn a_form_that_is_none_is_refused() {
    assert!(Sketch::from_bytes(&[]).is_none());
    assert!(Sketch::from_bytes(&vec![0; Sketch::BYTES + 1]).is_none());
    assert!(
        Sketch::from_bytes(&vec![0xFF; Sketch::BYTES]).is_none(),
        "no numbers of the field"
    );
}

/// An experiment: prints how often differences of a size are read.
#[test]
#[ignore = "an experiment of minutes"]
fn how_large_a_difference_is_read() {
    const TRIALS: u64 = 2_000;
    for size in [500, 1_000, 1_100, 1_120, 1_140, 1_160, 1_180, 1_200, 1_250] {
        let is_read = |trial: &u64| {
            let signs = [1, -1].into_iter().cycle();
            sketch_of(random(*trial, size).zip(signs)).read().is_some()
        };
        let read = (0..TRIALS).filter(is_read).count();
        println!("{size} different fingerprints: {read} of {TRIALS} read");
        assert!(read as u64 == TRIALS || size > Sketch::DECODED);
    }
}
