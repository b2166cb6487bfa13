//! What a sync is to read: what is new, or a range that somebody names.

use longshore_core::{CursorValue, Error, Result, range::CursorRange};
use longshore_protocol::v1;
use serde::Serialize;

use super::session::{Session, refuse_missing};

/// What a sync is to read.
#[derive(Clone, Debug, Default, Serialize)]
pub enum Reading {
    /// What is new since the stored cursors, which move.
    #[default]
    New,
    /// Rows of a range, whatever was delivered before. No cursor is looked at or moved.
    Again(ReadAgain),
}

/// Rows to read again.
#[derive(Clone, Debug, Serialize)]
pub struct ReadAgain {
    /// As the user writes it: the source knows the cursor's type.
    pub from: Option<String>,
    /// The first value beyond it.
    pub to: Option<String>,
    /// Of these tables only; all that the source selects when empty.
    pub tables: Vec<String>,
}

impl Reading {
    /// The tables to read, out of those that the source selects.
    ///
    /// # Errors
    /// `capability_missing`, `table_not_selected`, `cursor_missing`.
    pub(super) fn choose(&self, session: &Session, selected: Vec<v1::Table>) -> Result<Vec<String>> {
        if let Self::Again(again) = self {
            return again.choose(session, &selected);
        }
        Ok(selected.into_iter().map(|table| table.name).collect())
    }

    /// The range for the source; its ends are text, which the source reads as values of the cursor column.
    pub(super) fn range(&self) -> Option<CursorRange> {
        let Self::Again(again) = self else { return None };
        let end = |end: &Option<String>| end.clone().map(CursorValue::Text);
        Some(CursorRange {
            from: end(&again.from),
            to: end(&again.to),
        })
    }

    /// The form that the store keeps with a run that reads a range again.
    pub(super) fn again_as_json(&self) -> Option<serde_json::Value> {
        match self {
            Self::New => None,
            Self::Again(again) => Some(serde_json::json!(again)),
        }
    }

    /// Whether a run of it goes on from the stored cursors and moves them: not where a range is named.
    pub fn moves_cursors(&self) -> bool {
        matches!(self, Self::New)
    }
}

impl ReadAgain {
    fn choose(&self, session: &Session, selected: &[v1::Table]) -> Result<Vec<String>> {
        let plugin = &session.source.plugin;
        let able = plugin
            .description
            .source
            .as_ref()
            .is_some_and(|source| source.cursor_ranges);
        if !able {
            return Err(refuse_missing(
                plugin,
                "read a range of cursor values again",
                "Read the table from its beginning with `longshore state reset`, or from a value with `longshore state set`.",
            ));
        }
        for name in &self.tables {
            if !selected.iter().any(|table| table.name == *name) {
                let names: Vec<&str> = selected.iter().map(|table| table.name.as_str()).collect();
                let message = format!("The source {} does not select a table {name}", plugin.name);
                return Err(Error::config("table_not_selected", message)
                    .with_remedy(format!("It selects: {}.", names.join(", "))));
            }
        }
        let wanted = |table: &&v1::Table| self.tables.is_empty() || self.tables.contains(&table.name);
        let tables: Vec<&v1::Table> = selected.iter().filter(wanted).collect();
        if let Some(whole) = tables.iter().find(|table| table.cursor.is_empty()) {
            let message = format!(
                "The table {} has no cursor, so it has no range to read again",
                whole.name
            );
            return Err(Error::config("cursor_missing", message)
                .with_table(&whole.name)
                .with_remedy("It is read whole by every sync; name the others with --table."));
        }
        Ok(tables.into_iter().map(|table| table.name.clone()).collect())
    }
}
