//! Descriptions of documents whose types belong to crates that know nothing of schemas.

use schemars::JsonSchema;

/// An error as it is everywhere in Longshore.
#[derive(JsonSchema)]
#[schemars(rename = "Error")]
#[expect(
    dead_code,
    reason = "describes `longshore_core::Error`, whose crate knows nothing of schemas; answers are checked against it"
)]
pub(crate) struct ErrorDocument {
    /// Stable name, lower case, words joined by underscores.
    code: String,
    /// Whose matter it is.
    domain: DomainDocument,
    /// How much it affects.
    scope: ScopeDocument,
    /// Whether the same can succeed later without anybody changing anything.
    retryable: bool,
    /// What happened, in one sentence.
    message: String,
    /// What can be done about it; empty, or absent in stored errors, where there is nothing to say.
    #[schemars(default, skip_serializing_if = "String::is_empty")]
    remedy: String,
    /// The table concerned.
    #[schemars(default, skip_serializing_if = "String::is_empty")]
    table: String,
    /// JSON pointer into a plugin's specification.
    #[schemars(default, skip_serializing_if = "String::is_empty")]
    field: String,
    /// The causes, outermost first.
    #[schemars(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
}

#[derive(JsonSchema)]
#[schemars(rename = "Domain", rename_all = "snake_case")]
#[expect(dead_code, reason = "as `ErrorDocument`")]
enum DomainDocument {
    Config,
    Source,
    Destination,
    Protocol,
    Internal,
}

#[derive(JsonSchema)]
#[schemars(rename = "Scope", rename_all = "snake_case")]
#[expect(dead_code, reason = "as `ErrorDocument`")]
enum ScopeDocument {
    Row,
    Batch,
    Partition,
    Run,
}
