//! Tables without a cursor: everything, in pieces that can be read at once.

use longshore_sdk::{core::interval::Interval, prelude::*};

use super::{Planning, slices::slices};
use crate::{catalog::Column, work::Work};

pub(super) async fn plan(planning: &Planning<'_>, table: Table) -> Result<TablePlan> {
    let relation = planning.probe.relation;
    let rows = relation.estimated_rows;
    // Rows that are merged share their sorting key, so an interval of its first column never parts them.
    let first = relation.sorting_key.first().and_then(|name| relation.column(name));
    let first = first.filter(|column| column.position_type().is_some() && !column.is_nullable());
    let pieces = match (first, rows) {
        (Some(column), Some(rows)) => slices(planning, column, rows, |_| Vec::new()).await?,
        _ => vec![Interval::default()],
    };
    let partitions = match (first, pieces.len()) {
        (Some(column), 2..) => parts(column, pieces, rows)?,
        _ => vec![Work::Whole.into_partition("all", rows)?],
    };
    Ok(TablePlan::new(table, partitions))
}

fn parts(column: &Column, pieces: Vec<Interval>, rows: Option<u64>) -> Result<Vec<Partition>> {
    let share = rows.map(|rows| rows / pieces.len() as u64);
    let part = |(index, within)| {
        let work = Work::Slice {
            column: column.name.clone(),
            within,
        };
        work.into_partition(format!("slice-{index}"), share)
    };
    pieces.into_iter().enumerate().map(part).collect()
}
