//! Support code of the end-to-end tests: throwaway databases, the sandbox and Longshore itself as processes, a shop to move,
//! and an oracle that compares what arrived with what was there.
//!
//! Everything here works on real processes and real sockets. Helpers give a [`Failure`] where they can not do their work; what a test is
//! *about* is asserted by the test. `cargo xtask` uses the same code for its demo.

pub mod binaries;
pub mod browser;
mod clickhouse;
pub mod collector;
mod failure;
pub mod fault_proxy;
pub mod http;
mod longshore;
pub mod oracle;
mod origin;
pub mod pace;
mod postgres;
pub mod processes;
pub mod python;
mod sandbox;
pub mod shop;
pub mod soak;
mod waiting;

pub use clickhouse::{
    ClickHouseDatabase, ClickHouseFault, ClickHouseServer, ExceptionForm, FrontOptions,
    SERVER_VARIABLE as CLICKHOUSE_VARIABLE,
};
pub use failure::{Context, Failure, Result};
pub use longshore::{Finished, Longshore, RunningLongshore};
pub use origin::Origin;
pub use postgres::{Connection, Database, PASSWORD, PostgresCluster, USER, postgres_programs};
pub use sandbox::{PROJECT_KEY, REST_API_KEY, ReceivedEvent, ReceivedProfile, SandboxOptions, SandboxProcess};
pub use waiting::{PATIENCE, eventually};
