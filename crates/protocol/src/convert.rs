//! Conversions between the wire's types and the core's.

use longshore_core::{
    balance::{DestinationCounts, SourceCounts},
    cursor::{CursorValue, Sign, TimeUnit, Timestamp},
    error::{Error, Result},
    fingerprints::{Fingerprints, Multiset, PackedFingerprints},
    partition::Checkpoint,
    range::CursorRange,
    state::TableState,
};

use crate::v1::{self, cursor_value::Value, timestamp::Unit};

impl From<CursorValue> for v1::CursorValue {
    fn from(value: CursorValue) -> Self {
        let value = match value {
            CursorValue::Int(value) => Value::Int(value),
            CursorValue::Uint(value) => Value::Uint(value),
            CursorValue::Decimal(value) => Value::Decimal(value),
            CursorValue::Date(days) => Value::Date(days),
            CursorValue::Timestamp(at) => Value::Timestamp(at.into()),
            CursorValue::Text(value) => Value::Text(value),
            CursorValue::Uuid(bytes) => Value::Uuid(bytes.to_vec().into()),
            CursorValue::Binary(bytes) => Value::Binary(bytes.into()),
            CursorValue::Infinity(Sign::Negative) => Value::Infinity(v1::Infinity::Negative.into()),
            CursorValue::Infinity(Sign::Positive) => Value::Infinity(v1::Infinity::Positive.into()),
        };
        Self { value: Some(value) }
    }
}

impl TryFrom<v1::CursorValue> for CursorValue {
    type Error = Error;

    fn try_from(value: v1::CursorValue) -> Result<Self> {
        let broken = |what: &str| Error::protocol("cursor_value_broken", format!("A cursor value on the wire {what}"));
        Ok(match value.value.ok_or_else(|| broken("has no value"))? {
            Value::Int(value) => Self::Int(value),
            Value::Uint(value) => Self::Uint(value),
            Value::Decimal(value) => Self::Decimal(value),
            Value::Date(days) => Self::Date(days),
            Value::Timestamp(at) => {
                Self::Timestamp(timestamp(at).ok_or_else(|| broken("is a timestamp without a unit"))?)
            }
            Value::Text(value) => Self::Text(value),
            Value::Uuid(bytes) => Self::Uuid(
                bytes
                    .as_ref()
                    .try_into()
                    .map_err(|_| broken("is a UUID that has not 16 bytes"))?,
            ),
            Value::Binary(bytes) => Self::Binary(bytes.into()),
            Value::Infinity(sign) => match v1::Infinity::try_from(sign) {
                Ok(v1::Infinity::Negative) => Self::Infinity(Sign::Negative),
                Ok(v1::Infinity::Positive) => Self::Infinity(Sign::Positive),
                Ok(v1::Infinity::Unspecified) | Err(_) => return Err(broken("is an infinity without a sign")),
            },
        })
    }
}

impl From<Timestamp> for v1::Timestamp {
    fn from(at: Timestamp) -> Self {
        let unit = match at.unit {
            TimeUnit::Second => Unit::Second,
            TimeUnit::Millisecond => Unit::Millisecond,
            TimeUnit::Microsecond => Unit::Microsecond,
            TimeUnit::Nanosecond => Unit::Nanosecond,
        };
        Self {
            value: at.value,
            unit: unit.into(),
            instant: at.instant,
        }
    }
}

/// A point in time; `None` without a unit.
#[must_use]
pub fn timestamp(at: v1::Timestamp) -> Option<Timestamp> {
    let unit = match at.unit() {
        Unit::Second => TimeUnit::Second,
        Unit::Millisecond => TimeUnit::Millisecond,
        Unit::Microsecond => TimeUnit::Microsecond,
        Unit::Nanosecond => TimeUnit::Nanosecond,
        Unit::Unspecified => return None,
    };
    Some(Timestamp {
        value: at.value,
        unit,
        instant: at.instant,
    })
}

impl From<CursorRange> for v1::CursorRange {
    fn from(range: CursorRange) -> Self {
        Self {
            from: range.from.map(Into::into),
            to: range.to.map(Into::into),
        }
    }
}

impl TryFrom<v1::CursorRange> for CursorRange {
    type Error = Error;

    fn try_from(range: v1::CursorRange) -> Result<Self> {
        Ok(Self {
            from: range.from.map(TryInto::try_into).transpose()?,
            to: range.to.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<TableState> for v1::TableState {
    fn from(state: TableState) -> Self {
        let packed = state.fingerprints.to_packed();
        Self {
            cursor_column: state.cursor_column,
            cursor: state.cursor.map(Into::into),
            source_state: state.source_state,
            fingerprints_overflowed: not_all_exact(&packed),
            fingerprints_forgotten: packed.overflowed,
            fingerprints: packed.exact.into(),
            fingerprint_sketch: packed.sketch.into(),
            fingerprints_ahead: packed.ahead.into(),
            awaited_fingerprints: state.awaited.to_counted().into(),
        }
    }
}

impl TryFrom<v1::TableState> for TableState {
    type Error = Error;

    fn try_from(state: v1::TableState) -> Result<Self> {
        Ok(Self {
            cursor_column: state.cursor_column,
            cursor: state.cursor.map(TryInto::try_into).transpose()?,
            source_state: state.source_state,
            awaited: Multiset::from_counted(&state.awaited_fingerprints).ok_or_else(broken_fingerprints)?,
            fingerprints: fingerprints(PackedFingerprints {
                overflowed: forgotten(
                    &state.fingerprint_sketch,
                    state.fingerprints_overflowed,
                    state.fingerprints_forgotten,
                ),
                exact: state.fingerprints.into(),
                ahead: state.fingerprints_ahead.into(),
                sketch: state.fingerprint_sketch.into(),
            })?,
        })
    }
}

impl From<Checkpoint> for v1::Checkpoint {
    fn from(checkpoint: Checkpoint) -> Self {
        let packed = checkpoint.fingerprints.to_packed();
        Self {
            sequence: checkpoint.sequence,
            position: checkpoint.position.into(),
            cursor: checkpoint.cursor.map(Into::into),
            fingerprints_overflowed: not_all_exact(&packed),
            fingerprints_forgotten: packed.overflowed,
            fingerprints: packed.exact.into(),
            fingerprint_sketch: packed.sketch.into(),
            fingerprints_ahead: packed.ahead.into(),
            counts: Some(v1::ReadCounts {
                read: checkpoint.counts.read,
                emitted: checkpoint.counts.emitted,
                filtered: checkpoint.counts.filtered,
                deduplicated: checkpoint.counts.deduplicated,
            }),
        }
    }
}

impl TryFrom<v1::Checkpoint> for Checkpoint {
    type Error = Error;

    fn try_from(checkpoint: v1::Checkpoint) -> Result<Self> {
        let counts = checkpoint.counts.unwrap_or_default();
        Ok(Self {
            sequence: checkpoint.sequence,
            position: checkpoint.position.into(),
            cursor: checkpoint.cursor.map(TryInto::try_into).transpose()?,
            fingerprints: fingerprints(PackedFingerprints {
                overflowed: forgotten(
                    &checkpoint.fingerprint_sketch,
                    checkpoint.fingerprints_overflowed,
                    checkpoint.fingerprints_forgotten,
                ),
                exact: checkpoint.fingerprints.into(),
                ahead: checkpoint.fingerprints_ahead.into(),
                sketch: checkpoint.fingerprint_sketch.into(),
            })?,
            counts: SourceCounts {
                read: counts.read,
                emitted: counts.emitted,
                filtered: counts.filtered,
                deduplicated: counts.deduplicated,
            },
        })
    }
}

impl From<v1::Ack> for DestinationCounts {
    fn from(ack: v1::Ack) -> Self {
        Self {
            delivered: ack.delivered,
            rejected: ack.rejected,
            filtered: ack.filtered,
        }
    }
}

fn fingerprints(packed: PackedFingerprints) -> Result<Fingerprints> {
    Fingerprints::from_packed(&packed).map_err(|error| broken_fingerprints().with_cause(&error))
}

/// What is said to a peer that knows no sketch.
fn not_all_exact(packed: &PackedFingerprints) -> bool {
    packed.overflowed || !packed.sketch.is_empty()
}

/// What a peer means, whether or not it knows sketches.
fn forgotten(sketch: &[u8], overflowed: bool, forgotten: bool) -> bool {
    if sketch.is_empty() { overflowed } else { forgotten }
}

fn broken_fingerprints() -> Error {
    Error::protocol("fingerprints_broken", "Fingerprints on the wire can not be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_values_cross_the_wire_without_loss() {
        let timestamp = |unit, instant| {
            CursorValue::Timestamp(Timestamp {
                value: i64::MIN,
                unit,
                instant,
            })
        };
        for value in [
            CursorValue::Int(i64::MIN),
            CursorValue::Uint(u64::MAX),
            CursorValue::Decimal("-0.10".to_owned()),
            CursorValue::Date(-1),
            timestamp(TimeUnit::Second, true),
            timestamp(TimeUnit::Millisecond, false),
            timestamp(TimeUnit::Microsecond, true),
            timestamp(TimeUnit::Nanosecond, false),
            CursorValue::Text("ü\0".to_owned()),
            CursorValue::Uuid([7; 16]),
            CursorValue::Binary(vec![0, 255]),
            CursorValue::Infinity(Sign::Negative),
            CursorValue::Infinity(Sign::Positive),
        ] {
            assert_eq!(CursorValue::try_from(v1::CursorValue::from(value.clone())), Ok(value));
        }
    }

    fn fingerprints_of(behind: u64, ahead: u64) -> Fingerprints {
        let mut fingerprints = Fingerprints::default();
        (0..behind).for_each(|hash| fingerprints.insert(hash));
        (0..ahead).for_each(|hash| fingerprints.insert_ahead(hash));
        fingerprints
    }

    #[test]
    fn fingerprints_cross_the_wire_however_they_are_kept() {
        for (behind, ahead) in [(0, 0), (3, 2), (5_000, 2), (5_000, 5_000), (0, 5_000)] {
            let fingerprints = fingerprints_of(behind, ahead);
            let checkpoint = Checkpoint {
                fingerprints: fingerprints.clone(),
                ..Checkpoint::default()
            };
            let wire = v1::Checkpoint::from(checkpoint.clone());
            assert_eq!(
                wire.fingerprints_overflowed,
                behind + ahead > 4_096,
                "who knows no sketch hears that rows are missing"
            );
            assert_eq!(Checkpoint::try_from(wire), Ok(checkpoint));
            let state = TableState {
                fingerprints,
                awaited: [7, 7, 8].into_iter().collect(),
                ..TableState::default()
            };
            assert_eq!(TableState::try_from(v1::TableState::from(state.clone())), Ok(state));
        }
    }

    #[test]
    fn broken_fingerprints_are_refused() {
        let torn = bytes::Bytes::from_static(&[1; 9]);
        let states = [
            v1::TableState {
                fingerprints: torn.clone(),
                ..v1::TableState::default()
            },
            v1::TableState {
                fingerprint_sketch: torn.clone(),
                ..v1::TableState::default()
            },
            v1::TableState {
                fingerprints_ahead: torn.clone(),
                ..v1::TableState::default()
            },
            v1::TableState {
                awaited_fingerprints: torn,
                ..v1::TableState::default()
            },
        ];
        for state in states {
            assert_eq!(TableState::try_from(state).unwrap_err().code, "fingerprints_broken");
        }
    }

    #[test]
    fn half_filled_values_are_refused() {
        let without_unit = Value::Timestamp(v1::Timestamp {
            value: 0,
            unit: 0,
            instant: true,
        });
        for value in [
            None,
            Some(without_unit),
            Some(Value::Uuid(vec![1].into())),
            Some(Value::Infinity(0)),
        ] {
            assert_eq!(
                CursorValue::try_from(v1::CursorValue { value }).unwrap_err().code,
                "cursor_value_broken"
            );
        }
    }
}
