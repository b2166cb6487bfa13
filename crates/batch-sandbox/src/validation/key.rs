//! Attribute keys: a bare name, or a name inside `date(…)` or `url(…)`.

use crate::limits;

/// The type that a key declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    Date,
    Url,
}

/// Reads a custom attribute's key.
pub(super) fn parse(key: &str) -> Result<Mark, String> {
    let (mark, name) = split(key);
    check_name(name, limits::ATTRIBUTE_NAME_CHARACTERS).map_err(|rule| format!("the attribute's name {rule}"))?;
    Ok(mark)
}

/// A key without its mark.
pub(super) fn bare(key: &str) -> &str {
    split(key).1
}

fn split(key: &str) -> (Mark, &str) {
    let inside = |prefix: &str| key.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(')'));
    if let Some(name) = inside("date(") {
        (Mark::Date, name)
    } else if let Some(name) = inside("url(") {
        (Mark::Url, name)
    } else {
        (Mark::None, key)
    }
}

/// The rule for names of attributes and events.
pub(super) fn check_name(name: &str, most: usize) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() {
        return Err("is empty".to_owned());
    }
    if !name.bytes().all(allowed) {
        return Err("holds other characters than a to z, 0 to 9 and _".to_owned());
    }
    if name.len() > most {
        return Err(format!("is longer than {most} characters"));
    }
    Ok(())
}

/// The names taken so far in one object: each may occur once, with or without a mark (not documented, our inference).
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Box<str>>);

impl Names {
    pub(super) fn claim(&mut self, key: &str) -> Result<(), String> {
        let name = bare(key);
        if self.0.iter().any(|taken| **taken == *name) {
            return Err("the attribute occurs twice".to_owned());
        }
        self.0.push(name.into());
        Ok(())
    }
}
