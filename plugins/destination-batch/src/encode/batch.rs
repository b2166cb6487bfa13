//! A batch whose rows are JSON already.

use std::{ops::Range, sync::Arc};

use chrono::{DateTime, Utc};

use crate::{mapping::TablePlan, spec::Target};

/// The rows of one batch that can be sent. Rows share one buffer; a request copies the bytes it needs out of it.
#[derive(Debug)]
pub(crate) struct EncodedBatch {
    pub(crate) sequence: u64,
    pub(crate) plan: Arc<TablePlan>,
    pub(super) ids: String,
    pub(super) bytes: Vec<u8>,
    pub(super) members: Vec<Member>,
    pub(super) rows: Vec<EncodedRow>,
}

/// An attribute of a row: its slot in the plan and where its `"key":value` is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) slot: u16,
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(Debug)]
pub(super) struct EncodedRow {
    /// Index within the Arrow batch.
    pub(super) row: u32,
    pub(super) id: Range<u32>,
    /// Attributes: of `members`. Events: empty.
    pub(super) members: Range<u32>,
    /// Events: the whole event as JSON. Attributes: empty.
    pub(super) event: Range<u32>,
    /// The time that the event was given.
    pub(super) time: Option<DateTime<Utc>>,
}

impl EncodedBatch {
    /// Bytes that the batch keeps in memory for its rows.
    pub(crate) fn memory(&self) -> usize {
        self.ids.len()
            + self.bytes.len()
            + self.rows.len() * size_of::<EncodedRow>()
            + self.members.len() * size_of::<Member>()
    }

    /// Row and custom id of each of its rows, in order.
    pub(crate) fn custom_ids(&self) -> impl Iterator<Item = (u64, &str)> {
        let id = |row: &EncodedRow| &self.ids[row.id.start as usize..row.id.end as usize];
        self.rows.iter().map(move |row| (u64::from(row.row), id(row)))
    }

    /// Its rows, in order.
    pub(crate) fn rows(self: &Arc<Self>) -> impl Iterator<Item = Row> + use<> {
        let batch = Arc::clone(self);
        (0..self.rows.len()).map(move |index| Row {
            batch: Arc::clone(&batch),
            index: u32::try_from(index).expect("a batch has fewer than 2^32 rows"),
            is_undated: false,
        })
    }
}

/// One row of an encoded batch. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    batch: Arc<EncodedBatch>,
    index: u32,
    /// The event goes without the time that it was given.
    is_undated: bool,
}

impl Row {
    fn encoded(&self) -> &EncodedRow {
        &self.batch.rows[self.index as usize]
    }

    pub(crate) fn custom_id(&self) -> &str {
        let Range { start, end } = self.encoded().id;
        &self.batch.ids[start as usize..end as usize]
    }

    /// What a later row of the profile replaces; empty for an event, which nothing replaces.
    pub(crate) fn identity(&self) -> &str {
        match self.target() {
            Target::ProfileAttributes => self.custom_id(),
            Target::ProfileEvents => "",
        }
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.batch.sequence
    }

    /// Index within the Arrow batch.
    pub(crate) fn row(&self) -> u64 {
        u64::from(self.encoded().row)
    }

    pub(crate) fn plan(&self) -> &TablePlan {
        &self.batch.plan
    }

    pub(crate) fn target(&self) -> Target {
        self.batch.plan.target
    }

    /// The time that the event is sent with.
    pub(crate) fn time(&self) -> Option<DateTime<Utc>> {
        self.encoded().time.filter(|_| !self.is_undated)
    }

    /// The same event without its time: Batch takes the time of reception.
    pub(crate) fn without_time(self) -> Self {
        Self {
            is_undated: true,
            ..self
        }
    }

    pub(crate) fn members(&self) -> &[Member] {
        let Range { start, end } = self.encoded().members;
        &self.batch.members[start as usize..end as usize]
    }

    /// The `"key":value` of one of this row's members.
    pub(crate) fn member_json(&self, member: Member) -> &[u8] {
        &self.batch.bytes[member.start as usize..member.end as usize]
    }

    /// All members of the row, separated by commas.
    pub(crate) fn members_json(&self) -> &[u8] {
        match self.members() {
            [] => &[],
            [first, .., last] => &self.batch.bytes[first.start as usize..last.end as usize],
            [only] => self.member_json(*only),
        }
    }

    /// Writes the event as it is sent.
    pub(crate) fn write_event(&self, out: &mut Vec<u8>) {
        let event = self.event_json();
        match time_member(event).filter(|_| self.is_undated) {
            Some(time) => {
                out.extend_from_slice(&event[..time.start]);
                out.extend_from_slice(&event[time.end..]);
            }
            None => out.extend_from_slice(event),
        }
    }

    /// The event as JSON, as it was encoded.
    pub(crate) fn event_json(&self) -> &[u8] {
        let Range { start, end } = self.encoded().event;
        &self.batch.bytes[start as usize..end as usize]
    }
}

/// Where an encoded event has its time, the comma before it included. The time comes right after the name, and neither holds an escaped character.
fn time_member(event: &[u8]) -> Option<Range<usize>> {
    const NAME: &[u8] = b"{\"name\":\"";
    const TIME: &[u8] = b",\"time\":\"";
    let quote_after = |start: usize| {
        event
            .get(start..)?
            .iter()
            .position(|byte| *byte == b'"')
            .map(|found| start + found)
    };
    let start = quote_after(NAME.len())? + 1;
    let is_time = event.starts_with(NAME) && event[start..].starts_with(TIME);
    let end = quote_after(start + TIME.len())? + 1;
    is_time.then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_found_right_after_the_name_and_nowhere_else() {
        let without_time = |event: &str| {
            let time = time_member(event.as_bytes()).unwrap_or(0..0);
            format!("{}{}", &event[..time.start], &event[time.end..])
        };
        for (event, expected) in [
            (r#"{"name":"a","time":"2026-01-01T00:00:00Z"}"#, r#"{"name":"a"}"#),
            (
                r#"{"name":"a","time":"2026-01-01T00:00:00Z","attributes":{"time":"x"}}"#,
                r#"{"name":"a","attributes":{"time":"x"}}"#,
            ),
            (r#"{"name":"time"}"#, r#"{"name":"time"}"#),
            (
                r#"{"name":"a","attributes":{"time":"x"}}"#,
                r#"{"name":"a","attributes":{"time":"x"}}"#,
            ),
        ] {
            assert_eq!(without_time(event), expected);
        }
    }
}
