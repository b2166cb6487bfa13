//! What the API answers, and what follows: one table, and the body of a success.

pub(crate) mod partial;
pub(crate) mod success;

use std::ops::RangeInclusive;

use longshore_sdk::prelude::*;
use serde::Deserialize;

/// What happens to the rows of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// The body says which were taken.
    Read,
    /// The whole project pauses; then the same request again.
    Pause,
    /// The same request again, after a wait. `uncertain`: it may have been applied already, so that events can be there twice.
    Again { uncertain: bool },
    /// The request is halved until the row at fault stands alone; that row is rejected, the others go.
    Divide,
    /// Nothing is sent any more in this run.
    Stop,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct AnswerRule {
    statuses: RangeInclusive<u16>,
    pub(crate) consequence: Consequence,
    /// Code of the error when the run or partition ends with it; also the rule of a row that is rejected for it.
    pub(crate) code: &'static str,
    message: &'static str,
    remedy: &'static str,
}

const fn rule(
    statuses: RangeInclusive<u16>,
    consequence: Consequence,
    code: &'static str,
    message: &'static str,
    remedy: &'static str,
) -> AnswerRule {
    AnswerRule {
        statuses,
        consequence,
        code,
        message,
        remedy,
    }
}

const AGAIN: Consequence = Consequence::Again { uncertain: false };
const AGAIN_UNCERTAIN: Consequence = Consequence::Again { uncertain: true };
const LATER: &str = "Longshore tries again by itself. If it lasts, look at status.batch.com or ask Batch's support.";

/// Answer → what happens to the rows, code, and what a person can do. The first line that matches counts. Errors after `Again` and `Pause` are retryable
/// and end the attempt of the run; errors of `Stop` are not and end the run. All of them are the destination's (exit code 4).
///
/// Sources: facts 1.4 and 1.5 (official for 202, 400, 401, 403, 404, 429, 500, 503; the rest is ours by analogy).
const TABLE: [AnswerRule; 14] = [
    rule(
        200..=299,
        Consequence::Read,
        "answer_unreadable",
        "Batch accepted a request but its answer can not be read",
        "Check that base_url leads to Batch itself and not to a proxy's own page. The rows were probably taken; they were not counted as delivered.",
    ),
    rule(
        300..=399,
        Consequence::Stop,
        "redirected",
        "The API's address leads elsewhere (a redirect)",
        "Correct base_url; Longshore does not send the key to another address.",
    ),
    rule(
        400..=400,
        Consequence::Divide,
        "request_malformed",
        "Batch refused a request as malformed",
        "If it concerns every row, check api_version.",
    ),
    rule(
        401..=401,
        Consequence::Stop,
        "credentials_refused",
        "Batch refused the REST API key for this project",
        "Check rest_api_key and project_key: both are in Batch's dashboard under Settings > General, and must belong to the same company.",
    ),
    rule(
        403..=403,
        Consequence::Stop,
        "credentials_refused",
        "Batch does not allow this use of the API",
        "Check rest_api_key and project_key in Batch's dashboard under Settings > General, and that the API is enabled for the project.",
    ),
    rule(
        404..=405,
        Consequence::Stop,
        "endpoint_not_found",
        "The API's address does not exist",
        "Check base_url (without the version) and api_version.",
    ),
    rule(
        408..=408,
        AGAIN_UNCERTAIN,
        "timed_out",
        "Batch did not take a request in time",
        LATER,
    ),
    rule(
        413..=413,
        Consequence::Divide,
        "request_too_large",
        "Batch refused a request as too large",
        "Lower requests.bytes; if a single row is refused, it holds too much.",
    ),
    rule(
        422..=422,
        Consequence::Divide,
        "request_malformed",
        "Batch refused a request's content",
        "If it concerns every row, check api_version.",
    ),
    rule(
        425..=425,
        AGAIN,
        "server_failed",
        "Batch refused a request as too early",
        LATER,
    ),
    rule(
        429..=429,
        Consequence::Pause,
        "rate_limited",
        "Batch keeps answering \"too many requests\"",
        "Something else writes to the project too: lower rate_limit.share, or stop it.",
    ),
    rule(
        400..=499,
        Consequence::Stop,
        "request_refused",
        "Batch refused a request",
        "The status says why; if it is not plain, ask Batch's support.",
    ),
    rule(
        503..=503,
        AGAIN,
        "server_unavailable",
        "Batch is under maintenance",
        LATER,
    ),
    rule(
        500..=599,
        AGAIN_UNCERTAIN,
        "server_failed",
        "Batch failed to process a request",
        LATER,
    ),
];

/// What does not come as an answer: nothing was sent.
const UNREACHABLE: AnswerRule = rule(
    0..=0,
    AGAIN,
    "unreachable",
    "Batch can not be reached",
    "Check base_url, the network, proxies and certificates of this machine.",
);
/// What does not come as an answer: it was sent, and the connection ended or nothing came.
const LOST: AnswerRule = rule(
    0..=0,
    AGAIN_UNCERTAIN,
    "connection_lost",
    "The connection to Batch broke before the answer came",
    LATER,
);
/// A status that HTTP does not have.
const UNKNOWN: AnswerRule = rule(
    0..=0,
    Consequence::Stop,
    "request_refused",
    "Batch gave an answer outside of HTTP",
    "Check base_url.",
);

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
            (415, Consequence::Stop, "request_refused", false),
            (429, Consequence::Pause, "rate_limited", true),
            (500, AGAIN_UNCERTAIN, "server_failed", true),
            (502, AGAIN_UNCERTAIN, "server_failed", true),
            (503, AGAIN, "server_unavailable", true),
            (504, AGAIN_UNCERTAIN, "server_failed", true),
            (700, Consequence::Stop, "request_refused", false),
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
