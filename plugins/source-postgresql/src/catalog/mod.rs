//! What can be read: relations, their columns, keys, sizes and indexes, from the system catalogs.

pub(crate) mod column;
mod load;
mod statements;
pub(crate) mod types;

use longshore_sdk::{incremental::Columns, prelude::*, table::TableName};

use crate::spec::Spec;
pub(crate) use column::Column;
pub(crate) use load::{list, relation};

/// What a relation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    PartitionedTable,
    View,
    MaterializedView,
    ForeignTable,
    Query,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::PartitionedTable => "partitioned table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::ForeignTable => "foreign table",
            Self::Query => "query",
        }
    }

    fn from_relkind(relkind: &str) -> Self {
        match relkind {
            "p" => Self::PartitionedTable,
            "v" => Self::View,
            "m" => Self::MaterializedView,
            "f" => Self::ForeignTable,
            _ => Self::Table,
        }
    }
}

/// Something that can be read.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    /// As listed.
    pub(crate) shown: String,
    /// What follows FROM, without ONLY.
    pub(crate) from: String,
    pub(crate) kind: Kind,
    /// Every column, in the relation's order, with the table's `text_columns` applied.
    pub(crate) columns: Vec<Column>,
    /// The declared key, or the one of the options.
    pub(crate) key: Vec<String>,
    /// The key is a primary key: no two rows share it.
    pub(crate) key_is_unique: bool,
    /// First columns of indexes.
    pub(crate) indexed: Vec<String>,
    pub(crate) estimated_rows: Option<u64>,
    pub(crate) pages: u64,
    pub(crate) block_bytes: u64,
    /// Its rows lie in heaps: their `xmin` says which transaction wrote them.
    pub(crate) has_xmin: bool,
    /// The heaps that hold its rows, when they can be read piece by piece.
    pub(crate) heaps: Vec<Heap>,
}

/// A table on disk.
#[derive(Clone, Debug)]
pub(crate) struct Heap {
    /// Its quoted name.
    pub(crate) name: String,
    pub(crate) pages: u64,
}

impl Relation {
    /// What follows FROM. Rows of inheriting tables belong to those tables, which are listed too.
    pub(crate) fn rows_clause(&self) -> String {
        if self.kind == Kind::Table {
            format!("ONLY {}", self.from)
        } else {
            self.from.clone()
        }
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns to deliver, as the options select them.
    ///
    /// # Errors
    /// `column_missing` for a selected column that does not exist.
    pub(crate) fn selected(&self, spec: &Spec) -> Result<Vec<Column>> {
        let options = spec.options(&self.shown);
        let places = self.columns().selected(&options.read, &options.text_columns)?;
        Ok(places.into_iter().map(|place| self.columns[place].clone()).collect())
    }

    /// The names of its columns.
    pub(crate) fn columns(&self) -> Columns<'_> {
        Columns::new(&self.shown, self.columns.iter().map(|column| column.name.as_str()))
    }

    /// The condition of the table's options, in parentheses.
    pub(crate) fn filter(&self, spec: &Spec) -> Option<String> {
        spec.options(&self.shown).read.condition()
    }
}

/// The relation's name as users wrote it.
pub(crate) fn parse_name(spec: &Spec, table: &str) -> Result<TableName> {
    TableName::parse(table, &spec.schema)
}
