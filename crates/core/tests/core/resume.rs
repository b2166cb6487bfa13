//! Reading in pages, stopped anywhere and gone on with, finds each row once.

use longshore_core::{CursorValue, Position};
use proptest::prelude::*;

/// A row with a cursor that others share, and a number that only a key makes part of the order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    cursor: i64,
    number: usize,
}

/// Where the order's key is unique, and where rows that share a cursor can not be told apart.
#[derive(Clone, Copy, Debug)]
enum Order {
    WithKey,
    CursorOnly,
}

fn position(row: &Row, order: Order) -> Position {
    let key = match order {
        Order::WithKey => vec![Some(CursorValue::Int(i64::try_from(row.number).unwrap()))],
        Order::CursorOnly => Vec::new(),
    };
    Position {
        cursor: CursorValue::Int(row.cursor),
        key,
    }
}

/// What one attempt delivers and the last position that it committed: it stops after `stop_after` pages, and only what lies before its last
/// checkpoint counts as delivered.
fn attempt(
    table: &[Row],
    order: Order,
    page: usize,
    from: Option<&Position>,
    stop_after: usize,
) -> (Vec<Row>, Option<Position>) {
    let mut rows: Vec<&Row> = table
        .iter()
        .filter(|row| from.is_none_or(|from| position(row, order).compare(from).unwrap().is_gt()))
        .collect();
    rows.sort();
    let (mut delivered, mut sent) = (Vec::new(), Vec::new());
    let mut pages = 0;
    let mut due = false;
    for (index, row) in rows.iter().enumerate() {
        // Without a unique key a full page waits for the next change of the position.
        let same_as_before = index > 0 && position(row, order) == position(rows[index - 1], order);
        if due && !same_as_before {
            delivered.append(&mut sent);
            due = false;
            pages += 1;
            if pages == stop_after {
                return (delivered, Some(position(rows[index - 1], order)));
            }
        }
        sent.push((*row).clone());
        due |= sent.len() >= page;
    }
    delivered.append(&mut sent);
    (delivered, None)
}

proptest! {
    #[test]
    fn a_table_read_in_pages_and_resumed_anywhere_is_delivered_once(
        cursors in proptest::collection::vec(-3_i64..4, 0..60),
        page in 1_usize..8,
        stops in proptest::collection::vec(1_usize..4, 0..20),
        with_key: bool,
    ) {
        let order = if with_key { Order::WithKey } else { Order::CursorOnly };
        let mut table: Vec<Row> = cursors.iter().enumerate().map(|(number, cursor)| Row { cursor: *cursor, number }).collect();
        let mut delivered = Vec::new();
        let mut from: Option<Position> = None;
        let mut stops = stops.into_iter();
        loop {
            let (rows, committed) = attempt(&table, order, page, from.as_ref(), stops.next().unwrap_or(usize::MAX));
            delivered.extend(rows);
            let Some(committed) = committed else { break };
            // Through its stored form, as between two processes.
            from = Some(Position::from_bytes(&committed.to_bytes().unwrap()).unwrap());
        }
        delivered.sort();
        table.sort();
        prop_assert_eq!(delivered, table);
    }
}
