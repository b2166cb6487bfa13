//! What one stream has added to the counters that are watched, and takes back when it breaks: the next one counts these rows again.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use crate::engine::progress::TableCounters;

/// Rows counted by one stream and not committed yet.
pub(super) struct Tally {
    counters: Arc<TableCounters>,
    forwarded: u64,
    acked: u64,
    /// Rejected rows by batch.
    rejected: VecDeque<(u64, u64)>,
}

impl Tally {
    pub(super) fn new(counters: &Arc<TableCounters>) -> Self {
        Self {
            counters: Arc::clone(counters),
            forwarded: 0,
            acked: 0,
            rejected: VecDeque::new(),
        }
    }

    pub(super) fn forwarded(&mut self, rows: u64) {
        self.forwarded += rows;
        self.counters.forwarded.fetch_add(rows, Ordering::Relaxed);
    }

    /// Rows that the slowest destination has acked.
    pub(super) fn acked(&mut self, rows: u64) {
        self.acked += rows;
        self.counters.acked.fetch_add(rows, Ordering::Relaxed);
    }

    pub(super) fn rejected(&mut self, sequence: u64, rows: u64) {
        self.rejected.push_back((sequence, rows));
        self.counters.rejected.fetch_add(rows, Ordering::Relaxed);
    }

    /// What is committed stays counted, whatever becomes of this stream: so many rows, and the rejects of batches up to `sequence`.
    pub(super) fn committed(&mut self, sequence: u64, rows: u64) {
        self.forwarded = self.forwarded.saturating_sub(rows);
        self.acked = self.acked.saturating_sub(rows);
        self.rejected.retain(|(batch, _)| *batch > sequence);
    }

    /// The stream broke.
    pub(super) fn take_back(&mut self) {
        self.counters.forwarded.fetch_sub(self.forwarded, Ordering::Relaxed);
        self.counters.acked.fetch_sub(self.acked, Ordering::Relaxed);
        let rejected = self.rejected.drain(..).map(|(_, rows)| rows).sum();
        self.counters.rejected.fetch_sub(rejected, Ordering::Relaxed);
        (self.forwarded, self.acked) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_stream_takes_back_what_no_commit_has_passed_and_nothing_else() {
        let counters = Arc::new(TableCounters::default());
        let mut tally = Tally::new(&counters);
        tally.forwarded(30);
        tally.acked(20);
        tally.rejected(1, 3);
        tally.rejected(2, 4);
        tally.committed(1, 10);
        tally.take_back();
        let counted =
            [&counters.forwarded, &counters.acked, &counters.rejected].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counted, [10, 10, 3]);
    }
}
