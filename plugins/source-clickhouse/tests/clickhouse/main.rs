//! The source plugin against the ClickHouse engine, over HTTP.

mod checks;
mod incremental;
mod interrupted;
mod relations;
mod support;
mod types;
mod unusable;
