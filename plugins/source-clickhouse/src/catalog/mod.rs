//! What can be read: tables, views and queries, their columns, keys, engines and sizes, from the system tables.

mod column;
mod engine;
mod load;

use std::sync::Arc;

use longshore_sdk::{
    arrow::datatypes::SchemaRef,
    incremental::{Columns, CursorColumn},
    prelude::*,
};

use crate::{
    column_type::ColumnType,
    connection::{PRUNES_AFTER_FINAL, Server},
    spec::Spec,
};
pub(crate) use column::Column;
pub(crate) use engine::Engine;
pub(crate) use load::{delivered_schema, list, relation};

/// Something that can be read.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    /// As listed.
    pub(crate) shown: String,
    /// What follows FROM.
    pub(crate) from: String,
    pub(crate) engine: Engine,
    /// Database and name, for the system tables; `None` for a query.
    pub(crate) stored: Option<(String, String)>,
    /// Every column that can be named, in the relation's order, with the table's `text_columns` and `binary_columns` applied.
    pub(crate) columns: Vec<Column>,
    /// Columns of the sorting key; empty when it has none, or holds more than columns.
    pub(crate) sorting_key: Vec<String>,
    /// The merged state is read.
    pub(crate) merged: bool,
    pub(crate) estimated_rows: Option<u64>,
    pub(crate) estimated_bytes: Option<u64>,
    /// Bytes of the columns before compression, where they are known.
    pub(crate) uncompressed_bytes: Option<u64>,
    /// The configured key.
    declared_key: Vec<String>,
}

impl Relation {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// A name, quoted, for an expression of a statement: one that no column has, because an alias stands for its expression everywhere in the statement.
    pub(crate) fn alias(&self, index: usize) -> String {
        let mut prefix = "longshore ".to_owned();
        while self.columns.iter().any(|column| column.name.starts_with(&prefix)) {
            prefix.push('_');
        }
        crate::names::quoted(&format!("{prefix}{index}"))
    }

    /// The names of its columns.
    pub(crate) fn names(&self) -> Columns<'_> {
        Columns::new(&self.shown, self.columns.iter().map(|column| column.name.as_str()))
    }

    /// The columns to deliver, as the options select them.
    ///
    /// # Errors
    /// `column_missing`, `no_columns`, and `type_unsupported` for a column that can not be read.
    pub(crate) fn selected(&self, spec: &Spec) -> Result<Vec<Column>> {
        let options = spec.options(&self.shown);
        let also = options.text_columns.iter().chain(&options.binary_columns);
        let places = self.names().selected(&options.read, also)?;
        // As `SELECT *` does, computed columns come only when they are named.
        let named = !options.read.columns.is_empty();
        let selected: Vec<Column> = places
            .into_iter()
            .map(|place| &self.columns[place])
            .filter(|column| named || column.is_stored)
            .cloned()
            .collect();
        if selected.is_empty() {
            return Err(
                Error::source("no_columns", format!("{} has no columns to read", self.shown)).with_table(&self.shown),
            );
        }
        for column in &selected {
            if let Some(remedy) = column.representation.refusal() {
                return Err(Error::source(
                    "type_unsupported",
                    format!(
                        "Column {} of table {} has the type {}, which can not be read",
                        column.name, self.shown, column.of.text
                    ),
                )
                .with_table(&self.shown)
                .with_remedy(remedy));
            }
        }
        Ok(selected)
    }

    /// Columns that identify a row: those of the options; otherwise the sorting key, where the engine keeps one row of each.
    pub(crate) fn key(&self) -> &[String] {
        if !self.declared_key.is_empty() {
            &self.declared_key
        } else if self.engine.merges() {
            &self.sorting_key
        } else {
            &[]
        }
    }

    /// No two rows that are read share these columns.
    pub(crate) fn is_unique(&self, key: &[String]) -> bool {
        self.merged
            && self.engine.merges()
            && !self.sorting_key.is_empty()
            && self.sorting_key.iter().all(|name| key.contains(name))
    }

    /// Keeps conditions from hiding the newest version of a row. A server that does not put it off looks at the conditions first, leaves out the parts of the
    /// table that can not meet them, and merges what is left: an older version is then the newest one that it sees. It knows nothing in advance of a
    /// column that is passed through a function, at the price of reading every part.
    ///
    /// Columns of the sorting key are the same in all versions of a row.
    pub(crate) fn guard_versions(&mut self, server: &Server) {
        if !self.merged || !self.engine.merges() || server.knows(PRUNES_AFTER_FINAL) {
            return;
        }
        for column in &mut self.columns {
            column.is_guarded = column.is_in_partition_key && !self.sorting_key.contains(&column.name);
        }
    }

    /// The condition under which a row of a collapsing engine is a state and not the mark of its end.
    pub(crate) fn state_condition(&self) -> Option<String> {
        self.engine
            .sign()
            .filter(|_| self.merged)
            .map(|sign| format!("{} > 0", crate::names::quoted(sign)))
    }

    /// The table as it is offered to destinations, with the columns that the server itself described.
    pub(crate) fn offered(&self, spec: &Spec, schema: SchemaRef) -> Table {
        let selected = |name: &String| schema.field_with_name(name).is_ok();
        let mut candidates: Vec<(u8, &str)> = self
            .columns
            .iter()
            .filter(|column| selected(&column.name))
            .filter_map(|column| Some((column.cursor_rank()?, column.name.as_str())))
            .collect();
        candidates.sort_unstable();
        Table {
            name: self.shown.clone(),
            // A part of a key identifies nothing.
            primary_key: if self.key().iter().all(selected) {
                self.key().to_vec()
            } else {
                Vec::new()
            },
            cursor: spec
                .cursor_of(&self.shown)
                .filter(|cursor| self.column(cursor).is_some())
                .map(str::to_owned),
            cursor_candidates: candidates.into_iter().map(|(_, name)| name.to_owned()).collect(),
            kind: self.engine.kind().to_owned(),
            estimated_rows: self.estimated_rows,
            estimated_bytes: self.estimated_bytes,
            schema: Arc::clone(&schema),
        }
    }

    /// The cursor column, usable.
    ///
    /// # Errors
    /// `cursor_column_missing`, `cursor_unusable`.
    pub(crate) fn cursor(&self, name: &str) -> Result<(&Column, CursorColumn<'_>)> {
        let Some(column) = self.column(name) else {
            return Err(self.names().cursor_missing(name));
        };
        let Some(cursor_type) = column.cursor_type() else {
            let mut usable: Vec<(u8, &str)> = self
                .columns
                .iter()
                .filter_map(|column| Some((column.cursor_rank()?, column.name.as_str())))
                .collect();
            usable.sort_unstable();
            let instead: Vec<&str> = usable.into_iter().map(|(_, name)| name).collect();
            return Err(CursorColumn::unusable(&self.shown, name, &column.of.text, &instead));
        };
        let described = CursorColumn {
            table: &self.shown,
            name: &column.name,
            type_name: &column.of.text,
            cursor_type,
        };
        Ok((column, described))
    }

    /// Whether the rows lie in the order of this column.
    pub(crate) fn is_sorted_by(&self, column: &str) -> bool {
        self.sorting_key.first().is_some_and(|first| first == column)
    }
}

/// A column as it is described: its name, its type, whether `SELECT *` has it.
pub(crate) fn described(spec: &Spec, table: &str, name: &str, type_name: &str, is_stored: bool) -> Column {
    use crate::representation::Representation;
    let options = spec.options(table);
    let of = ColumnType::parse(type_name);
    let named = |names: &[String]| names.iter().any(|named| named == name);
    let representation = if named(&options.text_columns) {
        Representation::server_text(&of)
    } else if named(&options.binary_columns) {
        Representation::choose(&of).with_bytes()
    } else {
        Representation::choose(&of)
    };
    Column {
        name: name.to_owned(),
        of,
        representation,
        is_stored,
        is_in_partition_key: false,
        is_guarded: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(engine: &str, merged: bool) -> Relation {
        let columns = ["id", "at", "other"].map(|name| Column {
            is_in_partition_key: name != "other",
            ..Column::of_type(name, "DateTime")
        });
        Relation {
            shown: "t".to_owned(),
            from: "`d`.`t`".to_owned(),
            engine: Engine::new(engine, ""),
            stored: None,
            columns: columns.to_vec(),
            sorting_key: vec!["id".to_owned()],
            merged,
            estimated_rows: None,
            estimated_bytes: None,
            uncompressed_bytes: None,
            declared_key: Vec::new(),
        }
    }

    fn guarded(mut relation: Relation, server: &Server) -> Vec<String> {
        relation.guard_versions(server);
        let guarded = relation.columns.into_iter().filter(|column| column.is_guarded);
        guarded.map(|column| column.tested()).collect()
    }

    #[test]
    fn conditions_are_kept_from_hiding_versions_where_the_server_does_not_see_to_it() {
        let older = Server::knowing(&[]);
        assert_eq!(
            guarded(relation("ReplacingMergeTree", true), &older),
            ["identity(`at`)"]
        );
        let newer = Server::knowing(&[PRUNES_AFTER_FINAL]);
        for (relation, server) in [
            (relation("ReplacingMergeTree", true), &newer),
            (relation("ReplacingMergeTree", false), &older),
            (relation("MergeTree", true), &older),
        ] {
            assert_eq!(guarded(relation, server), [""; 0]);
        }
    }
}
