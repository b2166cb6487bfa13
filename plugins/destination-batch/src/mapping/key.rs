//! Attribute keys in the API's form.

use std::fmt;

use crate::{limits::Limits, values::text};

/// How the API is told a value's type: by the form of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyForm {
    /// `name`
    Plain,
    /// `date(name)`
    Date,
    /// `url(name)`
    Url,
    /// `$name`
    Native,
}

/// An attribute key: a bare name and the form around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttributeKey {
    pub(crate) form: KeyForm,
    pub(crate) name: String,
}

impl fmt::Display for AttributeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            KeyForm::Plain => f.write_str(&self.name),
            KeyForm::Date => write!(f, "date({})", self.name),
            KeyForm::Url => write!(f, "url({})", self.name),
            KeyForm::Native => write!(f, "${}", self.name),
        }
    }
}

impl AttributeKey {
    /// The key that a column's (or field's) name stands for: `date__x`, `url__x` and `batch__x` are `date(x)`, `url(x)` and `$x`, as databases do not take
    /// `$`, `(` and `)` in names; names that have those already are understood too.
    ///
    /// The bare name is brought into the API's form: ASCII letters in lower case; blank, `-` and `.` become `_`. Nothing else is changed. `None`: the result
    /// is still not 1 to 30 of a-z, 0-9 and `_`.
    pub(crate) fn by_convention(name: &str, limits: &Limits) -> Option<Self> {
        // What most names are, and what nothing below would change: no form begins without two of these, `$` or `(`.
        if text::is_key(name, limits) && !name.contains("__") {
            let name = name.to_owned();
            return Some(Self {
                form: KeyForm::Plain,
                name,
            });
        }
        let prefixes = [
            ("date__", KeyForm::Date),
            ("url__", KeyForm::Url),
            ("batch__", KeyForm::Native),
            ("$", KeyForm::Native),
        ];
        for (prefix, form) in prefixes {
            if let Some(bare) = strip_prefix_ignoring_case(name, prefix) {
                return Self::new(form, bare, limits);
            }
        }
        for (prefix, form) in [("date(", KeyForm::Date), ("url(", KeyForm::Url)] {
            if let Some(bare) = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(')')) {
                return Self::new(form, bare, limits);
            }
        }
        Self::new(KeyForm::Plain, name, limits)
    }

    /// A key of this form. See [`AttributeKey::by_convention`] for what becomes of the name.
    pub(crate) fn new(form: KeyForm, name: &str, limits: &Limits) -> Option<Self> {
        let name: String = name
            .chars()
            .map(|letter| {
                if matches!(letter, ' ' | '-' | '.') {
                    '_'
                } else {
                    letter.to_ascii_lowercase()
                }
            })
            .collect();
        text::is_key(&name, limits).then_some(Self { form, name })
    }
}

/// ClickHouse and BigQuery keep a column's case: `Date__birthday` is meant as `date__birthday`.
fn strip_prefix_ignoring_case<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = name.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_and_take_the_apis_form() {
        let limits = Limits::default();
        for (column, key) in [
            ("plan", Some("plan")),
            ("Last Order-No.", Some("last_order_no_")),
            ("date__birthday", Some("date(birthday)")),
            ("Date__Birthday", Some("date(birthday)")),
            ("url__avatar", Some("url(avatar)")),
            ("batch__email_address", Some("$email_address")),
            ("date(birthday)", Some("date(birthday)")),
            ("url(item_url)", Some("url(item_url)")),
            ("$email_address", Some("$email_address")),
            ("date__", None),
            ("", None),
            ("prénom", None),
            ("a_name_of_thirty_characters_ab", Some("a_name_of_thirty_characters_ab")),
            ("a_name_of_31_characters_abcdefg", None),
            (
                "date__a_name_of_thirty_characters_ab",
                Some("date(a_name_of_thirty_characters_ab)"),
            ),
        ] {
            let found = AttributeKey::by_convention(column, &limits).map(|key| key.to_string());
            assert_eq!(found.as_deref(), key, "{column}");
        }
    }
}
