//! The order that an incremental read follows, and the index that serves it.

use longshore_sdk::core::cursor::CursorType;

use crate::{
    catalog::{Column, Kind, Relation},
    names::quoted,
};

/// Columns that make the order total, where their values can be put into a position.
pub(super) fn order_key(relation: &Relation, cursor: &Column) -> Vec<String> {
    let usable = |name: &String| {
        let column = relation.column(name);
        // Of a key that the database enforces, equal means the same row, whatever the type.
        column.is_some_and(|column| {
            relation.key_is_unique || column.cursor_type().is_some_and(|of| of != CursorType::Decimal)
        })
    };
    if relation.key.iter().all(usable) {
        relation
            .key
            .iter()
            .filter(|name| **name != cursor.name)
            .cloned()
            .collect()
    } else {
        Vec::new()
    }
}

/// The statement that makes the index a cursor needs, when there is none.
pub(crate) fn missing_index(relation: &Relation, cursor: &Column) -> Option<String> {
    let on_disk = matches!(
        relation.kind,
        Kind::Table | Kind::PartitionedTable | Kind::MaterializedView
    );
    if !on_disk || relation.indexed.contains(&cursor.name) {
        return None;
    }
    let key = order_key(relation, cursor);
    let columns: Vec<String> = std::iter::once(cursor.sql())
        .chain(key.iter().map(|name| quoted(name)))
        .collect();
    // The server refuses CONCURRENTLY for partitioned tables.
    let concurrently = if relation.kind == Kind::PartitionedTable {
        ""
    } else {
        "CONCURRENTLY "
    };
    Some(format!(
        "CREATE INDEX {concurrently}ON {} ({});",
        relation.from,
        columns.join(", ")
    ))
}
