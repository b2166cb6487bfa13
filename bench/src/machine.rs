//! What the figures were measured on.

use std::{fmt, fs, process::Command};

use serde::{Deserialize, Serialize};

/// A machine, as far as it decides how fast something is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    /// Processors that the kernel shows.
    pub(crate) processors: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) system: String,
    pub(crate) kernel: String,
}

impl Machine {
    /// This one. What can not be found out is told as unknown: it hinders no measurement.
    pub(crate) fn this() -> Self {
        let after = |file: &str, name: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            value.map(|value| value.trim_matches([' ', '\t', ':', '"', '=']).to_owned())
        };
        let unknown = || "unknown".to_owned();
        let kibibytes = after("/proc/meminfo", "MemTotal").unwrap_or_default();
        let kibibytes: u64 = kibibytes.trim_end_matches(" kB").parse().unwrap_or_default();
        Self {
            processor: after("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            processors: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_bytes: kibibytes * 1024,
            system: after("/etc/os-release", "PRETTY_NAME").unwrap_or_else(unknown),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |text| text.trim().to_owned()),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            processor,
            processors,
            memory_bytes,
            system,
            kernel,
        } = self;
        let gibibytes = *memory_bytes as f64 / f64::from(1 << 30);
        write!(
            formatter,
            "{processors} × {processor}, {gibibytes:.0} GiB of memory, {system}, Linux {kernel}"
        )
    }
}

/// The last commit of a tree, with `+` when files were changed since.
pub(crate) fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let is_changed = !git(&["status", "--porcelain"])?.is_empty();
    Some(if is_changed { commit + "+" } else { commit })
}
