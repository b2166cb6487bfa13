//! The stored state of a table, its versioned document, and its promotion at the end of a run.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use crate::{
    cursor::CursorValue,
    error::{Error, Result},
    fingerprints::Fingerprints,
};

/// What is known of a table after a completed run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableState {
    /// Name of the cursor column.
    pub cursor_column: String,
    /// Every row up to here was delivered, apart from what `source_state` says; `None`: nothing yet.
    pub cursor: Option<CursorValue>,
    /// The source's own JSON text: a snapshot, a log position.
    pub source_state: String,
    /// Delivered rows that the next run may see again.
    pub fingerprints: Fingerprints,
}

impl TableState {
    /// No state document is larger, in bytes.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// The state to store when every partition of a run is complete: what the source planned, and the fingerprints of what was delivered.
    #[must_use]
    pub fn promoted<'a>(mut self, delivered: impl IntoIterator<Item = &'a Fingerprints>) -> Self {
        for fingerprints in delivered {
            self.fingerprints.extend(fingerprints);
        }
        self
    }

    /// The stored form.
    ///
    /// # Errors
    /// `state_too_large`: the document is over [`Self::MAX_BYTES`].
    pub fn to_document(&self) -> Result<String> {
        let packed = self.fingerprints.to_packed();
        let document = StateDocument::V1(StateV1 {
            cursor_column: self.cursor_column.clone(),
            cursor: self.cursor.clone(),
            source_state: self.source_state.clone(),
            fingerprints: BASE64.encode(packed),
            fingerprints_overflowed: self.fingerprints.overflowed(),
        });
        let text = serde_json::to_string(&document).map_err(|error| {
            Error::internal("state_unwritable", "The state of a table can not be written as JSON").with_cause(&error)
        })?;
        if text.len() > Self::MAX_BYTES {
            return Err(Error::protocol(
                "state_too_large",
                format!(
                    "The state of a table takes {} bytes, {} are allowed",
                    text.len(),
                    Self::MAX_BYTES
                ),
            ));
        }
        Ok(text)
    }

    /// Reads the stored form, of this version of Longshore or an older one.
    ///
    /// # Errors
    /// `state_unreadable`: the document is damaged, or a newer version of Longshore wrote it.
    pub fn from_document(text: &str) -> Result<Self> {
        let unreadable = |cause: &(dyn std::error::Error + 'static)| {
            Error::config(
                "state_unreadable",
                "The stored state of a table can not be read: it is damaged or a newer version of Longshore wrote it",
            )
            .with_remedy("Use the newer version, or `longshore state reset` to read the table from its beginning.")
            .with_cause(cause)
        };
        let StateDocument::V1(state) = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        let packed = BASE64.decode(&state.fingerprints).map_err(|error| unreadable(&error))?;
        let fingerprints = Fingerprints::from_packed(&packed, state.fingerprints_overflowed)
            .ok_or_else(|| unreadable(&TornFingerprints))?;
        Ok(Self {
            cursor_column: state.cursor_column,
            cursor: state.cursor,
            source_state: state.source_state,
            fingerprints,
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the fingerprints are not a whole number of 8-byte values")]
struct TornFingerprints;

/// Every version that was ever written. A new version is a new variant; none is ever removed or changed.
#[derive(Serialize, Deserialize)]
#[serde(tag = "version")]
enum StateDocument {
    #[serde(rename = "1")]
    V1(StateV1),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateV1 {
    cursor_column: String,
    cursor: Option<CursorValue>,
    source_state: String,
    fingerprints: String,
    fingerprints_overflowed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::{TimeUnit, Timestamp};

    fn state() -> TableState {
        let mut fingerprints = Fingerprints::default();
        fingerprints.insert(0x0102_0304_0506_0708);
        TableState {
            cursor_column: "last_updated_at".to_owned(),
            cursor: Some(CursorValue::Timestamp(Timestamp {
                value: -1,
                unit: TimeUnit::Microsecond,
                instant: true,
            })),
            source_state: r#"{"xmin":731}"#.to_owned(),
            fingerprints,
        }
    }

    #[test]
    fn version_1_is_written_as_it_always_was() {
        let golden = include_str!("../tests/golden/table-state-v1.json").trim_end();
        assert_eq!(state().to_document().unwrap(), golden);
        assert_eq!(TableState::from_document(golden).unwrap(), state());
    }

    #[test]
    fn damaged_and_newer_documents_are_refused() {
        for text in ["", "{}", r#"{"version":"2"}"#, "null"] {
            assert_eq!(
                TableState::from_document(text).unwrap_err().code,
                "state_unreadable",
                "{text}"
            );
        }
        let torn = state().to_document().unwrap().replace("CAcGBQQDAgE=", "CAcG");
        assert_eq!(TableState::from_document(&torn).unwrap_err().code, "state_unreadable");
    }

    #[test]
    fn a_full_set_of_fingerprints_fits() {
        let mut state = state();
        (0..Fingerprints::MAX as u64 * 2).for_each(|hash| state.fingerprints.insert(hash));
        assert!(state.to_document().unwrap().len() < TableState::MAX_BYTES);
    }

    #[test]
    fn a_state_that_is_too_large_is_refused() {
        let state = TableState {
            source_state: "x".repeat(TableState::MAX_BYTES),
            ..TableState::default()
        };
        assert_eq!(state.to_document().unwrap_err().code, "state_too_large");
    }

    #[test]
    fn promotion_adds_what_was_delivered() {
        let mut delivered = Fingerprints::default();
        delivered.insert(9);
        let mut promoted = state().promoted([&delivered, &delivered]).fingerprints;
        assert_eq!(promoted.len(), 3);
        assert!(promoted.take(9) && promoted.take(9) && !promoted.take(9));
    }
}
