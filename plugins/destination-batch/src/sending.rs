//! Sending: requests, rates, concurrency, retries, answers.

pub(crate) mod bucket;
pub(crate) mod claims;
pub(crate) mod client;
pub(crate) mod delivery;
pub(crate) mod gate;
pub(crate) mod pacer;
pub(crate) mod pool;
pub(crate) mod project;
pub(crate) mod request;
pub(crate) mod retry;
pub(crate) mod window;
