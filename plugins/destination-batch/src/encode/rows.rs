//! Encodes the rows of a batch under a table's plan.

use std::{borrow::Cow, ops::Range, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use longshore_sdk::{arrow::array::RecordBatch, prelude::*};

use super::{
    batch::{EncodedBatch, EncodedRow, Member},
    cell::{CellWriter, number_of},
    column::{Column, Value},
};
use crate::{
    limits::{EVENT_AGE_RESERVE, EVENT_LEAD},
    mapping::TablePlan,
    spec::{LateEvents, Nulls, Target},
    values::{Violation, Written, instant, text, write_json_string},
};

/// A batch after encoding: what can be sent, what is refused, and what is left out.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) batch: Arc<EncodedBatch>,
    /// Rows and fields that break a documented limit.
    pub(crate) rejects: Vec<Reject>,
    /// Rows refused as a whole.
    pub(crate) rejected: u64,
    /// Rows left out by `late_events: skip`.
    pub(crate) filtered: u64,
    /// Events sent without their time by `late_events: send_without_time`.
    pub(crate) undated: u64,
}

/// Encodes a batch. `now` decides which events are too old or in the future.
///
/// # Errors
/// When the batch's columns are not those of the plan.
pub(crate) fn encode(plan: &Arc<TablePlan>, sequence: u64, batch: &RecordBatch, now: DateTime<Utc>) -> Result<Encoded> {
    let mut encoder = Encoder::new(plan, sequence, batch, now)?;
    for row in 0..batch.num_rows() {
        encoder.encode_row(row);
    }
    Ok(encoder.finish())
}

/// Why a row is not sent.
enum Unsent {
    Rejected(String, Violation),
    Filtered,
}

struct Encoder<'a> {
    plan: &'a Arc<TablePlan>,
    now: DateTime<Utc>,
    /// What [`earliest`] says of `now`.
    earliest: Option<DateTime<Utc>>,
    cells: CellWriter<'a>,
    custom_id: Column,
    event_name: Option<Column>,
    event_time: Option<Column>,
    attributes: Vec<Column>,
    primary_key: Vec<Column>,
    encoded: EncodedBatch,
    rejects: Vec<Reject>,
    rejected: u64,
    filtered: u64,
    undated: u64,
}

impl<'a> Encoder<'a> {
    fn new(plan: &'a Arc<TablePlan>, sequence: u64, batch: &RecordBatch, now: DateTime<Utc>) -> Result<Self> {
        let schema = batch.schema();
        let column = |index: usize| {
            let changed = || {
                Error::protocol(
                    "batch_broken",
                    format!("A batch of table {} has not the columns that were prepared", plan.table),
                )
            };
            let field = schema.fields().get(index).ok_or_else(changed)?;
            Column::new(field, batch.column(index)).map_err(|_| changed())
        };
        let rows = batch.num_rows();
        Ok(Self {
            plan,
            now,
            earliest: earliest(now, plan),
            cells: CellWriter {
                target: plan.target,
                nulls: plan.nulls,
                limits: &plan.limits,
            },
            custom_id: column(plan.custom_id)?,
            event_name: plan.event_name.map(column).transpose()?,
            event_time: plan.event_time.map(column).transpose()?,
            attributes: plan
                .attributes
                .iter()
                .map(|attribute| column(attribute.index))
                .collect::<Result<_>>()?,
            // A key of an unreadable type names no row; the custom id does in all but the worst case.
            primary_key: plan
                .primary_key
                .iter()
                .filter_map(|index| column(*index).ok())
                .collect(),
            encoded: EncodedBatch {
                sequence,
                plan: Arc::clone(plan),
                ids: String::with_capacity(rows * 16),
                bytes: Vec::with_capacity(rows * 128),
                members: Vec::new(),
                rows: Vec::with_capacity(rows),
            },
            rejects: Vec::new(),
            rejected: 0,
            filtered: 0,
            undated: 0,
        })
    }

    fn finish(self) -> Encoded {
        Encoded {
            batch: Arc::new(self.encoded),
            rejects: self.rejects,
            rejected: self.rejected,
            filtered: self.filtered,
            undated: self.undated,
        }
    }

    fn encode_row(&mut self, row: usize) {
        let (ids, bytes, members, rejects) = (
            self.encoded.ids.len(),
            self.encoded.bytes.len(),
            self.encoded.members.len(),
            self.rejects.len(),
        );
        let unsent = match self.plan.target {
            Target::ProfileAttributes => self.encode_profile(row),
            Target::ProfileEvents => self.encode_event(row),
        };
        let Err(unsent) = unsent else { return };
        match unsent {
            Unsent::Filtered => {
                self.filtered += 1;
                self.rejects.truncate(rejects);
            }
            Unsent::Rejected(column, violation) => {
                self.rejected += 1;
                // The row as a whole is refused: what is wrong with single fields would only be noise beside it.
                self.rejects.truncate(rejects);
                let key = self.key(row);
                self.push_reject(row, key, &column, violation, true);
            }
        }
        self.encoded.ids.truncate(ids);
        self.encoded.bytes.truncate(bytes);
        self.encoded.members.truncate(members);
    }

    fn encode_profile(&mut self, row: usize) -> Result<(), Unsent> {
        let id = self.write_custom_id(row)?;
        let first = self.encoded.members.len();
        self.write_attributes(row, &id, b"")?;
        let members = offset(first)..offset(self.encoded.members.len());
        self.encoded.rows.push(EncodedRow {
            row: offset(row),
            id,
            members,
            event: 0..0,
            time: None,
        });
        Ok(())
    }

    fn encode_event(&mut self, row: usize) -> Result<(), Unsent> {
        let id = self.write_custom_id(row)?;
        let start = self.encoded.bytes.len();
        self.write_event_name(row)?;
        let time = self.write_event_time(row)?;
        let first = self.encoded.members.len();
        self.write_attributes(row, &id, b",\"attributes\":{")?;
        if self.encoded.members.len() > first {
            self.encoded.bytes.push(b'}');
        }
        // Members serve to merge profiles; events go as they are.
        self.encoded.members.truncate(first);
        self.encoded.bytes.push(b'}');
        let size = self.encoded.bytes.len() - start;
        if size > self.plan.limits.event_bytes {
            let reason = format!("An event of {size} bytes; Batch takes {}", self.plan.limits.event_bytes);
            return Err(Unsent::Rejected(
                String::new(),
                Violation::new("event_too_large", reason),
            ));
        }
        let event = offset(start)..offset(self.encoded.bytes.len());
        self.encoded.rows.push(EncodedRow {
            row: offset(row),
            id,
            members: 0..0,
            event,
            time,
        });
        Ok(())
    }

    fn write_custom_id(&mut self, row: usize) -> Result<Range<u32>, Unsent> {
        let plan = self.plan;
        let start = self.encoded.ids.len();
        let refused = |violation| Unsent::Rejected(plan.column_name(plan.custom_id), violation);
        match self.custom_id.value(row).unquoted() {
            Value::Text(id) => self.encoded.ids.push_str(&id),
            other => self.encoded.ids.push_str(&id_of(other).map_err(refused)?),
        }
        text::check_custom_id(&self.encoded.ids[start..], &self.plan.limits).map_err(refused)?;
        Ok(offset(start)..offset(self.encoded.ids.len()))
    }

    fn write_event_name(&mut self, row: usize) -> Result<(), Unsent> {
        let (Some(index), Some(column)) = (self.plan.event_name, &self.event_name) else {
            unreachable!("a plan for events has a column for the name");
        };
        let plan = self.plan;
        let refused = |violation| Unsent::Rejected(plan.column_name(index), violation);
        let name = match column.value(row).unquoted() {
            Value::Text(name) => name,
            Value::Null => return Err(refused(Violation::new("event_name_missing", "No event name (NULL)"))),
            _ => {
                return Err(refused(Violation::new(
                    "event_name_invalid",
                    "An event name that is no text",
                )));
            }
        };
        text::check_event_name(&name, &self.plan.limits).map_err(refused)?;
        self.encoded.bytes.extend_from_slice(b"{\"name\":");
        write_json_string(&mut self.encoded.bytes, &name);
        Ok(())
    }

    /// Without a time, the API takes the time of reception: a wrong time must therefore never be left out by itself.
    fn write_event_time(&mut self, row: usize) -> Result<Option<DateTime<Utc>>, Unsent> {
        let (Some(index), Some(column)) = (self.plan.event_time, &self.event_time) else {
            return Ok(None);
        };
        let plan = self.plan;
        let refused = |violation| Unsent::Rejected(plan.column_name(index), violation);
        let time = match column.value(row).unquoted() {
            Value::Null => return Ok(None),
            Value::Instant(time) => time,
            Value::Text(text) => instant::parse(&text, false).map_err(|violation| {
                refused(Violation {
                    rule: "event_time_invalid",
                    ..violation
                })
            })?,
            Value::Unwritable(violation) => return Err(refused(violation)),
            _ => return Err(refused(Violation::new("event_time_invalid", "A value that is no time"))),
        };
        // A little ahead is a clock that is a little ahead: such an event waits before it is sent.
        if time - self.now > EVENT_LEAD {
            let reason = format!(
                "An event {} in the future; Batch refuses those",
                describe(time - self.now)
            );
            return Err(refused(Violation::new("event_in_future", reason)));
        }
        if self.earliest.is_some_and(|earliest| time < earliest) {
            match self.plan.late_events {
                LateEvents::Skip => return Err(Unsent::Filtered),
                LateEvents::SendWithoutTime => {
                    self.undated += 1;
                    return Ok(None);
                }
                LateEvents::Reject => {
                    let limit = describe(TimeDelta::from_std(self.plan.limits.event_age).unwrap_or(TimeDelta::MAX));
                    let reason = format!(
                        "An event {} old; Batch takes events of the last {limit} (see `late_events`)",
                        describe(self.now - time)
                    );
                    return Err(refused(Violation::new("event_too_old", reason)));
                }
            }
        }
        self.encoded.bytes.extend_from_slice(b",\"time\":");
        instant::write_json(time, &mut self.encoded.bytes).map_err(refused)?;
        Ok(Some(time))
    }

    /// Writes the attributes, `before` in front of the first. A field that breaks a limit is left out and rejected alone.
    fn write_attributes(&mut self, row: usize, id: &Range<u32>, before: &[u8]) -> Result<(), Unsent> {
        let plan = self.plan;
        let limits = &plan.limits;
        let unsets = plan.target == Target::ProfileAttributes && plan.nulls == Nulls::Unset;
        let most = match plan.target {
            Target::ProfileAttributes => limits.attributes_per_operation,
            Target::ProfileEvents => limits.attributes_per_object,
        };
        let (mut sent, mut arrays) = (0, 0);
        for (slot, attribute) in plan.attributes.iter().enumerate() {
            let separator_start = self.encoded.bytes.len();
            let separator: &[u8] = if sent == 0 { before } else { b"," };
            self.encoded.bytes.extend_from_slice(separator);
            let start = self.encoded.bytes.len();
            self.encoded.bytes.extend_from_slice(&attribute.prefix);
            let value_start = self.encoded.bytes.len();
            let written = match self
                .cells
                .write(attribute.kind, &self.attributes[slot], row, &mut self.encoded.bytes)
            {
                Ok(Written::Null) if unsets => {
                    self.encoded.bytes.extend_from_slice(b"null");
                    Ok(Written::Value)
                }
                written => written,
            };
            let is_array = plan.target == Target::ProfileAttributes
                && !attribute.key.starts_with('$')
                && matches!(self.encoded.bytes.get(value_start), Some(b'[' | b'{'));
            let written = match written {
                Ok(Written::Value) if sent >= most => Err(Violation::new(
                    "too_many_attributes",
                    format!("More than {most} attributes at once"),
                )),
                Ok(Written::Value) if is_array && arrays >= limits.arrays_per_profile => {
                    let reason = format!(
                        "More than {} array attributes for one profile",
                        limits.arrays_per_profile
                    );
                    Err(Violation::new("too_many_arrays", reason))
                }
                written => written,
            };
            match written {
                Ok(Written::Value) => {
                    sent += 1;
                    arrays += usize::from(is_array);
                    let slot = u16::try_from(slot).expect("Arrow schemas of a message have fewer than 65,536 columns");
                    self.encoded.members.push(Member {
                        slot,
                        start: offset(start),
                        end: offset(self.encoded.bytes.len()),
                    });
                }
                Ok(Written::Null) => self.encoded.bytes.truncate(separator_start),
                Err(violation) => {
                    self.encoded.bytes.truncate(separator_start);
                    let key = self.encoded.ids[id.start as usize..id.end as usize].to_owned();
                    self.push_reject(row, key, &attribute.column, violation, false);
                }
            }
        }
        Ok(())
    }

    /// What a person can find the row by: its custom id, or else its primary key.
    fn key(&self, row: usize) -> String {
        const SHOWN: usize = 128;
        let is_readable = |text: &String| !text.trim().is_empty();
        let id = id_of(self.custom_id.value(row).unquoted()).ok().map(Cow::into_owned);
        let key = id.filter(is_readable).unwrap_or_else(|| {
            let parts = self
                .primary_key
                .iter()
                .filter_map(|column| column.value(row).into_text());
            parts.filter(is_readable).collect::<Vec<_>>().join(",")
        });
        key.chars().take(SHOWN).collect()
    }

    fn push_reject(&mut self, row: usize, key: String, column: &str, violation: Violation, whole_row: bool) {
        // A row without a usable custom id replaces no profile; one of which a column is left out has such an id.
        let identity = match self.plan.target {
            Target::ProfileAttributes if !whole_row => key.clone(),
            Target::ProfileAttributes | Target::ProfileEvents => String::new(),
        };
        self.rejects.push(Reject {
            sequence: self.encoded.sequence,
            row: row as u64,
            key,
            rule: violation.rule.to_owned(),
            column: column.to_owned(),
            reason: violation.reason,
            whole_row,
            identity,
        });
    }
}

/// A custom id, from what has exactly one text; JSON that is a whole number, with the digits that it has.
fn id_of(value: Value<'_>) -> Result<Cow<'_, str>, Violation> {
    let invalid = || Violation::new("custom_id_invalid", "A value that is no custom id");
    match value {
        Value::Null => Err(Violation::new("custom_id_missing", "No custom id (NULL)")),
        Value::Text(id) => Ok(id),
        Value::JsonText(text) => {
            let digits = number_of(text).filter(|number| !number.contains(['.', 'e', 'E']));
            digits.map(Cow::Borrowed).ok_or_else(invalid)
        }
        other => other.into_text().map(Cow::Owned).ok_or_else(invalid),
    }
}

/// The time before which the API would, or might by the time it gets there, refuse an event as too old; `None`: no event is.
fn earliest(now: DateTime<Utc>, plan: &TablePlan) -> Option<DateTime<Utc>> {
    plan.limits.earliest_event(now, EVENT_AGE_RESERVE)
}

/// A length of time in its largest fitting unit.
fn describe(length: TimeDelta) -> String {
    match (length.num_days(), length.num_hours(), length.num_minutes()) {
        (days, ..) if days >= 3 => format!("{days} days"),
        (_, hours, _) if hours >= 3 => format!("{hours} hours"),
        (_, _, minutes) if minutes >= 3 => format!("{minutes} minutes"),
        _ => format!("{} seconds", length.num_seconds()),
    }
}

fn offset(position: usize) -> u32 {
    // A message is at most 16 MiB, and JSON makes at most six bytes of one.
    u32::try_from(position).expect("the JSON of one batch is below 4 GiB")
}

#[cfg(test)]
mod tests;
