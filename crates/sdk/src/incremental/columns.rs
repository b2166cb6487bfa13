//! Columns by the names that users write.

use longshore_core::{Error, Result};

use super::ReadOptions;

/// The names of a table's columns, in its order.
#[derive(Clone, Debug)]
pub struct Columns<'a> {
    table: &'a str,
    names: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    /// The columns of a table, which is named as listed.
    pub fn new(table: &'a str, names: impl Iterator<Item = &'a str>) -> Self {
        Self {
            table,
            names: names.collect(),
        }
    }

    /// The places of the columns to deliver, as the options select them. `also_named` are further names of the options, which must exist too.
    ///
    /// # Errors
    /// `column_missing` for a name that no column has.
    pub fn selected<'b>(
        &self,
        options: &'b ReadOptions,
        also_named: impl IntoIterator<Item = &'b String>,
    ) -> Result<Vec<usize>> {
        let named = options.columns.iter().chain(&options.exclude_columns);
        for name in named.chain(&options.primary_key).chain(also_named) {
            if !self.names.contains(&name.as_str()) {
                return Err(self.missing(name, "column_missing"));
            }
        }
        if options.columns.is_empty() {
            let kept = |index: &usize| !options.exclude_columns.iter().any(|name| name == self.names[*index]);
            return Ok((0..self.names.len()).filter(kept).collect());
        }
        Ok(options
            .columns
            .iter()
            .filter_map(|name| self.names.iter().position(|known| known == name))
            .collect())
    }

    /// A column that the specification names does not exist: with the nearest name.
    #[must_use]
    pub fn missing(&self, name: &str, code: &str) -> Error {
        let remedy = match nearest(name, self.names.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!("{} has the columns {}.", self.table, self.names.join(", ")),
        };
        Error::config(code, format!("Table {} has no column {name}", self.table))
            .with_table(self.table)
            .with_remedy(remedy)
    }

    /// A text that somebody wants a row by is no value of the column.
    #[must_use]
    pub fn row_value_invalid(&self, column: &str, type_name: &str) -> Error {
        Error::config(
            "row_value_invalid",
            format!(
                "A wanted value is none of column {column} of table {}, which is {type_name}",
                self.table
            ),
        )
        .with_table(self.table)
        .with_remedy("Write values as the database shows them, or name another column.")
    }

    /// A column has no points in time.
    #[must_use]
    pub fn no_times(&self, column: &str, type_name: &str) -> Error {
        Error::source(
            "count_column_unusable",
            format!(
                "Column {column} of table {} is {type_name}, which holds no points in time",
                self.table
            ),
        )
        .with_table(self.table)
    }

    /// The cursor column does not exist.
    #[must_use]
    pub fn cursor_missing(&self, name: &str) -> Error {
        let mut error = self.missing(name, "cursor_column_missing");
        error.message = format!("Table {} has no column {name}, which is its cursor", self.table);
        error
            .remedy
            .push_str(" Set the table's own `cursor` in `table_options`; `cursor: null` reads it whole in every run.");
        error
    }
}

/// The name most like `wanted`, when one is close enough to be meant.
pub fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::jaro_winkler(&wanted.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_selected_in_the_order_that_is_asked_for() {
        let columns = Columns::new("t", ["a", "b", "c"].into_iter());
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let chosen = ReadOptions {
            columns: names(&["c", "a"]),
            ..ReadOptions::default()
        };
        assert_eq!(columns.selected(&chosen, []), Ok(vec![2, 0]));
        let without = ReadOptions {
            exclude_columns: names(&["b"]),
            ..ReadOptions::default()
        };
        assert_eq!(columns.selected(&without, []), Ok(vec![0, 2]));
        let other = "bb".to_owned();
        let error = columns.selected(&without, [&other]).unwrap_err();
        assert_eq!((error.code.as_str(), error.table.as_str()), ("column_missing", "t"));
    }
}
