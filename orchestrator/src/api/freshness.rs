//! How old what is delivered is, as far as the cursors tell.

use longshore_core::{CursorValue, cursor::Timestamp};
use longshore_state::UnixMicros;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The age of a cursor in seconds; `None`: it is no time. A date is as old as its beginning. Local times are taken for UTC, because nobody says what they are.
/// What lies in the future is 0 s old.
pub(super) fn age_seconds(cursor: &CursorValue, now: UnixMicros) -> Option<u64> {
    let at = match cursor {
        CursorValue::Date(days) => i64::from(*days).checked_mul(MICROS_PER_DAY)?,
        CursorValue::Timestamp(timestamp) => micros(*timestamp)?,
        _ => return None,
    };
    Some(now.since(UnixMicros(at)).as_secs())
}

fn micros(timestamp: Timestamp) -> Option<i64> {
    let per_second = i128::from(timestamp.unit.per_second());
    let micros = i128::from(timestamp.value) * 1_000_000 / per_second;
    i64::try_from(micros).ok()
}

#[cfg(test)]
mod tests {
    use longshore_core::cursor::{Sign, TimeUnit};

    use super::*;

    const NOW: UnixMicros = UnixMicros(1_000_000_000);

    fn at(value: i64, unit: TimeUnit) -> CursorValue {
        CursorValue::Timestamp(Timestamp {
            value,
            unit,
            instant: true,
        })
    }

    #[test]
    fn a_time_is_as_old_as_it_is_in_every_unit() {
        for (value, unit) in [
            (400, TimeUnit::Second),
            (400_000, TimeUnit::Millisecond),
            (400_000_000, TimeUnit::Microsecond),
            (400_000_000_000, TimeUnit::Nanosecond),
        ] {
            assert_eq!(age_seconds(&at(value, unit), NOW), Some(600));
        }
        assert_eq!(age_seconds(&CursorValue::Date(0), NOW), Some(1_000));
        assert_eq!(age_seconds(&at(-1, TimeUnit::Second), NOW), Some(1_001));
    }

    #[test]
    fn the_future_is_fresh_and_what_is_no_time_has_no_age() {
        assert_eq!(age_seconds(&at(5_000, TimeUnit::Second), NOW), Some(0));
        assert_eq!(age_seconds(&at(i64::MAX, TimeUnit::Second), NOW), None);
        assert_eq!(age_seconds(&CursorValue::Int(7), NOW), None);
        assert_eq!(age_seconds(&CursorValue::Infinity(Sign::Positive), NOW), None);
    }
}
