//! Lines between whoever logs them and the store: bounded, and honest about what did not fit.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use longshore_state::{LogLine, run_log::MAX_LOG_LINE_BYTES};
use tokio::sync::Notify;

/// Lines that wait at most: more than a run logs in the seconds that a busy store may need.
pub(super) const MAX_WAITING_LINES: usize = 4_096;

/// Bytes of messages that wait at most.
pub(super) const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of one message that waits. More than is stored: a secret that the cut goes through is taken out before the message is cut to what is stored.
const MAX_WAITING_LINE_BYTES: usize = 4 * MAX_LOG_LINE_BYTES;

/// Lines that are stored at once: the others of the store wait for a few milliseconds at most.
pub(super) const BATCH_LINES: usize = 500;

/// A line that waits to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PendingLine {
    pub(super) line: LogLine,
    /// The names that its fields have, and that are shown whatever is secret.
    pub(super) names: Vec<String>,
}

/// Lines that wait to be stored. Pushing never waits for anything but another push.
#[derive(Default)]
pub(super) struct Buffer {
    waiting: Mutex<Waiting>,
    /// A batch has come together.
    pub(super) full_batch: Notify,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<PendingLine>,
    bytes: usize,
    lost: u64,
    /// Lost lines that the store knows of.
    told: u64,
}

/// What is to be stored next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) lines: Vec<PendingLine>,
    /// Lines that did not fit since the last batch.
    pub(super) lost: u64,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.lost == 0
    }
}

impl Buffer {
    /// Adds a line; counts it when there is no room.
    pub(super) fn push(&self, mut pending: PendingLine) {
        cut(&mut pending.line.message, MAX_WAITING_LINE_BYTES);
        let bytes = pending.line.message.len();
        let mut waiting = self.lock();
        if waiting.lines.len() >= MAX_WAITING_LINES || waiting.bytes + bytes > MAX_WAITING_BYTES {
            waiting.lost += 1;
            return;
        }
        waiting.bytes += bytes;
        waiting.lines.push_back(pending);
        let batch = waiting.lines.len() == BATCH_LINES;
        drop(waiting);
        if batch {
            self.full_batch.notify_one();
        }
    }

    /// Takes the oldest lines out.
    pub(super) fn take_batch(&self) -> Batch {
        let mut waiting = self.lock();
        let count = waiting.lines.len().min(BATCH_LINES);
        let lines: Vec<PendingLine> = waiting.lines.drain(..count).collect();
        waiting.bytes -= bytes_of(&lines);
        let lost = std::mem::take(&mut waiting.lost);
        waiting.told += lost;
        Batch { lines, lost }
    }

    /// Puts a batch back that could not be stored: before the others, or among the lost where others have taken its room.
    pub(super) fn put_back(&self, batch: Batch) {
        let mut waiting = self.lock();
        waiting.lost += batch.lost;
        waiting.told -= batch.lost;
        let bytes = bytes_of(&batch.lines);
        if waiting.lines.len() + batch.lines.len() > MAX_WAITING_LINES || waiting.bytes + bytes > MAX_WAITING_BYTES {
            waiting.lost += batch.lines.len() as u64;
            return;
        }
        waiting.bytes += bytes;
        for line in batch.lines.into_iter().rev() {
            waiting.lines.push_front(line);
        }
    }

    /// Lines that wait, and those that are lost and not told of yet.
    pub(super) fn not_stored(&self) -> u64 {
        let waiting = self.lock();
        waiting.lines.len() as u64 + waiting.lost
    }

    /// Lines that no store will ever have, now that nobody takes any more out.
    pub(super) fn lost(&self) -> u64 {
        self.not_stored() + self.lock().told
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes_of(lines: &[PendingLine]) -> usize {
    lines.iter().map(|pending| pending.line.message.len()).sum()
}

/// Cuts a message to so many bytes, and says so with an ellipsis that still fits.
pub(super) fn cut(message: &mut String, bytes: usize) {
    if message.len() <= bytes {
        return;
    }
    message.truncate(message.floor_char_boundary(bytes - '…'.len_utf8()));
    message.push('…');
}

#[cfg(test)]
mod tests {
    use longshore_state::{LogLevel, UnixMicros};

    use super::*;

    fn line(message: &str) -> PendingLine {
        PendingLine {
            line: LogLine {
                at: UnixMicros(0),
                level: LogLevel::Info,
                plugin: None,
                message: message.to_owned(),
            },
            names: Vec::new(),
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_rest_stays_in_order() {
        let buffer = Buffer::default();
        for number in 0..MAX_WAITING_LINES + 7 {
            buffer.push(line(&number.to_string()));
        }
        assert_eq!(buffer.not_stored(), MAX_WAITING_LINES as u64 + 7);
        let first = buffer.take_batch();
        assert_eq!((first.lines.len(), first.lost), (BATCH_LINES, 7));
        assert_eq!(first.lines[0].line.message, "0");
        assert_eq!(buffer.take_batch().lines[0].line.message, BATCH_LINES.to_string());
    }

    #[test]
    fn a_batch_that_could_not_be_stored_comes_first_again() {
        let buffer = Buffer::default();
        buffer.push(line("one"));
        let batch = buffer.take_batch();
        buffer.push(line("two"));
        buffer.put_back(batch);
        let batch = buffer.take_batch();
        let messages: Vec<_> = batch.lines.into_iter().map(|pending| pending.line.message).collect();
        assert_eq!(messages, ["one", "two"]);
        assert!(buffer.take_batch().is_empty());
    }

    #[test]
    fn a_batch_whose_room_was_taken_is_counted_as_lost() {
        let buffer = Buffer::default();
        buffer.push(line("one"));
        let batch = buffer.take_batch();
        for _ in 0..MAX_WAITING_LINES {
            buffer.push(line("later"));
        }
        buffer.put_back(batch);
        assert_eq!(buffer.take_batch().lost, 1);
    }

    #[test]
    fn memory_is_bounded_in_bytes_too() {
        let buffer = Buffer::default();
        let long = "x".repeat(MAX_LOG_LINE_BYTES);
        let fit = MAX_WAITING_BYTES / MAX_LOG_LINE_BYTES;
        (0..fit + 3).for_each(|_| buffer.push(line(&long)));
        assert_eq!(buffer.take_batch().lost, 3);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let mut message = "é".repeat(MAX_LOG_LINE_BYTES);
        cut(&mut message, 101);
        assert!(message.len() <= 101 && message.ends_with("é…"), "{message}");
        let mut short = "as it is".to_owned();
        cut(&mut short, 8);
        assert_eq!(short, "as it is");
    }
}
