//! The source plugin `postgresql` as a program.

use std::process::ExitCode;

use longshore_sdk::Plugin;
use longshore_source_postgresql::PostgreSql;

fn main() -> ExitCode {
    Plugin::source::<PostgreSql>().serve()
}
