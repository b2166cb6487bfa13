//! Identifiers and constants as SQL takes them.

use longshore_sdk::table::TableName;

/// A relation for a statement: always with its schema, always quoted.
pub(crate) fn qualified(relation: &TableName) -> String {
    format!("{}.{}", quoted(&relation.namespace), quoted(&relation.name))
}

/// An identifier for a statement.
pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A string constant for a statement, whatever `standard_conforming_strings` says.
pub(crate) fn literal(text: &str) -> String {
    if text.contains('\\') {
        return format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    }
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_can_not_be_left() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\' or 1=1 --"), "E'a\\\\'' or 1=1 --'");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
