//! Due times across clock changes, leap days and restarts.

#![allow(clippy::unwrap_used, reason = "this whole program is a test")]

mod clock_changes;
mod expressions;
mod intervals;
mod jitter;
mod support;
