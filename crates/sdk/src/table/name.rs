//! Names of tables as users write them.

use longshore_core::{Error, Result};

/// A table's name within its database or schema, exactly as the server stores both (no folding of capitals).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableName {
    /// The schema or database that holds it.
    pub namespace: String,
    /// Its own name.
    pub name: String,
}

impl TableName {
    /// A name in two parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Reads `name`, `namespace.name`, and either part in double quotes; a part that holds a dot or a double quote must be quoted.
    ///
    /// # Errors
    /// `table_name_invalid`.
    pub fn parse(text: &str, default_namespace: &str) -> Result<Self> {
        let invalid = || {
            Error::config("table_name_invalid", format!("'{text}' is no name of a table"))
                .with_table(text)
                .with_remedy(
                    "Write `table`, `schema.table` (or `database.table`), or `\"odd.schema\".\"odd \"\"table\"`.",
                )
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
            Ok([name]) => Ok(Self::new(default_namespace, name)),
            Err(parts) => match <[String; 2]>::try_from(parts) {
                Ok([namespace, name]) => Ok(Self { namespace, name }),
                Err(_) => Err(invalid()),
            },
        }
    }

    /// The form that [`Self::parse`] reads back: bare in the default namespace.
    #[must_use]
    pub fn shown(&self, default_namespace: &str) -> String {
        if self.namespace == default_namespace {
            return shown_part(&self.name);
        }
        format!("{}.{}", shown_part(&self.namespace), shown_part(&self.name))
    }
}

fn shown_part(part: &str) -> String {
    if part.is_empty() || part.contains(['.', '"']) {
        format!("\"{}\"", part.replace('"', "\"\""))
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
        fn what_is_shown_is_read_back(namespace in "[a-zA-Z .\"é`]{1,8}", name in "[a-zA-Z .\"é`]{1,8}") {
            let table = TableName::new(namespace, name);
            prop_assert_eq!(TableName::parse(&table.shown("public"), "public").unwrap(), table.clone());
            prop_assert_eq!(TableName::parse(&table.shown(""), "public").unwrap(), table);
        }
    }

    #[test]
    fn names_are_read_as_documented() {
        let parsed = |text| {
            TableName::parse(text, "public")
                .map(|table| (table.namespace, table.name))
                .ok()
        };
        let pair = |namespace: &str, name: &str| Some((namespace.to_owned(), name.to_owned()));
        assert_eq!(parsed("orders"), pair("public", "orders"));
        assert_eq!(parsed("Shop.Orders 2"), pair("Shop", "Orders 2"));
        assert_eq!(parsed("\"we.ird\""), pair("public", "we.ird"));
        assert_eq!(parsed("a.\"say \"\"hi\"\"\""), pair("a", "say \"hi\""));
        for wrong in ["", ".", "a.", ".a", "a.b.c", "\"a", "a\"b", "\"\"", "\"a\"b"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
