//! Which requests are let through at all: those of programs, and those of our own page.
//!
//! A browser sends what any page tells it to. Without tokens, whoever reaches the address is an operator, so three things are checked.
//! - **`Host`**, so that a foreign name that is made to resolve to this machine (DNS rebinding) does not open the API to the pages under that name: only names of
//!   this machine, addresses, and what `--host` adds.
//! - **`Origin`** and **`Sec-Fetch-Site`**, so that pages of others neither read nor change anything.
//! - **A change is JSON**, which no form can send and no page of others without asking first.
//!
//! With tokens the first is needless, because a token is never sent by a browser on its own; the others stay. `Host` may then be a proxy's own name for us: whether
//! a page is ours, the browser says by `Sec-Fetch-Site`, which no page can write.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use longshore_core::Error;

use super::{Shared, answer::Refusal, hosts::Hosts, page};

/// What is let through.
pub(super) struct Guard {
    /// Whoever reaches the address is an operator.
    open: bool,
    /// What `Host` may name then.
    hosts: Hosts,
}

impl Guard {
    pub(super) fn new(open: bool, hosts: Hosts) -> Self {
        Self { open, hosts }
    }

    fn judge(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = text(headers, header::HOST).unwrap_or_default();
        if self.open {
            self.hosts.judge(headers)?;
        }
        let site = headers.get("sec-fetch-site");
        let is_ours = !self.open && site.is_some_and(|site| site == "same-origin");
        let foreign = text(headers, header::ORIGIN).is_some_and(|origin| !is_ours && !is_origin_of(origin, host))
            || site.is_some_and(|site| site == "cross-site" || site == "same-site");
        if foreign {
            let message = "Pages of other addresses are not answered";
            return Err(refused(
                "origin_refused",
                message,
                "Open the page that this address serves. Behind a proxy, let it pass `Host` on as it came.",
            ));
        }
        let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if changes && !is_json(headers) {
            let error = Error::config("json_needed", "What changes something is sent as JSON")
                .with_remedy("Send `Content-Type: application/json`, and `{}` where there is nothing to say.");
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
        }
        Ok(())
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    // What is no text is nobody's: it must not pass for absent.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn is_origin_of(origin: &str, host: &str) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some_and(|authority| !host.is_empty() && authority.eq_ignore_ascii_case(host))
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    let kind = sent.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

fn refused(code: &str, message: &str, remedy: &str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, Error::config(code, message).with_remedy(remedy))
}

/// Lets a request through or not, and gives every answer the headers that keep a browser from doing more with it than to show it.
pub(super) async fn check(State(service): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = match service.guard.judge(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap());
        of.iter().map(pair).collect()
    }

    fn code(guard: &Guard, method: Method, of: &[(&str, &str)]) -> String {
        match guard.judge(&method, &headers(of)) {
            Ok(()) => "passes".to_owned(),
            Err(refusal) => refusal.error.code,
        }
    }

    #[test]
    fn a_foreign_name_for_this_machine_opens_nothing_without_tokens() {
        let guard = Guard::new(true, Hosts::new(vec!["longshore.internal".to_owned()]));
        for host in [
            "127.0.0.1:4780",
            "localhost:4780",
            "LOCALHOST",
            "[::1]:4780",
            "10.0.0.7",
            "longshore.internal:4780",
        ] {
            assert_eq!(code(&guard, Method::GET, &[("host", host)]), "passes", "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:4780",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "a b",
        ] {
            assert_eq!(code(&guard, Method::GET, &[("host", host)]), "host_refused", "{host}");
        }
        assert_eq!(code(&guard, Method::GET, &[]), "host_refused");
        let with_tokens = Guard::new(false, Hosts::default());
        assert_eq!(
            code(&with_tokens, Method::GET, &[("host", "longshore.example.com")]),
            "passes"
        );
    }

    #[test]
    fn pages_of_others_are_refused_with_tokens_and_without() {
        for open in [true, false] {
            let guard = Guard::new(open, Hosts::default());
            let host = ("host", "127.0.0.1:4780");
            let json = ("content-type", "application/json");
            let ask = |more: &[(&str, &str)]| code(&guard, Method::POST, &[&[host, json], more].concat());
            assert_eq!(
                ask(&[("origin", "http://127.0.0.1:4780"), ("sec-fetch-site", "same-origin")]),
                "passes"
            );
            assert_eq!(ask(&[]), "passes");
            for origin in ["http://evil.example", "http://127.0.0.1:8080", "null", "file://", ""] {
                assert_eq!(ask(&[("origin", origin)]), "origin_refused", "{origin}");
            }
            assert_eq!(ask(&[("sec-fetch-site", "cross-site")]), "origin_refused");
            // As a proxy that puts its own name for us into `Host` passes our page's requests on.
            let proxied = ask(&[
                ("origin", "https://longshore.example.com"),
                ("sec-fetch-site", "same-origin"),
            ]);
            assert_eq!(proxied, if open { "origin_refused" } else { "passes" });
            for site in ["cross-site", "same-site", "none"] {
                let foreign = ask(&[("origin", "https://evil.example"), ("sec-fetch-site", site)]);
                assert_eq!(foreign, "origin_refused", "{site}");
            }
            assert_eq!(
                code(&guard, Method::GET, &[host, ("sec-fetch-site", "cross-site")]),
                "origin_refused"
            );
        }
    }

    #[test]
    fn a_change_has_to_be_json_which_no_form_can_send() {
        let guard = Guard::new(true, Hosts::default());
        let host = ("host", "localhost");
        for kind in ["application/json", "application/json; charset=utf-8"] {
            assert_eq!(code(&guard, Method::POST, &[host, ("content-type", kind)]), "passes");
        }
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/jsonp",
        ] {
            assert_eq!(
                code(&guard, Method::POST, &[host, ("content-type", kind)]),
                "json_needed",
                "{kind}"
            );
        }
        assert_eq!(code(&guard, Method::DELETE, &[host]), "json_needed");
        assert_eq!(code(&guard, Method::GET, &[host]), "passes");
    }
}
