//! URLs.

use url::Url;

use super::{Violation, text::longer_than, write_json_string};
use crate::limits::Limits;

/// A URL with scheme and authority, of at most 2,048 characters, as it stands.
pub(crate) fn write(text: &str, limits: &Limits, out: &mut Vec<u8>) -> Result<(), Violation> {
    if longer_than(text, limits.url_chars) {
        let reason = format!(
            "A URL of {} characters; Batch takes {}",
            text.chars().count(),
            limits.url_chars
        );
        return Err(Violation::new("url_too_long", reason));
    }
    if !is_url(text) {
        let reason = format!(
            "A text of {} characters that is no URL with scheme and host",
            text.chars().count()
        );
        return Err(Violation::new("url_invalid", reason));
    }
    write_json_string(out, text);
    Ok(())
}

fn is_url(text: &str) -> bool {
    if is_plain_url(text) {
        return true;
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let scheme_is_plain = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let has_blank = text.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    scheme_is_plain && !authority.is_empty() && !has_blank && Url::parse(text).is_ok_and(|url| url.has_host())
}

/// A web address of the plainest kind, which most are: nothing that [`Url::parse`] would have to look at. A last label of letters keeps it from hosts that are
/// (perhaps bad) numbers, the want of `-` and of other letters from names in another script.
fn is_plain_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    let end = rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let is_label = |label: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !label.is_empty() && label.bytes().all(is_allowed)
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'=' | b'&' | b'?');
    host.split('.').all(is_label) && last.bytes().all(|byte| byte.is_ascii_lowercase()) && path.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_plainly_a_url_is_one(text in "https?://[a-z.:@%0-9-]{0,9}(/[a-zA-Z0-9/_.?=&%~#-]{0,12})?") {
            if is_plain_url(&text) {
                prop_assert!(Url::parse(&text).is_ok_and(|url| url.has_host()), "{}", text);
            }
        }
    }

    #[test]
    fn a_url_has_scheme_and_host() {
        let limits = Limits::default();
        let rule = |text: &str| write(text, &limits, &mut Vec::new()).map_or_else(|violation| violation.rule, |()| "");
        for text in [
            "https://x.y/z.png",
            "http://localhost:80?a=b#c",
            "app+x://host",
            "https://é.example/ü",
        ] {
            assert_eq!(rule(text), "", "{text}");
        }
        for text in [
            "",
            "x.y/z",
            "//x.y",
            "https://",
            "https:///path",
            "1a://x",
            "mailto:a@b.c",
            "https://a b",
            "https://x.y/\n",
        ] {
            assert_eq!(rule(text), "url_invalid", "{text}");
        }
        let base = "https://x.y/";
        assert_eq!(rule(&format!("{base}{}", "a".repeat(2_048 - base.len()))), "");
        assert_eq!(
            rule(&format!("{base}{}", "a".repeat(2_049 - base.len()))),
            "url_too_long"
        );
    }
}
