//! What everything that writes to one project shares: pace, concurrency, claims, and the end.

use std::sync::{Arc, Mutex, PoisonError};

use longshore_sdk::prelude::*;
use tokio::time::Instant;

use super::{
    claims::Claims,
    client::Client,
    gate::Gate,
    pacer::Pacer,
    request::{Endpoint, RequestLimits},
    retry::Retries,
};
use crate::spec::Spec;

/// One project of Batch, as this process writes to it.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) client: Client,
    pub(crate) pacer: Pacer,
    pub(crate) gate: Arc<Gate>,
    pub(crate) claims: Arc<Claims>,
    pub(crate) retries: Retries,
    limits: [RequestLimits; 2],
    stopped: Mutex<Option<Error>>,
}

impl Project {
    pub(crate) fn new(spec: &Spec, client: Client) -> Self {
        let retries = Retries::new(&spec.retry);
        Self {
            client,
            pacer: Pacer::new(&spec.rate_limit, retries, Instant::now()),
            gate: Arc::new(Gate::new(spec.concurrency)),
            claims: Arc::default(),
            retries,
            limits: Endpoint::ALL.map(|endpoint| RequestLimits::new(endpoint, &spec.requests, &spec.rate_limit)),
            stopped: Mutex::new(None),
        }
    }

    /// How large requests to an endpoint become.
    pub(crate) fn request_limits(&self, endpoint: Endpoint) -> RequestLimits {
        self.limits[endpoint.index()]
    }

    /// Nothing more may be sent, for this reason: the credentials were refused, or the address is wrong.
    pub(crate) fn stop(&self, error: &Error) {
        self.stopped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| error.clone());
    }

    /// A new run may find the matter settled.
    pub(crate) fn start_again(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Why nothing may be sent.
    pub(crate) fn check_running(&self) -> Result<()> {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        stopped.clone().map_or(Ok(()), Err)
    }
}
