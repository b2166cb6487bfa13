//! The database server's clock when a run was opened.

use longshore_core::cursor::{CursorType, CursorValue, Timestamp};

/// One reading of the server's clock. The stored cursor never passes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerClock {
    /// Microseconds since 1970 UTC.
    pub at: i64,
    /// What the server's wall clock shows, in microseconds since 1970-01-01T00:00:00 of its own time zone.
    pub local: i64,
}

impl ServerClock {
    /// The clock as a value of a cursor's type, rounded down to its unit; `None` for types that know no time.
    #[must_use]
    pub fn now(&self, cursor_type: CursorType) -> Option<CursorValue> {
        self.moment(cursor_type, self.at)
    }

    /// As [`Self::now`], `microseconds` earlier.
    #[must_use]
    pub fn before(&self, cursor_type: CursorType, microseconds: i64) -> Option<CursorValue> {
        self.moment(cursor_type, self.at.saturating_sub(microseconds))
    }

    /// An instant, in microseconds since 1970 UTC, as a value of a cursor's type.
    ///
    /// A local time could be UTC or the server's own zone: the earlier of the two, so that nothing that is not yet past is taken for past.
    #[must_use]
    pub fn moment(&self, cursor_type: CursorType, instant: i64) -> Option<CursorValue> {
        const DAY: i64 = 86_400_000_000;
        let zone = self.local.saturating_sub(self.at).min(0);
        let local = instant.saturating_add(zone);
        match cursor_type {
            CursorType::Timestamp { unit, instant: zoned } => {
                let microseconds = i128::from(if zoned { instant } else { local });
                let value = (microseconds * i128::from(unit.per_second())).div_euclid(1_000_000);
                let value = i64::try_from(value).ok()?;
                Some(CursorValue::Timestamp(Timestamp {
                    value,
                    unit,
                    instant: zoned,
                }))
            }
            CursorType::Date => i32::try_from(local.div_euclid(DAY)).ok().map(CursorValue::Date),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::cursor::TimeUnit;

    use super::*;

    #[test]
    fn the_clock_is_rounded_down_and_a_local_time_is_the_earlier_of_two() {
        let clock = ServerClock {
            at: 1_999_999,
            local: 1_999_999 - 3_600_000_000,
        };
        let shown = |unit, instant| {
            let now = clock.now(CursorType::Timestamp { unit, instant });
            now.map(|now| now.to_string())
        };
        assert_eq!(shown(TimeUnit::Second, true).as_deref(), Some("1970-01-01T00:00:01Z"));
        assert_eq!(
            shown(TimeUnit::Microsecond, false).as_deref(),
            Some("1969-12-31T23:00:01.999999")
        );
        assert_eq!(clock.now(CursorType::Date), Some(CursorValue::Date(-1)));
        assert_eq!(clock.now(CursorType::Int), None);
        assert_eq!(
            clock.before(CursorType::Date, 86_400_000_000),
            Some(CursorValue::Date(-2))
        );
    }
}
