//! What is answered: JSON, cleared of secrets; and errors, in the form that `--json` prints them in.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use longshore_core::{Domain, Error};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::Service;
use crate::{documents::ErrorDocument, in_clear};

/// A request that is not answered with what it asked for.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: Error,
}

/// Every error, under one name.
#[derive(JsonSchema)]
#[schemars(rename = "ErrorAnswer")]
#[expect(
    dead_code,
    reason = "the form of what `Refusal` is written as, for the OpenAPI document"
)]
pub(super) struct ErrorAnswer {
    /// What went wrong, and what can be done about it.
    error: ErrorDocument,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: Error) -> Self {
        Self { status, error }
    }

    pub(super) fn path_unknown() -> Self {
        let error = Error::config("path_unknown", "The API has nothing at this path")
            .with_remedy(format!("GET {}/openapi.json lists what there is.", super::ROOT));
        Self::new(StatusCode::NOT_FOUND, error)
    }

    pub(super) fn method_not_allowed() -> Self {
        let error = Error::config("method_not_allowed", "This path does not take this method")
            .with_remedy(format!("GET {}/openapi.json lists what there is.", super::ROOT));
        Self::new(StatusCode::METHOD_NOT_ALLOWED, error)
    }

    /// The caller's own words are wrong.
    pub(super) fn bad_request(error: Error) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(status_of(&error), error)
    }
}

/// Refusals that are written without a [`Service`]: they hold nothing that could be secret.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        written(self.status, &json!({ "error": in_json(&self.error) }))
    }
}

/// The status that stands for an error: by its code where the caller can do something particular about it, else by whose matter it is.
fn status_of(error: &Error) -> StatusCode {
    match error.code.as_str() {
        code if code.ends_with("_unknown") && code != "cursor_type_unknown" => StatusCode::NOT_FOUND,
        "sync_held" | "sync_running" | "sync_idle" | "run_not_running" | "state_moved" | "reject_not_pending"
        | "nothing_to_replay" | "nothing_to_discard" => StatusCode::CONFLICT,
        "daemon_draining" | "daemon_ended" | "daemon_hangs" | "state_busy" => StatusCode::SERVICE_UNAVAILABLE,
        _ => match error.domain {
            Domain::Config => StatusCode::UNPROCESSABLE_ENTITY,
            Domain::Source | Domain::Destination | Domain::Protocol => StatusCode::BAD_GATEWAY,
            Domain::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

/// With an empty `remedy` where there is none to give: readers need not ask whether it is there.
fn in_json(error: &Error) -> Value {
    let mut value = json!(error);
    if let Value::Object(fields) = &mut value {
        fields.entry("remedy").or_insert_with(|| Value::String(String::new()));
    }
    value
}

impl Service {
    pub(super) fn say<T: Serialize>(&self, answer: &T) -> Response {
        match serde_json::to_value(answer) {
            Ok(value) => self.say_json(StatusCode::OK, value),
            Err(error) => {
                let error = Error::internal("json", "The answer can not be written as JSON").with_cause(&error);
                self.refuse(error.into())
            }
        }
    }

    pub(super) fn refuse(&self, refusal: Refusal) -> Response {
        let Refusal { status, error } = refusal;
        if status.is_server_error() {
            tracing::warn!(code = error.code, error = %error, causes = ?error.causes, "a request failed");
        }
        self.say_json(status, json!({ "error": in_json(&error) }))
    }

    fn say_json(&self, status: StatusCode, mut value: Value) -> Response {
        in_clear::redact(&self.secrets, &mut value);
        written(status, &value)
    }
}

fn written(status: StatusCode, value: &Value) -> Response {
    let mut response = (status, value.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_status_that_its_caller_can_act_on() {
        for (error, status) in [
            (Error::config("sync_unknown", ""), 404),
            (Error::config("sync_running", ""), 409),
            (Error::config("sync_held", ""), 409),
            (Error::internal("daemon_hangs", ""), 503),
            (Error::config("cursor_invalid", ""), 422),
            (Error::config("cursor_type_unknown", ""), 422),
            (Error::destination("unauthorized", ""), 502),
            (Error::internal("state_failed", ""), 500),
        ] {
            assert_eq!(status_of(&error).as_u16(), status, "{}", error.code);
        }
    }

    #[test]
    fn an_error_always_has_a_remedy_field() {
        assert_eq!(in_json(&Error::internal("broken", "It broke"))["remedy"], "");
        assert_eq!(
            in_json(&Error::internal("broken", "It broke").with_remedy("Mend it."))["remedy"],
            "Mend it."
        );
    }
}
