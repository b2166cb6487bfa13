//! Identifiers and constants as ClickHouse's SQL takes them.

use longshore_sdk::table::TableName;

/// An identifier for a statement.
pub(crate) fn quoted(identifier: &str) -> String {
    format!("`{}`", escaped(identifier, '`'))
}

/// A table for a statement: always with its database, always quoted.
pub(crate) fn qualified(table: &TableName) -> String {
    format!("{}.{}", quoted(&table.namespace), quoted(&table.name))
}

/// A string constant. Only for names and types, which come from the catalog; values travel as parameters.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", escaped(text, '\''))
}

fn escaped(text: &str, quote: char) -> String {
    let mut escaped = String::with_capacity(text.len());
    for symbol in text.chars() {
        if symbol == '\\' || symbol == quote {
            escaped.push('\\');
        }
        escaped.push(symbol);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_not_leave_their_quotes() {
        assert_eq!(quoted("a`b\\c'd"), "`a\\`b\\\\c'd`");
        assert_eq!(literal("a`b\\c'd"), "'a`b\\\\c\\'d'");
        assert_eq!(qualified(&TableName::new("we.ird", "t 1")), "`we.ird`.`t 1`");
    }
}
