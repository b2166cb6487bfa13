//! What every store promises, held against each of them, and what is particular to SQLite.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod contract;
mod sqlite;
