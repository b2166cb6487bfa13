//! Cursor values at random, of every type.

use longshore_core::cursor::{CursorValue, Sign, TimeUnit, Timestamp};
use proptest::prelude::*;

/// A unit of time.
pub(crate) fn unit() -> impl Strategy<Value = TimeUnit> {
    prop_oneof![
        Just(TimeUnit::Second),
        Just(TimeUnit::Millisecond),
        Just(TimeUnit::Microsecond),
        Just(TimeUnit::Nanosecond)
    ]
}

/// Whole numbers that lie together closely, or at the ends of their type.
fn whole() -> impl Strategy<Value = i64> {
    prop_oneof![-3_i64..3, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
}

/// Several values of one type that has an order here, infinities among them where the type has them.
pub(crate) fn comparable(count: usize) -> impl Strategy<Value = Vec<CursorValue>> {
    let many = |one: BoxedStrategy<CursorValue>| proptest::collection::vec(one, count).boxed();
    let timestamp = |instant: bool| {
        prop_oneof![
            8 => (whole(), unit()).prop_map(move |(value, unit)| CursorValue::Timestamp(Timestamp { value, unit, instant })),
            1 => Just(CursorValue::Infinity(Sign::Positive)),
            1 => Just(CursorValue::Infinity(Sign::Negative)),
        ]
        .boxed()
    };
    let day = prop_oneof![
        8 => prop_oneof![-3_i32..3, any::<i32>()].prop_map(CursorValue::Date),
        1 => Just(CursorValue::Infinity(Sign::Positive)),
        1 => Just(CursorValue::Infinity(Sign::Negative)),
    ];
    prop_oneof![
        many(whole().prop_map(CursorValue::Int).boxed()),
        many(prop_oneof![0_u64..5, any::<u64>()].prop_map(CursorValue::Uint).boxed()),
        many(
            "-?[0-9]{1,3}(\\.[0-9]{1,3})?|-?[0-9]{30,80}"
                .prop_map(CursorValue::Decimal)
                .boxed()
        ),
        many(day.boxed()),
        many(timestamp(true)),
        many(timestamp(false)),
        many(any::<[u8; 16]>().prop_map(CursorValue::Uuid).boxed()),
        many(
            proptest::collection::vec(0_u8..3, 0..4)
                .prop_map(CursorValue::Binary)
                .boxed()
        ),
    ]
}

/// Any value at all.
pub(crate) fn any_value() -> impl Strategy<Value = CursorValue> {
    prop_oneof![
        comparable(1).prop_map(|mut values| values.remove(0)),
        ".*".prop_map(CursorValue::Text),
        proptest::collection::vec(any::<u8>(), 0..64).prop_map(CursorValue::Binary),
    ]
}
