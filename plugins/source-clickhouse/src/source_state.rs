//! What the source remembers of a table between runs, besides the cursor.

use longshore_sdk::{
    incremental::{read_source_state, source_state_of},
    prelude::*,
};
use serde::{Deserialize, Serialize};

/// Every version that was ever written; a new one is a new variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "version")]
enum Document {
    #[serde(rename = "1")]
    V1(SourceState),
}

/// What the completed run saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceState {
    /// The cursor it was stored with. Another one was set by hand: then nothing else here counts.
    pub(crate) cursor: Option<CursorValue>,
    /// Type of the cursor column, for messages.
    pub(crate) cursor_type: String,
    /// Where the next run begins to look for rows that appeared late; `None`: there was no row.
    pub(crate) window_from: Option<CursorValue>,
    /// The server's clock when the run was opened, in microseconds since 1970 UTC.
    pub(crate) opened_at: i64,
    /// The replica that answered.
    pub(crate) replica: String,
}

impl SourceState {
    /// Reads the stored JSON; `None` when there is none, or when the cursor was set by hand since.
    pub(crate) fn of(state: &TableState) -> Result<Option<Self>> {
        if state.source_state.is_empty() {
            return Ok(None);
        }
        let Document::V1(found) = read_source_state(&state.source_state)?;
        Ok(Some(found).filter(|found| found.cursor == state.cursor))
    }

    /// The JSON to store.
    pub(crate) fn to_text(&self) -> Result<String> {
        source_state_of(&Document::V1(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_storage_and_a_cursor_set_by_hand_voids_it() {
        let golden = r#"{"version":"1","cursor":{"type":"uint","value":18446744073709551615},"cursor_type":"UInt64","window_from":{"type":"uint","value":5},"opened_at":7,"replica":"a"}"#;
        let stored = |cursor| TableState {
            cursor: Some(CursorValue::Uint(cursor)),
            source_state: golden.to_owned(),
            ..TableState::default()
        };
        let state = SourceState::of(&stored(u64::MAX)).unwrap().unwrap();
        assert_eq!(
            state.to_text().unwrap(),
            golden,
            "version 1 is read and written as it always was"
        );
        assert_eq!(SourceState::of(&stored(6)).unwrap(), None);
        let newer = TableState {
            source_state: r#"{"version":"2"}"#.to_owned(),
            ..TableState::default()
        };
        assert_eq!(SourceState::of(&newer).unwrap_err().code, "state_unreadable");
    }
}
