//! Conversions between the wire's types and the core's.

use longshore_core::{
    balance::{DestinationCounts, SourceCounts},
    cursor::{CursorValue, Sign, TimeUnit, Timestamp},
    error::{Error, Result},
    fingerprints::Fingerprints,
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
        Self {
            cursor_column: state.cursor_column,
            cursor: state.cursor.map(Into::into),
            source_state: state.source_state,
            fingerprints: state.fingerprints.to_packed().into(),
            fingerprints_overflowed: state.fingerprints.overflowed(),
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
            fingerprints: fingerprints(&state.fingerprints, state.fingerprints_overflowed)?,
        })
    }
}

impl From<Checkpoint> for v1::Checkpoint {
    fn from(checkpoint: Checkpoint) -> Self {
        Self {
            sequence: checkpoint.sequence,
            position: checkpoint.position.into(),
            cursor: checkpoint.cursor.map(Into::into),
            fingerprints: checkpoint.fingerprints.to_packed().into(),
            fingerprints_overflowed: checkpoint.fingerprints.overflowed(),
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
            fingerprints: fingerprints(&checkpoint.fingerprints, checkpoint.fingerprints_overflowed)?,
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

fn fingerprints(packed: &[u8], overflowed: bool) -> Result<Fingerprints> {
    Fingerprints::from_packed(packed, overflowed).ok_or_else(|| {
        Error::protocol(
            "fingerprints_broken",
            "Fingerprints on the wire are not a whole number of 8-byte values",
        )
    })
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
