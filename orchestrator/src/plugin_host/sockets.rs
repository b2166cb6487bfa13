//! The private directory in which plugins' sockets lie, and what processes that were killed have left of theirs.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use longshore_core::{Error, Result};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

/// What the names of these directories begin with.
const PREFIX: &str = "longshore-";

/// A file that is locked for as long as the directory is in use. The kernel frees the lock of a process however it ends.
const LOCK: &str = "lock";

/// A directory for sockets, private to this user.
pub(super) struct SocketDirectory {
    folder: TempDir,
    _lock: File,
}

impl SocketDirectory {
    /// Makes one, and removes those that nobody uses any more.
    ///
    /// # Errors
    /// `no_socket_directory`.
    pub(super) fn make() -> Result<Self> {
        sweep(&std::env::temp_dir());
        Self::try_make().map_err(|error| {
            Error::internal("no_socket_directory", "No private directory for sockets can be made").with_cause(&error)
        })
    }

    fn try_make() -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()?;
        // It gets its name when it is locked, so that nobody finds it unlocked.
        let unnamed = folder.path().join("lock.new");
        let lock = File::create(&unnamed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        fs::rename(&unnamed, folder.path().join(LOCK))?;
        Ok(Self { folder, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the directories of processes that are gone. What can not be looked at is somebody else's.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_one = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_one && is_abandoned(&entry.path()) {
            match fs::remove_dir_all(entry.path()) {
                Ok(()) => tracing::debug!(folder = %entry.path().display(), "removed what a killed process had left"),
                Err(error) => tracing::debug!(folder = %entry.path().display(), %error, "can not be removed"),
            }
        }
    }
}

fn is_abandoned(folder: &Path) -> bool {
    File::open(folder.join(LOCK)).is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_use_stays_and_an_abandoned_one_goes() {
        let used = SocketDirectory::make().unwrap();
        let abandoned = TempDir::with_prefix(PREFIX).unwrap().keep();
        File::create(abandoned.join(LOCK)).unwrap();
        let foreign = TempDir::with_prefix(PREFIX).unwrap();
        sweep(&std::env::temp_dir());
        assert!(used.path().exists());
        assert!(!abandoned.exists());
        assert!(foreign.path().exists(), "without a lock it is none of ours");
    }
}
