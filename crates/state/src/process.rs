//! Which process this is, and whether another one still lives. Reads `/proc`; where there is none, nothing can be proven and leases decide.

use std::{fs, io::ErrorKind};

use crate::hold::{Holder, Liveness};

impl Holder {
    /// This process.
    #[must_use]
    pub fn current(invocation_id: impl Into<String>) -> Self {
        let pid = std::process::id();
        Self {
            host: first_line("/proc/sys/kernel/hostname").unwrap_or_else(|| "unknown".to_owned()),
            boot_id: first_line("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
            pid_namespace: pid_namespace().unwrap_or_default(),
            pid,
            process_started: match look_up(pid) {
                LookUp::Running { started } => started,
                LookUp::Gone | LookUp::Unknown => 0,
            },
            invocation_id: invocation_id.into(),
        }
    }

    /// Whether this process is it, whatever it was started for.
    #[must_use]
    pub fn is_this_process(&self) -> bool {
        *self == Self::current(self.invocation_id.clone())
    }
}

/// Whether a holder's process still runs.
///
/// Only a process of this machine, since its last start and in this process's name space, can be proven dead.
#[must_use]
pub fn liveness(holder: &Holder) -> Liveness {
    let here = Holder::current(String::new());
    let comparable = !here.boot_id.is_empty() && !here.pid_namespace.is_empty() && holder.process_started != 0;
    let same_place = here.host == holder.host && here.pid_namespace == holder.pid_namespace;
    if !comparable || !same_place || here.boot_id != holder.boot_id {
        return Liveness::Unknown;
    }
    match look_up(holder.pid) {
        LookUp::Running { started } if started == holder.process_started => Liveness::Alive,
        LookUp::Running { .. } | LookUp::Gone => Liveness::Dead,
        LookUp::Unknown => Liveness::Unknown,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum LookUp {
    Running { started: u64 },
    Gone,
    Unknown,
}

fn look_up(pid: u32) -> LookUp {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => parse_stat(&stat),
        // ESRCH: the process ended between opening and reading.
        Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(3) => LookUp::Gone,
        Err(_) => LookUp::Unknown,
    }
}

/// See proc_pid_stat(5): field 2, the command in parentheses, may hold spaces and parentheses itself; 3 is the state, 22 the start time.
fn parse_stat(stat: &str) -> LookUp {
    let Some((_, after_command)) = stat.rsplit_once(')') else {
        return LookUp::Unknown;
    };
    let mut fields = after_command.split_ascii_whitespace();
    match fields.next() {
        // A zombie: killed, and its parent has not asked for its exit status.
        Some("Z" | "X" | "x") => return LookUp::Gone,
        Some(_) => {}
        None => return LookUp::Unknown,
    }
    // `next` took field 3, so field 22 is the 19th after it.
    match fields.nth(18).and_then(|field| field.parse().ok()) {
        Some(started) => LookUp::Running { started },
        None => LookUp::Unknown,
    }
}

fn first_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.lines().next()?.trim().to_owned())
}

fn pid_namespace() -> Option<String> {
    Some(fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_a_strange_command() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 9 10";
        assert_eq!(parse_stat(stat), LookUp::Running { started: 777 });
    }

    #[test]
    fn a_zombie_is_gone() {
        assert_eq!(parse_stat("42 (x) Z 1 42"), LookUp::Gone);
    }

    #[test]
    fn a_torn_line_proves_nothing() {
        assert_eq!(parse_stat("42 (x"), LookUp::Unknown);
        assert_eq!(parse_stat("42 (x) S 1 2"), LookUp::Unknown);
    }

    #[test]
    fn this_process_is_alive_and_another_one_with_its_pid_is_dead() {
        let here = Holder::current("test");
        assert_eq!(liveness(&here), Liveness::Alive);
        let reused = Holder {
            process_started: here.process_started + 1,
            ..here.clone()
        };
        assert_eq!(liveness(&reused), Liveness::Dead);
    }

    #[test]
    fn a_process_that_was_killed_is_dead_even_before_its_parent_has_looked() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let LookUp::Running { started } = look_up(child.id()) else {
            panic!("the child was just started");
        };
        let holder = Holder {
            pid: child.id(),
            process_started: started,
            ..Holder::current("test")
        };
        assert_eq!(liveness(&holder), Liveness::Alive);
        child.kill().unwrap();
        // Bounded by the test runner: a killed process always becomes a zombie.
        while liveness(&holder) == Liveness::Alive {
            std::thread::yield_now();
        }
        assert_eq!(liveness(&holder), Liveness::Dead);
        child.wait().unwrap();
        assert_eq!(liveness(&holder), Liveness::Dead);
    }

    #[test]
    fn nothing_is_proven_about_another_place() {
        let here = Holder::current("test");
        let gone = |change: fn(&mut Holder)| {
            let mut holder = Holder {
                process_started: here.process_started + 1,
                ..here.clone()
            };
            change(&mut holder);
            liveness(&holder)
        };
        assert_eq!(gone(|_| {}), Liveness::Dead);
        assert_eq!(gone(|holder| holder.host.push('x')), Liveness::Unknown);
        assert_eq!(gone(|holder| holder.boot_id.push('x')), Liveness::Unknown);
        assert_eq!(gone(|holder| holder.pid_namespace.push('x')), Liveness::Unknown);
        assert_eq!(gone(|holder| holder.process_started = 0), Liveness::Unknown);
    }
}
