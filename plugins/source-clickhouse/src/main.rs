//! The source plugin `clickhouse` as a program.

use std::process::ExitCode;

use longshore_sdk::Plugin;
use longshore_source_clickhouse::ClickHouse;

fn main() -> ExitCode {
    Plugin::source::<ClickHouse>().serve()
}
