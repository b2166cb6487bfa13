//! Longshore as its users run it: real processes, a real PostgreSQL, real sockets.

#![allow(clippy::unwrap_used, reason = "this whole program is a test")]

mod alerts;
mod api;
mod bad_input;
mod bad_values;
mod clickhouse_front;
mod clickhouse_scene;
mod clickhouse_syncs;
mod clickhouse_types;
mod daemon;
mod dry_run;
mod fault_proxy;
mod faulty_api;
mod first_syncs;
mod generated;
mod history;
mod incremental;
mod interruptions;
mod kill_matrix;
mod ledger;
mod lost_answers;
mod memory;
mod names_in_clear;
mod packaging;
mod pages;
mod preview;
mod python_plugins;
mod ranges;
mod readme;
mod report;
mod scene;
mod secrets;
mod served;
mod slow_destination;
mod support;
mod traces;
mod two_orchestrators;
mod web_page;
mod workspace_rules;
