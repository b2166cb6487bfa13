//! Keeps Batch (batch.com) up to date: profile attributes and profile events.
//!
//! The crate's README is its road map: what a row becomes, which rows are refused, how requests are sent, and the invariants.

mod acks;
mod age;
mod answers;
mod arrivals;
mod checks;
mod destination;
mod dry_run;
mod encode;
pub mod limits;
mod mapping;
mod operation;
mod preview;
mod sender;
mod sending;
pub mod spec;
mod values;

pub use destination::BatchDestination;
