//! The orchestrator of Longshore: plugin host, engine and command line, as a library that the `longshore` binary and tests use.
//!
//! *Architecture invariant:* it depends on no plugin crate. It runs binaries, speaks the protocol of `proto/`, and never decodes a row.

pub mod api;
mod chance;
pub mod cli;
mod cursors;
mod documents;
pub mod engine;
pub mod failure;
mod figures;
mod history;
mod in_clear;
mod ledger;
mod loading;
pub mod moment;
pub mod observe;
pub mod plugin_host;
mod printable;
pub mod serve;
