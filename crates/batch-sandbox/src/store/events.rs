//! Events, append only: fixed-size records that point into blocks of text.

use crate::validation::AcceptedEvent;

use super::{NameIndex, ProfileIndex};

/// Bytes of one block. Many events share one, so that an event costs no allocation of its own.
const BLOCK_BYTES: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct EventLog {
    records: Vec<Record>,
    blocks: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Record {
    received_at: i64,
    profile: ProfileIndex,
    name: NameIndex,
    /// Sequence number of the profile's event before this one, plus one; zero for its first.
    previous: u32,
    block: u32,
    offset: u32,
    attributes_length: u32,
    /// Length of the time's text; zero when none was sent.
    time_length: u32,
}

/// One event of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'l> {
    pub(super) sequence: u32,
    pub(super) profile: ProfileIndex,
    pub(super) name: NameIndex,
    /// Milliseconds since 1970.
    pub(super) received_at: i64,
    pub(super) time: Option<&'l str>,
    /// JSON text of an object.
    pub(super) attributes: &'l str,
    previous: u32,
}

impl Event<'_> {
    pub(super) fn previous(&self) -> Option<u32> {
        self.previous.checked_sub(1)
    }
}

impl EventLog {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Appends an event and gives its sequence number.
    pub(super) fn push(
        &mut self,
        event: &AcceptedEvent<'_>,
        name: NameIndex,
        profile: ProfileIndex,
        previous: Option<u32>,
        received_at: i64,
    ) -> u32 {
        let sequence = u32::try_from(self.records.len()).expect("memory ends before four billion events");
        let time = event.time.as_deref().unwrap_or_default();
        let (block, offset) = self.write(&event.attributes, time.as_bytes());
        self.records.push(Record {
            received_at,
            profile,
            name,
            previous: previous.map_or(0, |previous| previous + 1),
            block,
            offset,
            attributes_length: short(event.attributes.len()),
            time_length: short(time.len()),
        });
        sequence
    }

    fn write(&mut self, attributes: &[u8], time: &[u8]) -> (u32, u32) {
        let needed = attributes.len() + time.len();
        let has_room = |block: &Vec<u8>| block.capacity() - block.len() >= needed;
        if !self.blocks.last().is_some_and(has_room) {
            self.blocks.push(Vec::with_capacity(BLOCK_BYTES.max(needed)));
        }
        let index = self.blocks.len() - 1;
        let block = &mut self.blocks[index];
        let offset = block.len();
        block.extend_from_slice(attributes);
        block.extend_from_slice(time);
        (short(index), short(offset))
    }

    /// The event with this sequence number, which must exist.
    pub(super) fn get(&self, sequence: u32) -> Event<'_> {
        let record = &self.records[sequence as usize];
        let start = record.offset as usize;
        let middle = start + record.attributes_length as usize;
        let end = middle + record.time_length as usize;
        let block = &self.blocks[record.block as usize];
        Event {
            sequence,
            profile: record.profile,
            name: record.name,
            received_at: record.received_at,
            time: (end > middle).then(|| text(&block[middle..end])),
            attributes: text(&block[start..middle]),
            previous: record.previous,
        }
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("whole texts are written, and whole texts are read back")
}

fn short(length: usize) -> u32 {
    u32::try_from(length).expect("an event and a block are far below four gigabytes")
}
