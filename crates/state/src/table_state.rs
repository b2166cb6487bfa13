//! The stored cursor state of a table.

use std::collections::BTreeSet;

use longshore_core::{CursorValue, Result, TableState};

use crate::moment::UnixMicros;

/// A table's cursor state as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredState {
    /// The sync.
    pub sync: String,
    /// The table.
    pub table: String,
    /// Grows by one with every change; the first is 1. A change names the revision it starts from.
    pub revision: u64,
    /// The versioned document, at most [`TableState::MAX_BYTES`] long.
    pub document: String,
    /// When it was written.
    pub updated_at: UnixMicros,
    /// The run that promoted it; `None`: set by a person.
    pub run_id: Option<String>,
}

impl StoredState {
    /// The document, read.
    ///
    /// # Errors
    /// `state_unreadable`: see [`TableState::from_document`].
    pub fn state(&self) -> Result<TableState> {
        TableState::from_document(&self.document).map_err(|error| error.with_table(&self.table))
    }
}

/// The tables that a sync reads; see [`crate::StateStore::tables_read`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TablesRead {
    /// Empty: no run of the sync has told yet.
    pub(crate) names: BTreeSet<String>,
}

impl TablesRead {
    /// The names; none where no run of the sync has told yet.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// Whether the table is one of them, or may be: where nothing is known, each may.
    #[must_use]
    pub fn may_be(&self, table: &str) -> bool {
        self.names.is_empty() || self.names.contains(table)
    }
}

/// A cursor that a person puts in the place of the stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorReplacement {
    /// The sync.
    pub sync: String,
    /// The table.
    pub table: String,
    /// Revision of the state that the person has seen; 0: there was none.
    pub from_revision: u64,
    /// Name of the cursor column.
    pub cursor_column: String,
    /// The new value.
    pub cursor: CursorValue,
    /// Now.
    pub at: UnixMicros,
}

/// What a reset removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reset {
    /// Cursor states of tables.
    pub states: u64,
    /// Tables of an interrupted run that would have been read on from where it stopped.
    pub plans: u64,
}
