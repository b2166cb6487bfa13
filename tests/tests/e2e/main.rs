//! Longshore as its users run it: real processes, a real PostgreSQL, real sockets.

mod support;
mod workspace_rules;
