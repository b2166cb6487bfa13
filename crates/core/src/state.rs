//! The stored state of a table, its versioned document, and its promotion at the end of a run.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use crate::{
    cursor::CursorValue,
    error::{Error, Result},
    fingerprints::{BrokenFingerprints, Fingerprints, Multiset, PackedFingerprints},
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
    /// In a plan: rows that `fingerprints` counts as delivered already, although a partition is yet to bring them. No stored state has any.
    pub awaited: Multiset,
}

impl TableState {
    /// No state document is larger, in bytes.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// The state to store when every partition of a run is complete: what the source planned, and the fingerprints of what was delivered. A row that was awaited
    /// and not delivered is not in it: should it be there after all, the next run delivers it.
    #[must_use]
    pub fn promoted<'a>(mut self, delivered: impl IntoIterator<Item = &'a Fingerprints>) -> Self {
        for fingerprints in delivered {
            self.fingerprints.extend(fingerprints);
        }
        self.fingerprints.withdraw(&std::mem::take(&mut self.awaited));
        self.fingerprints = self.fingerprints.sealed();
        self
    }

    /// The stored form.
    ///
    /// # Errors
    /// `state_too_large`: the document is over [`Self::MAX_BYTES`]. `state_unwritable`: it is a plan's, and was not [promoted](Self::promoted).
    pub fn to_document(&self) -> Result<String> {
        if !self.awaited.is_empty() {
            return Err(Error::internal(
                "state_unwritable",
                "Rows of this state are still to be delivered",
            ));
        }
        let document = StateDocument::of(self);
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
        let document: StateDocument = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        document.into_state().map_err(|error| unreadable(&error))
    }
}

/// Every version that was ever written. A new version is a new variant; none is ever removed or changed.
#[derive(Serialize, Deserialize)]
#[serde(tag = "version")]
enum StateDocument {
    #[serde(rename = "1")]
    V1(StateV1),
    #[serde(rename = "2")]
    V2(StateV2),
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

/// With a sketch of the rows up to the cursor.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateV2 {
    cursor_column: String,
    cursor: Option<CursorValue>,
    source_state: String,
    fingerprints_sketch: String,
    fingerprints_ahead: String,
    fingerprints_overflowed: bool,
}

#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Base64(#[from] base64::DecodeError),
    #[error(transparent)]
    Fingerprints(#[from] BrokenFingerprints),
}

impl StateDocument {
    /// The oldest version that has a place for everything, so that an older program reads what it can.
    fn of(state: &TableState) -> Self {
        let TableState {
            cursor_column,
            cursor,
            source_state,
            fingerprints,
            awaited: _,
        } = state.clone();
        let packed = fingerprints.sealed().to_packed();
        let fingerprints_overflowed = packed.overflowed;
        if packed.sketch.is_empty() {
            return Self::V1(StateV1 {
                cursor_column,
                cursor,
                source_state,
                fingerprints: BASE64.encode(packed.exact),
                fingerprints_overflowed,
            });
        }
        Self::V2(StateV2 {
            cursor_column,
            cursor,
            source_state,
            fingerprints_sketch: BASE64.encode(packed.sketch),
            fingerprints_ahead: BASE64.encode(packed.ahead),
            fingerprints_overflowed,
        })
    }

    fn into_state(self) -> Result<TableState, Unreadable> {
        let (cursor_column, cursor, source_state, packed) = match self {
            Self::V1(state) => {
                let packed = PackedFingerprints {
                    exact: BASE64.decode(state.fingerprints)?,
                    overflowed: state.fingerprints_overflowed,
                    ..PackedFingerprints::default()
                };
                (state.cursor_column, state.cursor, state.source_state, packed)
            }
            Self::V2(state) => {
                let packed = PackedFingerprints {
                    sketch: BASE64.decode(state.fingerprints_sketch)?,
                    ahead: BASE64.decode(state.fingerprints_ahead)?,
                    overflowed: state.fingerprints_overflowed,
                    ..PackedFingerprints::default()
                };
                (state.cursor_column, state.cursor, state.source_state, packed)
            }
        };
        Ok(TableState {
            cursor_column,
            cursor,
            source_state,
            fingerprints: Fingerprints::from_packed(&packed)?,
            awaited: Multiset::default(),
        })
    }
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
            ..TableState::default()
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
        for text in ["", "{}", r#"{"version":"3"}"#, r#"{"version":"2"}"#, "null"] {
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
    fn fingerprints_fit_however_many_there_are() {
        for (behind, ahead) in [(4_095, 0), (10, 9_000), (9_000, 9_000)] {
            let mut state = state();
            (1..=behind).for_each(|hash| state.fingerprints.insert(hash));
            (1..=ahead).for_each(|hash| state.fingerprints.insert_ahead(hash));
            let document = state.to_document().unwrap();
            // Leaves room for what a source keeps.
            assert!(document.len() < 45_000, "{behind}, {ahead}: {}", document.len());
            let read = TableState::from_document(&document).unwrap();
            assert_eq!(read.fingerprints, state.fingerprints.clone().sealed());
        }
    }

    #[test]
    fn a_plan_is_no_stored_state() {
        let mut plan = state();
        plan.awaited.insert(7);
        assert_eq!(plan.to_document().unwrap_err().code, "state_unwritable");
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

    #[test]
    fn what_was_awaited_and_did_not_come_is_not_promoted() {
        let mut plan = state();
        plan.fingerprints.insert(9);
        plan.fingerprints.insert(8);
        plan.awaited = [8, 9].into_iter().collect();
        let mut delivered = Fingerprints::default();
        delivered.insert(9);
        let mut promoted = plan.promoted([&delivered]);
        assert!(promoted.to_document().is_ok());
        assert!(promoted.fingerprints.take(9) && !promoted.fingerprints.take(8));
    }
}
