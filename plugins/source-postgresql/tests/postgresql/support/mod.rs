//! A real PostgreSQL for the tests: one cluster for the test binary, a database for each test.

mod certificates;
mod cluster;
mod reading;

pub(crate) use certificates::certificates;
pub(crate) use cluster::{Cluster, Database, PASSWORD, USER, database, quiet_database};
pub(crate) use longshore_sdk::harness::{column, texts};
pub(crate) use reading::{Reading, read_all};
