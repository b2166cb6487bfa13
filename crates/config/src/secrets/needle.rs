//! One text to look for, and how strictly.

use std::ops::Range;

use serde_json::Value;

use super::reading::Reading;
use crate::text::names_a_secret;

/// Values with fewer characters than this are not looked for in text: they would blank out every `1` or `on` of a
/// log and protect nothing. At their own place in the configuration they are masked all the same.
const SHORTEST: usize = 4;

/// What is only suspected is looked for from this length on: a key is longer, and a name may well be shorter.
const SHORTEST_SUSPECTED: usize = 8;

/// A secret of letters and digits of this length is in no text by chance.
const SHORTEST_MIXED: usize = 8;

/// Neither is one of letters alone that is so long.
const SHORTEST_PLAIN: usize = 20;

/// A line of a multi-line secret is looked for by itself from this length on.
const SHORTEST_LINE: usize = 16;

/// Words of every document, and the name of this program, which is in its own messages.
const NEVER: [&str; 4] = ["true", "false", "null", "longshore"];

/// Whether a secret is of a kind that no text is searched for.
pub(super) fn never_looked_for(value: &str) -> bool {
    value.chars().count() < SHORTEST || NEVER.contains(&value)
}

/// A text to look for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Needle {
    text: String,
    /// Only where it is no part of a longer word.
    whole_word: bool,
}

impl Needle {
    /// What to look for in order to find a secret.
    pub(super) fn of_secret(value: &str) -> Vec<Self> {
        let mut texts = vec![value.to_owned()];
        texts.extend(lines(value));
        texts.extend(members(value));
        // As a form has it: what else a form does to it is undone in a reading.
        let in_forms: Vec<String> = texts
            .iter()
            .filter(|text| text.contains(' '))
            .map(|text| text.replace(' ', "+"))
            .collect();
        texts.extend(in_forms);
        texts.sort();
        texts.dedup();
        texts.retain(|text| !never_looked_for(text));
        let needle = |text: String| Self {
            whole_word: could_be_part_of_a_word(&text),
            text,
        };
        texts.into_iter().map(needle).collect()
    }

    /// What to look for in order to find a value that may be secret.
    pub(super) fn of_suspected(value: &str) -> Option<Self> {
        let long_enough = value.chars().count() >= SHORTEST_SUSPECTED && !NEVER.contains(&value);
        long_enough.then(|| Self {
            text: value.to_owned(),
            whole_word: true,
        })
    }

    /// Whether no text has it by chance.
    pub(super) fn is_unmistakable(&self) -> bool {
        !self.whole_word
    }

    /// Where it is, in the text that a reading was made of.
    pub(super) fn find<'r>(&'r self, reading: &'r Reading<'_>) -> impl Iterator<Item = Range<usize>> + 'r {
        let found = reading.find(&self.text);
        found
            .filter(move |range| !self.whole_word || reading.is_whole_word(range))
            .map(move |range| reading.source(&range))
    }
}

/// Lines of a key in PEM form, of a file of settings: a program that reads them may print one of them.
fn lines(value: &str) -> impl Iterator<Item = String> {
    let is_key = value.contains("-----BEGIN");
    let several = value.lines().count() > 1;
    let worth_it = move |line: &&str| {
        let is_content = !line.starts_with("-----");
        several && is_content && (is_key || line.chars().count() >= SHORTEST_LINE)
    };
    value.lines().map(str::trim).filter(worth_it).map(str::to_owned)
}

/// Texts within a file of JSON, such as the key of a service account, under names that tell.
fn members(value: &str) -> Vec<String> {
    if !value.trim_start().starts_with('{') {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let Ok(document) = serde_json::from_str(value) {
        collect(&document, false, &mut found);
    }
    found
}

fn collect(value: &Value, told: bool, found: &mut Vec<String>) {
    match value {
        Value::String(text) if told => {
            found.push(text.trim().to_owned());
            found.extend(lines(text));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, told, found)),
        Value::Object(entries) => entries
            .iter()
            .for_each(|(key, value)| collect(value, told || names_a_secret(key), found)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a longer word could have this text in it without anybody having put a secret there.
fn could_be_part_of_a_word(text: &str) -> bool {
    let length = text.chars().count();
    let has = |kind: fn(char) -> bool| usize::from(text.contains(kind));
    let joins = |letter: char| matches!(letter, '_' | '-' | '.');
    let kinds = has(char::is_alphabetic)
        + has(char::is_numeric)
        + usize::from(text.contains(|letter: char| !letter.is_alphanumeric() && !joins(letter)));
    length < SHORTEST_MIXED || (length < SHORTEST_PLAIN && kinds < 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_looked_for_as_words_and_what_no_text_has_by_chance_anywhere() {
        for word in [
            "shop",
            "postgres",
            "shop_orders",
            "20260101",
            "ab12",
            "$h0p",
            "harbour-pilot",
        ] {
            assert!(could_be_part_of_a_word(word), "{word}");
        }
        for secret in [
            "hunter2hunter2",
            "correct horse",
            "p@ssword",
            "abcdefghijklmnopqrst",
            "s3cr3t-1",
        ] {
            assert!(!could_be_part_of_a_word(secret), "{secret}");
        }
    }

    #[test]
    fn what_is_only_suspected_is_looked_for_when_it_is_long_and_as_a_word() {
        assert_eq!(Needle::of_suspected("shop"), None);
        assert!(Needle::of_suspected("hunter2hunter2").is_some_and(|needle| needle.whole_word));
    }

    #[test]
    fn the_keys_in_a_file_of_json_are_looked_for_as_well() {
        let file = "{\n  \"project\": \"shop\",\n  \"private_key\": \"-----BEGIN KEY-----\\nMIIEvQIBADANBgkq\\nAb=\\n-----END KEY-----\\n\",\n  \"nested\": {\"token\": [\"t0kent0ken\"]}\n}";
        let needles = Needle::of_secret(file);
        let texts: Vec<&str> = needles.iter().map(|needle| needle.text.as_str()).collect();
        assert!(
            texts.contains(&"MIIEvQIBADANBgkq") && texts.contains(&"t0kent0ken"),
            "{texts:?}"
        );
        assert!(!texts.contains(&"shop"), "{texts:?}");
    }
}
