//! Cursor values: typed, compared as what they are, written and read back bit for bit.

mod decimal;
mod text;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

pub use text::ParseCursorError;

/// A value of a cursor column.
///
/// No float, no rounding, no sentinel: zero, negatives, 1969 and the infinities are values, and "nothing yet" is an absent `CursorValue`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum CursorValue {
    /// Any signed integer column.
    Int(i64),
    /// An unsigned integer column.
    Uint(u64),
    /// A decimal, or an integer beyond 64 bits, as its exact decimal text.
    Decimal(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// An instant, or a local date and time.
    Timestamp(Timestamp),
    /// Text in the source's own order.
    Text(String),
    /// A UUID, most significant byte first.
    #[serde(with = "text::uuid_hex")]
    Uuid([u8; 16]),
    /// Bytes.
    #[serde(with = "text::bytes_hex")]
    Binary(Vec<u8>),
    /// The greatest or the least value of a type that has one.
    Infinity(Sign),
}

/// Which end of a type's range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Less than every finite value.
    Negative,
    /// Greater than every finite value.
    Positive,
}

/// A point in time with the unit it was stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Timestamp {
    /// Units since 1970-01-01T00:00:00, of UTC for an instant, of the wall clock otherwise. Negative before 1970.
    pub value: i64,
    /// Unit of `value`.
    pub unit: TimeUnit,
    /// `true`: an instant (timestamp with time zone). `false`: a local date and time.
    pub instant: bool,
}

/// Unit of a [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// 1 s.
    Second,
    /// 10⁻³ s.
    Millisecond,
    /// 10⁻⁶ s.
    Microsecond,
    /// 10⁻⁹ s.
    Nanosecond,
}

impl TimeUnit {
    /// How many of it are one second.
    #[must_use]
    pub fn per_second(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Millisecond => 1_000,
            Self::Microsecond => 1_000_000,
            Self::Nanosecond => 1_000_000_000,
        }
    }
}

/// The type of a cursor column, as far as it decides how a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CursorType {
    /// See [`CursorValue::Int`].
    Int,
    /// See [`CursorValue::Uint`].
    Uint,
    /// See [`CursorValue::Decimal`].
    Decimal,
    /// See [`CursorValue::Date`].
    Date,
    /// See [`CursorValue::Timestamp`].
    Timestamp {
        /// Unit that values are stored in.
        unit: TimeUnit,
        /// With time zone.
        instant: bool,
    },
    /// See [`CursorValue::Text`].
    Text,
    /// See [`CursorValue::Uuid`].
    Uuid,
    /// See [`CursorValue::Binary`].
    Binary,
}

impl CursorValue {
    /// The value's type; `None` for an infinity, which belongs to several.
    #[must_use]
    pub fn cursor_type(&self) -> Option<CursorType> {
        Some(match self {
            Self::Int(_) => CursorType::Int,
            Self::Uint(_) => CursorType::Uint,
            Self::Decimal(_) => CursorType::Decimal,
            Self::Date(_) => CursorType::Date,
            Self::Timestamp(at) => CursorType::Timestamp {
                unit: at.unit,
                instant: at.instant,
            },
            Self::Text(_) => CursorType::Text,
            Self::Uuid(_) => CursorType::Uuid,
            Self::Binary(_) => CursorType::Binary,
            Self::Infinity(_) => return None,
        })
    }

    /// Orders two values of one type; `None` when their types differ, or when only the source knows the order: of text, which has a collation, and
    /// of decimals that are no numbers.
    ///
    /// It orders what values mean, where `==` compares how they are written: the decimals `1.0` and `1.00`, or one moment in two units, are of equal
    /// order and different values.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Infinity(a), Self::Infinity(b)) if a == b => Some(Ordering::Equal),
            (Self::Infinity(Sign::Negative), _) | (_, Self::Infinity(Sign::Positive)) => Some(Ordering::Less),
            (Self::Infinity(Sign::Positive), _) | (_, Self::Infinity(Sign::Negative)) => Some(Ordering::Greater),
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Uint(a), Self::Uint(b)) => Some(a.cmp(b)),
            (Self::Decimal(a), Self::Decimal(b)) => decimal::compare(a, b),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Timestamp(a), Self::Timestamp(b)) if a.instant == b.instant => {
                Some(a.nanoseconds().cmp(&b.nanoseconds()))
            }
            (Self::Uuid(a), Self::Uuid(b)) => Some(a.cmp(b)),
            (Self::Binary(a), Self::Binary(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

impl Timestamp {
    /// Since 1970; fits for every value of every unit.
    fn nanoseconds(&self) -> i128 {
        i128::from(self.value) * i128::from(1_000_000_000 / self.unit.per_second())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn any_value() -> impl Strategy<Value = CursorValue> {
        let unit = prop_oneof![
            Just(TimeUnit::Second),
            Just(TimeUnit::Millisecond),
            Just(TimeUnit::Microsecond),
            Just(TimeUnit::Nanosecond)
        ];
        prop_oneof![
            any::<i64>().prop_map(CursorValue::Int),
            any::<u64>().prop_map(CursorValue::Uint),
            "-?[0-9]{1,40}(\\.[0-9]{1,40})?".prop_map(CursorValue::Decimal),
            any::<i32>().prop_map(CursorValue::Date),
            (any::<i64>(), unit, any::<bool>()).prop_map(|(value, unit, instant)| CursorValue::Timestamp(Timestamp {
                value,
                unit,
                instant
            })),
            ".*".prop_map(CursorValue::Text),
            any::<[u8; 16]>().prop_map(CursorValue::Uuid),
            any::<Vec<u8>>().prop_map(CursorValue::Binary),
            Just(CursorValue::Infinity(Sign::Negative)),
            Just(CursorValue::Infinity(Sign::Positive)),
        ]
    }

    proptest! {
        #[test]
        fn a_value_survives_json_bit_for_bit(value in any_value()) {
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<CursorValue>(&text).unwrap(), value);
        }

        #[test]
        fn every_value_lies_between_the_infinities(value in any_value()) {
            prop_assume!(!matches!(value, CursorValue::Infinity(_)));
            prop_assert_eq!(CursorValue::Infinity(Sign::Negative).compare(&value), Some(Ordering::Less));
            prop_assert_eq!(value.compare(&CursorValue::Infinity(Sign::Positive)), Some(Ordering::Less));
        }

        #[test]
        fn timestamps_compare_as_points_in_time_whatever_their_unit(seconds in -100_000_000_i64..100_000_000, more in 0_i64..1_000) {
            let coarse = Timestamp { value: seconds, unit: TimeUnit::Second, instant: true };
            let fine = Timestamp { value: seconds * 1_000 + more, unit: TimeUnit::Millisecond, instant: true };
            let expected = if more == 0 { Ordering::Equal } else { Ordering::Less };
            prop_assert_eq!(CursorValue::Timestamp(coarse).compare(&CursorValue::Timestamp(fine)), Some(expected));
        }
    }

    #[test]
    fn values_of_different_types_have_no_order() {
        assert_eq!(CursorValue::Int(1).compare(&CursorValue::Uint(1)), None);
        let instant = CursorValue::Timestamp(Timestamp {
            value: 0,
            unit: TimeUnit::Second,
            instant: true,
        });
        let local = CursorValue::Timestamp(Timestamp {
            value: 0,
            unit: TimeUnit::Second,
            instant: false,
        });
        assert_eq!(instant.compare(&local), None);
    }
}
