//! What SQLite's errors mean to a user.

use std::{io, path::Path};

use longshore_core::Error;
use rusqlite::ErrorCode;

/// What ends a transaction without effect.
#[derive(Debug)]
pub(super) enum Failure {
    /// A rule of the store refuses it.
    Refused(Box<Error>),
    /// The database fails.
    Sqlite(rusqlite::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    /// The error for the caller; `path` is the file's.
    pub(super) fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Refused(error) => *error,
            Self::Sqlite(error) => explain(&error, path),
        }
    }
}

fn explain(error: &rusqlite::Error, path: &Path) -> Error {
    let file = path.display();
    if matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
    ) {
        return corrupt(path).with_cause(error);
    }
    let told = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => corrupt(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => Error::config(
            "state_busy",
            format!("The state file {file} stayed locked by another process for {} s", super::BUSY_TIMEOUT.as_secs()),
        )
        .with_remedy("Find out what keeps it open (another Longshore, a backup, an SQLite shell in a transaction), and try again.")
        .retryable(),
        Some(ErrorCode::DiskFull) => full(path),
        // What maps the file into memory asks for its room in another way.
        _ if matches!(error.sqlite_error(), Some(found) if found.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => full(path),
        Some(
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure | ErrorCode::NoLargeFileSupport,
        ) => unwritable(path),
        _ => Error::internal("state_failed", format!("The state file {file} refused a statement")),
    };
    told.with_cause(error)
}

/// Nobody has to change anything here: room comes back.
fn full(path: &Path) -> Error {
    let file = path.display();
    Error::internal("state_full", format!("The disk of the state file {file} is full"))
        .with_remedy("Make room. Nothing is lost: the run goes on from its last commit.")
        .retryable()
}

pub(super) fn corrupt(path: &Path) -> Error {
    let file = path.display();
    Error::config("state_corrupt", format!("The state file {file} is damaged, or it is no state file")).with_remedy(format!(
        "Restore {file} from a backup. Without one, move it away together with {file}-wal and {file}-shm: the next run then reads every table from its beginning."
    ))
}

pub(super) fn unwritable(path: &Path) -> Error {
    let file = path.display();
    Error::config("state_unwritable", format!("The state file {file} can not be written")).with_remedy(
        "Longshore needs to write the file and its folder, on a local disk. Mend their owner or permissions, or name another file with `state: sqlite:PATH`.",
    )
}

pub(super) fn unwritable_because(path: &Path, cause: &io::Error) -> Error {
    unwritable(path).with_cause(cause)
}

pub(super) fn newer(path: &Path, found: i64, known: i64) -> Error {
    let file = path.display();
    Error::config(
        "state_newer",
        format!("The state file {file} was written by a newer version of Longshore (format {found}, this version knows up to {known})"),
    )
    .with_remedy("Use the newer version of Longshore, or name another file with `state: sqlite:PATH`. The file was left as it is.")
}

pub(super) fn foreign(path: &Path) -> Error {
    let file = path.display();
    Error::config(
        "state_foreign",
        format!("The file {file} is a database of another program"),
    )
    .with_remedy("Name another file with `state: sqlite:PATH`. The file was left as it is.")
}

pub(super) fn thread_ended(path: &Path) -> Error {
    let file = path.display();
    Error::internal(
        "state_failed",
        format!("The thread that works on the state file {file} has ended"),
    )
    .with_remedy("Start Longshore again: the run goes on from its last commit. Please report this with the log.")
}
