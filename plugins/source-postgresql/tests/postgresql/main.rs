//! The source against a real PostgreSQL.

mod incremental;
mod relations;
mod support;
mod types;
