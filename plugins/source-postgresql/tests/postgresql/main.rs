//! The source against a real PostgreSQL.

mod incremental;
mod support;
