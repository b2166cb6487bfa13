//! Requests: where to, how large, and their bytes.

use bytes::Bytes;

use super::{claims::Claim, pacer::Pacer};
use crate::{
    limits,
    operation::Operation,
    spec::{RateLimits, RequestSizes},
};

/// The two endpoints for profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Update,
    MassUpdate,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 2] = [Self::Update, Self::MassUpdate];

    /// Position in [`Endpoint::ALL`].
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Update => 0,
            Self::MassUpdate => 1,
        }
    }

    /// Path below the API's version.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Update => "profiles/update",
            Self::MassUpdate => "profiles/mass-update",
        }
    }
}

/// How large requests to one endpoint become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestLimits {
    pub(crate) operations: usize,
    pub(crate) bytes: usize,
}

impl RequestLimits {
    /// The documented count, or less: by configuration, and so that a request is at most half of what the bucket holds. A request as large as the server's
    /// whole bucket is only admissible at the instant when that is full: it would either wait for more than its share or be refused.
    pub(crate) fn new(endpoint: Endpoint, sizes: &RequestSizes, rates: &RateLimits) -> Self {
        let (documented, configured) = match endpoint {
            Endpoint::Update => (limits::UPDATE_OPERATIONS, sizes.update_operations),
            Endpoint::MassUpdate => (limits::MASS_UPDATE_OPERATIONS, sizes.mass_update_operations),
        };
        let operations = configured.map_or(documented, |configured| documented.min(configured.get() as usize));
        let bucket = if rates.unlimited {
            usize::MAX
        } else {
            (Pacer::rate(rates, endpoint).0 / 2.0) as usize
        };
        let bytes = sizes.bytes.map_or(limits::REQUEST_BYTES, |bytes| bytes.get() as usize);
        Self {
            operations: operations.min(bucket).max(1),
            bytes,
        }
    }
}

/// Operations on their way, with the profiles they hold.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) operations: Vec<Operation>,
    pub(crate) body: Bytes,
    pub(crate) claim: Claim,
}

/// The body of a request: an array of operations.
pub(crate) fn body_of(operations: &[Operation]) -> Bytes {
    let mut body = BodyWriter::default();
    for operation in operations {
        body.push(operation);
    }
    body.finish()
}

/// Writes a body operation by operation.
#[derive(Debug, Default)]
pub(crate) struct BodyWriter {
    out: Vec<u8>,
}

impl BodyWriter {
    /// Appends an operation.
    pub(crate) fn push(&mut self, operation: &Operation) {
        self.out.push(if self.out.is_empty() { b'[' } else { b',' });
        operation.write(&mut self.out);
    }

    /// Appends an operation unless the body then has more bytes; the first one always goes in, so that a request can not be empty.
    pub(crate) fn push_within(&mut self, operation: &Operation, bytes: usize) -> bool {
        let before = self.out.len();
        self.push(operation);
        let fits = before == 0 || self.out.len() < bytes;
        if !fits {
            self.out.truncate(before);
        }
        fits
    }

    /// The whole body.
    pub(crate) fn finish(mut self) -> Bytes {
        if self.out.is_empty() {
            self.out.push(b'[');
        }
        self.out.push(b']');
        self.out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_documented_size_or_half_a_bucket() {
        let operations =
            |endpoint, rates: &RateLimits| RequestLimits::new(endpoint, &RequestSizes::default(), rates).operations;
        let documented = RateLimits::default();
        assert_eq!(operations(Endpoint::Update, &documented), 200);
        assert_eq!(operations(Endpoint::MassUpdate, &documented), 4_750);
        let unlimited = RateLimits {
            unlimited: true,
            ..RateLimits::default()
        };
        assert_eq!(operations(Endpoint::MassUpdate, &unlimited), 10_000);
        let tiny = RateLimits {
            share: 0.001,
            ..RateLimits::default()
        };
        assert_eq!(operations(Endpoint::Update, &tiny), 1);
    }
}
