//! The plugin `discard` as a process.

use std::process::ExitCode;

use longshore_destination_discard::Discard;
use longshore_sdk::Plugin;

fn main() -> ExitCode {
    Plugin::destination::<Discard>().serve()
}
