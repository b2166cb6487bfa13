//! One operation of a request: one profile, and the rows that go to it together.

use chrono::{DateTime, Utc};
use smallvec::{SmallVec, smallvec};

use crate::{
    encode::batch::{Member, Row},
    limits::EVENT_TRAVEL,
    spec::{LateEvents, Target},
    values::write_json_string,
};

/// The rows of one profile that one request carries. Never empty; all rows have the same custom id and the same plan.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Mostly one.
    rows: SmallVec<[Row; 1]>,
    /// Attributes of several rows: for each slot the latest row that has it, ordered by slot. Empty while there is one row.
    merged: Vec<Merged>,
}

#[derive(Clone, Copy, Debug)]
struct Merged {
    member: Member,
    /// Index of the row it comes from.
    row: usize,
}

impl Operation {
    pub(crate) fn new(row: Row) -> Self {
        Self {
            rows: smallvec![row],
            merged: Vec::new(),
        }
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn custom_id(&self) -> &str {
        self.rows[0].custom_id()
    }

    pub(crate) fn target(&self) -> Target {
        self.rows[0].target()
    }

    /// Takes a later row of the same profile in, if one request may carry both; gives it back otherwise.
    pub(crate) fn merge(&mut self, row: Row) -> Result<(), Row> {
        match row.target() {
            Target::ProfileEvents if self.rows.len() >= row.plan().limits.events_per_operation => return Err(row),
            Target::ProfileEvents => {}
            Target::ProfileAttributes => {
                let Some(merged) = self.merged_with(&row) else {
                    return Err(row);
                };
                self.merged = merged;
            }
        }
        self.rows.push(row);
        Ok(())
    }

    /// The attributes with a later row's laid over them; `None` when they can not be one operation: two rows may each be within the limits and
    /// together be beyond them, and `$add`/`$remove` build on what an earlier row set instead of replacing it.
    fn merged_with(&self, row: &Row) -> Option<Vec<Merged>> {
        let mut merged = self.merged.clone();
        if self.rows.len() == 1 {
            merged.extend(self.rows[0].members().iter().map(|member| Merged {
                member: *member,
                row: 0,
            }));
        }
        for member in row.members() {
            let latest = Merged {
                member: *member,
                row: self.rows.len(),
            };
            match merged.binary_search_by_key(&member.slot, |other| other.member.slot) {
                Ok(_) if row.member_json(*member).ends_with(b"}") => return None,
                Ok(found) => merged[found] = latest,
                Err(place) => merged.insert(place, latest),
            }
        }
        let limits = &row.plan().limits;
        let json = |merged: &Merged| {
            self.rows
                .get(merged.row)
                .unwrap_or(row)
                .member_json(merged.member)
                .last()
                .copied()
        };
        let arrays = merged
            .iter()
            .filter(|merged| matches!(json(merged), Some(b']' | b'}')))
            .count();
        let fits = merged.len() <= limits.attributes_per_operation && arrays <= limits.arrays_per_profile;
        fits.then_some(merged)
    }

    /// Writes the operation as JSON.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"identifiers\":{\"custom_id\":");
        write_json_string(out, self.custom_id());
        out.push(b'}');
        match self.target() {
            Target::ProfileAttributes => self.write_attributes(out),
            Target::ProfileEvents => self.write_events(out),
        }
        out.push(b'}');
    }

    fn write_attributes(&self, out: &mut Vec<u8>) {
        let before = out.len();
        out.extend_from_slice(b",\"attributes\":{");
        let start = out.len();
        if self.rows.len() == 1 {
            out.extend_from_slice(self.rows[0].members_json());
        }
        for Merged { member, row } in &self.merged {
            if out.len() > start {
                out.push(b',');
            }
            out.extend_from_slice(self.rows[*row].member_json(*member));
        }
        if out.len() == start {
            out.truncate(before);
        } else {
            out.push(b'}');
        }
    }

    fn write_events(&self, out: &mut Vec<u8>) {
        let mut separator: &[u8] = b",\"events\":[";
        for row in &self.rows {
            out.extend_from_slice(separator);
            row.write_event(out);
            separator = b",";
        }
        out.push(b']');
    }

    /// The time of the event that lies furthest ahead; `None` without a time.
    pub(crate) fn latest(&self) -> Option<DateTime<Utc>> {
        self.rows.iter().filter_map(Row::time).max()
    }

    /// Whether an event of it is too old to be sent now.
    pub(crate) fn has_overdue(&self, now: DateTime<Utc>) -> bool {
        if self.target() != Target::ProfileEvents {
            return false;
        }
        let earliest = self.earliest(now);
        self.rows.iter().any(|row| is_before(row, earliest))
    }

    /// The time before which Batch would refuse an event as too old when it gets there; `None`: it refuses none.
    fn earliest(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.rows[0].plan().limits.earliest_event(now, EVENT_TRAVEL)
    }

    /// What can be sent now, and the events that are too old for it. With `late_events: send_without_time` those lose their time and can be sent too.
    pub(crate) fn without_overdue(self, now: DateTime<Utc>) -> (Option<Self>, Option<Self>) {
        if !self.has_overdue(now) {
            return (Some(self), None);
        }
        let earliest = self.earliest(now);
        let rows = self.rows.into_iter().map(|row| {
            let loses_its_time = is_before(&row, earliest) && row.plan().late_events == LateEvents::SendWithoutTime;
            if loses_its_time { row.without_time() } else { row }
        });
        let (overdue, on_time): (Vec<Row>, Vec<Row>) = rows.partition(|row| is_before(row, earliest));
        let operation = |rows: Vec<Row>| (!rows.is_empty()).then(|| Self::of(&rows));
        (operation(on_time), operation(overdue))
    }

    /// The row whose value of this slot is sent: the latest that has one.
    pub(crate) fn row_with_slot(&self, slot: usize) -> Option<&Row> {
        self.rows
            .iter()
            .rev()
            .find(|row| row.members().iter().any(|member| usize::from(member.slot) == slot))
    }

    /// Two operations with the earlier and the later half of the rows; the operation itself when it has one row.
    pub(crate) fn split(self) -> Result<(Self, Self), Self> {
        if self.rows.len() < 2 {
            return Err(self);
        }
        let (earlier, later) = self.rows.split_at(self.rows.len() / 2);
        Ok((Self::of(earlier), Self::of(later)))
    }

    /// Rows that were one operation: any run of them can be one too.
    fn of(rows: &[Row]) -> Self {
        let mut rows = rows.iter().cloned();
        let mut operation = Self::new(rows.next().expect("a half of two or more rows has a row"));
        for row in rows {
            operation
                .merge(row)
                .expect("rows that were one operation fit into one: a subset breaks no limit");
        }
        operation
    }
}

/// Whether the event has a time, and that is before `earliest`.
fn is_before(row: &Row, earliest: Option<DateTime<Utc>>) -> bool {
    earliest.is_some_and(|earliest| row.time().is_some_and(|time| time < earliest))
}
