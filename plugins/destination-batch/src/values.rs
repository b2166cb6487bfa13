//! Single values: what the API takes, and how it is written.
//!
//! Every function writes JSON to the end of a buffer, or refuses with a [`Violation`]; after a refusal the buffer may hold a part of the value and
//! the caller cuts it off.

pub(crate) mod instant;
pub(crate) mod json;
pub(crate) mod native;
pub(crate) mod number;
pub(crate) mod text;
pub(crate) mod tree;
pub(crate) mod url;

/// Why a value can not be sent: a stable rule and a reason with the value's shape, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) reason: String,
}

impl Violation {
    pub(crate) fn new(rule: &'static str, reason: impl Into<String>) -> Self {
        Self {
            rule,
            reason: reason.into(),
        }
    }
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is in the buffer.
    Value,
    /// It is NULL, or what the API wants to be NULL instead: nothing is in the buffer.
    Null,
}

/// Writes text as a JSON string.
pub(crate) fn write_json_string(out: &mut Vec<u8>, text: &str) {
    write_json(out, text);
}

/// Writes a scalar as JSON.
pub(crate) fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("a scalar and a Vec never fail to be written as JSON");
}
