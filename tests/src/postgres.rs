//! Throwaway PostgreSQL clusters.

mod cluster;
mod database;
mod programs;

pub use cluster::{PASSWORD, PostgresCluster, USER};
pub use database::{Connection, Database};
pub use programs::postgres_programs;
