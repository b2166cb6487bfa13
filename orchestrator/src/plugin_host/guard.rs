//! Makes sure that a plugin dies with Longshore, however Longshore dies.
//!
//! Longshore does not start a plugin's program directly but itself, with [`COMMAND`]: that process asks the kernel to be killed when its parent is
//! gone, and then becomes the plugin. The request survives the change of program, so this works for a plugin in any language, needs no
//! cooperation, and needs no unsafe code.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// First argument of a guard: `longshore plugin-guard PARENT PROGRAM ARGUMENT…`.
pub const COMMAND: &str = "plugin-guard";

/// A guard that could not become the plugin ends with this status, as shells do for a command that can not be run.
const EXIT_NOT_RUN: u8 = 126;

/// Becomes the plugin. Returns only when that fails.
///
/// `arguments` are what follows [`COMMAND`].
#[must_use]
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let error = match (parent(arguments.next()), arguments.next()) {
        (Some(parent), Some(program)) => become_plugin(parent, &program, arguments),
        _ => io::Error::other("longshore starts this command itself; it is not for people"),
    };
    // This process has no log of its own: standard error is what Longshore reads, and shows with the plugin's end.
    writeln!(io::stderr(), "the program can not be run: {error}").ok();
    ExitCode::from(EXIT_NOT_RUN)
}

fn become_plugin(parent: Pid, program: &OsString, arguments: impl Iterator<Item = OsString>) -> io::Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // The parent may have died before the request; then nobody would send the signal.
    if getppid() != Some(parent) {
        return io::Error::other("longshore is gone");
    }
    Command::new(program).args(arguments).exec()
}

fn parent(argument: Option<OsString>) -> Option<Pid> {
    Pid::from_raw(argument?.to_str()?.parse().ok()?)
}
