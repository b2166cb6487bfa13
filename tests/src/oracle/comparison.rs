//! What a comparison found.

use std::fmt;

use serde_json::{Map, Value};

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Rows that should have arrived.
    pub expected: usize,
    /// What arrived, repeats included.
    pub received: usize,
    /// Rows that did not arrive.
    pub missing: Vec<String>,
    /// Rows that arrived more often than they are there: the row, once for each time too many.
    pub repeated: Vec<String>,
    /// What arrived and is no row.
    pub unexpected: Vec<String>,
    /// Rows that arrived with other values.
    pub different: Vec<Difference>,
}

/// A field that arrived with another value.
#[derive(Debug, PartialEq)]
pub struct Difference {
    /// The row.
    pub row: String,
    /// The key of the attribute.
    pub key: String,
    /// What should have arrived; nothing when the key should not.
    pub expected: Option<Value>,
    /// What arrived; nothing when the key did not.
    pub received: Option<Value>,
}

impl Comparison {
    /// Whether every row arrived once, as it is, and nothing else did.
    pub fn is_exact(&self) -> bool {
        self.is_complete() && self.repeated.is_empty()
    }

    /// Whether every row arrived as it is and nothing else did; rows may have arrived more than once.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.different.is_empty()
    }

    pub(super) fn compare_attributes(
        &mut self,
        row: &str,
        mut expected: Map<String, Value>,
        received: Map<String, Value>,
    ) {
        for (key, value) in received {
            let wanted = expected.remove(&key);
            if wanted.as_ref() != Some(&value) {
                self.differs(row, key, wanted, Some(value));
            }
        }
        for (key, value) in expected {
            self.differs(row, key, Some(value), None);
        }
    }

    pub(super) fn differs(&mut self, row: &str, key: String, expected: Option<Value>, received: Option<Value>) {
        self.different.push(Difference {
            row: row.to_owned(),
            key,
            expected,
            received,
        });
    }
}

/// Counts, and the first findings of each kind.
impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} expected, {} received: {} missing, {} repeated, {} unexpected, {} fields different",
            self.expected,
            self.received,
            self.missing.len(),
            self.repeated.len(),
            self.unexpected.len(),
            self.different.len()
        )?;
        for (kind, found) in [
            ("missing", &self.missing),
            ("repeated", &self.repeated),
            ("unexpected", &self.unexpected),
        ] {
            write_first(formatter, kind, found.iter().map(ToString::to_string))?;
        }
        write_first(formatter, "different", self.different.iter().map(ToString::to_string))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let (expected, received) = (shown(&self.expected), shown(&self.received));
        write!(
            formatter,
            "{} {}: {expected} expected, {received} received",
            self.row, self.key
        )
    }
}

fn write_first(formatter: &mut fmt::Formatter<'_>, kind: &str, mut found: impl Iterator<Item = String>) -> fmt::Result {
    const SHOWN: usize = 10;
    for one in found.by_ref().take(SHOWN) {
        write!(formatter, "\n  {kind}: {one}")?;
    }
    match found.count() {
        0 => Ok(()),
        more => write!(formatter, "\n  {kind}: … and {more} more"),
    }
}
