//! A request that has been let in, with what it says.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts as _, Path, Query, Request},
    http::{Method, StatusCode, request::Parts},
};
use longshore_core::Error;
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    Shared,
    access::{Role, operators_only},
    answer::Refusal,
};

/// A body at most: mended rows of a thousand rejects are well below it.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Nothing is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Who an endpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Anybody: it says nothing about this installation.
    Nothing,
    /// Whoever may look.
    Reading,
    /// Operators.
    Operating,
}

/// A request to an endpoint: `P` from its path, `Q` from its query, `B` from its body.
pub(super) struct Call<P = (), Q = Nothing, B = Nothing> {
    pub(super) service: Shared,
    pub(super) role: Role,
    pub(super) path: P,
    pub(super) query: Q,
    pub(super) body: B,
}

impl<P, Q, B> Call<P, Q, B>
where
    P: DeserializeOwned + Send,
    Q: DeserializeOwned,
    B: DeserializeOwned,
{
    pub(super) async fn of(service: Shared, needs: Needs, request: Request) -> Result<Self, Refusal> {
        let (mut parts, body) = request.into_parts();
        let role = match needs {
            Needs::Nothing => Role::ReadOnly,
            Needs::Reading | Needs::Operating => service.access.role(&parts.headers)?,
        };
        if needs == Needs::Operating && role != Role::Operator {
            return Err(operators_only());
        }
        let path = path(&mut parts).await?;
        let query = query(&parts)?;
        let body = match parts.method {
            Method::GET | Method::HEAD => parsed(b"{}")?,
            _ => parsed(&read(body).await?)?,
        };
        Ok(Self {
            service,
            role,
            path,
            query,
            body,
        })
    }
}

async fn path<P: DeserializeOwned + Send>(parts: &mut Parts) -> Result<P, Refusal> {
    let extracted = Path::<P>::from_request_parts(parts, &()).await;
    extracted.map(|Path(path)| path).map_err(|error| {
        let error = Error::config("path_invalid", "The path is not one of this endpoint").with_cause(&error);
        Refusal::bad_request(error)
    })
}

fn query<Q: DeserializeOwned>(parts: &Parts) -> Result<Q, Refusal> {
    let extracted = Query::<Q>::try_from_uri(&parts.uri);
    extracted.map(|Query(query)| query).map_err(|error| {
        let error = Error::config(
            "query_invalid",
            "The parameters behind `?` are not those of this endpoint",
        )
        .with_cause(&error)
        .with_remedy(format!("GET {}/openapi.json lists them.", super::ROOT));
        Refusal::bad_request(error)
    })
}

async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    let read = to_bytes(body, MAX_BODY_BYTES).await.map_err(|error| {
        let message = format!("The body can not be read, or has more than {MAX_BODY_BYTES} bytes");
        let error = Error::config("body_unreadable", message).with_cause(&error);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error)
    })?;
    // Where nothing is to be said, nothing may be said.
    Ok(if read.is_empty() { b"{}".to_vec() } else { read.to_vec() })
}

fn parsed<B: DeserializeOwned>(body: &[u8]) -> Result<B, Refusal> {
    // An array in the place of an object would be taken for its fields in their order.
    let object = serde_json::from_slice::<Map<String, Value>>(body);
    let parsed = object.and_then(|object| serde_json::from_value(Value::Object(object)));
    parsed.map_err(|error| {
        let error = Error::config("body_invalid", "The body is not what this endpoint takes")
            .with_cause(&error)
            .with_remedy(format!("GET {}/openapi.json shows its form.", super::ROOT));
        Refusal::bad_request(error)
    })
}
