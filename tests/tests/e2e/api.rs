//! The HTTP API of a real daemon.

mod access;
mod document;
mod events;
mod examples;
mod rejects;
mod runs;
mod secrets;
mod state;
mod syncs;
