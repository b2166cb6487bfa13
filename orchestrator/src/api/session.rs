//! Who the caller is.

use schemars::JsonSchema;
use serde::Serialize;

use super::{access::Role, answer::Refusal, call::Call};

/// Who the caller is to this Longshore.
#[derive(Serialize, JsonSchema)]
pub(super) struct Session {
    /// What the caller may do.
    role: Role,
    /// Whether tokens are asked for.
    tokens: bool,
    /// The version of Longshore.
    version: &'static str,
}

pub(super) async fn show(call: Call) -> Result<Session, Refusal> {
    Ok(Session {
        role: call.role,
        tokens: !call.service.access.is_open(),
        version: env!("CARGO_PKG_VERSION"),
    })
}
