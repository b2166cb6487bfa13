//! From the configuration's text to a store.

use std::{path::Path, sync::Arc};

use longshore_core::{Error, Result};

use crate::{sqlite::SqliteStore, store::StateStore};

/// Opens the store that a configuration names: `sqlite:PATH`, relative to the working directory. Makes it when there is none.
///
/// # Errors
/// - `state_url_invalid`: the text names no store.
/// - `state_backend_unavailable`: this build has no such store.
/// - Those of [`SqliteStore::open`].
pub async fn open(url: &str) -> Result<Arc<dyn StateStore>> {
    Ok(Arc::new(SqliteStore::open(sqlite_path(url)?).await?))
}

/// Opens a copy of the store that a configuration names, as it is now: for work of which nothing is to be kept. The copy lies in `folder`, which is empty and which
/// the caller removes; see [`SqliteStore::open_copy`].
///
/// # Errors
/// As [`open`].
pub async fn open_copy(url: &str, folder: &Path) -> Result<Arc<dyn StateStore>> {
    Ok(Arc::new(SqliteStore::open_copy(sqlite_path(url)?, folder).await?))
}

fn sqlite_path(url: &str) -> Result<&Path> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err(invalid("A state of kind sqlite needs the path of its file"));
        }
        return Ok(Path::new(path));
    }
    // The text may hold a password: it is never repeated.
    if url.starts_with("postgresql:") || url.starts_with("postgres:") {
        return Err(Error::config(
            "state_backend_unavailable",
            "This build of Longshore can not keep its state in PostgreSQL",
        )
        .with_remedy("Use `state: sqlite:PATH`, on the one machine that runs the syncs."));
    }
    Err(invalid("The state names no kind of store that Longshore knows"))
}

fn invalid(message: &str) -> Error {
    Error::config("state_url_invalid", message).with_remedy("Write `state: sqlite:.longshore/state.db`.")
}
