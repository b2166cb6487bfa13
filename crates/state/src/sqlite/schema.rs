//! The tables, and how an older file gets them.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::failure::{self, Failure};

/// Marks the file as ours: "LSHR".
const APPLICATION_ID: i64 = 0x4c53_4852;

/// Each brings a file from the version before to its own, the first from nothing to version 1. Never changed once released.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/v1.sql"),
    include_str!("schema/v2.sql"),
    include_str!("schema/v3.sql"),
    include_str!("schema/v4.sql"),
    include_str!("schema/v5.sql"),
    include_str!("schema/v6.sql"),
    include_str!("schema/v7.sql"),
    include_str!("schema/v8.sql"),
];

/// The version that this program writes.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// Checks whose file it is, and migrates it where it is older. `path` is for messages.
pub(super) fn bring_up_to_date(connection: &mut Connection, path: &Path) -> Result<(), Failure> {
    // Looked at before anything is changed, so that a foreign or newer file stays as it is.
    if version(connection, path)? < VERSION {
        migrate(connection, path)?;
    }
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != "wal" {
        let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(failure::unwritable(path).into());
        }
    }
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have migrated it while this one waited for the lock.
    let found = usize::try_from(version(&transaction, path)?).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(found) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// The file's version; 0: empty.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<i64, Failure> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    if application != APPLICATION_ID && (application, version, tables) != (0, 0, 0) {
        return Err(failure::foreign(path).into());
    }
    if version > VERSION {
        return Err(failure::newer(path, version, VERSION).into());
    }
    Ok(version)
}
