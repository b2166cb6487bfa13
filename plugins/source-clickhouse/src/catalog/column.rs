//! A column of a relation.

use longshore_sdk::{
    core::cursor::{CursorType, TimeUnit},
    incremental::CursorColumn,
};

use crate::{column_type::ColumnType, names::quoted, representation::Representation};

/// A column with what reading it needs.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) of: ColumnType,
    pub(crate) representation: Representation,
    /// `SELECT *` has it: it is no alias and not computed at insertion.
    pub(crate) is_stored: bool,
    /// The table is divided by it.
    pub(crate) is_in_partition_key: bool,
    /// Conditions on it must not let the server pass over parts of the table: see [`super::Relation::guard_versions`].
    pub(crate) is_guarded: bool,
}

impl Column {
    /// The column as an identifier.
    pub(crate) fn sql(&self) -> String {
        quoted(&self.name)
    }

    /// The column in a condition.
    pub(crate) fn tested(&self) -> String {
        if self.is_guarded {
            // The same value, of which the server knows nothing in advance.
            format!("identity({})", self.sql())
        } else {
            self.sql()
        }
    }

    /// The expression that the column is delivered with.
    pub(crate) fn expression(&self) -> String {
        self.representation.expression(&self.sql())
    }

    /// The type of the column's values as a cursor; `None` when its values have no order that can be relied on.
    pub(crate) fn cursor_type(&self) -> Option<CursorType> {
        match self.position_type()? {
            // Ordered by halves, not as it is written; names have an order of their own.
            CursorType::Uuid => None,
            _ if self.of.bare().name.starts_with("Enum") => None,
            cursor_type => Some(cursor_type),
        }
    }

    /// The type of the column's values within a position; `None` when a comparison of them can fail to say which comes first.
    pub(crate) fn position_type(&self) -> Option<CursorType> {
        let of = self.of.bare();
        let instant = |unit| CursorType::Timestamp { unit, instant: true };
        Some(match of.name.as_str() {
            "Int8" | "Int16" | "Int32" | "Int64" | "Enum8" | "Enum16" => CursorType::Int,
            "UInt8" | "UInt16" | "UInt32" | "UInt64" => CursorType::Uint,
            "Int128" | "Int256" | "UInt128" | "UInt256" | "Decimal" | "Decimal32" | "Decimal64" | "Decimal128"
            | "Decimal256" => CursorType::Decimal,
            "Date" | "Date32" => CursorType::Date,
            "DateTime" => instant(TimeUnit::Second),
            "DateTime64" => instant(match of.time_digits()? {
                0 => TimeUnit::Second,
                1..=3 => TimeUnit::Millisecond,
                4..=6 => TimeUnit::Microsecond,
                _ => TimeUnit::Nanosecond,
            }),
            "String" | "IPv4" | "IPv6" => CursorType::Text,
            "FixedString" => CursorType::Binary,
            "UUID" => CursorType::Uuid,
            _ => return None,
        })
    }

    pub(crate) fn is_nullable(&self) -> bool {
        self.of.is_nullable()
    }

    /// How likely the column is meant as a cursor: the lower, the likelier.
    pub(crate) fn cursor_rank(&self) -> Option<u8> {
        CursorColumn::rank(&self.name, self.cursor_type()?)
    }
}

#[cfg(test)]
impl Column {
    /// A stored column as the server describes it, without options.
    pub(crate) fn of_type(name: &str, of: &str) -> Self {
        let of = ColumnType::parse(of);
        Self {
            name: name.to_owned(),
            representation: Representation::choose(&of),
            of,
            is_stored: true,
            is_in_partition_key: false,
            is_guarded: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(of: &str) -> Column {
        Column::of_type("c", of)
    }

    #[test]
    fn what_has_no_order_to_rely_on_is_no_cursor() {
        for of in [
            "Float64",
            "Bool",
            "Array(Int8)",
            "Tuple(Int8)",
            "Enum8('a' = 1)",
            "UUID",
            "JSON",
            "Nullable(Float32)",
        ] {
            assert_eq!(column(of).cursor_type(), None, "{of}");
        }
        assert_eq!(
            column("LowCardinality(Nullable(UInt16))").cursor_type(),
            Some(CursorType::Uint)
        );
        assert_eq!(
            column("SimpleAggregateFunction(max, DateTime64(4, 'Asia/Tokyo'))").cursor_type(),
            Some(CursorType::Timestamp {
                unit: TimeUnit::Microsecond,
                instant: true
            })
        );
        assert_eq!(column("UUID").position_type(), Some(CursorType::Uuid));
        assert_eq!(column("Float64").position_type(), None);
    }
}
