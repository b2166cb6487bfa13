//! Making and opening the file.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use longshore_core::Result;
use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use super::{
    BUSY_TIMEOUT,
    failure::{self, Failure},
    schema,
};

/// Prepared statements kept; the operations of a run use about thirty.
const STATEMENTS: usize = 64;

pub(super) fn open(path: &Path) -> Result<Connection> {
    let wrong = |failure: Failure| failure.into_error(path);
    make_folder(path)?;
    if !exists(path)? {
        make(path)?;
    }
    let mut connection = connect(path).map_err(wrong)?;
    // SQLite opens a file that it may not write for reading, without a word.
    if connection.is_readonly("main").map_err(|error| wrong(error.into()))? {
        return Err(failure::unwritable(path));
    }
    schema::bring_up_to_date(&mut connection, path).map_err(wrong)?;
    Ok(connection)
}

/// Whether there is a file.
///
/// # Errors
/// `state_unwritable`: it is a folder, or nobody may know.
pub(super) fn exists(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(failure::unwritable(path)),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failure::unwritable_because(path, &error)),
    }
}

pub(super) fn connect(path: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Readable by its owner only: keys of rejected rows and cursors are inside. A folder that exists stays as it is.
fn make_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| failure::unwritable_because(path, &error))
}

/// Makes a complete file under another name and then gives it its own, so that no process ever meets a file without its schema or with wider
/// permissions. When several make it at once, the first to finish wins and the others use its file.
fn make(path: &Path) -> Result<()> {
    let draft = Draft::new(path);
    let unwritable = |error: io::Error| failure::unwritable_because(path, &error);
    // Closed before SQLite opens it: closing a descriptor of a file drops every lock that the process has on the file.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft.0)
        .map(drop)
        .map_err(unwritable)?;
    connect(&draft.0)
        .and_then(|mut connection| {
            schema::bring_up_to_date(&mut connection, path)?;
            connection.close().map_err(|(_, error)| error.into())
        })
        .map_err(|failure| failure.into_error(path))?;
    match fs::hard_link(&draft.0, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(unwritable(error)),
        _ => Ok(()),
    }
}

/// A file that goes away, with what SQLite puts beside it.
struct Draft(PathBuf);

impl Draft {
    fn new(path: &Path) -> Self {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", Uuid::new_v4().simple()));
        Self(path.with_file_name(name))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut name = self.0.clone().into_os_string();
            name.push(suffix);
            // What is left is an empty state file that nobody opens; usually only the first exists.
            let _ = fs::remove_file(name);
        }
    }
}
