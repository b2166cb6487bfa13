//! What must never be shown, and how it is kept out of text.
//!
//! # What is secret
//! A variable alone makes no secret: `${PGDATABASE}` is a name like any other. Secret is what somebody *says* is secret:
//!
//! - a plugin's schema, or that of the envelope: `writeOnly`, `format: password`;
//! - a name that tells: of a key (`password: …`), of a variable (`${BATCH_API_KEY}`), and the fact that it is read from a file (`${file:…}`). It counts
//!   before any plugin has been asked, so that nothing slips out at the beginning or when a plugin does not start;
//! - the text itself: the password within a URL or a connection string;
//! - whoever calls [`Secrets::insert`]: tokens of the API, headers of a collector.
//!
//! What a variable put into a plugin's options is *suspected* until the plugin's schema has spoken: then it is secret, or it is not.
//!
//! # Where it is looked for
//! In text that somebody wrote freely: messages, causes, log lines, reasons. Names have places of their own in every document (a sync, a table, a code);
//! whoever shows documents leaves those as they are.
//!
//! | value | found |
//! |---|---|
//! | secret, of 8 characters or more and of more than letters or digits alone, or of 20 or more | anywhere |
//! | secret, otherwise, of 4 characters or more | where it stands as a word of its own |
//! | suspected, of 8 characters or more | where it stands as a word of its own |
//! | anything shorter; `true`, `false`, `null`, `longshore` | not |
//!
//! A word goes on through letters, digits and `_`, and through `-` and `.` between those: the password `shop` is found in `password=shop`, and not in
//! `shop_orders`, `shop-orders` or `workshop`. A blank cut into a word that everybody knows would not hide the secret but tell it. For the same reason a
//! secret is not looked for within a [name](Secrets::state): where the name `shop` stands in every list, a blank in its place says what the password is.
//!
//! Each is found in every spelling that text goes through: percent-encoded by whatever rules, escaped for JSON, for Rust's or Python's debugging output, twice
//! where a line holds a line; of several lines each by itself. Not found, by design: other encodings, such as base64 (a header must not be printed in the first
//! place), and half a secret.

mod credentials;
mod needle;
mod reading;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::text::MASK;
pub(crate) use credentials::credentials;
pub use credentials::without_credentials;
use needle::{Needle, never_looked_for};
use reading::{Reading, readings};

/// The secrets of a configuration, and the names that it states in clear. The module says what is secret and where it is looked for.
///
/// A handle: clones share one set, so that a log writer made before the configuration was loaded redacts what was
/// found later. `Debug` shows the number only.
#[derive(Clone, Default)]
pub struct Secrets {
    shared: Arc<RwLock<Known>>,
}

/// Where a value is used: a document and a JSON pointer in it.
pub(crate) type Use = (usize, String);

#[derive(Default)]
struct Known {
    values: BTreeMap<String, Standing>,
    names: BTreeSet<String>,
    needles: Vec<Needle>,
    /// Documents that were numbered.
    documents: usize,
}

/// Why a value is kept.
#[derive(Default)]
struct Standing {
    /// Places that make it secret.
    secret: HashSet<Use>,
    /// Places of which it is not known yet.
    suspected: HashSet<Use>,
}

impl Standing {
    fn is_empty(&self) -> bool {
        self.secret.is_empty() && self.suspected.is_empty()
    }
}

impl Secrets {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value that did not come from the configuration, such as a token read elsewhere.
    pub fn insert(&self, value: &str) {
        self.mark(value, (usize::MAX, value.to_owned()));
    }

    /// Adds the passwords within a text that did not come from the configuration, such as the address of a collector.
    pub fn insert_credentials(&self, text: &str) {
        credentials(text).iter().for_each(|secret| self.insert(secret));
    }

    /// States a name in clear: of a sync, a table, a plugin. It is shown from now on also where it is, or holds, what is secret elsewhere.
    pub fn state(&self, name: &str) {
        if !name.trim().is_empty() && !self.read().names.contains(name) {
            self.write().names.insert(name.to_owned());
        }
    }

    /// Whether this name was stated in clear.
    pub(crate) fn states(&self, name: &str) -> bool {
        self.read().names.contains(name)
    }

    /// The text with every secret replaced by `***`. Overlapping secrets are covered as a whole, so that no end of one
    /// is left standing.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.redact_beside(text, &[])
    }

    /// The same, for a text that stands beside these names and may repeat them.
    pub fn redact_beside<'t>(&self, text: &'t str, names: &[String]) -> Cow<'t, str> {
        let covered = self.read().find(text, names);
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

    /// Whether a text, such as the value of a variable that is to be handed on, is a secret, names one as a connection string does, or holds one that nothing
    /// holds by chance: however short it is, and whatever names are stated. That a folder is called as somebody's password is does not count.
    pub fn are_in(&self, text: &str) -> bool {
        let known = self.read();
        let parts = credentials(text);
        let mut whole = parts.iter().map(String::as_str).chain([text]);
        whole.any(|part| known.values.contains_key(part.trim()))
            || readings(text).iter().any(|reading| {
                let needles = known.needles.iter().filter(|needle| needle.is_unmistakable());
                needles.flat_map(|needle| needle.find(reading)).next().is_some()
            })
    }

    /// How many different values are kept.
    pub fn len(&self) -> usize {
        self.read().values.len()
    }

    /// Whether nothing is kept so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value is secret at this place.
    pub(crate) fn mark(&self, value: &str, place: Use) {
        self.keep(value, |standing| standing.secret.insert(place));
    }

    /// Nobody has said yet what the value at this place is.
    pub(crate) fn suspect(&self, value: &str, place: Use) {
        self.keep(value, |standing| standing.suspected.insert(place));
    }

    /// A schema has shown that nothing at this place is secret.
    pub(crate) fn release(&self, place: &Use) {
        self.change(|standing| standing.secret.remove(place) | standing.suspected.remove(place));
    }

    /// A schema has shown that what is secret at this place is not what was suspected there.
    pub(crate) fn acquit(&self, place: &Use) {
        self.change(|standing| standing.suspected.remove(place));
    }

    /// A schema has shown that whatever was suspected at this place is secret.
    pub(crate) fn convict(&self, place: &Use) {
        self.change(|standing| standing.suspected.remove(place) && standing.secret.insert(place.clone()));
    }

    /// Another configuration is loaded. What was only suspected in one before is suspected again where it is used again; its secrets stay.
    pub(crate) fn begin_configuration(&self) {
        self.change(|standing| !std::mem::take(&mut standing.suspected).is_empty());
    }

    /// The number of another document: no place in it is one of a configuration before.
    pub(crate) fn next_document(&self) -> usize {
        let mut known = self.write();
        known.documents += 1;
        known.documents
    }

    fn keep(&self, value: &str, add: impl FnOnce(&mut Standing) -> bool) {
        let value = value.trim();
        let mut known = self.write();
        if !value.is_empty() && add(known.values.entry(value.to_owned()).or_default()) {
            known.look_for();
        }
    }

    /// Changes what has a reason to change, and says so.
    fn change(&self, change: impl Fn(&mut Standing) -> bool) {
        let mut known = self.write();
        let mut changed = false;
        for standing in known.values.values_mut() {
            changed |= change(standing);
        }
        if changed {
            known.values.retain(|_, standing| !standing.is_empty());
            known.look_for();
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Known> {
        self.shared.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a secret can not be kept out of text, when it can not.
pub(crate) fn weakness(value: &str, secrets: &Secrets) -> Option<&'static str> {
    let value = value.trim();
    match value {
        "" => None,
        value if never_looked_for(value) => {
            Some("is too short, or too common a word, to be recognised and blanked out in messages")
        }
        value if secrets.states(value) => Some("is also a name in this configuration, and names are shown"),
        _ => None,
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secrets({} values)", self.len())
    }
}

impl Standing {
    fn needles(&self, value: &str) -> Vec<Needle> {
        match self.secret.is_empty() {
            true => Needle::of_suspected(value).into_iter().collect(),
            false => Needle::of_secret(value),
        }
    }
}

impl Known {
    fn look_for(&mut self) {
        let needles = self.values.iter().flat_map(|(value, standing)| standing.needles(value));
        self.needles = needles.collect();
    }

    /// Ranges to cover, merged where they overlap, in order.
    fn find(&self, text: &str, beside: &[String]) -> Vec<Range<usize>> {
        let mut found = self.found(text);
        if found.is_empty() {
            return found;
        }
        let as_it_stands = Reading::of(text);
        let names = self.names.iter().chain(beside).map(String::as_str);
        let shown: Vec<Range<usize>> = names.flat_map(|name| as_it_stands.words(name)).collect();
        found.retain(|range| {
            !shown
                .iter()
                .any(|name| name.start <= range.start && range.end <= name.end)
        });
        merged(found)
    }

    fn found(&self, text: &str) -> Vec<Range<usize>> {
        if self.needles.is_empty() {
            return Vec::new();
        }
        let readings = readings(text);
        let searched = readings
            .iter()
            .flat_map(|reading| self.needles.iter().flat_map(|needle| needle.find(reading)));
        searched.collect()
    }
}

fn merged(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
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
