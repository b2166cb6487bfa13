//! The source against a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test that can not go on panics")]

mod checks;
mod clocks;
mod counts;
mod fail_over;
mod first_run;
mod incremental;
mod interrupted;
mod large_overlap;
mod late_commits;
mod ranges;
mod relations;
mod rewritten;
mod shapes;
mod standby;
mod support;
mod types;
mod unusable;
mod views;
