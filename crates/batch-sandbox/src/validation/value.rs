//! Rules for single values, shared by profile attributes and events.

use chrono::{DateTime, Utc};

use crate::limits;

/// What a custom id must be.
pub(super) fn check_custom_id(custom_id: &str) -> Result<(), String> {
    if custom_id.trim().is_empty() {
        return Err("the custom id is blank".to_owned());
    }
    if custom_id.contains(['\n', '\r']) {
        return Err("the custom id holds a line break".to_owned());
    }
    if longer_than(custom_id, limits::CUSTOM_ID_CHARACTERS) {
        return Err(format!(
            "the custom id is longer than {} characters",
            limits::CUSTOM_ID_CHARACTERS
        ));
    }
    if limits::BLOCKED_CUSTOM_IDS
        .iter()
        .any(|blocked| custom_id.eq_ignore_ascii_case(blocked))
    {
        return Err("the custom id is a word that stands for none".to_owned());
    }
    Ok(())
}

/// A text of a profile attribute.
pub(super) fn check_text(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("the text is empty".to_owned());
    }
    if longer_than(text, limits::TEXT_CHARACTERS) {
        return Err(format!(
            "the text is longer than {} characters",
            limits::TEXT_CHARACTERS
        ));
    }
    Ok(())
}

/// A text inside an event: the SDKs want it on one line and not blank. AND `[S]`
pub(super) fn check_event_text(text: &str) -> Result<(), String> {
    check_text(text)?;
    check_single_line(text)
}

/// Not blank, and without a line break.
pub(super) fn check_single_line(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("the text is blank".to_owned());
    }
    if text.contains(['\n', '\r']) {
        return Err("the text holds a line break".to_owned());
    }
    Ok(())
}

/// `scheme://[authority][path][?query][#fragment]`, with a scheme and an authority.
pub(super) fn check_url(url: &str) -> Result<(), String> {
    if longer_than(url, limits::URL_CHARACTERS) {
        return Err(format!("the URL is longer than {} characters", limits::URL_CHARACTERS));
    }
    if url.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return Err("the URL holds white space".to_owned());
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("the URL has no scheme".to_owned());
    };
    let starts_well = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let goes_on_well = scheme
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !starts_well || !goes_on_well {
        return Err("the URL has no scheme".to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    if host_and_port.is_empty() || host_and_port.starts_with(':') {
        return Err("the URL has no authority".to_owned());
    }
    Ok(())
}

/// An RFC 3339 instant, with any offset.
pub(super) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let broken = || "the time is not an RFC 3339 date and time".to_owned();
    // chrono also takes a blank in place of the T.
    if text.as_bytes().get(10) != Some(&b'T') {
        return Err(broken());
    }
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| broken())?;
    Ok(time.to_utc())
}

/// The value of a `date(…)` key: an RFC 3339 instant in UTC.
pub(super) fn check_date(text: &str) -> Result<(), String> {
    instant(text)?;
    if text.ends_with('Z') || text.ends_with("+00:00") {
        return Ok(());
    }
    Err("the date is not in UTC".to_owned())
}

/// Integers keep inside the signed 64-bit range. No range is documented: our inference.
pub(super) const OUT_OF_RANGE: &str = "the integer is outside the signed 64-bit range";

/// An array that has items, and not too many.
pub(super) fn check_count(items: usize) -> Result<(), String> {
    if items == 0 {
        return Err("the array is empty".to_owned());
    }
    if items > limits::ARRAY_ITEMS {
        return Err(format!("the array has more than {} items", limits::ARRAY_ITEMS));
    }
    Ok(())
}

/// Whether a text has more than `most` characters.
pub(super) fn longer_than(text: &str, most: usize) -> bool {
    text.len() > most && text.chars().nth(most).is_some()
}
