//! Strings, custom ids, names.

use super::{Violation, write_json_string};
use crate::{
    limits::{CUSTOM_IDS_BLOCKED, Limits},
    spec::Target,
};

/// A string attribute, or an item of an array: 1 to 300 characters; in events also not blank and, unless allowed, on one line.
pub(crate) fn write(text: &str, target: Target, limits: &Limits, out: &mut Vec<u8>) -> Result<(), Violation> {
    check(text, target, limits)?;
    write_json_string(out, text);
    Ok(())
}

/// The rules of [`write()`].
pub(crate) fn check(text: &str, target: Target, limits: &Limits) -> Result<(), Violation> {
    if text.is_empty() {
        return Err(Violation::new(
            "string_empty",
            "An empty string; Batch takes 1 to 300 characters",
        ));
    }
    if longer_than(text, limits.string_chars) {
        let reason = format!(
            "A string of {} characters; Batch takes {}",
            text.chars().count(),
            limits.string_chars
        );
        return Err(Violation::new("string_too_long", reason));
    }
    if target == Target::ProfileEvents {
        if is_blank(text) {
            return Err(Violation::new(
                "string_blank",
                format!("A string of {} blanks in an event", text.chars().count()),
            ));
        }
        if !limits.event_line_breaks && has_line_break(text) {
            return Err(Violation::new(
                "string_line_break",
                "A string with a line break in an event",
            ));
        }
    }
    Ok(())
}

/// Whether text has more characters than that. Looks at single characters only where the bytes leave a doubt.
pub(crate) fn longer_than(text: &str, chars: usize) -> bool {
    text.len() > chars && text.chars().nth(chars).is_some()
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// Looks at bytes, none of which is a part of another character.
fn has_line_break(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'\n' | b'\r'))
}

/// A custom id that identifies a profile.
pub(crate) fn check_custom_id(id: &str, limits: &Limits) -> Result<(), Violation> {
    if is_blank(id) {
        return Err(Violation::new(
            "custom_id_blank",
            format!("A custom id of {} characters, all blank", id.chars().count()),
        ));
    }
    if longer_than(id, limits.custom_id_chars) {
        let reason = format!(
            "A custom id of {} characters; Batch takes {}",
            id.chars().count(),
            limits.custom_id_chars
        );
        return Err(Violation::new("custom_id_too_long", reason));
    }
    if has_line_break(id) {
        return Err(Violation::new("custom_id_line_break", "A custom id with a line break"));
    }
    let is_blocked = |blocked: &&str| id.eq_ignore_ascii_case(blocked);
    if !limits.custom_id_words && CUSTOM_IDS_BLOCKED.iter().any(is_blocked) {
        return Err(Violation::new(
            "custom_id_blocked",
            "One of the words that Batch blocks as custom ids, such as \"null\"",
        ));
    }
    Ok(())
}

/// An event's name: lower-case letters, digits and `_`.
pub(crate) fn check_event_name(name: &str, limits: &Limits) -> Result<(), Violation> {
    if is_key(name, limits) {
        return Ok(());
    }
    let reason = format!(
        "An event name of {} characters; Batch takes 1 to {} of a-z, 0-9 and _",
        name.chars().count(),
        limits.key_chars
    );
    Err(Violation::new("event_name_invalid", reason))
}

/// Whether text is a name in the API's form.
pub(crate) fn is_key(text: &str, limits: &Limits) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.len() <= limits.key_chars && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(result: Result<(), Violation>) -> &'static str {
        result.map_or_else(|violation| violation.rule, |()| "")
    }

    #[test]
    fn strings_have_1_to_300_characters_whatever_their_bytes() {
        let limits = Limits::default();
        for (text, expected) in [
            (String::new(), "string_empty"),
            ("x".to_owned(), ""),
            ("é".repeat(300), ""),
            ("é".repeat(301), "string_too_long"),
            ("😀".repeat(300), ""),
            ("😀".repeat(301), "string_too_long"),
            ("a\nb".to_owned(), ""),
            ("  ".to_owned(), ""),
        ] {
            assert_eq!(
                rule(check(&text, Target::ProfileAttributes, &limits)),
                expected,
                "{} chars",
                text.chars().count()
            );
        }
    }

    #[test]
    fn strings_in_events_are_one_line_and_not_blank() {
        let mut limits = Limits::default();
        assert_eq!(rule(check(" ", Target::ProfileEvents, &limits)), "string_blank");
        assert_eq!(rule(check("a\nb", Target::ProfileEvents, &limits)), "string_line_break");
        limits.event_line_breaks = true;
        assert_eq!(rule(check("a\nb", Target::ProfileEvents, &limits)), "");
    }

    #[test]
    fn custom_ids_are_checked_as_the_sdks_do() {
        let limits = Limits::default();
        for (id, expected) in [
            ("u-1".to_owned(), ""),
            ("nullable".to_owned(), ""),
            ("é".repeat(1_024), ""),
            ("é".repeat(1_025), "custom_id_too_long"),
            (String::new(), "custom_id_blank"),
            ("\t ".to_owned(), "custom_id_blank"),
            ("a\nb".to_owned(), "custom_id_line_break"),
            ("NULL".to_owned(), "custom_id_blocked"),
            ("[object Object]".to_owned(), "custom_id_blocked"),
            ("-Infinity".to_owned(), "custom_id_blocked"),
        ] {
            assert_eq!(rule(check_custom_id(&id, &limits)), expected, "{id:.40}");
        }
    }

    #[test]
    fn event_names_are_short_and_plain() {
        let limits = Limits::default();
        for (name, expected) in [
            ("added_to_cart", ""),
            ("a23456789012345678901234567890", ""),
            ("a234567890123456789012345678901", "event_name_invalid"),
            ("", "event_name_invalid"),
            ("Added", "event_name_invalid"),
            ("added-to", "event_name_invalid"),
            ("é", "event_name_invalid"),
        ] {
            assert_eq!(rule(check_event_name(name, &limits)), expected, "{name}");
        }
    }
}
