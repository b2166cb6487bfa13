//! A range of cursor values that somebody wants again, whatever was delivered before.

use longshore_sdk::{core::interval::Interval, incremental::CursorColumn, prelude::*};

use super::{Planning, is_unique, order_key, slices::slices};
use crate::{
    catalog::Column,
    position::Parameters,
    predicate::{since, within},
    work::{Ordered, Since, Work},
};

pub(super) async fn plan(
    planning: &Planning<'_>,
    (cursor, described): (&Column, CursorColumn<'_>),
    table: Table,
    range: &CursorRange,
) -> Result<TablePlan> {
    let relation = planning.probe.relation;
    let whole = Interval::from(described.range(range)?);
    let conditions = |parameters: &mut Parameters| {
        let mut conditions = since(parameters, cursor, &Since::Beginning, None);
        conditions.extend(within(parameters, cursor, &whole));
        conditions
    };
    let mut parameters = Parameters::default();
    let counted = conditions(&mut parameters);
    let extent = planning.probe.extent(cursor, counted, parameters).await?;
    let mut plan = TablePlan::new(table, Vec::new());
    if extent.rows == 0 {
        return Ok(plan);
    }
    let key = order_key(relation, cursor);
    let pieces = slices(planning, cursor, extent.rows, conditions).await?;
    let share = extent.rows / pieces.len() as u64;
    for (index, piece) in pieces.into_iter().enumerate() {
        let ordered = Ordered {
            cursor: cursor.name.clone(),
            unique: is_unique(relation, cursor, &key),
            key: key.clone(),
            since: Since::Beginning,
            start: None,
            // The dividers lie within the range; text, whose order is the server's, is taken as it is.
            within: Interval {
                from: if index == 0 { whole.from.clone() } else { piece.from },
                to: if piece.to == longshore_sdk::core::interval::Bound::Open {
                    whole.to.clone()
                } else {
                    piece.to
                },
            },
            up_to: None,
            unsettled: None,
            again_from: None,
            baseline: false,
            skipped_nulls: 0,
            known_to: None,
            ahead_of: None,
        };
        plan.partitions
            .push(Work::Ordered(Box::new(ordered)).into_partition(format!("range-{index}"), Some(share))?);
    }
    plan.upper_bound = extent.newest;
    plan.in_order = true;
    Ok(plan)
}
