//! Names of relations: as users write them, and as SQL takes them.

use longshore_sdk::prelude::*;

/// A relation's schema and name, exactly as PostgreSQL stores them (no folding of capitals).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RelationName {
    pub(crate) schema: String,
    pub(crate) name: String,
}

impl RelationName {
    pub(crate) fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// Reads `name`, `schema.name`, and either part in double quotes; a part that holds a dot or a double quote must be quoted.
    pub(crate) fn parse(text: &str, default_schema: &str) -> Result<Self> {
        let invalid = || {
            Error::config("table_name_invalid", format!("'{text}' is no name of a table"))
                .with_table(text)
                .with_remedy("Write `table`, `schema.table`, or `\"odd.schema\".\"odd \"\"table\"`.")
        };
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let (part, after) = next_part(rest).ok_or_else(invalid)?;
            parts.push(part);
            match after.strip_prefix('.') {
                Some(more) => rest = more,
                None if after.is_empty() => break,
                None => return Err(invalid()),
            }
        }
        match <[String; 1]>::try_from(parts) {
            Ok([name]) => Ok(Self::new(default_schema, name)),
            Err(parts) => match <[String; 2]>::try_from(parts) {
                Ok([schema, name]) => Ok(Self { schema, name }),
                Err(_) => Err(invalid()),
            },
        }
    }

    /// The form that [`Self::parse`] reads back: bare in the default schema.
    pub(crate) fn shown(&self, default_schema: &str) -> String {
        if self.schema == default_schema {
            return shown_part(&self.name);
        }
        format!("{}.{}", shown_part(&self.schema), shown_part(&self.name))
    }

    /// For a statement: always with its schema, always quoted.
    pub(crate) fn sql(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }
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

fn shown_part(part: &str) -> String {
    if part.is_empty() || part.contains(['.', '"']) {
        quoted(part)
    } else {
        part.to_owned()
    }
}

fn next_part(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find(['.', '"']).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut part = String::new();
    loop {
        let end = rest.find('"')?;
        part.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return (!part.is_empty()).then_some((part, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(schema in "[a-zA-Z .\"é]{1,8}", name in "[a-zA-Z .\"é]{1,8}") {
            let relation = RelationName::new(schema, name);
            prop_assert_eq!(RelationName::parse(&relation.shown("public"), "public").unwrap(), relation.clone());
            prop_assert_eq!(RelationName::parse(&relation.sql(), "public").unwrap(), relation);
        }
    }

    #[test]
    fn names_are_read_as_documented() {
        let parsed = |text| {
            RelationName::parse(text, "public")
                .map(|relation| (relation.schema, relation.name))
                .ok()
        };
        let pair = |schema: &str, name: &str| Some((schema.to_owned(), name.to_owned()));
        assert_eq!(parsed("orders"), pair("public", "orders"));
        assert_eq!(parsed("Shop.Orders 2"), pair("Shop", "Orders 2"));
        assert_eq!(parsed("\"we.ird\""), pair("public", "we.ird"));
        assert_eq!(parsed("a.\"say \"\"hi\"\"\""), pair("a", "say \"hi\""));
        for wrong in ["", ".", "a.", ".a", "a.b.c", "\"a", "a\"b", "\"\"", "\"a\"b"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn constants_can_not_be_left() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\' or 1=1 --"), "E'a\\\\'' or 1=1 --'");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
