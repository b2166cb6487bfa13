//! Other processes, as `/proc` shows them.

use std::{fs, path::Path};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::{Context, Result};

/// A process at the moment of the look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// The number of its parent.
    pub parent: i32,
    /// One letter: `R`unning, `S`leeping, s`T`opped, `Z`ombie, …
    pub state: char,
    /// The program and its arguments, joined by blanks.
    pub command_line: String,
    /// When it started, in clock ticks since boot: tells it from a later process with the same number.
    pub start_time: u64,
}

/// What tells a process from every other one since the machine's start, in a form that can be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Its number.
    pub pid: i32,
    /// See [`Process::start_time`].
    pub start_time: u64,
}

impl ProcessIdentity {
    /// The process, while it runs.
    pub fn look_up(self) -> Option<Process> {
        Process::look_up(self.pid).filter(|process| process.start_time == self.start_time)
    }
}

impl Process {
    /// The process with a number, if it runs.
    pub fn look_up(pid: i32) -> Option<Self> {
        process(pid).filter(|process| process.state != 'Z')
    }

    /// Which process it is.
    pub fn identity(&self) -> ProcessIdentity {
        ProcessIdentity {
            pid: self.pid,
            start_time: self.start_time,
        }
    }

    /// The file name of the program.
    pub fn program(&self) -> &str {
        let path = self.command_line.split(' ').next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether this very process still runs. One that has ended and was not collected yet does not.
    pub fn runs(&self) -> bool {
        self.identity().look_up().is_some()
    }

    /// The most memory that it has had resident until now, in bytes; nothing when it is gone.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = kibibytes.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kibibytes * 1024)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.pid).context("a process has a number")?;
        kill_process(pid, signal).context(format!("{} can not be signalled", self.program()))
    }

    /// Its environment, as it was given when the process started. Empty when it may not be read.
    pub fn environment(&self) -> String {
        let bytes = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', "\n")
    }
}

/// Every process that runs.
pub fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| process(entry.ok()?.file_name().to_str()?.parse().ok()?))
        .filter(|process| process.state != 'Z')
        .collect()
}

/// The children of a process that run.
pub fn children(parent: i32) -> Vec<Process> {
    let mut children = all();
    children.retain(|process| process.parent == parent);
    children
}

/// Processes that work in a directory or name it in their command line.
pub fn at_work_in(directory: &Path) -> Vec<Process> {
    let name = directory.to_string_lossy();
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let mut found = all();
    found.retain(|process| {
        let works_there = || {
            let working_directory = fs::read_link(format!("/proc/{}/cwd", process.pid));
            working_directory.is_ok_and(|working_directory| working_directory.starts_with(directory))
        };
        process.pid != own && (process.command_line.contains(name.as_ref()) || works_there())
    });
    found
}

/// One process, also when it has ended and was not collected yet.
fn process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may contain anything, parentheses too; the fields after it are fixed.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(Process {
        pid,
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        start_time: fields.get(19)?.parse().ok()?,
        command_line: String::from_utf8_lossy(&arguments)
            .replace('\0', " ")
            .trim_end()
            .to_owned(),
    })
}
