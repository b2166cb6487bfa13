//! The plugin `generate` as a process.

use std::process::ExitCode;

use longshore_sdk::Plugin;
use longshore_source_generate::Generate;

fn main() -> ExitCode {
    Plugin::source::<Generate>().serve()
}
