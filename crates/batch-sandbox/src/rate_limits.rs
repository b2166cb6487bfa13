//! The rate limits of one project. They can be changed while the sandbox runs.
//!
//! That a bucket belongs to a project, and that the two endpoints have one each, are inferences.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bucket::{Rate, TokenBucket};
use crate::endpoint::Endpoint;

/// A rate limit as it is asked for: `"documented"`, `"unlimited"` or `{"limited": {"per_second": …, "burst": …}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// What Batch documents.
    Documented,
    /// None.
    Unlimited,
    /// Another rate.
    Limited(Rate),
}

impl Limit {
    fn rate(self, endpoint: Endpoint) -> Option<Rate> {
        match self {
            Self::Documented => Some(endpoint.documented_rate()),
            Self::Unlimited => None,
            Self::Limited(rate) => Some(rate),
        }
    }
}

/// The buckets of one project.
#[derive(Debug)]
pub(crate) struct RateLimits {
    update: Limited,
    mass_update: Limited,
}

#[derive(Debug)]
struct Limited {
    limit: Limit,
    bucket: Option<TokenBucket>,
}

impl RateLimits {
    pub(crate) fn new(update: Limit, mass_update: Limit, now: Duration) -> Self {
        Self {
            update: Limited::new(update, Endpoint::Update, now),
            mass_update: Limited::new(mass_update, Endpoint::MassUpdate, now),
        }
    }

    /// Changes a limit; its bucket is full afterwards.
    pub(crate) fn set(&mut self, endpoint: Endpoint, limit: Limit, now: Duration) {
        *self.of(endpoint) = Limited::new(limit, endpoint, now);
    }

    pub(crate) fn limit(&mut self, endpoint: Endpoint) -> Limit {
        self.of(endpoint).limit
    }

    /// Whether a call of `cost` operations is admitted, and pays.
    pub(crate) fn admit(&mut self, endpoint: Endpoint, cost: u64, now: Duration) -> bool {
        let bucket = &mut self.of(endpoint).bucket;
        bucket.as_mut().is_none_or(|bucket| bucket.try_take(cost, now))
    }

    fn of(&mut self, endpoint: Endpoint) -> &mut Limited {
        match endpoint {
            Endpoint::Update => &mut self.update,
            Endpoint::MassUpdate => &mut self.mass_update,
        }
    }
}

impl Limited {
    fn new(limit: Limit, endpoint: Endpoint, now: Duration) -> Self {
        Self {
            limit,
            bucket: limit.rate(endpoint).map(|rate| TokenBucket::full(rate, now)),
        }
    }
}
