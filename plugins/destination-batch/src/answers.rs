//! What the API answers, and what follows: one table, and the body of a success.

pub(crate) mod partial;
pub(crate) mod success;
mod table;

use longshore_sdk::prelude::*;
use serde::Deserialize;

pub(crate) use self::table::{AnswerRule, Consequence, REFUSED_ALONE};
use self::table::{LOST, TABLE, UNKNOWN, UNREACHABLE};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With an answer of this status.
    Answered(u16),
    /// It could not be sent.
    Unreachable,
    /// It was sent, and no answer came.
    Lost,
}

impl Ending {
    /// What follows.
    pub(crate) fn rule(self) -> &'static AnswerRule {
        match self {
            Self::Answered(status) => TABLE
                .iter()
                .find(|rule| rule.statuses.contains(&status))
                .unwrap_or(&UNKNOWN),
            Self::Unreachable => &UNREACHABLE,
            Self::Lost => &LOST,
        }
    }
}

/// The body of a failure. (T) two third parties agree on the fields.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Failure {
    #[serde(default)]
    pub(crate) error_code: String,
}

impl Failure {
    /// Reads what there is to read; a proxy's own page has nothing.
    pub(crate) fn read(body: &[u8]) -> Self {
        let mut failure: Self = serde_json::from_slice(body).unwrap_or_default();
        // The code is a word of the API. Anything else could echo what was sent.
        let is_word = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if failure.error_code.len() > 64 || !failure.error_code.bytes().all(is_word) {
            failure.error_code.clear();
        }
        failure
    }
}

/// An ending in words without values: the status and the API's own code.
pub(crate) fn describe(ending: Ending, body: &[u8]) -> String {
    let Ending::Answered(status) = ending else {
        return String::new();
    };
    let code = Failure::read(body).error_code;
    if code.is_empty() {
        format!(" (HTTP {status})")
    } else {
        format!(" (HTTP {status}, {code})")
    }
}

/// The error that ends a partition or a run.
pub(crate) fn error(ending: Ending, body: &[u8]) -> Error {
    let rule = ending.rule();
    let error =
        Error::destination(rule.code, format!("{}{}", rule.message, describe(ending, body))).with_remedy(rule.remedy);
    match rule.consequence {
        // The request was tried as often as it is worth: the whole run may try again, later, but not each partition once more on top.
        Consequence::Again { .. } | Consequence::Pause => error.retryable().with_scope(Scope::Run),
        Consequence::Read | Consequence::Divide | Consequence::Stop => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGAIN: Consequence = Consequence::Again { uncertain: false };
    const AGAIN_UNCERTAIN: Consequence = Consequence::Again { uncertain: true };

    #[test]
    fn every_documented_answer_has_its_consequence() {
        for (status, consequence, code, retryable) in [
            (202, Consequence::Read, "answer_unreadable", false),
            (302, Consequence::Stop, "redirected", false),
            (400, Consequence::Divide, "request_malformed", false),
            (401, Consequence::Stop, "credentials_refused", false),
            (403, Consequence::Stop, "credentials_refused", false),
            (404, Consequence::Stop, "endpoint_not_found", false),
            (408, AGAIN_UNCERTAIN, "timed_out", true),
            (413, Consequence::Divide, "request_too_large", false),
            (407, Consequence::Stop, "proxy_refused", false),
            (409, Consequence::Divide, "request_refused", false),
            (415, Consequence::Stop, "form_refused", false),
            (418, Consequence::Divide, "request_refused", false),
            (422, Consequence::Divide, "request_refused", false),
            (429, Consequence::Pause, "rate_limited", true),
            (500, AGAIN_UNCERTAIN, "server_failed", true),
            (502, AGAIN_UNCERTAIN, "server_failed", true),
            (503, AGAIN, "server_unavailable", true),
            (504, AGAIN_UNCERTAIN, "server_failed", true),
            (700, Consequence::Stop, "answer_unknown", false),
        ] {
            let ending = Ending::Answered(status);
            let error = error(ending, b"");
            assert_eq!(
                (ending.rule().consequence, error.code.as_str(), error.retryable),
                (consequence, code, retryable),
                "{status}"
            );
            assert!(!error.remedy.is_empty(), "{status}");
        }
    }

    #[test]
    fn the_apis_own_code_is_shown_and_nothing_else_of_the_body() {
        let body = br#"{"error_code":"AUTHENTICATION_INVALID","error_message":"key rest_secret is wrong"}"#;
        let error = error(Ending::Answered(401), body);
        assert!(
            error.message.ends_with("(HTTP 401, AUTHENTICATION_INVALID)"),
            "{}",
            error.message
        );
        assert_eq!(
            describe(Ending::Answered(400), br#"{"error_code":"a@b.example"}"#),
            " (HTTP 400)"
        );
        assert_eq!(describe(Ending::Answered(500), b"<html>"), " (HTTP 500)");
    }
}
