//! Answers, in the documented shapes.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::validation::PartialError;

/// An error answer. The body's field names are `error_code` and `error_message`. MBA, DRV `[T]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// CAMP-D, MASS `[O]`
    pub(crate) fn authentication_invalid() -> Self {
        let message = "the REST API key is not valid for this project, or one of the two headers is missing";
        Self::new(StatusCode::UNAUTHORIZED, "AUTHENTICATION_INVALID", message)
    }

    /// CAMP-D `[O]`
    pub(crate) fn route_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "ROUTE_NOT_FOUND", "there is no such route")
    }

    /// Not documented: our inference.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "this route answers to POST only";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
    }

    /// 400 is documented `[O]` AUD-U, its literal code is not: after the text that UPL quotes `[T]`.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MALFORMED_PARAMETER", message)
    }

    /// Not documented: our inference.
    pub(crate) fn too_large(most: usize) -> Self {
        let message = format!("the body is larger than the {most} bytes that this emulator takes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message)
    }

    /// Not documented: our inference.
    pub(crate) fn unsupported(message: &str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
    }

    /// CAMP-D `[O]`
    pub(crate) fn too_many_requests() -> Self {
        let message = "the rate limit of the project is exceeded";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", message)
    }

    /// A refusal that a fault rule asked for, with the documented code of its status where there is one.
    pub(crate) fn on_demand(status: u16, code: Option<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let documented = match status.as_u16() {
            401 => "AUTHENTICATION_INVALID",
            403 => "API_MISUSE",
            404 => "ROUTE_NOT_FOUND",
            429 => "TOO_MANY_REQUESTS",
            500 => "SERVER_ERROR",
            // The code of 503 is not documented.
            503 => "MAINTENANCE",
            status if status < 500 => "MALFORMED_PARAMETER",
            _ => "SERVER_ERROR",
        };
        let code = code.unwrap_or_else(|| documented.to_owned());
        Self::new(status, &code, "on demand")
    }

    pub(crate) fn with_retry_after(self, seconds: Option<u64>) -> Response {
        let mut response = self.into_response();
        if let Some(seconds) = seconds {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error_code: String,
            error_message: String,
        }
        let body = Body {
            error_code: self.code,
            error_message: self.message,
        };
        (self.status, Json(body)).into_response()
    }
}

/// 202, with the refused pieces if there are any. MASS `[O]`, the list's shape SEG, MBA `[T]`
pub(crate) fn accepted(errors: &[PartialError]) -> Response {
    #[derive(Serialize)]
    struct Body<'e> {
        code: &'static str,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        errors: &'e [PartialError],
    }
    let code = if errors.is_empty() {
        "SUCCESS"
    } else {
        "SUCCESS_WITH_PARTIAL_ERRORS"
    };
    (StatusCode::ACCEPTED, Json(Body { code, errors })).into_response()
}

/// 202 with a body that no client can read.
pub(crate) fn garbled() -> Response {
    (StatusCode::ACCEPTED, "{\"code\":\"SUCC").into_response()
}

/// Marks an answer that must not be given: the server closes the connection in its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CutConnection;

/// Closes the connection.
pub(crate) fn cut() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(CutConnection);
    response
}
