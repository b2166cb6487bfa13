//! Runs that send nothing: what is refused where they are not declared, and what is said at their end.

use longshore_core::error::{Error, Result};
use longshore_protocol::v1;

/// What a dry run would have sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// By table and endpoint.
    pub requests: Vec<RequestTotals>,
    /// How long the destination's own rate limits make all of it take, in milliseconds: what a run takes at least. `None`: it keeps to no rate.
    pub paced_ms: Option<u64>,
}

/// Requests of one table to one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestTotals {
    /// The table.
    pub table: String,
    /// Where to, such as `profiles/update`.
    pub endpoint: String,
    /// How many.
    pub requests: u64,
    /// What the rate limits count: several rows may be one.
    pub operations: u64,
    /// Of the requests' bodies.
    pub bytes: u64,
}

/// A destination that does not know of dry runs would send: it must not be asked.
pub(super) fn check_declared(wanted: bool, declared: bool) -> Result<()> {
    if wanted && !declared {
        return Err(Error::protocol(
            "not_declared",
            "This destination does not declare dry_run",
        ));
    }
    Ok(())
}

impl From<Estimate> for v1::EstimateResponse {
    fn from(estimate: Estimate) -> Self {
        let requests = estimate.requests.into_iter().map(|totals| v1::RequestTotals {
            table: totals.table,
            endpoint: totals.endpoint,
            requests: totals.requests,
            operations: totals.operations,
            bytes: totals.bytes,
        });
        Self {
            requests: requests.collect(),
            paced_ms: estimate.paced_ms,
        }
    }
}
