//! Batch's own profile attributes (`$…`).

use std::{collections::HashSet, sync::LazyLock};

use super::{Violation, json::Json, text::longer_than, write_json_string};
use crate::limits::Limits;

/// One of Batch's own profile attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Native {
    EmailAddress,
    EmailMarketing,
    PhoneNumber,
    SmsMarketing,
    Language,
    Region,
    Timezone,
    TopicPreferences,
}

impl Native {
    /// All of them with their names, without `$`.
    pub(crate) const ALL: [(&'static str, Self); 8] = [
        ("email_address", Self::EmailAddress),
        ("email_marketing", Self::EmailMarketing),
        ("phone_number", Self::PhoneNumber),
        ("sms_marketing", Self::SmsMarketing),
        ("language", Self::Language),
        ("region", Self::Region),
        ("timezone", Self::Timezone),
        ("topic_preferences", Self::TopicPreferences),
    ];

    /// The attribute with this name (without `$`).
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, native)| *native)
    }

    /// Writes text as this attribute's value. Topics are an array and go through [`topics`].
    pub(crate) fn write(self, text: &str, limits: &Limits, out: &mut Vec<u8>) -> Result<(), Violation> {
        let characters = || text.chars().count();
        match self {
            Self::EmailAddress if longer_than(text, limits.email_chars) => {
                let reason = format!(
                    "An e-mail address of {} characters; Batch takes {}",
                    characters(),
                    limits.email_chars
                );
                Err(Violation::new("email_too_long", reason))
            }
            Self::EmailAddress => write_if(is_email(text), text, out, || {
                Violation::new(
                    "email_invalid",
                    format!("A text of {} characters that is no e-mail address", characters()),
                )
            }),
            Self::PhoneNumber => write_if(is_phone_number(text, limits), text, out, || {
                Violation::new(
                    "phone_invalid",
                    format!(
                        "A text of {} characters that is no E.164 number (+ and up to {} digits)",
                        characters(),
                        limits.phone_digits
                    ),
                )
            }),
            Self::EmailMarketing | Self::SmsMarketing => {
                write_if(matches!(text, "subscribed" | "unsubscribed"), text, out, || {
                    let reason = format!(
                        "A text of {} characters that is neither \"subscribed\" nor \"unsubscribed\"",
                        characters()
                    );
                    Violation::new("subscription_invalid", reason)
                })
            }
            Self::Language => write_if(is_two_letters(text), &text.to_ascii_lowercase(), out, || {
                Violation::new(
                    "language_invalid",
                    format!(
                        "A text of {} characters that is no two-letter ISO 639-1 language",
                        characters()
                    ),
                )
            }),
            Self::Region => write_if(is_two_letters(text), &text.to_ascii_uppercase(), out, || {
                Violation::new(
                    "region_invalid",
                    format!(
                        "A text of {} characters that is no two-letter ISO 3166 country",
                        characters()
                    ),
                )
            }),
            Self::Timezone => write_if(is_time_zone(text), text, out, || {
                Violation::new(
                    "timezone_unknown",
                    format!("A text of {} characters that is no IANA time zone", characters()),
                )
            }),
            Self::TopicPreferences => {
                let reason = format!(
                    "A text of {} characters; topics are an array of strings, or JSON text of one",
                    characters()
                );
                Err(Violation::new("topics_not_array", reason))
            }
        }
    }
}

/// Topics in the API's form: lower case, letters, digits and `_`, 1 to 25 of them.
pub(crate) fn topics<'a>(items: impl Iterator<Item = &'a str>, limits: &Limits) -> Result<Vec<String>, Violation> {
    let topics: Vec<String> = items.map(str::to_ascii_lowercase).collect();
    if topics.is_empty() || topics.len() > limits.topics {
        let reason = format!("{} topics; Batch takes 1 to {}", topics.len(), limits.topics);
        return Err(Violation::new("topics_count", reason));
    }
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let bad = |topic: &&String| topic.is_empty() || topic.len() > limits.topic_chars || !topic.bytes().all(allowed);
    match topics.iter().find(bad) {
        Some(topic) => {
            let reason = format!(
                "A topic of {} characters; Batch takes 1 to {} of a-z, 0-9 and _",
                topic.chars().count(),
                limits.topic_chars
            );
            Err(Violation::new("topic_invalid", reason))
        }
        None => Ok(topics),
    }
}

/// Topics from JSON: an array of strings.
pub(crate) fn topics_of(items: &[Json<'_>], limits: &Limits) -> Result<Vec<String>, Violation> {
    if items.iter().any(|item| !item.is_text()) {
        return Err(Violation::new(
            "array_item_not_string",
            "An array with items that are no strings",
        ));
    }
    topics(items.iter().filter_map(Json::as_text), limits)
}

fn write_if(
    valid: bool,
    text: &str,
    out: &mut Vec<u8>,
    violation: impl FnOnce() -> Violation,
) -> Result<(), Violation> {
    if !valid {
        return Err(violation());
    }
    write_json_string(out, text);
    Ok(())
}

/// As the SDKs: one `@`, something before it, and a host of letters, digits, `-` and `.` with a dot inside.
fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.split_once('@') else {
        return false;
    };
    let host_is_plain = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    let host_has_labels = host.contains('.') && host.split('.').all(|label| !label.is_empty());
    let local_is_plain = !local.is_empty()
        && !local.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '@');
    host_is_plain && host_has_labels && local_is_plain
}

fn is_phone_number(text: &str, limits: &Limits) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (1..=limits.phone_digits).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_two_letters(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Names of the IANA time zone database, version 2025b, links included.
const TIME_ZONES: &str = include_str!("time_zones.txt");

fn is_time_zone(text: &str) -> bool {
    static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| TIME_ZONES.lines().collect());
    KNOWN.contains(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(native: Native, text: &str) -> Result<String, &'static str> {
        let mut out = Vec::new();
        native
            .write(text, &Limits::default(), &mut out)
            .map_err(|violation| violation.rule)?;
        Ok(serde_json::from_slice(&out).unwrap())
    }

    #[test]
    fn good_values_are_written_in_the_documented_form() {
        for (native, text, expected) in [
            (Native::EmailAddress, "a.b+c@mail.example.com", "a.b+c@mail.example.com"),
            (Native::EmailMarketing, "unsubscribed", "unsubscribed"),
            (Native::PhoneNumber, "+33612345678", "+33612345678"),
            (Native::SmsMarketing, "subscribed", "subscribed"),
            (Native::Language, "FR", "fr"),
            (Native::Region, "fr", "FR"),
            (Native::Timezone, "Europe/Paris", "Europe/Paris"),
        ] {
            assert_eq!(written(native, text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn bad_values_are_refused_by_rule() {
        let long = format!("{}@b.example", "a".repeat(250));
        for (native, text, rule) in [
            (Native::EmailAddress, "a.b.example", "email_invalid"),
            (Native::EmailAddress, "a@b@c.example", "email_invalid"),
            (Native::EmailAddress, "a b@c.example", "email_invalid"),
            (Native::EmailAddress, "@c.example", "email_invalid"),
            (Native::EmailAddress, "a@", "email_invalid"),
            (Native::EmailAddress, "a@é.example", "email_invalid"),
            (Native::EmailAddress, "", "email_invalid"),
            (Native::EmailAddress, &long, "email_too_long"),
            (Native::EmailMarketing, "Subscribed", "subscription_invalid"),
            (Native::PhoneNumber, "0612345678", "phone_invalid"),
            (Native::PhoneNumber, "+", "phone_invalid"),
            (Native::PhoneNumber, "+1234567890123456", "phone_invalid"),
            (Native::PhoneNumber, "+33 6", "phone_invalid"),
            (Native::Language, "fra", "language_invalid"),
            (Native::Language, "é", "language_invalid"),
            (Native::Region, "F", "region_invalid"),
            (Native::Timezone, "Paris", "timezone_unknown"),
            (Native::Timezone, "europe/paris", "timezone_unknown"),
            (Native::TopicPreferences, "news", "topics_not_array"),
        ] {
            assert_eq!(written(native, text), Err(rule), "{native:?} {text:.30}");
        }
    }

    #[test]
    fn topics_are_lower_case_words() {
        let limits = Limits::default();
        let rule = |items: &[&str]| topics(items.iter().copied(), &limits).map_err(|violation| violation.rule);
        assert_eq!(rule(&["News", "sport_1"]).unwrap(), ["news", "sport_1"]);
        assert_eq!(rule(&[]), Err("topics_count"));
        assert_eq!(rule(&["a"; 26]), Err("topics_count"));
        assert_eq!(rule(&["a b"]), Err("topic_invalid"));
        assert_eq!(rule(&[""]), Err("topic_invalid"));
    }
}
