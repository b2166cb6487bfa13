//! A copy of the file for work of which nothing is to be kept.

use std::path::Path;

use rusqlite::Connection;

use super::{
    failure::{self, Failure},
    file::{connect, exists},
    schema,
};

/// Copies the file as it is at one instant, while others go on writing. Nobody holds a sync in the copy. Where there is no file, none is made.
pub(super) fn copy(from: &Path, to: &Path) -> longshore_core::Result<()> {
    if !exists(from)? {
        return Ok(());
    }
    copy_file(from, to).map_err(|failure| failure.into_error(from))
}

fn copy_file(from: &Path, to: &Path) -> Result<(), Failure> {
    let original = connect(from)?;
    // An older file stays an older one: the copy is migrated when it is opened.
    if schema::version(&original, from)? == 0 {
        return Ok(());
    }
    // A path that is no UTF-8 would name another file.
    let name = to.to_str().ok_or_else(|| failure::unwritable(to))?;
    original.execute("VACUUM INTO ?1", [name])?;
    let copy = Connection::open(to)?;
    copy.execute("UPDATE holds SET holder = NULL, since = NULL, lease_until = NULL", [])?;
    copy.close().map_err(|(_, error)| error.into())
}
