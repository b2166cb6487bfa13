//! The values of a position: from the wire to lossless values, and from values to SQL constants.

use crate::{
    decode::{date_since_1970, timestamp_since_1970},
    names::literal,
};
use longshore_sdk::{
    core::cursor::{CursorType, Sign, Timestamp},
    prelude::*,
};

/// A value from its type's binary form. Decimals come as the server's text.
///
/// # Errors
/// `copy_malformed`, and `value_out_of_range` for a time after the year 294246.
pub(crate) fn value_of(cursor_type: CursorType, wire: &[u8]) -> Result<CursorValue> {
    read(cursor_type, wire).ok_or_else(|| {
        Error::source(
            "cursor_value_unreadable",
            "A value of the cursor or key column can not be read",
        )
    })
}

fn read(cursor_type: CursorType, wire: &[u8]) -> Option<CursorValue> {
    let text = || std::str::from_utf8(wire).ok().map(str::to_owned);
    Some(match cursor_type {
        CursorType::Int => CursorValue::Int(match wire.len() {
            2 => i16::from_be_bytes(wire.try_into().ok()?).into(),
            4 => i32::from_be_bytes(wire.try_into().ok()?).into(),
            _ => i64::from_be_bytes(wire.try_into().ok()?),
        }),
        CursorType::Uint => return None,
        CursorType::Decimal => CursorValue::Decimal(text()?),
        CursorType::Text => CursorValue::Text(text()?),
        CursorType::Uuid => CursorValue::Uuid(wire.try_into().ok()?),
        CursorType::Binary => CursorValue::Binary(wire.to_vec()),
        CursorType::Date => match i32::from_be_bytes(wire.try_into().ok()?) {
            i32::MAX => CursorValue::Infinity(Sign::Positive),
            i32::MIN => CursorValue::Infinity(Sign::Negative),
            days => CursorValue::Date(date_since_1970(days).ok()?),
        },
        CursorType::Timestamp { unit, instant } => match i64::from_be_bytes(wire.try_into().ok()?) {
            i64::MAX => CursorValue::Infinity(Sign::Positive),
            i64::MIN => CursorValue::Infinity(Sign::Negative),
            microseconds => CursorValue::Timestamp(Timestamp {
                value: timestamp_since_1970(microseconds).ok()?,
                unit,
                instant,
            }),
        },
    })
}

/// Whether two values that came over the wire are the same to the server.
pub(crate) fn same(cursor_type: CursorType, a: &[u8], b: &[u8]) -> bool {
    if cursor_type != CursorType::Decimal {
        return a == b;
    }
    // 1.0 and 1.00 are equal numbers with different texts.
    fn shortest(text: &[u8]) -> &[u8] {
        if !text.contains(&b'.') {
            return text;
        }
        let end = text.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
        text[..end].strip_suffix(b".").unwrap_or(&text[..end])
    }
    shortest(a) == shortest(b)
}

/// A value as an SQL constant of the type that `cast_name` names.
pub(crate) fn constant(value: &CursorValue, cast_name: &str) -> String {
    match value {
        // Any integer column compares with bigint, and its index serves.
        CursorValue::Int(value) => format!("'{value}'::pg_catalog.int8"),
        CursorValue::Uint(value) => format!("'{value}'::pg_catalog.numeric"),
        CursorValue::Decimal(text) => format!("{}::pg_catalog.numeric", literal(text)),
        CursorValue::Text(text) => format!("{}::{cast_name}", literal(text)),
        CursorValue::Date(days) => format!("'{}'::pg_catalog.date", calendar_date(i64::from(*days), "")),
        CursorValue::Timestamp(at) => timestamp_constant(at),
        CursorValue::Uuid(_) => format!("'{value}'::pg_catalog.uuid"),
        CursorValue::Binary(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("pg_catalog.decode('{hex}', 'hex')")
        }
        CursorValue::Infinity(Sign::Positive) => format!("'infinity'::{cast_name}"),
        CursorValue::Infinity(Sign::Negative) => format!("'-infinity'::{cast_name}"),
    }
}

pub(crate) fn timestamp_constant(at: &Timestamp) -> String {
    // State set by hand may have another unit; PostgreSQL keeps microseconds. Rounding down can only repeat a row.
    let microseconds = (i128::from(at.value) * 1_000_000).div_euclid(i128::from(at.unit.per_second()));
    let microseconds = i64::try_from(microseconds).unwrap_or(if at.value < 0 { i64::MIN } else { i64::MAX });
    const DAY: i64 = 86_400_000_000;
    let (days, of_day) = (microseconds.div_euclid(DAY), microseconds.rem_euclid(DAY));
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let zone = if at.instant { "+00" } else { "" };
    let time = format!(
        " {:02}:{:02}:{:02}.{fraction:06}{zone}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    );
    let cast_name = if at.instant { "timestamptz" } else { "timestamp" };
    format!("'{}'::pg_catalog.{cast_name}", calendar_date(days, &time))
}

/// A day counted from 1970-01-01 in the proleptic Gregorian calendar, as PostgreSQL reads it, with a time of day before the era.
///
/// After "chrono-Compatible Low-Level Date Algorithms" by Howard Hinnant, `civil_from_days`: exact for every day that PostgreSQL knows.
fn calendar_date(days: i64, time: &str) -> String {
    let from_era = days + 719_468;
    let era = from_era.div_euclid(146_097);
    let day_of_era = from_era.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // There is no year 0: the year before 1 is 1 BC.
    if year > 0 {
        format!("{year:04}-{month:02}-{day:02}{time}")
    } else {
        format!("{:04}-{month:02}-{day:02}{time} BC", 1 - year)
    }
}

#[cfg(test)]
mod tests {
    use longshore_sdk::core::cursor::TimeUnit;

    use super::*;

    fn timestamp(value: i64, instant: bool) -> CursorValue {
        CursorValue::Timestamp(Timestamp {
            value,
            unit: TimeUnit::Microsecond,
            instant,
        })
    }

    #[test]
    fn constants_are_exact_to_the_microsecond() {
        assert_eq!(
            constant(&timestamp(0, true), ""),
            "'1970-01-01 00:00:00.000000+00'::pg_catalog.timestamptz"
        );
        assert_eq!(
            constant(&timestamp(-1, false), ""),
            "'1969-12-31 23:59:59.999999'::pg_catalog.timestamp"
        );
        assert_eq!(
            constant(&timestamp(1_795_212_000_123_456, true), ""),
            "'2026-11-20 22:00:00.123456+00'::pg_catalog.timestamptz"
        );
        assert_eq!(
            constant(&CursorValue::Date(10_957), ""),
            "'2000-01-01'::pg_catalog.date"
        );
        assert_eq!(
            constant(&CursorValue::Date(19_782), ""),
            "'2024-02-29'::pg_catalog.date"
        );
    }

    #[test]
    fn the_year_before_1_is_1_bc() {
        assert_eq!(calendar_date(-719_162, ""), "0001-01-01");
        assert_eq!(calendar_date(-719_163, " 00:00:00"), "0001-12-31 00:00:00 BC");
    }

    #[test]
    fn text_can_not_leave_its_constant() {
        assert_eq!(
            constant(&CursorValue::Text("a'b\\".to_owned()), "text"),
            "E'a''b\\\\'::text"
        );
        assert_eq!(
            constant(&CursorValue::Int(i64::MIN), ""),
            "'-9223372036854775808'::pg_catalog.int8"
        );
        assert_eq!(
            constant(&CursorValue::Binary(vec![0, 255]), ""),
            "pg_catalog.decode('00ff', 'hex')"
        );
    }

    #[test]
    fn equal_numbers_with_different_texts_are_one_position() {
        let equal = |a: &str, b: &str| same(CursorType::Decimal, a.as_bytes(), b.as_bytes());
        assert!(equal("1.0", "1.00") && equal("100", "100.0") && equal("0", "0.00"));
        assert!(!equal("10", "1") && !equal("1.01", "1.1") && !equal("100", "1"));
    }
}
