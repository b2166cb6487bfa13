//! Checks of a specification that need no connection.

use longshore_sdk::prelude::*;
use url::{Host, Url};

use super::Spec;

impl Spec {
    /// Checks what a schema can not, and gives the address of the API back.
    ///
    /// # Errors
    /// `spec_invalid`, with the field's place.
    pub(crate) fn check(&self) -> Result<Url> {
        if self.project_key.reveal().trim().is_empty() {
            return Err(invalid(
                "/project_key",
                "The project key is empty",
                "Copy it from Batch's dashboard, Settings > General.",
            ));
        }
        if self.rest_api_key.reveal().trim().is_empty() {
            return Err(invalid(
                "/rest_api_key",
                "The REST API key is empty",
                "Copy it from Batch's dashboard, Settings > General.",
            ));
        }
        let header_safe = |value: &str| value.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        for (field, value) in [
            ("/project_key", &self.project_key),
            ("/rest_api_key", &self.rest_api_key),
        ] {
            if !header_safe(value.reveal()) {
                let remedy = "Copy it again: a key has neither blanks nor line breaks nor special characters.";
                return Err(invalid(
                    field,
                    "The key holds characters that can not be sent in a header",
                    remedy,
                ));
            }
        }
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !self.api_version.split('.').all(is_number) {
            return Err(invalid(
                "/api_version",
                "The API version is not a number",
                "Write it as text, such as \"2.11\".",
            ));
        }
        if !(1..=64).contains(&self.concurrency) {
            return Err(invalid("/concurrency", "The concurrency is not between 1 and 64", ""));
        }
        self.check_rates()?;
        self.check_sizes()?;
        if self.retry.max_attempts == 0 || self.retry.rate_limited_attempts == 0 {
            return Err(invalid("/retry", "A request needs at least one attempt", ""));
        }
        if self.test_custom_id.as_deref().is_some_and(|id| id.trim().is_empty()) {
            return Err(invalid(
                "/test_custom_id",
                "The custom id for the connection test is empty",
                "Leave it out, or give an id.",
            ));
        }
        self.check_mapping()?;
        self.check_base_url()
    }

    fn check_rates(&self) -> Result<()> {
        let rates = &self.rate_limit;
        if !(rates.share > 0.0 && rates.share <= 1.0) {
            return Err(invalid(
                "/rate_limit/share",
                "The share of the rate is not above 0 and at most 1",
                "",
            ));
        }
        for (field, rate) in [
            ("/rate_limit/update", &rates.update),
            ("/rate_limit/mass_update", &rates.mass_update),
        ] {
            if rate
                .updates_per_second
                .is_some_and(|rate| !rate.is_finite() || rate <= 0.0)
                || rate.burst == Some(0)
            {
                return Err(invalid(field, "A rate and a burst are above 0", ""));
            }
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<()> {
        let sizes = &self.requests;
        let most = [
            (
                "/requests/update_operations",
                sizes.update_operations,
                crate::limits::UPDATE_OPERATIONS,
            ),
            (
                "/requests/mass_update_operations",
                sizes.mass_update_operations,
                crate::limits::MASS_UPDATE_OPERATIONS,
            ),
        ];
        for (field, value, most) in most {
            if value.is_some_and(|value| value.get() as usize > most) {
                return Err(invalid(
                    field,
                    format!("Batch refuses requests with more than {most} profiles"),
                    "Lower it.",
                ));
            }
        }
        Ok(())
    }

    fn check_mapping(&self) -> Result<()> {
        for (column, mapping) in &self.mapping {
            if mapping.ignore && (mapping.name.is_some() || mapping.kind.is_some()) {
                let field = format!("/mapping/{}", column.replace('~', "~0").replace('/', "~1"));
                return Err(invalid(
                    &field,
                    format!("Column {column} is both ignored and mapped"),
                    "Take out `ignore`, or the rest.",
                ));
            }
        }
        Ok(())
    }

    fn check_base_url(&self) -> Result<Url> {
        const FIELD: &str = "/base_url";
        let url = Url::parse(&self.base_url).map_err(|error| {
            invalid(
                FIELD,
                "The base URL is not a URL",
                "Write it as https://host, without the API version.",
            )
            .with_cause(&error)
        })?;
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                FIELD,
                "The base URL has a query, a fragment or a user",
                "Write it as https://host.",
            ));
        }
        if self.ssl_root_certificate.is_some() && url.scheme() != "https" {
            return Err(invalid(
                "/ssl_root_certificate",
                "`ssl_root_certificate` has no effect without https",
                "Take it out, or write base_url as https://host.",
            ));
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if self.allow_insecure_http || is_loopback(&url) => Ok(url),
            "http" => Err(invalid(
                FIELD,
                "The base URL is plain http: the REST API key would travel in the clear",
                "Use https, or set allow_insecure_http: true.",
            )),
            _ => Err(invalid(
                FIELD,
                "The base URL is neither https nor http",
                "Write it as https://host.",
            )),
        }
    }
}

/// Whether a URL leads to this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn invalid(field: &str, message: impl Into<String>, remedy: &str) -> Error {
    Error::config("spec_invalid", message)
        .with_field(field)
        .with_remedy(remedy)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(changes: &Value) -> Spec {
        let mut spec = json!({ "target": "profile_events", "project_key": "project_x", "rest_api_key": "rest_y" });
        for (key, value) in changes.as_object().unwrap() {
            spec[key] = value.clone();
        }
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn three_fields_are_enough() {
        assert_eq!(spec(&json!({})).check().unwrap().as_str(), "https://api.batch.com/");
    }

    #[test]
    fn what_can_not_work_is_refused_with_its_place() {
        for (changes, field) in [
            (json!({ "project_key": " " }), "/project_key"),
            (json!({ "rest_api_key": "" }), "/rest_api_key"),
            (json!({ "rest_api_key": "a\nb" }), "/rest_api_key"),
            (json!({ "api_version": "v2" }), "/api_version"),
            (json!({ "api_version": "" }), "/api_version"),
            (json!({ "api_version": ".." }), "/api_version"),
            (json!({ "rest_api_key": "a\r\nX-Batch-Project: b" }), "/rest_api_key"),
            (json!({ "project_key": "clé" }), "/project_key"),
            (
                json!({ "ssl_root_certificate": "ca.pem", "base_url": "http://127.0.0.1:1" }),
                "/ssl_root_certificate",
            ),
            (json!({ "concurrency": 0 }), "/concurrency"),
            (json!({ "concurrency": 65 }), "/concurrency"),
            (json!({ "rate_limit": { "share": 0.0 } }), "/rate_limit/share"),
            (
                json!({ "rate_limit": { "update": { "updates_per_second": 0.0 } } }),
                "/rate_limit/update",
            ),
            (
                json!({ "requests": { "update_operations": 201 } }),
                "/requests/update_operations",
            ),
            (
                json!({ "requests": { "mass_update_operations": 10_001 } }),
                "/requests/mass_update_operations",
            ),
            (json!({ "retry": { "max_attempts": 0 } }), "/retry"),
            (
                json!({ "mapping": { "a/b": { "ignore": true, "name": "x" } } }),
                "/mapping/a~1b",
            ),
            (json!({ "base_url": "nonsense" }), "/base_url"),
            (json!({ "base_url": "http://batch.example" }), "/base_url"),
            (json!({ "base_url": "ftp://batch.example" }), "/base_url"),
            (json!({ "base_url": "https://u:p@batch.example" }), "/base_url"),
            (json!({ "test_custom_id": "" }), "/test_custom_id"),
        ] {
            let error = spec(&changes).check().unwrap_err();
            assert_eq!(
                (error.code.as_str(), error.field.as_str()),
                ("spec_invalid", field),
                "{changes}"
            );
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_or_by_consent() {
        for base_url in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"] {
            assert!(spec(&json!({ "base_url": base_url })).check().is_ok(), "{base_url}");
        }
        assert!(
            spec(&json!({ "base_url": "http://batch.example", "allow_insecure_http": true }))
                .check()
                .is_ok()
        );
    }

    #[test]
    fn a_specification_never_shows_its_keys() {
        let shown = format!("{:?}", spec(&json!({})));
        assert!(!shown.contains("project_x") && !shown.contains("rest_y"), "{shown}");
    }

    #[test]
    fn unknown_fields_are_refused() {
        let spec = json!({ "target": "profile_events", "project_key": "p", "rest_api_key": "r", "endpont": "auto" });
        assert!(serde_json::from_value::<Spec>(spec).is_err());
    }

    #[test]
    fn the_schema_marks_secrets_refuses_unknown_fields_and_explains_every_field() {
        let schema = schemars::schema_for!(Spec).to_value();
        assert_eq!(schema["additionalProperties"], json!(false));
        for secret in ["project_key", "rest_api_key"] {
            assert_eq!(schema["properties"][secret]["writeOnly"], json!(true), "{secret}");
        }
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{name} has no description");
        }
        assert_eq!(schema["required"], json!(["target", "project_key", "rest_api_key"]));
    }
}
