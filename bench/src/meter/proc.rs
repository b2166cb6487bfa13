//! What `/proc` says of one process.

use std::{collections::HashSet, fs, path::Path};

/// Clock ticks in a second, as `/proc` counts them: fixed by Linux's interface to programs, whatever the kernel's own clock.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time of a process, user and system, at the moment of the look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct CpuTime {
    /// Seconds of its own threads, those that have ended included.
    pub(super) own: f64,
    /// Seconds of the children that it has waited for, and theirs.
    pub(super) waited_for: f64,
}

/// Memory of a process at the moment of the look, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// The most that was resident until now (`VmHWM`).
    pub(super) peak: u64,
    /// What is resident now and belongs to no file and no other process (`RssAnon`).
    pub(super) private: u64,
}

/// The parent of a process and its CPU time; nothing when it is gone. A process that ended and was not waited for is still there.
pub(super) fn look(pid: i32) -> Option<(i32, CpuTime)> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(stat: &str) -> Option<(i32, CpuTime)> {
    // The name stands in parentheses and may contain anything; the fields after it are fixed.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let seconds = |index: usize| Some(fields.get(index)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
    let cpu = CpuTime {
        own: seconds(11)? + seconds(12)?,
        waited_for: seconds(13)? + seconds(14)?,
    };
    Some((fields.get(1)?.parse().ok()?, cpu))
}

/// Nothing when the process has ended.
pub(super) fn memory(pid: i32) -> Option<Memory> {
    parse_status(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn parse_status(status: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let kibibytes = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(kibibytes.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    };
    Some(Memory {
        peak: bytes("VmHWM:")?,
        private: bytes("RssAnon:")?,
    })
}

/// The file name of the program that a process runs; nothing while it is just becoming one, and when it has ended.
pub(super) fn program(pid: i32) -> Option<String> {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let first = arguments.split(|byte| *byte == 0).next()?;
    let path = String::from_utf8_lossy(first);
    let name = Path::new(path.as_ref()).file_name()?.to_string_lossy();
    Some(name.into_owned())
}

/// Sets what `VmHWM` says back to what is resident now. Gives whether the kernel has done so.
pub(super) fn forget_peak_memory(pid: i32) -> bool {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").is_ok()
}

/// The numbers of all processes but those in `known`.
pub(super) fn others(known: &HashSet<i32>) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(|pid| !known.contains(pid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_name_with_parentheses() {
        let stat = "42 (a) b (c) S 7 42 42 0 -1 4194560 100 200 0 0 150 50 1000 500 20 0 4 0 12345 1000 200 18446744073709551615";
        let expected = CpuTime {
            own: 2.0,
            waited_for: 15.0,
        };
        assert_eq!(parse_stat(stat), Some((7, expected)));
    }

    #[test]
    fn memory_is_told_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nRssAnon:\t     512 kB\n";
        let expected = Memory {
            peak: 2048 * 1024,
            private: 512 * 1024,
        };
        assert_eq!(parse_status(status), Some(expected));
        assert_eq!(parse_status("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn this_process_is_looked_up() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(look(pid).is_some() && memory(pid).unwrap().peak > 0);
        assert!(
            program(pid).unwrap().starts_with("longshore_bench"),
            "{:?}",
            program(pid)
        );
        assert!(others(&HashSet::new()).contains(&pid));
    }
}
