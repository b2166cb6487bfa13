//! What a sandbox is started with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::limits;
use crate::rate_limits::Limit;

/// One project and the key that opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Value of `X-Batch-Project`.
    pub project_key: String,
    /// Bearer token. Several projects may share one: at Batch the key belongs to the company.
    pub rest_api_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Credentials");
        shown.field("project_key", &self.project_key).finish_non_exhaustive()
    }
}

/// How a sandbox behaves. [`Options::for_project`] gives the documented behaviour on a free loopback port.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// Allows an address that other machines reach. The control API has no authentication.
    pub allow_remote: bool,
    /// The projects, one at least.
    pub projects: Vec<Credentials>,
    /// API versions that are answered; others are unknown routes.
    pub versions: Vec<String>,
    /// Rate limit of `/profiles/update`.
    pub update_limit: Limit,
    /// Rate limit of `/profiles/mass-update`.
    pub mass_update_limit: Limit,
    /// Records what a careful client never does.
    pub strict: bool,
    /// Takes bodies with `Content-Encoding: gzip`, which Batch is not known to take.
    pub accept_gzip: bool,
    /// Largest body in bytes, before and after decompression.
    pub max_body_bytes: usize,
    /// Calls that the request log holds.
    pub logged_requests: usize,
    /// Bodies that the request log holds.
    pub kept_bodies: usize,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// One project, the documented limits, a free port on loopback.
    pub fn for_project(project_key: impl Into<String>, rest_api_key: impl Into<String>) -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            allow_remote: false,
            projects: vec![Credentials {
                project_key: project_key.into(),
                rest_api_key: rest_api_key.into(),
            }],
            versions: limits::API_VERSIONS.map(str::to_owned).to_vec(),
            update_limit: Limit::Documented,
            mass_update_limit: Limit::Documented,
            strict: false,
            accept_gzip: false,
            max_body_bytes: limits::DEFAULT_BODY_BYTES,
            logged_requests: 10_000,
            kept_bodies: 16,
            clock: Arc::new(SystemClock::default()),
        }
    }

    /// The same without rate limits.
    #[must_use]
    pub fn without_rate_limits(mut self) -> Self {
        self.update_limit = Limit::Unlimited;
        self.mass_update_limit = Limit::Unlimited;
        self
    }
}
