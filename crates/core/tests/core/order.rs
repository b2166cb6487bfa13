//! The order of values and of positions is total within a type.

use std::cmp::Ordering;

use longshore_core::{CursorValue, Position};
use proptest::prelude::*;

use crate::values::{any_value, comparable};

proptest! {
    #[test]
    fn values_of_one_type_have_a_total_order(values in comparable(3)) {
        let [a, b, c] = &values[..] else { unreachable!("three were asked for") };
        let order = |a: &CursorValue, b: &CursorValue| a.compare(b).expect("values of one type have an order");
        prop_assert_eq!(order(a, a), Ordering::Equal);
        prop_assert_eq!(order(a, b), order(b, a).reverse());
        if order(a, b).is_le() && order(b, c).is_le() {
            prop_assert!(order(a, c).is_le(), "{} <= {} <= {}", a, b, c);
            prop_assert_eq!(order(a, c).is_eq(), order(a, b).is_eq() && order(b, c).is_eq());
        }
    }

    #[test]
    fn equal_values_are_of_equal_order(value in any_value()) {
        let order = value.compare(&value.clone());
        prop_assert!(order == Some(Ordering::Equal) || matches!(value, CursorValue::Text(_)));
    }

    #[test]
    fn positions_have_a_total_order_with_null_keys_last(
        cursors in comparable(3), first in comparable(3), second in comparable(3), nulls: [bool; 6]
    ) {
        let position = |index: usize| Position {
            cursor: cursors[index].clone(),
            key: vec![
                Some(first[index].clone()).filter(|_| !nulls[index]),
                Some(second[index].clone()).filter(|_| !nulls[index + 3]),
            ],
        };
        let [a, b, c] = [position(0), position(1), position(2)];
        let order = |a: &Position, b: &Position| a.compare(b).expect("positions of one order");
        prop_assert_eq!(order(&a, &a), Ordering::Equal);
        prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
        if order(&a, &b).is_le() && order(&b, &c).is_le() {
            prop_assert!(order(&a, &c).is_le());
        }
        let null_key = Position { key: vec![None, None], ..a.clone() };
        prop_assert!(order(&a, &null_key).is_le());
    }

    #[test]
    fn a_position_survives_its_checkpoint_bit_for_bit(cursor in any_value(), key in proptest::collection::vec(proptest::option::of(any_value()), 0..4)) {
        let position = Position { cursor, key };
        prop_assert_eq!(Position::from_bytes(&position.to_bytes().unwrap()).unwrap(), position);
    }
}

#[test]
fn positions_of_different_orders_have_none() {
    let position = |key| Position {
        cursor: CursorValue::Int(1),
        key,
    };
    assert_eq!(position(vec![]).compare(&position(vec![None])), None);
    let with_text = position(vec![Some(CursorValue::Text("a".to_owned()))]);
    assert_eq!(
        with_text.compare(&with_text),
        None,
        "the source's collation orders text"
    );
    assert_eq!(Position::from_bytes(b"{}").unwrap_err().code, "position_unreadable");
}
