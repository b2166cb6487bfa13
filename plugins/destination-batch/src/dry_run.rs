//! Runs that send nothing: their rows become requests as they would, and the requests are counted instead of sent.
//!
//! What a request holds depends on how long rows wait for it, because rows of one profile that wait together are merged. A dry run therefore waits as a run
//! does that the rate limits hold up: rows are taken as long as there is room for them, and a request is over only when nothing else can happen. Where the
//! API is faster than the source, a real run merges less.
//!
//! Time is what the rate limits make of it: an event is judged by the age that it will have when its turn comes, which may be hours after its run began.

mod estimate;
mod stream;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use longshore_sdk::{destination::RequestTotals, prelude::*};

use crate::{
    sending::request::{Endpoint, Request},
    spec::RateLimits,
};

pub(crate) use stream::write;

/// The dry runs that this process was prepared for.
#[derive(Debug, Default)]
pub(crate) struct DryRuns {
    runs: Mutex<HashMap<String, Arc<DryRun>>>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct DryRun {
    started: DateTime<Utc>,
    totals: Mutex<Totals>,
}

/// What would have been sent so far.
#[derive(Debug, Default)]
struct Totals {
    by_table: BTreeMap<(String, &'static str), Counts>,
    /// Of each endpoint, in the order of [`Endpoint::ALL`].
    operations: [u64; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    requests: u64,
    operations: u64,
    bytes: u64,
}

impl DryRuns {
    /// From now on nothing of this run is sent. Its counts begin anew.
    pub(crate) fn begin(&self, run_id: &str, now: DateTime<Utc>) {
        let run = DryRun {
            started: now,
            totals: Mutex::default(),
        };
        self.lock().insert(run_id.to_owned(), Arc::new(run));
    }

    /// The dry run with this id; `None`: it is none.
    pub(crate) fn of(&self, run_id: &str) -> Option<Arc<DryRun>> {
        self.lock().get(run_id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<DryRun>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DryRun {
    /// Counts a request instead of sending it.
    fn count(&self, table: &str, endpoint: Endpoint, request: &Request) {
        let operations = request.operations.len() as u64;
        let mut totals = self.lock();
        totals.operations[endpoint.index()] += operations;
        let counts = totals.by_table.entry((table.to_owned(), endpoint.path())).or_default();
        counts.requests += 1;
        counts.operations += operations;
        counts.bytes += request.body.len() as u64;
    }

    /// When the next request would go that is behind so many updates which wait.
    fn now(&self, rates: &RateLimits, endpoint: Endpoint, waiting: usize) -> DateTime<Utc> {
        let operations = self.lock().operations[endpoint.index()] + waiting as u64;
        let paced = estimate::paced(rates, endpoint, operations).unwrap_or(Duration::ZERO);
        let paced = TimeDelta::from_std(paced).unwrap_or(TimeDelta::MAX);
        self.started
            .checked_add_signed(paced)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// What would have been sent, and how long the rates make it take. The endpoints have a rate each and are used side by side.
    pub(crate) fn estimate(&self, rates: &RateLimits) -> Estimate {
        let totals = self.lock();
        let requests = totals.by_table.iter().map(|((table, endpoint), counts)| RequestTotals {
            table: table.clone(),
            endpoint: (*endpoint).to_owned(),
            requests: counts.requests,
            operations: counts.operations,
            bytes: counts.bytes,
        });
        let paced = Endpoint::ALL.map(|endpoint| estimate::paced(rates, endpoint, totals.operations[endpoint.index()]));
        Estimate {
            requests: requests.collect(),
            paced_ms: paced
                .into_iter()
                .flatten()
                .max()
                .map(|longest| u64::try_from(longest.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
