//! What a connection string says in secret: the password of a URL, the value of a parameter whose name tells.

use std::ops::Range;

use super::reading::percent_decoded;
use crate::text::{MASK, names_a_secret};

/// Before the `@` of a URL, without a colon: a token, if it is as long as this and no mere word. Most are names of users.
const SHORTEST_TOKEN: usize = 16;

/// The secret parts of a text, as they stand in it and as they are meant.
pub(crate) fn credentials(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for range in ranges(text) {
        let written = &text[range];
        found.push(written.to_owned());
        found.extend(percent_decoded(written));
    }
    found
}

/// The text with its secret parts masked: for a text that a person has typed, before anything is known of it.
pub fn without_credentials(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut end = 0;
    for range in ranges(text) {
        // A parameter may be part of what is masked already.
        if range.start >= end {
            shown.push_str(&text[end..range.start]);
            shown.push_str(MASK);
            end = range.end;
        }
    }
    shown.push_str(&text[end..]);
    shown
}

fn ranges(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = text
        .match_indices("://")
        .filter_map(|(at, separator)| of_user(text, at + separator.len()))
        .collect();
    found.extend(text.match_indices('=').filter_map(|(at, _)| of_parameter(text, at)));
    found.retain(|range| !range.is_empty());
    found.sort_by_key(|range| range.start);
    found
}

/// `user:password@`, from the user on.
fn of_user(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = &text[start..];
    let authority =
        rest.find(|letter: char| letter.is_whitespace() || matches!(letter, '/' | '?' | '#' | '"' | '\'' | '`'));
    let user = &rest[..rest[..authority.unwrap_or(rest.len())].rfind('@')?];
    let end = start + user.len();
    if let Some(colon) = user.find(':') {
        return Some(start + colon + 1..end);
    }
    let is_token = user.len() >= SHORTEST_TOKEN && user.contains(|letter: char| letter.is_ascii_digit());
    is_token.then_some(start..end)
}

/// `password=…`, from the equals sign on: as in the query of a URL and in what PostgreSQL calls keywords and values.
fn of_parameter(text: &str, equals: usize) -> Option<Range<usize>> {
    let before = text[..equals].trim_end();
    let in_key = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let key = &before[before.trim_end_matches(in_key).len()..];
    if !names_a_secret(key) && !key.eq_ignore_ascii_case("pwd") {
        return None;
    }
    let after = &text[equals + 1..];
    let value = after.trim_start();
    let start = equals + 1 + (after.len() - value.len());
    let quoted = value.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
    if let Some(quote) = quoted {
        let inside = &value[1..];
        return Some(start + 1..start + 1 + inside.find(quote).unwrap_or(inside.len()));
    }
    let end =
        value.find(|letter: char| letter.is_whitespace() || matches!(letter, '&' | ';' | '#' | ',' | '"' | '\'' | '`'));
    Some(start..start + end.unwrap_or(value.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_urls_and_values_under_telling_names_are_found() {
        for (text, found) in [
            ("postgresql://me:p%40ss@db/shop", vec!["p%40ss", "p@ss"]),
            ("postgresql://longshore@db/shop", vec![]),
            (
                "https://ghp16C7e42F292c6912E7@git.example/x",
                vec!["ghp16C7e42F292c6912E7"],
            ),
            ("host=db user=me password='it is' dbname=shop", vec!["it is"]),
            ("host=db password = plain port=1", vec!["plain"]),
            ("https://hooks.example/x?a=1&token=abc#d", vec!["abc"]),
            ("Server=db;Pwd=abc;Database=shop", vec!["abc"]),
            ("a = b", vec![]),
        ] {
            assert_eq!(credentials(text), found, "{text}");
        }
    }

    #[test]
    fn what_is_masked_is_the_secret_alone() {
        assert_eq!(
            without_credentials("postgresql://me:secret@db/shop?sslpassword=other&x=1"),
            "postgresql://me:***@db/shop?sslpassword=***&x=1"
        );
        assert_eq!(
            without_credentials("sqlite:.longshore/state.db"),
            "sqlite:.longshore/state.db"
        );
        assert_eq!(without_credentials("x://u:password=1@h"), "x://u:***@h");
    }
}
