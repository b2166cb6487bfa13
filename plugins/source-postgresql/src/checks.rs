//! The connection test: what was tried, how it went, and what to do about it.

use longshore_sdk::prelude::*;

use crate::{connection::Connector, spec::Spec};

pub(crate) async fn run(connector: &Connector, _spec: &Spec, tables: &[String]) -> Vec<Check> {
    let mut checks = Vec::new();
    match connector.connect().await {
        Ok(_) => checks.push(Check::passed(
            "log in",
            format!("connected to {} at {}", connector.database(), connector.address()),
        )),
        Err(error) => {
            checks.push(Check::from_error("log in", &error));
            checks.extend(
                tables
                    .iter()
                    .map(|table| Check::skipped(format!("read table {table}"), "there is no connection")),
            );
        }
    }
    checks
}
