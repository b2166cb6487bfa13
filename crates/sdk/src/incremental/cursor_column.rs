//! The column that moves forward, and what can be wrong with it.

use std::cmp::Ordering;

use longshore_core::{CursorValue, Error, Result, TableState, cursor::CursorType, range::CursorRange};

use super::{ReadOptions, StartFrom, fits, options_pointer};

/// A cursor column, as messages name it.
#[derive(Clone, Copy, Debug)]
pub struct CursorColumn<'a> {
    /// The table, as listed.
    pub table: &'a str,
    /// The column.
    pub name: &'a str,
    /// Its type in the database's own words.
    pub type_name: &'a str,
    /// The type of its values.
    pub cursor_type: CursorType,
}

impl CursorColumn<'_> {
    /// Checks that the stored state belongs to this column. `type_was` is the column's type when its cursor was stored, in the database's own words, where it is known.
    ///
    /// # Errors
    /// `cursor_column_changed`, `cursor_type_changed`.
    pub fn check_state(&self, state: &TableState, type_was: Option<&str>) -> Result<()> {
        let Self { table, name, .. } = self;
        let remedy = format!(
            "`longshore state reset --table {table}` reads the table from its beginning; `longshore state set` sets a cursor of the new kind."
        );
        if !state.cursor_column.is_empty() && state.cursor_column != *name {
            let message = format!(
                "The stored cursor of table {table} belongs to column {}, not to {name}",
                state.cursor_column
            );
            return Err(Error::config("cursor_column_changed", message)
                .with_table(*table)
                .with_remedy(remedy));
        }
        if state
            .cursor
            .as_ref()
            .is_some_and(|value| !fits(value, self.cursor_type))
        {
            let was = type_was.unwrap_or("another type");
            let message = format!(
                "The cursor column {name} of table {table} is {} now, it was {was} when its cursor was stored",
                self.type_name
            );
            return Err(Error::source("cursor_type_changed", message)
                .with_table(*table)
                .with_remedy(remedy));
        }
        Ok(())
    }

    /// A range that is to be read, with ends of the column's type. They come as text where a person wrote them.
    ///
    /// # Errors
    /// - `range_invalid`: an end is no value of the column.
    /// - `range_reversed`: it ends before it begins.
    pub fn range(&self, range: &CursorRange) -> Result<CursorRange> {
        let Self {
            name, table, type_name, ..
        } = self;
        let invalid = || {
            Error::config(
                "range_invalid",
                format!("The range names no values of the cursor {name} of table {table}, which is {type_name}"),
            )
            .with_table(*table)
            .with_remedy("Write its ends as `longshore state show` writes the cursor.")
        };
        let typed = range
            .clone()
            .typed(self.cursor_type)
            .map_err(|error| invalid().with_cause(&error))?;
        let ends = || typed.from.iter().chain(&typed.to);
        if ends().any(|end| !fits(end, self.cursor_type)) {
            return Err(invalid());
        }
        if typed.is_empty() && typed.from != typed.to {
            let [from, to] =
                [&typed.from, &typed.to].map(|end| end.as_ref().map(CursorValue::to_string).unwrap_or_default());
            let message =
                format!("The range from {from} to {to} of the cursor {name} of table {table} ends before it begins");
            return Err(Error::config("range_reversed", message)
                .with_table(*table)
                .with_remedy("Exchange its ends: --from is the first value to read, --to the first one beyond."));
        }
        Ok(typed)
    }

    /// Where the table's rows begin to be of interest: the configured `start_from`, when it is a value. It bounds every run, so that a row of before does not come
    /// with the overlap. A stored cursor that was set by hand to a time before the start is meant, and lifts the bound.
    ///
    /// # Errors
    /// `start_from_invalid`.
    pub fn start(&self, options: &ReadOptions, stored: Option<&CursorValue>) -> Result<Option<CursorValue>> {
        let StartFrom::Value(text) = &options.start_from else {
            return Ok(None);
        };
        let value = self.cursor_type.parse(text).map_err(|error| {
            Error::config(
                "start_from_invalid",
                format!(
                    "`start_from` of table {} is no value of column {}",
                    self.table, self.name
                ),
            )
            .with_table(self.table)
            .with_field(format!("{}/start_from", options_pointer(self.table)))
            .with_cause(&error)
        })?;
        let set_before = stored.is_some_and(|stored| stored.compare(&value) == Some(Ordering::Less));
        Ok(Some(value).filter(|_| !set_before))
    }

    /// So many rows without a cursor, in words.
    #[must_use]
    pub fn without_value(count: u64) -> String {
        let rows = if count == 1 { "row" } else { "rows" };
        format!("{count} {rows} without a value")
    }

    /// Rows without a cursor under `null_cursor: error`.
    #[must_use]
    pub fn null_values(table: &str, name: &str, count: u64) -> Error {
        Error::source(
            "cursor_null",
            format!(
                "Table {table} has {} in the cursor column {name}",
                Self::without_value(count)
            ),
        )
        .with_table(table)
        .with_remedy(
            "Fill the column in and make it NOT NULL, or set the table's `null_cursor` to `include` or `skip`.",
        )
    }

    /// The column's type has no order that can be relied on. `instead` are the columns that could serve, the likeliest first.
    #[must_use]
    pub fn unusable(table: &str, name: &str, type_name: &str, instead: &[&str]) -> Error {
        let remedy = if instead.is_empty() {
            "Set the table's `cursor: null` to read it whole.".to_owned()
        } else {
            format!("Usable are: {}.", instead.join(", "))
        };
        Error::config(
            "cursor_unusable",
            format!("Column {name} of table {table} has the type {type_name}, which can not serve as a cursor"),
        )
        .with_table(table)
        .with_remedy(remedy)
    }

    /// How likely a column is meant as a cursor: the lower, the likelier. `None`: not without being named.
    #[must_use]
    pub fn rank(name: &str, cursor_type: CursorType) -> Option<u8> {
        let by_name = ["updated", "modified", "changed"]
            .iter()
            .any(|word| name.to_lowercase().contains(word));
        match cursor_type {
            CursorType::Timestamp { .. } => Some(if by_name { 0 } else { 1 }),
            CursorType::Date => Some(2),
            CursorType::Int | CursorType::Uint => Some(3),
            CursorType::Decimal => Some(4),
            CursorType::Text | CursorType::Uuid | CursorType::Binary => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMN: CursorColumn<'static> = CursorColumn {
        table: "orders",
        name: "changed",
        type_name: "bigint",
        cursor_type: CursorType::Int,
    };

    #[test]
    fn a_state_of_another_column_or_type_is_refused() {
        let state = |column: &str, cursor| TableState {
            cursor_column: column.to_owned(),
            cursor,
            ..TableState::default()
        };
        let code = |state| COLUMN.check_state(&state, None).map_err(|error| error.code);
        assert_eq!(code(state("changed", Some(CursorValue::Int(1)))), Ok(()));
        assert_eq!(code(state("", None)), Ok(()));
        assert_eq!(code(state("id", None)), Err("cursor_column_changed".to_owned()));
        assert_eq!(
            code(state("changed", Some(CursorValue::Date(1)))),
            Err("cursor_type_changed".to_owned())
        );
    }

    #[test]
    fn a_start_bounds_every_run_unless_a_cursor_was_set_before_it() {
        let options = |text: &str| ReadOptions {
            start_from: StartFrom::Value(text.to_owned()),
            ..ReadOptions::default()
        };
        let start = |stored: Option<i64>| COLUMN.start(&options("5"), stored.map(CursorValue::Int).as_ref());
        assert_eq!(start(None), Ok(Some(CursorValue::Int(5))));
        assert_eq!(start(Some(9)), Ok(Some(CursorValue::Int(5))));
        assert_eq!(start(Some(4)), Ok(None));
        let error = COLUMN.start(&options("soon"), None).unwrap_err();
        assert_eq!(error.field, "/table_options/orders/start_from");
    }
}
