//! Names under which this machine may be asked.
//!
//! A foreign name can be made to resolve to this machine (DNS rebinding), and a page under that name then reads what is answered here. An address can not be
//! made to mean another machine than it does.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use longshore_core::Error;
use url::Host;

use super::answer::Refusal;

/// Addresses, `localhost`, and the names that somebody has given.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// `names` may be used besides those of this machine.
    #[must_use]
    pub fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// The router, for requests under a known name alone.
    pub fn guard(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self, check))
    }

    pub(super) fn judge(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        match self.know(host.unwrap_or_default()) {
            true => Ok(()),
            false => {
                let error = Error::config("host_refused", "This name is not known here").with_remedy(
                    "Use the address, or start `longshore serve` with --host and this name; the API asks for no name when it asks for tokens.",
                );
                Err(Refusal::new(StatusCode::FORBIDDEN, error))
            }
        }
    }

    fn know(&self, host: &str) -> bool {
        let name = without_port(host);
        let known = self.0.iter().any(|known| known.eq_ignore_ascii_case(name));
        match Host::parse(name) {
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) => true,
            Ok(Host::Domain(domain)) => known || domain == "localhost" || domain.ends_with(".localhost"),
            Err(_) => false,
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

async fn check(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    match hosts.judge(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}
