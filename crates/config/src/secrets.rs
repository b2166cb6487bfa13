//! What must never be shown.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::text::MASK;

/// Values with fewer characters than this are not searched for in text: they would blank out every `1` or `on` of a
/// log and protect nothing. At their own place in the configuration they are masked all the same.
const SHORTEST: usize = 4;

/// A line of a multi-line secret (a key in PEM form) is searched for by itself from this length on.
const SHORTEST_LINE: usize = 16;

/// Values that no secret can be: words of every document, and the name of this program, which is in its own messages.
const NEVER_SECRET: [&str; 4] = ["true", "false", "null", "longshore"];

/// The secrets of a configuration: every value that a plugin's schema marks `writeOnly` or `format: password`, everything
/// that comes from a file or from a variable whose name tells of a secret, and every other substituted value until a
/// schema has shown that it is none.
///
/// A handle: clones share one set, so that a log writer made before the configuration was loaded redacts what was
/// found later. `Debug` shows the number only.
///
/// Not covered, by design: values of fewer than 4 characters, `true`, `false`, `null`, `longshore`, and encodings other than those
/// of JSON, of Rust's `Debug` and of URLs (a base64 header, for example, must not be printed in the first place).
#[derive(Clone, Default)]
pub struct Secrets {
    shared: Arc<RwLock<Known>>,
}

/// Where a value is used: a document and a JSON pointer in it.
pub(crate) type Use = (usize, String);

#[derive(Default)]
struct Known {
    uses: BTreeMap<String, HashSet<Use>>,
    /// Every spelling of every value, longest first.
    patterns: Vec<String>,
}

impl Secrets {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value that did not come from the configuration, such as a token read elsewhere.
    pub fn insert(&self, value: &str) {
        self.remember(value, (usize::MAX, value.to_owned()));
    }

    /// The text with every secret replaced by `***`. Overlapping secrets are covered as a whole, so that no end of one
    /// is left standing.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let known = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        let covered = known.find(text);
        if covered.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut redacted = String::with_capacity(text.len());
        let mut end = 0;
        for range in covered {
            redacted.push_str(&text[end..range.start]);
            redacted.push_str(MASK);
            end = range.end;
        }
        redacted.push_str(&text[end..]);
        Cow::Owned(redacted)
    }

    /// Redacts every string in a JSON value, and nothing else: numbers and the structure stay what they are, which
    /// redacting the printed JSON would not promise.
    pub fn redact_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(redacted) = self.redact(text) {
                    *text = redacted;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            Value::Object(entries) => entries.values_mut().for_each(|item| self.redact_json(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// How many different values are kept.
    pub fn len(&self) -> usize {
        self.shared.read().unwrap_or_else(PoisonError::into_inner).uses.len()
    }

    /// Whether nothing is secret so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn remember(&self, value: &str, place: Use) {
        if value.trim().chars().count() < SHORTEST || NEVER_SECRET.contains(&value.trim()) {
            return;
        }
        let mut known = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        let uses = known.uses.entry(value.to_owned()).or_default();
        let is_new = uses.is_empty();
        uses.insert(place);
        if is_new {
            known.rebuild();
        }
    }

    /// A schema has shown that the value at this place is a number or a switch and no secret.
    pub(crate) fn release(&self, value: &str, place: &Use) {
        let mut known = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        let Some(uses) = known.uses.get_mut(value) else {
            return;
        };
        uses.remove(place);
        if uses.is_empty() {
            known.uses.remove(value);
            known.rebuild();
        }
    }
}

impl Secrets {
    /// A schema has shown that whatever was substituted at this place is no secret.
    pub(crate) fn release_place(&self, place: &Use) {
        let mut known = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.uses.len();
        known.uses.retain(|_, uses| {
            uses.remove(place);
            !uses.is_empty()
        });
        if known.uses.len() != before {
            known.rebuild();
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secrets({} values)", self.len())
    }
}

impl Known {
    fn rebuild(&mut self) {
        let mut patterns: Vec<String> = self.uses.keys().flat_map(|value| spellings(value)).collect();
        patterns.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        patterns.dedup();
        self.patterns = patterns;
    }

    /// Ranges that some pattern covers, merged where they overlap, in order.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for pattern in &self.patterns {
            let mut from = 0;
            while let Some(at) = text[from..].find(pattern.as_str()) {
                let start = from + at;
                found.push(start..start + pattern.len());
                // The next character, not the end of this match: a secret may overlap itself.
                from = start + text[start..].chars().next().map_or(1, char::len_utf8);
            }
        }
        found.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in found {
            match merged.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        merged
    }
}

/// A value as it may appear in text: itself, without the blanks around it, line by line, and escaped for JSON, for
/// Rust's `Debug` and for URLs.
fn spellings(value: &str) -> Vec<String> {
    let lines = value
        .lines()
        .map(str::trim)
        .filter(|line| line.chars().count() >= SHORTEST_LINE && !line.starts_with("-----"));
    let raw: Vec<&str> = [value, value.trim()].into_iter().chain(lines).collect();
    let mut spellings = Vec::new();
    for text in raw {
        if text.chars().count() < SHORTEST {
            continue;
        }
        spellings.push(text.to_owned());
        spellings.push(json_escaped(text));
        spellings.push(text.escape_debug().to_string());
        spellings.push(percent_encoded(text));
    }
    spellings
}

/// As inside the quotes of a JSON string.
fn json_escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Everything but the unreserved characters of RFC 3986, section 2.3.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` can not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
