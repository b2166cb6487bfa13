//! A column of a relation.

use longshore_sdk::{
    arrow::datatypes::Field,
    core::cursor::{CursorType, TimeUnit},
    incremental::CursorColumn,
};

use super::types::{SourceType, oid};
use crate::{names::quoted, representation::Representation};

/// A column with what reading it needs.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) not_null: bool,
    /// As the server's documentation writes it, with modifiers.
    pub(crate) type_name: String,
    /// Below all domains.
    pub(crate) resolved: SourceType,
    /// Name of the resolved type, for casts.
    pub(crate) cast_name: String,
    pub(crate) representation: Representation,
    /// Equal texts are equal bytes in the column's collation.
    pub(crate) deterministic: bool,
}

impl Column {
    /// The column as an identifier.
    pub(crate) fn sql(&self) -> String {
        quoted(&self.name)
    }

    /// The expression that the column is read with.
    pub(crate) fn expression(&self) -> String {
        self.representation.expression(&self.sql(), self.resolved)
    }

    /// The Arrow field.
    pub(crate) fn field(&self) -> Field {
        let mut metadata = self.representation.metadata();
        metadata.insert("longshore.source_type".to_owned(), self.type_name.clone());
        Field::new(&self.name, self.representation.data_type(), !self.not_null).with_metadata(metadata)
    }

    /// The same column, read as the server's own text.
    pub(crate) fn into_server_text(mut self) -> Self {
        self.representation = Representation::ServerText;
        self
    }

    /// The type of the column's values as a cursor; `None` when its values have no order that can be relied on.
    pub(crate) fn cursor_type(&self) -> Option<CursorType> {
        Some(match self.resolved.oid {
            oid::INT2 | oid::INT4 | oid::INT8 => CursorType::Int,
            oid::NUMERIC => CursorType::Decimal,
            oid::DATE => CursorType::Date,
            oid::TIMESTAMP => CursorType::Timestamp {
                unit: TimeUnit::Microsecond,
                instant: false,
            },
            oid::TIMESTAMPTZ => CursorType::Timestamp {
                unit: TimeUnit::Microsecond,
                instant: true,
            },
            oid::TEXT | oid::VARCHAR | oid::NAME if self.deterministic => CursorType::Text,
            oid::UUID => CursorType::Uuid,
            oid::BYTEA => CursorType::Binary,
            _ => return None,
        })
    }

    /// How likely the column is meant as a cursor: the lower, the likelier.
    pub(crate) fn cursor_rank(&self) -> Option<u8> {
        CursorColumn::rank(&self.name, self.cursor_type()?)
    }
}
