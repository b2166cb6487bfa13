//! The source plugin against the ClickHouse engine, over HTTP.

#![allow(clippy::unwrap_used, reason = "a test that can not go on panics")]

mod checks;
mod incremental;
mod interrupted;
mod large_overlap;
mod relations;
mod support;
mod types;
mod unusable;
