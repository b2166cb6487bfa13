//! The conditions that select a partition's rows.

use longshore_sdk::{core::Position, prelude::*};

use crate::{catalog::Column, position::constant};

/// Which of the rows that a snapshot sees were written by transactions from `first` on.
///
/// A heap row keeps 32 bits of its transaction's number. Every row that a snapshot sees was written below the snapshot's `next`; taken as the greatest number
/// below `next` with these 32 bits, the number is exact for the last 2³² transactions and too great for older rows, which are then only repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WrittenSince {
    /// No row that the snapshot sees.
    Nothing,
    /// Any row.
    Anything,
    /// Those that meet this condition.
    Condition(String),
}

impl WrittenSince {
    pub(crate) fn new(first: u64, next: u64) -> Self {
        const ALL: u64 = 1 << 32;
        if first >= next {
            return Self::Nothing;
        }
        if next - first >= ALL {
            return Self::Anything;
        }
        let (from, to) = (first % ALL, next % ALL);
        let xmin = "xmin::pg_catalog.text::pg_catalog.int8";
        Self::Condition(if from < to {
            format!("({xmin} >= {from} AND {xmin} < {to})")
        } else {
            format!("({xmin} >= {from} OR {xmin} < {to})")
        })
    }

    /// The condition as SQL.
    pub(crate) fn sql(&self) -> &str {
        match self {
            Self::Nothing => "false",
            Self::Anything => "true",
            Self::Condition(condition) => condition,
        }
    }
}

/// Rows after a position in the order `cursor, key…`, NULLs last.
///
/// With a unique key, whose columns are never NULL, this is one comparison of rows, which an index answers.
pub(crate) fn after(position: &Position, cursor: &Column, key: &[&Column], unique: bool) -> Result<String> {
    if position.key.len() != key.len() {
        return Err(Error::protocol(
            "position_unreadable",
            "The position of a checkpoint belongs to another key",
        ));
    }
    let cursor_constant = constant(&position.cursor, &cursor.cast_name);
    if key.is_empty() {
        return Ok(format!("{} > {cursor_constant}", cursor.sql()));
    }
    if unique {
        let columns: Vec<String> = std::iter::once(cursor.sql())
            .chain(key.iter().map(|column| column.sql()))
            .collect();
        let values: Vec<String> = std::iter::once(Some(cursor_constant))
            .chain(
                position
                    .key
                    .iter()
                    .zip(key)
                    .map(|(value, column)| value.as_ref().map(|value| constant(value, &column.cast_name))),
            )
            .map(|value| value.unwrap_or_else(|| "NULL".to_owned()))
            .collect();
        return Ok(format!("({}) > ({})", columns.join(", "), values.join(", ")));
    }
    // Every column before is equal and this one is greater, for one of the columns.
    let mut alternatives = vec![format!("{} > {cursor_constant}", cursor.sql())];
    let mut equal = vec![format!("{} = {cursor_constant}", cursor.sql())];
    for (column, value) in key.iter().zip(&position.key) {
        let name = column.sql();
        match value {
            Some(value) => {
                let value = constant(value, &column.cast_name);
                alternatives.push(format!(
                    "{} AND ({name} > {value} OR {name} IS NULL)",
                    equal.join(" AND ")
                ));
                equal.push(format!("{name} = {value}"));
            }
            None => equal.push(format!("{name} IS NULL")),
        }
    }
    Ok(format!(
        "{} >= {cursor_constant} AND ({})",
        cursor.sql(),
        alternatives.join(" OR ")
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the condition says of a row whose transaction had this number.
    fn selected(since: &WrittenSince, transaction: u64) -> bool {
        let xmin = transaction % (1 << 32);
        match since {
            WrittenSince::Nothing => false,
            WrittenSince::Anything => true,
            WrittenSince::Condition(condition) => {
                let numbers: Vec<u64> = condition
                    .split(|symbol: char| !symbol.is_ascii_digit())
                    .filter_map(|part| part.parse().ok())
                    .filter(|number| *number != 8)
                    .collect();
                let [from, to] = numbers[..] else { panic!("{condition}") };
                if condition.contains(" AND ") {
                    xmin >= from && xmin < to
                } else {
                    xmin >= from || xmin < to
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_row_written_since_is_ever_left_out(first in 3_u64..1 << 40, more in 0_u64..1 << 33, which in 0.0_f64..1.0) {
            let next = first + more;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let transaction = first + (more as f64 * which) as u64;
            prop_assume!(transaction < next && transaction % (1 << 32) != 8);
            prop_assert!(selected(&WrittenSince::new(first, next), transaction));
        }

        #[test]
        fn rows_of_the_last_four_billion_transactions_are_told_apart_exactly(first in (1_u64 << 33)..1 << 40, more in 9_u64..1 << 31, before in 1_u64..1 << 30) {
            let next = first + more;
            prop_assert!(!selected(&WrittenSince::new(first, next), first - before));
        }
    }

    #[test]
    fn a_quiet_database_needs_no_condition() {
        assert_eq!(WrittenSince::new(731, 731), WrittenSince::Nothing);
        assert_eq!(WrittenSince::new(0, 1 << 32), WrittenSince::Anything);
        assert_eq!(
            WrittenSince::new((1 << 32) - 5, (1 << 32) + 5)
                .sql()
                .matches(" OR ")
                .count(),
            1
        );
    }
}
