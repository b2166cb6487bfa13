//! The private door of a daemon: a Unix socket beside the state file, in a directory that only its owner may enter.
//!
//! One line of JSON is a question, one line its answer. Whoever may open the socket may read and write the state file as well, so there is no token.

mod client;
mod server;

use std::path::{Path, PathBuf};

use longshore_core::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use client::Client;
pub(super) use server::{ControlSocket, Door};

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// Are you there? Answered without a look at anything.
    Ping,
    /// Every sync, as [`super::handle::Standing`].
    Syncs,
    /// Run a sync now.
    Run {
        /// Which one.
        sync: String,
    },
    /// Pause a sync.
    Pause {
        /// Which one.
        sync: String,
    },
    /// End a pause.
    Resume {
        /// Which one.
        sync: String,
    },
    /// End the run of a sync, or take back what waits.
    CancelSync {
        /// Which one.
        sync: String,
    },
    /// End a run.
    CancelRun {
        /// Its id.
        run_id: String,
    },
    /// Read the configuration again.
    Reload,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(Value),
    Error(Error),
}

/// Longest line of a question: names are short.
const LONGEST_QUESTION: u64 = 64 * 1024;

/// The directory of a daemon's socket, beside its state file.
fn folder_of(state_file: &Path) -> PathBuf {
    let mut name = state_file.file_name().unwrap_or_default().to_owned();
    name.push(".serve");
    state_file.with_file_name(name)
}

/// The longest path that fits a socket's address on every system that matters (104 bytes on macOS, 108 on Linux, with the end mark).
const LONGEST_ADDRESS: usize = 103;

/// Where the socket is, and a path that fits an address: relative to an open directory where the plain one is too long.
struct Address {
    path: PathBuf,
    _folder: Option<std::fs::File>,
}

impl Address {
    fn of(state_file: &Path) -> std::io::Result<Self> {
        use std::os::fd::AsRawFd as _;
        let folder = folder_of(state_file);
        let path = folder.join("control.sock");
        if path.as_os_str().len() <= LONGEST_ADDRESS {
            return Ok(Self { path, _folder: None });
        }
        let folder = std::fs::File::open(&folder)?;
        let short = PathBuf::from(format!("/proc/self/fd/{}/control.sock", folder.as_raw_fd()));
        Ok(Self {
            path: short,
            _folder: Some(folder),
        })
    }
}
