//! A table, or what is new in it, in pieces that can be read at once.

use longshore_sdk::{
    core::interval::{Bound, Interval},
    prelude::*,
};

use super::{MAX_PARTITIONS, Planning};
use crate::{catalog::Column, position::Parameters};

/// The server looks at the whole table for each piece of a column that it is not sorted by; what does not fit its memory it sorts on its disk.
const MAX_UNSORTED: u64 = 8;

/// Intervals of a column that divide so many rows into pieces of about the configured size; one without ends when the rows are few.
pub(super) async fn slices(
    planning: &Planning<'_>,
    column: &Column,
    rows: u64,
    conditions: impl Fn(&mut Parameters) -> Vec<String>,
) -> Result<Vec<Interval>> {
    let most = if planning.probe.relation.is_sorted_by(&column.name) {
        MAX_PARTITIONS
    } else {
        MAX_UNSORTED
    };
    let pieces = rows.div_ceil(planning.spec.partition_rows()).clamp(1, most);
    if pieces == 1 {
        return Ok(vec![Interval::default()]);
    }
    let mut parameters = Parameters::default();
    let conditions = conditions(&mut parameters);
    let dividers = planning.probe.dividers(column, pieces, conditions, parameters).await?;
    Ok(between(&dividers))
}

/// The intervals that these values divide everything into: each value belongs to exactly one.
fn between(dividers: &[CursorValue]) -> Vec<Interval> {
    let begins = std::iter::once(Bound::Open).chain(dividers.iter().cloned().map(Bound::Included));
    let ends = dividers.iter().cloned().map(Bound::Excluded).chain([Bound::Open]);
    begins.zip(ends).map(|(from, to)| Interval { from, to }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_belongs_to_exactly_one_piece() {
        for dividers in [vec![], vec![3], vec![-5, 0, 7]] {
            let dividers: Vec<CursorValue> = dividers.into_iter().map(CursorValue::Int).collect();
            let pieces = between(&dividers);
            assert_eq!(pieces.len(), dividers.len() + 1);
            for value in -10..10 {
                let value = CursorValue::Int(value);
                let owners = pieces
                    .iter()
                    .filter(|piece| piece.contains(&value) == Some(true))
                    .count();
                assert_eq!(owners, 1, "{value} in {pieces:?}");
            }
        }
    }
}
