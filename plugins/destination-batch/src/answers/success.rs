//! The body of a success, which is always read: it can say that pieces were refused.

use serde::Deserialize;

/// A piece of a request that the API refused while it took the rest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct PartialError {
    /// Position of the operation in the request, from 0.
    pub(crate) bulk_index: usize,
    /// Such as `attribute`; the whole list is not documented.
    #[serde(default)]
    pub(crate) category: String,
    /// Free text.
    #[serde(default)]
    pub(crate) reason: String,
    /// The attribute's key, where the error is about one.
    #[serde(default)]
    pub(crate) attribute: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    code: String,
    #[serde(default)]
    errors: Option<Vec<PartialError>>,
}

/// The pieces refused, in a request of so many operations. `None`: the body is none that the API is known to give, so nothing may be taken as delivered.
pub(crate) fn read(body: &[u8], operations: usize) -> Option<Vec<PartialError>> {
    let body: Body = serde_json::from_slice(body).ok()?;
    let errors = match (body.code.as_str(), body.errors) {
        ("SUCCESS", errors) => errors.unwrap_or_default(),
        ("SUCCESS_WITH_PARTIAL_ERRORS", Some(errors)) if !errors.is_empty() => errors,
        _ => return None,
    };
    errors
        .iter()
        .all(|error| error.bulk_index < operations)
        .then_some(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_bodies_are_read() {
        assert_eq!(read(br#"{"code":"SUCCESS"}"#, 1), Some(vec![]));
        let partial = br#"{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[{"bulk_index":1,"category":"attribute","reason":"x","attribute":"plan"},{"bulk_index":0,"new":1}]}"#;
        let errors = read(partial, 2).unwrap();
        assert_eq!(
            (
                errors[0].bulk_index,
                errors[0].attribute.as_deref(),
                errors[1].attribute.as_deref()
            ),
            (1, Some("plan"), None)
        );
    }

    #[test]
    fn anything_else_is_no_success() {
        for body in [
            "",
            "OK",
            "{}",
            r#"{"code":"QUEUED"}"#,
            r#"{"code":"SUCCESS_WITH_PARTIAL_ERRORS"}"#,
            r#"{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[]}"#,
            r#"{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[{"bulk_index":2}]}"#,
            r#"{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[{"bulk_index":-1}]}"#,
            r#"{"code":"SUCCESS","errors":[{"reason":"x"}]}"#,
        ] {
            assert_eq!(read(body.as_bytes(), 2), None, "{body}");
        }
    }
}
