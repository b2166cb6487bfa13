//! The arithmetic of the window that a run reads again.

use std::cmp::Ordering;

use longshore_core::cursor::{CursorType, CursorValue, Timestamp};

/// A cursor `distance` units of its type before another: microseconds for dates and times, units for integers. It stops at the type's end. `None` when the
/// type knows no distance.
#[must_use]
pub fn before(cursor: &CursorValue, distance: i64) -> Option<CursorValue> {
    const DAY: i64 = 86_400_000_000;
    Some(match cursor {
        CursorValue::Int(value) => CursorValue::Int(value.saturating_sub(distance)),
        CursorValue::Uint(value) => CursorValue::Uint(value.saturating_sub(u64::try_from(distance).unwrap_or(0))),
        CursorValue::Date(days) => {
            // Whole days, and at least one: more rows of the same day may come.
            let back = distance.saturating_add(DAY - 1).div_euclid(DAY).max(1);
            CursorValue::Date(days.saturating_sub(i32::try_from(back).unwrap_or(i32::MAX)))
        }
        CursorValue::Timestamp(at) => {
            // Upwards: a window that is too long can only repeat a row.
            let units = (i128::from(distance) * i128::from(at.unit.per_second()) + 999_999).div_euclid(1_000_000);
            let value = (i128::from(at.value) - units).max(i128::from(i64::MIN) + 1);
            CursorValue::Timestamp(Timestamp {
                value: i64::try_from(value).unwrap_or(i64::MIN + 1),
                ..*at
            })
        }
        CursorValue::Infinity(_) => cursor.clone(),
        _ => return None,
    })
}

/// The lesser of two cursors where an order is known, otherwise the first.
#[must_use]
pub fn lesser(a: CursorValue, b: Option<CursorValue>) -> CursorValue {
    match b {
        Some(b) if b.compare(&a) == Some(Ordering::Less) => b,
        _ => a,
    }
}

/// The greater of two cursors where an order is known, otherwise the first.
#[must_use]
pub fn greater(a: CursorValue, b: Option<CursorValue>) -> CursorValue {
    match b {
        Some(b) if b.compare(&a) == Some(Ordering::Greater) => b,
        _ => a,
    }
}

/// Whether a stored cursor can be compared with a column of this type. The unit of time may differ.
#[must_use]
pub fn fits(cursor: &CursorValue, cursor_type: CursorType) -> bool {
    match (cursor.cursor_type(), cursor_type) {
        (None, CursorType::Date | CursorType::Timestamp { .. }) => true,
        (Some(CursorType::Timestamp { instant: a, .. }), CursorType::Timestamp { instant: b, .. }) => a == b,
        // Of a server whose text may be any bytes.
        (Some(CursorType::Binary), CursorType::Text) => true,
        (found, wanted) => found == Some(wanted),
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::cursor::{Sign, TimeUnit};

    use super::*;

    fn at(value: i64) -> CursorValue {
        CursorValue::Timestamp(Timestamp {
            value,
            unit: TimeUnit::Microsecond,
            instant: true,
        })
    }

    #[test]
    fn a_date_goes_back_by_whole_days_and_at_least_one() {
        assert_eq!(before(&CursorValue::Date(10), 0), Some(CursorValue::Date(9)));
        assert_eq!(before(&CursorValue::Date(10), 600_000_000), Some(CursorValue::Date(9)));
        assert_eq!(
            before(&CursorValue::Date(10), 86_400_000_001),
            Some(CursorValue::Date(8))
        );
    }

    #[test]
    fn a_coarse_unit_goes_back_by_at_least_the_distance() {
        let seconds = |value| {
            CursorValue::Timestamp(Timestamp {
                value,
                unit: TimeUnit::Second,
                instant: true,
            })
        };
        assert_eq!(before(&seconds(100), 0), Some(seconds(100)));
        assert_eq!(before(&seconds(100), 1), Some(seconds(99)));
        assert_eq!(before(&seconds(100), 2_000_000), Some(seconds(98)));
    }

    #[test]
    fn going_back_stops_at_the_types_end() {
        assert_eq!(
            before(&CursorValue::Int(i64::MIN + 1), 5),
            Some(CursorValue::Int(i64::MIN))
        );
        assert_eq!(before(&CursorValue::Uint(3), 5), Some(CursorValue::Uint(0)));
        assert_eq!(before(&at(i64::MIN + 2), i64::MAX), Some(at(i64::MIN + 1)));
        assert_eq!(before(&CursorValue::Text("a".to_owned()), 1), None);
    }

    #[test]
    fn a_stored_cursor_fits_only_its_own_type() {
        let instant = CursorType::Timestamp {
            unit: TimeUnit::Microsecond,
            instant: true,
        };
        let local = CursorType::Timestamp {
            unit: TimeUnit::Microsecond,
            instant: false,
        };
        assert!(fits(&at(1), instant) && !fits(&at(1), local) && !fits(&at(1), CursorType::Int));
        let bytes = CursorValue::Binary(vec![0xFF, 1]);
        assert!(fits(&bytes, CursorType::Text) && !fits(&CursorValue::Text("a".to_owned()), CursorType::Binary));
        assert!(
            fits(&CursorValue::Infinity(Sign::Positive), CursorType::Date)
                && !fits(&CursorValue::Infinity(Sign::Positive), CursorType::Int)
        );
    }
}
