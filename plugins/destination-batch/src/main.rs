//! The plugin as a process.

use std::process::ExitCode;

use longshore_destination_batch::BatchDestination;
use longshore_sdk::Plugin;

fn main() -> ExitCode {
    Plugin::destination::<BatchDestination>().serve()
}
