//! The `longshore` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments
        .next()
        .is_some_and(|first| first == longshore::plugin_host::guard::COMMAND)
    {
        return longshore::plugin_host::guard::run(arguments);
    }
    longshore::cli::run()
}
