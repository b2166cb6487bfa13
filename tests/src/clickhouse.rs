//! ClickHouse for tests: the real engine behind a small front that speaks a server's HTTP, or a real server.
//!
//! `tests/support/clickhouse_front/README.md` tells what is the engine there and what is the front.

mod access;
mod database;
mod fault;
mod front;
mod server;

pub use database::ClickHouseDatabase;
pub use fault::ClickHouseFault;
pub use front::{ExceptionForm, FrontOptions};
pub use server::{ClickHouseServer, SERVER_VARIABLE};
