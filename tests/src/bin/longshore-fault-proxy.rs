//! A plugin that is another plugin, with faults at exact moments; see [`longshore_tests::fault_proxy`].

use std::process::ExitCode;

fn main() -> ExitCode {
    longshore_tests::fault_proxy::main(std::env::args_os())
}
