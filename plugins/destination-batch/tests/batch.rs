//! The plugin over its real protocol, against the sandbox and against endpoints that misbehave.

#![allow(clippy::unwrap_used, reason = "a test that can not be set up has failed")]

#[path = "batch/answers.rs"]
mod answers;
#[path = "batch/any_table.rs"]
mod any_table;
#[path = "batch/connections.rs"]
mod connections;
#[path = "batch/dry_run.rs"]
mod dry_run;
#[path = "batch/endpoint.rs"]
mod endpoint;
#[path = "batch/faults.rs"]
mod faults;
#[path = "batch/pace.rs"]
mod pace;
#[path = "batch/rows.rs"]
mod rows;
#[path = "batch/uncertain.rs"]
mod uncertain;
#[path = "batch/writing.rs"]
mod writing;
