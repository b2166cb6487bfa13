//! State documents: what was ever written stays readable, and what is written is read back bit for bit.

use std::{fs, path::PathBuf};

use longshore_core::{
    CursorValue, TableState,
    cursor::{Sign, TimeUnit, Timestamp},
    fingerprints::{Census, Fingerprints, PackedFingerprints},
};
use proptest::prelude::*;

use crate::values::any_value;

fn golden(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn timestamp(value: i64, unit: TimeUnit, instant: bool) -> CursorValue {
    CursorValue::Timestamp(Timestamp { value, unit, instant })
}

/// One value of each kind, at the ends of its type where it has ends, in the order of the golden file's lines.
fn every_kind() -> Vec<Option<CursorValue>> {
    let decimal = |text: &str| Some(CursorValue::Decimal(text.to_owned()));
    vec![
        None,
        Some(CursorValue::Int(0)),
        Some(CursorValue::Int(i64::MIN)),
        Some(CursorValue::Int(i64::MAX)),
        Some(CursorValue::Uint(u64::MAX)),
        decimal("-170141183460469231731687303715884105728"),
        decimal("115792089237316195423570985008687907853269984665640564039457584007913129639935"),
        decimal("-12.340"),
        Some(CursorValue::Date(i32::MIN)),
        Some(CursorValue::Date(-1)),
        Some(timestamp(-1, TimeUnit::Second, true)),
        Some(timestamp(1_795_212_000_123, TimeUnit::Millisecond, false)),
        Some(timestamp(1_795_212_000_123_457, TimeUnit::Microsecond, true)),
        Some(timestamp(i64::MAX, TimeUnit::Nanosecond, false)),
        Some(CursorValue::Text("ü \"\\ \u{0} 終".to_owned())),
        Some(CursorValue::Uuid(
            *b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\xfe\xff",
        )),
        Some(CursorValue::Binary(vec![0, 255])),
        Some(CursorValue::Binary(Vec::new())),
        Some(CursorValue::Infinity(Sign::Negative)),
        Some(CursorValue::Infinity(Sign::Positive)),
    ]
}

fn with_cursor(cursor: Option<CursorValue>) -> TableState {
    TableState {
        cursor_column: "last_updated_at".to_owned(),
        cursor,
        ..TableState::default()
    }
}

/// Never change the file: a state that somebody stored years ago must be read. A new version of the document gets a file of its own.
#[test]
fn documents_of_version_1_are_read_for_ever_whatever_their_cursor() {
    let file = golden("table-state-v1-cursors.jsonl");
    let lines: Vec<&str> = file.lines().collect();
    let kinds = every_kind();
    assert_eq!(lines.len(), kinds.len());
    for (line, cursor) in lines.into_iter().zip(kinds) {
        let state = with_cursor(cursor);
        assert_eq!(TableState::from_document(line).unwrap(), state, "{line}");
        assert_eq!(
            state.to_document().unwrap(),
            line,
            "what is written is what version 1 says"
        );
    }
}

#[test]
fn a_document_with_fingerprints_is_read_with_each_of_them() {
    let state = TableState::from_document(golden("table-state-v1.json").trim_end()).unwrap();
    let mut fingerprints = state.fingerprints.clone();
    assert_eq!(fingerprints.len(), 1);
    assert!(fingerprints.take(0x0102_0304_0506_0708));
}

/// Never change the file: the sketch in it must be understood for ever, its hash functions included.
#[test]
fn documents_of_version_2_are_read_for_ever() {
    let file = golden("table-state-v2.json");
    let document = file.trim_end();
    let state = TableState::from_document(document).unwrap();
    assert_eq!(state.to_document().unwrap(), document);
    assert_eq!(
        (state.fingerprints.len(), state.fingerprints.overflowed()),
        (5_002, true)
    );
    let mut census = Census::new(state.fingerprints.sketch().unwrap().clone());
    (1..=5_003_u64)
        .filter(|hash| *hash != 40)
        .for_each(|hash| census.count(hash, false));
    let reconciled = census.finish().unwrap();
    assert_eq!(
        reconciled.awaited,
        (5_001..=5_003).collect(),
        "the sketch holds 1 to 5,000"
    );
    assert_eq!(reconciled.gone, 1);
    let mut ahead = state.fingerprints.clone();
    assert!(ahead.take(0x0102_0304_0506_0708) && ahead.take(7) && !ahead.take(7));
}

#[test]
fn version_2_is_written_as_it_always_was() {
    let mut fingerprints = Fingerprints::default();
    (1..=5_000).for_each(|hash| fingerprints.insert(hash));
    [0x0102_0304_0506_0708, 7]
        .into_iter()
        .for_each(|hash| fingerprints.insert_ahead(hash));
    let overflowed = PackedFingerprints {
        overflowed: true,
        ..fingerprints.to_packed()
    };
    let state = TableState {
        source_state: r#"{"xmin":731}"#.to_owned(),
        fingerprints: Fingerprints::from_packed(&overflowed).unwrap(),
        ..with_cursor(Some(timestamp(-1, TimeUnit::Microsecond, true)))
    };
    assert_eq!(state.to_document().unwrap(), golden("table-state-v2.json").trim_end());
}

proptest! {
    #[test]
    fn a_state_survives_its_document_bit_for_bit(
        column in ".*", cursor in proptest::option::of(any_value()), source_state in ".*",
        hashes in proptest::collection::vec(any::<u64>(), 0..50),
    ) {
        let mut fingerprints = Fingerprints::default();
        hashes.iter().chain(&hashes).for_each(|hash| fingerprints.insert(*hash));
        let state = TableState { cursor_column: column, cursor, source_state, fingerprints, ..TableState::default() };
        prop_assert_eq!(TableState::from_document(&state.to_document().unwrap()).unwrap(), state);
    }

    /// Whatever is cut off or changed in a stored document: it is refused or means something else, but nothing breaks.
    #[test]
    fn a_damaged_document_never_breaks_its_reader(cut in 0_usize..300, replacement in ".?") {
        let file = golden("table-state-v1.json");
        let document = file.trim_end();
        let cut = cut.min(document.len());
        if document.is_char_boundary(cut) {
            let cut_off = TableState::from_document(&document[..cut]);
            prop_assert!(cut_off.is_err() || cut == document.len());
            let end = (cut + 1).min(document.len());
            if let Err(error) = TableState::from_document(&format!("{}{replacement}{}", &document[..cut], &document[end..])) {
                prop_assert_eq!(error.code, "state_unreadable");
            }
        }
    }

    #[test]
    fn promotion_keeps_the_plans_cursor_and_forgets_no_fingerprint(
        planned in any_value(), batches in proptest::collection::vec(proptest::collection::vec(0_u64..9, 0..30), 0..5)
    ) {
        let delivered: Vec<Fingerprints> = batches
            .iter()
            .map(|batch| {
                let mut fingerprints = Fingerprints::default();
                batch.iter().for_each(|hash| fingerprints.insert(*hash));
                fingerprints
            })
            .collect();
        let promoted = with_cursor(Some(planned.clone())).promoted(&delivered);
        prop_assert_eq!(promoted.cursor, Some(planned));
        let mut fingerprints = promoted.fingerprints;
        prop_assert_eq!(fingerprints.len(), batches.iter().map(Vec::len).sum::<usize>());
        prop_assert!(batches.iter().flatten().all(|hash| fingerprints.take(*hash)));
    }

    #[test]
    fn the_document_stays_within_its_bound_whatever_was_delivered(rows in 0_u64..20_000, groups in 1_usize..6) {
        let delivered: Vec<Fingerprints> = (0..groups)
            .map(|_| {
                let mut fingerprints = Fingerprints::default();
                (0..rows).for_each(|hash| fingerprints.insert(hash.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
                fingerprints
            })
            .collect();
        let promoted = with_cursor(None).promoted(&delivered);
        prop_assert!(promoted.to_document().unwrap().len() <= TableState::MAX_BYTES);
        prop_assert_eq!(promoted.fingerprints.len() as u64, rows * groups as u64, "nothing is forgotten");
        prop_assert!(!promoted.fingerprints.overflowed());
    }
}
