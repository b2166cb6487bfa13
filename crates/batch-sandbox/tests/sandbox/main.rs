//! The sandbox over real sockets and as a real process.

#![allow(clippy::unwrap_used, reason = "everything in here is test code")]

mod api;
mod client;
mod control;
mod faults;
mod process;
