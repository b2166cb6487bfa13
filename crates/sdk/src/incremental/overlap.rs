//! How far behind the stored cursor a run looks again.

use longshore_core::{Error, Result, cursor::CursorType};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{CursorColumn, Span, options_pointer};

/// Overlap for dates and times when none is configured: longer than most transactions.
const OVERLAP_MICROSECONDS: i64 = 10 * 60 * 1_000_000;

/// Overlap for integers when none is configured: numbers that sequences have handed out to transactions still open.
const OVERLAP_UNITS: i64 = 1_000_000;

/// A distance behind the stored cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Overlap {
    /// For integer columns: so many units.
    Units(u32),
    /// For dates and times.
    Time(Span),
}

impl Overlap {
    /// The distance for a column, in the units of [`before`](super::before): microseconds for dates and times, units for integers. The table's own
    /// option counts before the source's.
    ///
    /// # Errors
    /// `overlap_invalid`: a bare number for a column of dates or times, which could mean anything; a table's own duration for a column of integers; a table's
    /// own overlap for a type that knows no distance. A source's duration leaves columns of integers their default, and those without distance none.
    pub fn distance(own: Option<Self>, of_source: Option<Self>, column: &CursorColumn<'_>) -> Result<i64> {
        let invalid = |message: &str, remedy: &str| {
            let pointer = match own {
                Some(_) => format!("{}/overlap", options_pointer(column.table)),
                None => "/overlap".to_owned(),
            };
            Err(Error::config(
                "overlap_invalid",
                format!(
                    "{message}: the cursor {} of table {} is {}",
                    column.name, column.table, column.type_name
                ),
            )
            .with_table(column.table)
            .with_field(pointer)
            .with_remedy(remedy))
        };
        match (column.cursor_type, own.or(of_source)) {
            (CursorType::Date | CursorType::Timestamp { .. }, Some(Self::Units(units))) => invalid(
                &format!("`overlap: {units}` says no unit of time"),
                &format!("Write a duration, such as \"{units}s\" or \"{units}m\"."),
            ),
            (CursorType::Date | CursorType::Timestamp { .. }, Some(Self::Time(span))) => Ok(span.microseconds()),
            (CursorType::Date | CursorType::Timestamp { .. }, None) => Ok(OVERLAP_MICROSECONDS),
            (CursorType::Int | CursorType::Uint, Some(Self::Units(units))) => Ok(i64::from(units)),
            (CursorType::Int | CursorType::Uint, Some(Self::Time(_))) if own.is_some() => invalid(
                "`overlap` is a duration",
                "Write a number of units, such as 1000, for a column that holds no time.",
            ),
            (CursorType::Int | CursorType::Uint, Some(Self::Time(_)) | None) => Ok(OVERLAP_UNITS),
            (_, Some(_)) if own.is_some() => invalid(
                "`overlap` is set, and between values of this type there is no distance",
                "Leave it out: rows that appear late are looked for from the greatest cursor on. A date, a time or an integer of at most 64 bits as cursor \
                 has a distance.",
            ),
            (_, _) => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::cursor::TimeUnit;

    use super::*;

    fn column(cursor_type: CursorType) -> CursorColumn<'static> {
        CursorColumn {
            table: "a/b",
            name: "changed",
            type_name: "of its kind",
            cursor_type,
        }
    }

    #[test]
    fn a_bare_number_is_no_distance_in_time() {
        let instant = CursorType::Timestamp {
            unit: TimeUnit::Second,
            instant: true,
        };
        let units = Some(Overlap::Units(10));
        for cursor_type in [instant, CursorType::Date] {
            let column = column(cursor_type);
            let own = Overlap::distance(units, None, &column).unwrap_err();
            assert_eq!(
                (own.code.as_str(), own.field.as_str()),
                ("overlap_invalid", "/table_options/a~1b/overlap")
            );
            let of_source = Overlap::distance(None, units, &column).unwrap_err();
            assert_eq!(of_source.field, "/overlap");
            let span = Some(Overlap::Time("10s".parse().unwrap()));
            assert_eq!(Overlap::distance(span, units, &column), Ok(10_000_000));
            assert_eq!(Overlap::distance(None, None, &column), Ok(OVERLAP_MICROSECONDS));
        }
    }

    #[test]
    fn where_there_is_no_distance_a_tables_own_overlap_is_refused() {
        let units = Some(Overlap::Units(3));
        for cursor_type in [CursorType::Decimal, CursorType::Text, CursorType::Binary] {
            let column = column(cursor_type);
            assert_eq!(
                Overlap::distance(units, None, &column).unwrap_err().code,
                "overlap_invalid"
            );
            assert_eq!(Overlap::distance(None, units, &column), Ok(0));
        }
    }

    #[test]
    fn integers_keep_their_default_beside_a_sources_duration_and_refuse_their_own() {
        let column = column(CursorType::Int);
        let span = Some(Overlap::Time("10m".parse().unwrap()));
        assert_eq!(Overlap::distance(None, span, &column), Ok(OVERLAP_UNITS));
        assert_eq!(Overlap::distance(Some(Overlap::Units(3)), span, &column), Ok(3));
        assert_eq!(
            Overlap::distance(span, None, &column).unwrap_err().code,
            "overlap_invalid"
        );
    }
}
