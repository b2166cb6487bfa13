//! HTTP to the API.

use std::{io::Write, time::Duration};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use flate2::{Compression as GzipLevel, write::GzEncoder};
use longshore_sdk::{certificates, prelude::*};
use reqwest::{
    Certificate,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect,
};
use url::Url;

use super::request::Endpoint;
use crate::{
    answers::Ending,
    limits::ANSWER_BYTES,
    spec::{Compression, Spec, is_loopback},
};

/// Names the project that a request is for.
const PROJECT_HEADER: HeaderName = HeaderName::from_static("x-batch-project");

/// A client for one project: keeps connections alive, speaks HTTP/2 where it is offered.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    /// The keys, and what goes with every request that carries them.
    headers: HeaderMap,
    base: Url,
    urls: [Url; 2],
    compression: Compression,
}

/// How a request ended.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) ending: Ending,
    /// The answer's body; empty without one.
    pub(crate) body: Bytes,
    /// How long the server asks to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Why there is no answer.
    pub(crate) cause: Option<reqwest::Error>,
}

impl Client {
    /// A client for this specification, whose address was checked.
    ///
    /// # Errors
    /// When TLS can not be set up.
    pub(crate) fn new(spec: &Spec, base: Url) -> Result<Self> {
        // Another part of the process may have installed it: one is as good as the other.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        headers.insert(
            AUTHORIZATION,
            secret_header(&format!("Bearer {}", spec.rest_api_key.reveal()))?,
        );
        headers.insert(PROJECT_HEADER, secret_header(spec.project_key.reveal())?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(spec.timeouts.connect.0)
            .timeout(spec.timeouts.request.0)
            .pool_idle_timeout(spec.timeouts.idle.0)
            .tcp_nodelay(true)
            // The key goes to the configured address and nowhere else.
            .redirect(redirect::Policy::none())
            // Repeats are counted and paced here, not below.
            .retry(reqwest::retry::never());
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        if let Some(file) = &spec.ssl_root_certificate {
            builder = builder.tls_certs_only(authorities(file)?);
        } else if base.scheme() == "http" {
            // No certificate is ever looked at: a machine without any can still run against a local server.
            builder = builder.tls_certs_only(Vec::new());
        }
        let http = builder.build().map_err(|error| {
            Error::destination("client_failed", "The HTTPS client can not be set up")
                .with_remedy("Install this machine's root certificates (Debian: the package ca-certificates).")
                .with_cause(&error)
        })?;
        let urls = Endpoint::ALL.map(|endpoint| endpoint_url(&base, &spec.api_version, endpoint));
        Ok(Self {
            http,
            headers,
            base,
            urls,
            compression: spec.compression,
        })
    }

    /// Where requests to an endpoint go.
    pub(crate) fn url(&self, endpoint: Endpoint) -> &Url {
        &self.urls[endpoint.index()]
    }

    /// The API's address.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Asks for the address's root, without a key, to see whether anything answers. Returns the status.
    pub(crate) async fn reach(&self) -> Result<u16, reqwest::Error> {
        Ok(self.http.get(self.base.clone()).send().await?.status().as_u16())
    }

    /// Sends one request and takes its whole answer.
    pub(crate) async fn post(&self, endpoint: Endpoint, body: Bytes) -> Reply {
        let request = self.http.post(self.url(endpoint).clone()).headers(self.headers.clone());
        let request = match self.compression {
            Compression::None => request.body(body),
            Compression::Gzip => request.header(CONTENT_ENCODING, "gzip").body(gzip(&body)),
        };
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let ending = if error.is_connect() || error.is_builder() {
                    Ending::Unreachable
                } else {
                    Ending::Lost
                };
                return Reply {
                    ending,
                    body: Bytes::new(),
                    retry_after: None,
                    cause: Some(error.without_url()),
                };
            }
        };
        let ending = Ending::Answered(response.status().as_u16());
        let retry_after = retry_after(response.headers(), Utc::now());
        match take_body(response).await {
            Ok(body) => Reply {
                ending,
                body,
                retry_after,
                cause: None,
            },
            // The status alone does not say what became of the rows.
            Err(error) if matches!(ending, Ending::Answered(200..=299)) => Reply {
                ending: Ending::Lost,
                body: Bytes::new(),
                retry_after,
                cause: Some(error.without_url()),
            },
            Err(_) => Reply {
                ending,
                body: Bytes::new(),
                retry_after,
                cause: None,
            },
        }
    }
}

async fn take_body(mut response: reqwest::Response) -> Result<Bytes, reqwest::Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        // An answer that is cut off here is no JSON any more, and is then treated as unreadable.
        let room = ANSWER_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == ANSWER_BYTES {
            break;
        }
    }
    Ok(body.freeze())
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. A date is measured against the answer's own `Date`, since our clock may differ from the
/// server's, and against our clock only where there is none.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = |text: &str| DateTime::parse_from_rfc2822(text).map(|date| date.to_utc()).ok();
    let until = date(text)?;
    let since = headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(date);
    (until - since.unwrap_or(now)).to_std().ok()
}

/// The authorities in the file that `ssl_root_certificate` names.
fn authorities(file: &str) -> Result<Vec<Certificate>> {
    const FIELD: &str = "/ssl_root_certificate";
    let certificates = certificates::chain(file, FIELD)?;
    let authorities = certificates
        .iter()
        .map(|certificate| Certificate::from_der(certificate));
    authorities
        .map(|read| read.map_err(|error| certificates::unreadable(file, FIELD, &error)))
        .collect()
}

fn secret_header(value: &str) -> Result<HeaderValue> {
    let invalid = |error| Error::config("spec_invalid", "A key can not be sent in a header").with_cause(&error);
    let mut header =
        HeaderValue::from_str(value).map_err(|error: reqwest::header::InvalidHeaderValue| invalid(error))?;
    header.set_sensitive(true);
    Ok(header)
}

fn endpoint_url(base: &Url, version: &str, endpoint: Endpoint) -> Url {
    let mut url = base.clone();
    let path = format!("{}/{version}/{}", base.path().trim_end_matches('/'), endpoint.path());
    url.set_path(&path);
    url
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), GzipLevel::fast());
    encoder
        .write_all(body)
        .and_then(|()| encoder.finish())
        .expect("a Vec takes every byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_stands_between_base_and_endpoint() {
        for (base, expected) in [
            ("https://api.batch.com", "https://api.batch.com/2.11/profiles/update"),
            (
                "https://proxy.example/batch/",
                "https://proxy.example/batch/2.11/profiles/update",
            ),
        ] {
            assert_eq!(
                endpoint_url(&Url::parse(base).unwrap(), "2.11", Endpoint::Update).as_str(),
                expected
            );
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-11-20T09:59:00Z").unwrap().to_utc();
        let asked = |value: &str, date: Option<&str>| {
            let header = |value: &str| HeaderValue::from_str(value).unwrap();
            let mut headers = HeaderMap::from_iter([(RETRY_AFTER, header(value))]);
            headers.extend(date.map(|date| (DATE, header(date))));
            retry_after(&headers, now)
        };
        assert_eq!(asked("7", None), Some(Duration::from_secs(7)));
        assert_eq!(asked("0.5", None), Some(Duration::from_millis(500)));
        let until = "Fri, 20 Nov 2026 10:00:00 GMT";
        assert_eq!(asked(until, None), Some(Duration::from_secs(60)));
        assert_eq!(
            asked(until, Some("Fri, 20 Nov 2026 09:59:50 GMT")),
            Some(Duration::from_secs(10)),
            "by the server's own clock"
        );
        for value in ["-1", "soon", "Fri, 20 Nov 2026 09:00:00 GMT", "1e300", "NaN"] {
            assert_eq!(asked(value, None), None, "{value}");
        }
    }

    #[test]
    fn keys_are_marked_as_secret() {
        assert!(secret_header("rest_x").unwrap().is_sensitive());
    }
}
