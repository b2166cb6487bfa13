//! What the source remembers of a table between runs, besides the cursor.

use longshore_sdk::{core::cursor::CursorType, prelude::*};
use serde::{Deserialize, Serialize};

use crate::snapshot::Snapshot;

/// Every version that was ever written; a new one is a new variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "version")]
enum Document {
    #[serde(rename = "1")]
    V1(SourceState),
}

/// What the completed run saw. All of it belongs to the run's *first* snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceState {
    /// The cursor it was stored with. Another one was set by hand: then nothing else here counts.
    pub(crate) cursor: Option<CursorValue>,
    /// Type of the cursor column, for messages.
    pub(crate) cursor_type: String,
    /// The greatest cursor that was delivered; beyond `cursor` when rows have dates in the future.
    pub(crate) delivered_to: Option<CursorValue>,
    /// Where the next run begins to look for rows that appeared late; `None`: everywhere.
    pub(crate) window_from: Option<CursorValue>,
    /// The snapshot's oldest open transaction: what is from there on may not have been seen. `None` where rows do not carry their transaction.
    pub(crate) xmin: Option<u64>,
    /// The server's clock, in microseconds since 1970 UTC.
    pub(crate) snapshot_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) system_identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeline: Option<u32>,
}

impl SourceState {
    /// Reads the stored JSON; `None` when there is none, or when the cursor was set by hand since.
    pub(crate) fn of(state: &TableState) -> Result<Option<Self>> {
        if state.source_state.is_empty() {
            return Ok(None);
        }
        let Document::V1(found) = serde_json::from_str(&state.source_state).map_err(|error| {
            Error::source("state_unreadable", "The source's part of the stored state can not be read")
                .with_remedy("Use the version of Longshore that wrote it, or `longshore state reset` to read the table from its beginning.")
                .with_cause(&error)
        })?;
        Ok(Some(found).filter(|found| found.cursor == state.cursor))
    }

    /// The JSON to store.
    pub(crate) fn to_text(&self) -> Result<String> {
        serde_json::to_string(&Document::V1(self.clone()))
            .map_err(|error| Error::internal("state_unwritable", "The state can not be written").with_cause(&error))
    }

    /// Why transaction numbers of this state mean nothing to the server that is read now, if so.
    pub(crate) fn foreign_to(&self, snapshot: &Snapshot) -> Option<&'static str> {
        fn differ<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
            matches!((a, b), (Some(a), Some(b)) if a != b)
        }
        if differ(&self.system_identifier, &snapshot.system_identifier) {
            return Some("another database cluster answers than in the last run");
        }
        if differ(&self.timeline, &snapshot.timeline) {
            return Some("a standby was promoted since the last run");
        }
        if self.xmin.is_some_and(|xmin| xmin > snapshot.xmax) {
            return Some("the server's transaction numbers went back since the last run");
        }
        None
    }
}

/// A cursor `distance` units of its type before another: microseconds for dates and times, units for integers. `None` when the type knows no distance.
pub(crate) fn before(cursor: &CursorValue, distance: i64) -> Option<CursorValue> {
    const DAY: i64 = 86_400_000_000;
    Some(match cursor {
        CursorValue::Int(value) => CursorValue::Int(value.saturating_sub(distance)),
        CursorValue::Date(days) => {
            // Whole days, and at least one: more rows of the same day may come.
            let back = distance.saturating_add(DAY - 1).div_euclid(DAY).max(1);
            CursorValue::Date(days.saturating_sub(i32::try_from(back).unwrap_or(i32::MAX)))
        }
        CursorValue::Timestamp(at) => {
            let units = i128::from(distance) * i128::from(at.unit.per_second()) / 1_000_000;
            let value = (i128::from(at.value) - units).max(i128::from(i64::MIN) + 1);
            CursorValue::Timestamp(longshore_sdk::core::cursor::Timestamp {
                value: i64::try_from(value).unwrap_or(i64::MIN + 1),
                ..*at
            })
        }
        CursorValue::Infinity(_) => cursor.clone(),
        _ => return None,
    })
}

/// The lesser of two cursors where an order is known, otherwise the first.
pub(crate) fn lesser(a: CursorValue, b: Option<CursorValue>) -> CursorValue {
    match b {
        Some(b) if b.compare(&a) == Some(std::cmp::Ordering::Less) => b,
        _ => a,
    }
}

/// The greater of two cursors where an order is known, otherwise the first.
pub(crate) fn greater(a: CursorValue, b: Option<CursorValue>) -> CursorValue {
    match b {
        Some(b) if b.compare(&a) == Some(std::cmp::Ordering::Greater) => b,
        _ => a,
    }
}

/// Whether a stored cursor can be compared with a column of this type.
pub(crate) fn fits(cursor: &CursorValue, cursor_type: CursorType) -> bool {
    match (cursor.cursor_type(), cursor_type) {
        (None, CursorType::Date | CursorType::Timestamp { .. }) => true,
        (Some(CursorType::Timestamp { instant: a, .. }), CursorType::Timestamp { instant: b, .. }) => a == b,
        (found, wanted) => found == Some(wanted),
    }
}

#[cfg(test)]
mod tests {
    use longshore_sdk::core::cursor::{Sign, TimeUnit, Timestamp};

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
    fn going_back_stops_at_the_types_end() {
        assert_eq!(
            before(&CursorValue::Int(i64::MIN + 1), 5),
            Some(CursorValue::Int(i64::MIN))
        );
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
        assert!(
            fits(&CursorValue::Infinity(Sign::Positive), CursorType::Date)
                && !fits(&CursorValue::Infinity(Sign::Positive), CursorType::Int)
        );
    }

    #[test]
    fn a_state_survives_storage_and_a_cursor_set_by_hand_voids_it() {
        let state = SourceState {
            cursor: Some(at(5)),
            cursor_type: "timestamp with time zone".to_owned(),
            delivered_to: Some(CursorValue::Infinity(Sign::Positive)),
            window_from: Some(at(1)),
            xmin: Some(u64::MAX),
            snapshot_at: 7,
            system_identifier: Some("7".to_owned()),
            timeline: None,
        };
        let stored = |cursor| TableState {
            cursor,
            source_state: state.to_text().unwrap(),
            ..TableState::default()
        };
        assert_eq!(SourceState::of(&stored(Some(at(5)))).unwrap(), Some(state.clone()));
        assert_eq!(SourceState::of(&stored(Some(at(6)))).unwrap(), None);
        let golden = r#"{"version":"1","cursor":{"type":"int","value":3},"cursor_type":"bigint","delivered_to":null,"window_from":null,"xmin":731,"snapshot_at":7}"#;
        let old = TableState {
            cursor: Some(CursorValue::Int(3)),
            source_state: golden.to_owned(),
            ..TableState::default()
        };
        assert_eq!(
            SourceState::of(&old).unwrap().unwrap().to_text().unwrap(),
            golden,
            "version 1 is read and written as it always was"
        );
        let newer = TableState {
            source_state: r#"{"version":"2"}"#.to_owned(),
            ..TableState::default()
        };
        assert_eq!(SourceState::of(&newer).unwrap_err().code, "state_unreadable");
    }
}
