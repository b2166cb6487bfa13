//! Errors on the wire: a gRPC status with the typed error in the trailer `longshore-error-bin`, there and back without loss.

use longshore_core::error::{Domain, Error, Scope};
use prost::Message as _;
use tonic::{
    Code, Status,
    metadata::{BinaryMetadataKey, MetadataMap, MetadataValue},
};

use crate::v1;

/// Name of the trailer.
pub const ERROR_TRAILER: &str = "longshore-error-bin";

/// Causes that travel with an error; more would not fit the header list of every gRPC implementation.
const MAX_CAUSES: usize = 8;

/// Longest text of one field in the trailer, in bytes. Header lists are limited to 8 KiB by some implementations.
const MAX_TEXT_BYTES: usize = 512;

/// The status that carries an error.
#[must_use]
pub fn to_status(error: &Error) -> Status {
    let code = match (error.domain, error.retryable) {
        (_, true) => Code::Unavailable,
        (Domain::Config, _) => Code::InvalidArgument,
        (Domain::Source | Domain::Destination | Domain::Protocol, _) => Code::FailedPrecondition,
        (Domain::Internal, _) => Code::Internal,
    };
    let mut metadata = MetadataMap::new();
    let trailer = v1::Error::from(error).encode_to_vec();
    metadata.insert_bin(
        BinaryMetadataKey::from_static(ERROR_TRAILER),
        MetadataValue::from_bytes(&trailer),
    );
    Status::with_metadata(code, clipped(&error.message), metadata)
}

/// The error that a status carries.
///
/// A status that was made on this side, because the connection broke, becomes `plugin_unreachable`: retryable, and a matter of the whole run. One that
/// came without the trailer becomes `untyped`, which is retryable only when the status is `UNAVAILABLE`.
#[must_use]
pub fn from_status(status: &Status) -> Error {
    let typed = status
        .metadata()
        .get_bin(ERROR_TRAILER)
        .and_then(|value| value.to_bytes().ok())
        .and_then(|bytes| v1::Error::decode(bytes).ok());
    if let Some(error) = typed {
        return Error::from(error);
    }
    // What the peer sent has no source; what the transport below has to say does.
    if std::error::Error::source(status).is_some() {
        return Error::protocol("plugin_unreachable", "The connection to the plugin broke")
            .with_cause(status)
            .retryable();
    }
    let message = if status.message().is_empty() {
        "no message"
    } else {
        status.message()
    };
    let error = Error::protocol("untyped", format!("{}: {message}", status.code().description())).with_cause(status);
    if status.code() == Code::Unavailable {
        error.retryable()
    } else {
        error
    }
}

impl From<&Error> for v1::Error {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code.clone(),
            domain: v1::error::Domain::from(error.domain).into(),
            scope: v1::error::Scope::from(error.scope).into(),
            retryable: error.retryable,
            message: clipped(&error.message),
            remedy: clipped(&error.remedy),
            table: clipped(&error.table),
            field: clipped(&error.field),
            causes: error
                .causes
                .iter()
                .take(MAX_CAUSES)
                .map(|cause| clipped(cause))
                .collect(),
        }
    }
}

impl From<v1::Error> for Error {
    fn from(error: v1::Error) -> Self {
        let domain = match error.domain() {
            v1::error::Domain::Config => Domain::Config,
            v1::error::Domain::Source => Domain::Source,
            v1::error::Domain::Destination => Domain::Destination,
            v1::error::Domain::Protocol | v1::error::Domain::Unspecified => Domain::Protocol,
            v1::error::Domain::Internal => Domain::Internal,
        };
        let scope = match error.scope() {
            v1::error::Scope::Row => Scope::Row,
            v1::error::Scope::Batch => Scope::Batch,
            v1::error::Scope::Partition => Scope::Partition,
            v1::error::Scope::Run | v1::error::Scope::Unspecified => Scope::Run,
        };
        Self {
            code: error.code,
            domain,
            scope,
            retryable: error.retryable,
            message: error.message,
            remedy: error.remedy,
            table: error.table,
            field: error.field,
            causes: error.causes,
        }
    }
}

impl From<Domain> for v1::error::Domain {
    fn from(domain: Domain) -> Self {
        match domain {
            Domain::Config => Self::Config,
            Domain::Source => Self::Source,
            Domain::Destination => Self::Destination,
            Domain::Protocol => Self::Protocol,
            Domain::Internal => Self::Internal,
        }
    }
}

impl From<Scope> for v1::error::Scope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Row => Self::Row,
            Scope::Batch => Self::Batch,
            Scope::Partition => Self::Partition,
            Scope::Run => Self::Run,
        }
    }
}

fn clipped(text: &str) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    let mut end = MAX_TEXT_BYTES - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_crosses_the_wire_without_loss() {
        let error = Error {
            code: "row_too_large".to_owned(),
            domain: Domain::Source,
            scope: Scope::Row,
            retryable: true,
            message: "Die Zeile ist zu groß".to_owned(),
            remedy: "Leave the column out".to_owned(),
            table: "shop.orders".to_owned(),
            field: "/tables/0".to_owned(),
            causes: vec!["first".to_owned(), "second".to_owned()],
        };
        assert_eq!(from_status(&to_status(&error)), error);
    }

    #[test]
    fn long_texts_are_clipped_between_characters() {
        let status = to_status(&Error::internal("long", "ü".repeat(10_000)));
        assert!(status.message().ends_with('…') && status.message().len() <= MAX_TEXT_BYTES);
    }

    #[test]
    fn a_status_without_a_trailer_is_untyped_and_retried_only_when_unavailable() {
        let unavailable = from_status(&Status::unavailable("gone"));
        assert!(unavailable.retryable);
        assert_eq!(unavailable.code, "untyped");
        assert!(!from_status(&Status::internal("bug")).retryable);
    }
}
