//! What the source remembers of a table between runs, besides the cursor.

use longshore_sdk::{
    incremental::{read_source_state, source_state_of},
    prelude::*,
};
use serde::{Deserialize, Serialize};

use crate::{snapshot::Snapshot, work::Server};

/// Every version that was ever written; a new one is a new variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "version")]
enum Document {
    #[serde(rename = "1")]
    V1(SourceState),
}

/// What the completed run saw. All of it belongs to the run's *first* snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceState {
    /// The cursor it was stored with. Another one was set by hand: then nothing else here counts.
    pub(crate) cursor: Option<CursorValue>,
    /// Type of the cursor column, for messages.
    pub(crate) cursor_type: String,
    /// The greatest cursor that was delivered; beyond `cursor` when rows have dates in the future.
    pub(crate) delivered_to: Option<CursorValue>,
    /// Where the next run begins to look for rows that appeared late; `None`: everywhere.
    pub(crate) window_from: Option<CursorValue>,
    /// The snapshot's oldest open transaction: what is from there on may not have been seen. `None` where rows do not carry their transaction.
    pub(crate) xmin: Option<u64>,
    /// No transaction from here on had begun to write. `None` in states of before this was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_transaction: Option<u64>,
    /// The server's clock, in microseconds since 1970 UTC.
    pub(crate) snapshot_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) system_identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeline: Option<u32>,
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

    /// Whether a transaction that was open then, or may have been, is still open now. However old it is, and whoever may see that: what it writes may
    /// lie where this state's window begins.
    pub(crate) fn has_open_transaction_in(&self, snapshot: &Snapshot) -> bool {
        self.next_transaction.is_some_and(|next| snapshot.xmin < next)
    }

    /// The server that the run saw.
    pub(crate) fn server(&self) -> Server {
        Server {
            system_identifier: self.system_identifier.clone(),
            timeline: self.timeline,
        }
    }

    /// Why transaction numbers of this state mean nothing to the server that is read now, if so.
    pub(crate) fn foreign_to(&self, snapshot: &Snapshot) -> Option<&'static str> {
        let server = Server {
            timeline: None,
            ..self.server()
        };
        if !server.may_be(snapshot) {
            return Some("another database cluster answers than in the last run");
        }
        let timeline = Server {
            timeline: self.timeline,
            ..Server::default()
        };
        if !timeline.may_be(snapshot) {
            return Some("a standby was promoted since the last run");
        }
        if self.xmin.is_some_and(|xmin| xmin > snapshot.xmax) {
            return Some("the server's transaction numbers went back since the last run");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use longshore_sdk::core::cursor::{Sign, TimeUnit, Timestamp};

    use super::*;

    fn at(value: i64) -> CursorValue {
        CursorValue::Timestamp(Timestamp {
            value,
            unit: TimeUnit::Microsecond,
            instant: true,
        })
    }

    #[test]
    fn a_state_survives_storage_and_a_cursor_set_by_hand_voids_it() {
        let state = SourceState {
            cursor: Some(at(5)),
            cursor_type: "timestamp with time zone".to_owned(),
            delivered_to: Some(CursorValue::Infinity(Sign::Positive)),
            window_from: Some(at(1)),
            xmin: Some(u64::MAX),
            next_transaction: Some(u64::MAX),
            snapshot_at: 7,
            system_identifier: Some("7".to_owned()),
            timeline: None,
        };
        let stored = |cursor| TableState {
            cursor,
            source_state: state.to_text().unwrap(),
            ..TableState::default()
        };
        assert_eq!(SourceState::of(&stored(Some(at(5)))).unwrap(), Some(state.clone()));
        assert_eq!(SourceState::of(&stored(Some(at(6)))).unwrap(), None);
        let golden = r#"{"version":"1","cursor":{"type":"int","value":3},"cursor_type":"bigint","delivered_to":null,"window_from":null,"xmin":731,"snapshot_at":7}"#;
        let old = TableState {
            cursor: Some(CursorValue::Int(3)),
            source_state: golden.to_owned(),
            ..TableState::default()
        };
        assert_eq!(
            SourceState::of(&old).unwrap().unwrap().to_text().unwrap(),
            golden,
            "version 1 is read and written as it always was"
        );
        let newer = TableState {
            source_state: r#"{"version":"2"}"#.to_owned(),
            ..TableState::default()
        };
        assert_eq!(SourceState::of(&newer).unwrap_err().code, "state_unreadable");
    }
}
