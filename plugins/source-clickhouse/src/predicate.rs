//! The conditions that select a partition's rows.

use longshore_sdk::{
    core::{
        Position,
        interval::{Bound, Interval},
    },
    incremental::Unsettled,
    prelude::*,
};

use crate::{
    catalog::Column,
    position::{Parameters, compared},
    work::{Ordered, Since},
};

/// `column operator value`.
pub(crate) fn comparison(parameters: &mut Parameters, column: &Column, operator: &str, value: &CursorValue) -> String {
    format!("{} {operator} {}", compared(column), parameters.value(column, value))
}

/// Rows with a column within an interval.
pub(crate) fn within(parameters: &mut Parameters, column: &Column, interval: &Interval) -> Vec<String> {
    let from = match &interval.from {
        Bound::Open => None,
        Bound::Included(value) => Some((">=", value)),
        Bound::Excluded(value) => Some((">", value)),
    };
    let to = match &interval.to {
        Bound::Open => None,
        Bound::Included(value) => Some(("<=", value)),
        Bound::Excluded(value) => Some(("<", value)),
    };
    from.into_iter()
        .chain(to)
        .map(|(operator, value)| comparison(parameters, column, operator, value))
        .collect()
}

/// Rows from where an incremental read begins, and from the table's start on.
pub(crate) fn since(
    parameters: &mut Parameters,
    column: &Column,
    since: &Since,
    start: Option<&CursorValue>,
) -> Vec<String> {
    let begin = match since {
        Since::Beginning => None,
        Since::After(value) => Some((">", value)),
        Since::Window { from } => Some((">=", from)),
    };
    let mut conditions = Vec::new();
    if column.is_nullable() {
        conditions.push(format!("{} IS NOT NULL", column.tested()));
    }
    let bounds = begin.into_iter().chain(start.map(|start| (">=", start)));
    conditions.extend(bounds.map(|(operator, value)| comparison(parameters, column, operator, value)));
    conditions
}

/// The rows of an ordered partition.
pub(crate) fn ordered(parameters: &mut Parameters, column: &Column, work: &Ordered) -> Vec<String> {
    let mut conditions = since(parameters, column, &work.since, work.start.as_ref());
    conditions.extend(within(parameters, column, &work.within));
    if let Some(up_to) = &work.up_to {
        conditions.push(comparison(parameters, column, "<=", up_to));
    }
    conditions
}

/// Whether a row is too new to be delivered.
pub(crate) fn unsettled(parameters: &mut Parameters, column: &Column, unsettled: &Unsettled) -> String {
    let newer = comparison(parameters, column, ">", &unsettled.after);
    let past = comparison(parameters, column, "<=", &unsettled.up_to);
    format!("({newer} AND {past})")
}

/// Rows after a position in the order `cursor, key…`, none of which is NULL.
///
/// # Errors
/// `position_unreadable` for a position of another key.
pub(crate) fn after(
    parameters: &mut Parameters,
    position: &Position,
    cursor: &Column,
    key: &[&Column],
) -> Result<Vec<String>> {
    let values: Option<Vec<&CursorValue>> = position.key.iter().map(Option::as_ref).collect();
    let values = values.filter(|values| values.len() == key.len()).ok_or_else(|| {
        Error::protocol(
            "position_unreadable",
            "The position of a checkpoint belongs to another key",
        )
    })?;
    if key.is_empty() {
        return Ok(vec![comparison(parameters, cursor, ">", &position.cursor)]);
    }
    // Every column before is equal and this one is greater, for one of the columns.
    let mut alternatives = vec![comparison(parameters, cursor, ">", &position.cursor)];
    let mut equal = vec![comparison(parameters, cursor, "=", &position.cursor)];
    for (column, value) in key.iter().zip(values) {
        let greater = comparison(parameters, column, ">", value);
        alternatives.push(format!("({} AND {greater})", equal.join(" AND ")));
        equal.push(comparison(parameters, column, "=", value));
    }
    // The first condition is what an index answers.
    Ok(vec![
        comparison(parameters, cursor, ">=", &position.cursor),
        format!("({})", alternatives.join(" OR ")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> Column {
        Column::of_type(name, "Int64")
    }

    #[test]
    fn a_position_is_passed_by_the_order_that_is_read() {
        let mut parameters = Parameters::default();
        let position = Position {
            cursor: CursorValue::Int(1),
            key: vec![Some(CursorValue::Int(2))],
        };
        let id = column("id");
        let conditions = after(&mut parameters, &position, &column("at"), &[&id]).unwrap();
        assert_eq!(
            conditions,
            [
                "`at` >= {longshore_4:Int64}",
                "(`at` > {longshore_0:Int64} OR (`at` = {longshore_1:Int64} AND `id` > {longshore_2:Int64}))"
            ]
        );
        assert_eq!(parameters.into_vec()[2].1, "2");
    }

    #[test]
    fn a_position_of_another_key_is_refused() {
        let position = Position {
            cursor: CursorValue::Int(1),
            key: vec![None],
        };
        let id = column("id");
        for key in [vec![], vec![&id]] {
            let error = after(&mut Parameters::default(), &position, &column("at"), &key).unwrap_err();
            assert_eq!(error.code, "position_unreadable");
        }
    }
}
