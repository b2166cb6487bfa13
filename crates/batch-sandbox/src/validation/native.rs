//! Attributes that the service itself gives a meaning: their keys start with `$`.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::json::Json;
use crate::limits;
use crate::store::AttributeValue;

use super::{Change, profile, value};

/// The native attributes of a profile. MASS `[O]`, `$topic_preferences` MCPN `[T]`
#[derive(Debug, Clone, Copy)]
pub(super) enum Native {
    EmailAddress,
    PhoneNumber,
    /// `$email_marketing` and `$sms_marketing`.
    Subscription,
    Language,
    Region,
    Timezone,
    TopicPreferences,
}

/// Names of the IANA time zone database, release 2025b.
static TIMEZONES: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("timezones.txt").lines().collect());

impl Native {
    pub(super) fn named(key: &str) -> Option<Self> {
        Some(match key {
            "$email_address" => Self::EmailAddress,
            "$phone_number" => Self::PhoneNumber,
            "$email_marketing" | "$sms_marketing" => Self::Subscription,
            "$language" => Self::Language,
            "$region" => Self::Region,
            "$timezone" => Self::Timezone,
            "$topic_preferences" => Self::TopicPreferences,
            _ => return None,
        })
    }

    /// Every native attribute can be deleted with null. SEG `[T]`, IOS, AND, WEB `[S]`
    pub(super) fn change(self, sent: Json<'_>) -> Result<Change, String> {
        if sent == Json::Null {
            return Ok(Change::Remove);
        }
        if matches!(self, Self::TopicPreferences) {
            return match sent {
                Json::Array(items) => Ok(Change::Set(AttributeValue::Texts(topics(items)?.into()))),
                Json::Object(members) => profile::edit(members, topics),
                other => Err(format!(
                    "topics must be an array or an edit of one, not {}",
                    other.kind()
                )),
            };
        }
        let text = profile::text(sent, "a native attribute")?;
        self.check(&text)?;
        Ok(Change::Set(AttributeValue::Text(text)))
    }

    fn check(self, text: &str) -> Result<(), String> {
        let (good, rule) = match self {
            Self::EmailAddress => (is_email(text), "the value is not an e-mail address"),
            Self::PhoneNumber => (
                is_phone(text),
                "the value is not a phone number in E.164 form with its +",
            ),
            Self::Subscription => (
                matches!(text, "subscribed" | "unsubscribed"),
                "the value is neither subscribed nor unsubscribed",
            ),
            Self::Language => (is_locale_part(text), "the value is not a two-letter language code"),
            Self::Region => (is_locale_part(text), "the value is not a two-letter country code"),
            Self::Timezone => (
                TIMEZONES.contains(text),
                "the value is not the name of an IANA time zone",
            ),
            Self::TopicPreferences => (true, "topics are checked one by one"),
        };
        if good { Ok(()) } else { Err(rule.to_owned()) }
    }
}

/// One `@`, something before it, and a host of letters, digits, `-` and `.` after it. IOS, AND `[S]`
fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.split_once('@') else {
        return false;
    };
    let host_allows = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    !local.is_empty()
        && !local.contains(char::is_whitespace)
        && !host.is_empty()
        && host.bytes().all(host_allows)
        && !value::longer_than(text, limits::EMAIL_CHARACTERS)
}

fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        let count = digits.len();
        (1..=limits::PHONE_DIGITS).contains(&count) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Two letters of either case: which case is refused is not documented.
fn is_locale_part(text: &str) -> bool {
    text.len() == limits::LOCALE_LETTERS && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Topics are lower case; the dash is DRV's `[T]`, the rest WEB's `[S]`.
fn topics(items: Vec<Json<'_>>) -> Result<Vec<Box<str>>, String> {
    if items.is_empty() || items.len() > limits::TOPICS {
        return Err(format!("1 to {} topics are allowed", limits::TOPICS));
    }
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    items
        .into_iter()
        .map(|item| {
            let topic = profile::text(item, "a topic")?;
            if topic.is_empty() || topic.len() > limits::TOPIC_CHARACTERS || !topic.bytes().all(allowed) {
                let most = limits::TOPIC_CHARACTERS;
                return Err(format!(
                    "a topic is not 1 to {most} characters of a to z, 0 to 9, _ and -"
                ));
            }
            Ok(topic)
        })
        .collect()
}
