//! Answer → what happens to the rows, code, and what a person can do. The README shows this table; a test keeps the two together.

use std::ops::RangeInclusive;

/// What happens to the rows of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// The body says which were taken.
    Read,
    /// The whole project pauses; then the same request again.
    Pause,
    /// The same request again, after a wait. `uncertain`: it may have been applied already, so that events can be there twice.
    Again { uncertain: bool },
    /// The request is halved until the row at fault stands alone; that row is rejected, the others go. Bounded by [`REFUSED_ALONE`].
    Divide,
    /// Nothing is sent any more in this run.
    Stop,
}

/// Rows refused alone, one after the other with nothing taken in between, after which the run stops: then it is not the rows. A table must not end in
/// the ledger, at a request a row, because of something that concerns every request.
pub(crate) const REFUSED_ALONE: u32 = 100;

/// How sure it is that Batch answers so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sure {
    /// Read in an official Batch page.
    Official,
    /// No page says so: what HTTP says it means.
    ByHttp,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct AnswerRule {
    pub(super) statuses: RangeInclusive<u16>,
    pub(crate) consequence: Consequence,
    /// Code of the error when the run or partition ends with it; also the rule of a row that is rejected for it.
    pub(crate) code: &'static str,
    pub(super) message: &'static str,
    pub(super) remedy: &'static str,
    /// How sure it is. For readers.
    #[cfg_attr(not(test), expect(dead_code, reason = "the README's table shows it"))]
    pub(super) sure: Sure,
}

const AGAIN: Consequence = Consequence::Again { uncertain: false };
const AGAIN_UNCERTAIN: Consequence = Consequence::Again { uncertain: true };
const LATER: &str = "The next run goes on from here. If it lasts, look at status.batch.com or ask Batch's support.";
const EVERY_ROW: &str = "If it concerns every row, check api_version and mapping.";

/// The first line that matches counts. Errors after `Again` and `Pause` are retryable and end the attempt of the run; errors of `Stop` are not and end
/// the run. All of them are the destination's (exit code 4).
pub(super) const TABLE: [AnswerRule; 20] = [
    AnswerRule {
        statuses: 200..=299,
        consequence: Consequence::Read,
        code: "answer_unreadable",
        message: "Batch accepted a request but its answer can not be read",
        remedy: "Check that base_url leads to Batch itself and not to a proxy's own page. The rows were probably taken; they were not counted as delivered.",
        sure: Sure::Official,
    },
    AnswerRule {
        statuses: 300..=399,
        consequence: Consequence::Stop,
        code: "redirected",
        message: "The API's address leads elsewhere (a redirect)",
        remedy: "Correct base_url; Longshore does not send the key to another address.",
        sure: Sure::ByHttp,
    },
    AnswerRule {
        statuses: 400..=400,
        consequence: Consequence::Divide,
        code: "request_malformed",
        message: "Batch refused a request as malformed",
        remedy: EVERY_ROW,
        sure: Sure::Official,
    },
    AnswerRule {
        statuses: 401..=401,
        consequence: Consequence::Stop,
        code: "credentials_refused",
        message: "Batch refused the REST API key for this project",
        remedy: "Check rest_api_key and project_key: both are in Batch's dashboard under Settings > General, and must belong to the same company.",
        sure: Sure::Official,
    },
    AnswerRule {
        statuses: 402..=402,
        consequence: Consequence::Stop,
        code: "credentials_refused",
        message: "Batch wants something settled before it takes requests",
        remedy: "Ask Batch's support whether the account may use the Profile API.",
        sure: Sure::ByHttp,
    },
    AnswerRule {
        statuses: 403..=403,
        consequence: Consequence::Stop,
        code: "credentials_refused",
        message: "Batch does not allow this use of the API",
        remedy: "Check rest_api_key and project_key in Batch's dashboard under Settings > General, and that the API is enabled for the project.",
        sure: Sure::Official,
    },
    AnswerRule {
        statuses: 404..=405,
        consequence: Consequence::Stop,
        code: "endpoint_not_found",
        message: "The API's address does not exist",
        remedy: "Check base_url (without the version) and api_version.",
        sure: Sure::Official,
    },
    AnswerRule {
        statuses: 407..=407,
        consequence: Consequence::Stop,
        code: "proxy_refused",
        message: "A proxy on the way to Batch wants credentials",
        remedy: "Give them in HTTPS_PROXY (http://user:password@host:port), or add Batch's host to NO_PROXY.",
        sure: Sure::ByHttp,
    },
    AnswerRule {
        statuses: 408..=408,
        consequence: AGAIN_UNCERTAIN,
        code: "timed_out",
        message: "Batch did not take a request in time",
        remedy: LATER,
        sure: Sure::ByHttp,
    },
    AnswerRule {
        statuses: 410..=410,
        consequence: Consequence::Stop,
        code: "endpoint_not_found",
        message: "The API's address does not exist any more",
        remedy: "Set api_version to one that Batch still serves.",
        sure: Sure::ByHttp,
    },
    AnswerRule {
        statuses: 413..=413,
        consequence: Consequence::Divide,
        code: "request_too_large",
        message: "Batch refused a request as too large",
        remedy: "Lower requests.bytes; if a single row is refused, it holds too much.",
        sure: Sure::ByHttp,
    },
    AnswerRule {
        statuses: 415..=415,
        consequence: Consequence::Stop,
        code: "form_refused",
        message: "Batch does not take requests in this form",
        remedy: "Set compression: none; that Batch takes compressed requests is not documented.",
        sure: Sure::ByHttp,
    },
    AnswerRule {
        statuses: 421..=421,
        consequence: AGAIN,
        code: "server_failed",
        message: "A request reached a server of Batch that does not answer for it",
        remedy: LATER,
        sure: Sure::ByHttp,
    },
    AnswerRule {
        statuses: 425..=425,
        consequence: AGAIN,
        code: "server_failed",
        message: "Batch refused a request as too early",
        remedy: LATER,
        sure: Sure::ByHttp,
    },
    AnswerRule {
        statuses: 426..=426,
        consequence: Consequence::Stop,
        code: "form_refused",
        message: "Batch wants another protocol",
        remedy: "Check that base_url begins with https.",
        sure: Sure::ByHttp,
    },
    AnswerRule {
        statuses: 429..=429,
        consequence: Consequence::Pause,
        code: "rate_limited",
        message: "Batch keeps answering \"too many requests\"",
        remedy: "Something else writes to the project too: lower rate_limit.share, or stop it.",
        sure: Sure::Official,
    },
    AnswerRule {
        statuses: 431..=431,
        consequence: Consequence::Stop,
        code: "form_refused",
        message: "Batch refused the headers of a request",
        remedy: "Check project_key and rest_api_key.",
        sure: Sure::ByHttp,
    },
    AnswerRule {
        statuses: 400..=499,
        consequence: Consequence::Divide,
        code: "request_refused",
        message: "Batch refused a request",
        remedy: "The status says why; if it is not plain, ask Batch's support.",
        sure: Sure::ByHttp,
    },
    AnswerRule {
        statuses: 503..=503,
        consequence: AGAIN,
        code: "server_unavailable",
        message: "Batch is under maintenance",
        remedy: LATER,
        sure: Sure::Official,
    },
    AnswerRule {
        statuses: 500..=599,
        consequence: AGAIN_UNCERTAIN,
        code: "server_failed",
        message: "Batch failed to process a request",
        remedy: LATER,
        sure: Sure::Official,
    },
];

/// What does not come as an answer: nothing was sent.
pub(super) const UNREACHABLE: AnswerRule = AnswerRule {
    statuses: 0..=0,
    consequence: AGAIN,
    code: "unreachable",
    message: "Batch can not be reached",
    remedy: "Check base_url, the network, proxies and certificates of this machine.",
    sure: Sure::ByHttp,
};

/// What does not come as an answer: it was sent, and the connection ended or nothing came.
pub(super) const LOST: AnswerRule = AnswerRule {
    statuses: 0..=0,
    consequence: AGAIN_UNCERTAIN,
    code: "connection_lost",
    message: "The connection to Batch broke before the answer came",
    remedy: LATER,
    sure: Sure::ByHttp,
};

/// A status that HTTP does not have.
pub(super) const UNKNOWN: AnswerRule = AnswerRule {
    statuses: 0..=0,
    consequence: Consequence::Stop,
    code: "answer_unknown",
    message: "Batch gave an answer outside of HTTP",
    remedy: "Check base_url.",
    sure: Sure::ByHttp,
};

#[cfg(test)]
mod tests;
