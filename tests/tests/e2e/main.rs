//! Longshore as its users run it: real processes, a real PostgreSQL, real sockets.

#![allow(clippy::unwrap_used, reason = "this whole program is a test")]

mod bad_input;
mod generated;
mod report;
mod support;
mod workspace_rules;
