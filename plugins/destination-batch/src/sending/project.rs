//! What everything that writes to one project shares: pace, concurrency, claims, and the end.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

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
    losses: Mutex<Losses>,
    refused_alone: AtomicU32,
}

/// Requests of which nobody knows what became, one after the other.
#[derive(Debug, Default)]
struct Losses {
    in_a_row: u32,
    latest: Option<Instant>,
}

impl Losses {
    fn add(&mut self, sent: Instant, now: Instant) -> u32 {
        if self.latest.is_none_or(|latest| sent > latest) {
            self.in_a_row += 1;
            self.latest = Some(now);
        }
        self.in_a_row
    }
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
            losses: Mutex::default(),
            refused_alone: AtomicU32::new(0),
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
        self.answered();
    }

    /// Nobody knows what became of a request that was sent at this time. Returns how often in a row that was so; what is lost together, when a
    /// connection breaks under several requests, counts once.
    pub(crate) fn lost(&self, sent: Instant) -> u32 {
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        losses.add(sent, Instant::now())
    }

    /// Batch refused a request that held one row. Returns how often in a row that was so, with nothing taken in between.
    pub(crate) fn refused_alone(&self) -> u32 {
        self.refused_alone.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Batch has taken a request and said so.
    pub(crate) fn answered(&self) {
        self.losses.lock().unwrap_or_else(PoisonError::into_inner).in_a_row = 0;
        self.refused_alone.store(0, Ordering::Relaxed);
    }

    /// Why nothing may be sent.
    pub(crate) fn check_running(&self) -> Result<()> {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        stopped.clone().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_that_are_lost_together_count_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut losses = Losses::default();
        assert_eq!(
            [
                losses.add(at(0), at(5)),
                losses.add(at(3), at(5)),
                losses.add(at(5), at(9))
            ],
            [1; 3]
        );
        assert_eq!(
            losses.add(at(6), at(9)),
            2,
            "it was sent when the others were lost already"
        );
    }
}
