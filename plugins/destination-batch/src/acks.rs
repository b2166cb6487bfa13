//! Which batches can be acked: each when all its rows are done, in order. Pure.

use std::collections::VecDeque;

use longshore_sdk::prelude::*;

/// The batches of one stream that are not acked yet.
#[derive(Debug, Default)]
pub(crate) struct AckTracker {
    batches: VecDeque<Unacked>,
    memory: usize,
}

#[derive(Debug)]
struct Unacked {
    sequence: u64,
    /// Rows not done yet.
    outstanding: u64,
    counts: DestinationCounts,
    rejects: Vec<Reject>,
    memory: usize,
}

/// A batch that is done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) sequence: u64,
    pub(crate) counts: DestinationCounts,
    pub(crate) rejects: Vec<Reject>,
}

impl AckTracker {
    /// A batch came, of which so many rows are to be sent; the others are in `counts` already.
    pub(crate) fn open(
        &mut self,
        sequence: u64,
        outstanding: u64,
        counts: DestinationCounts,
        rejects: Vec<Reject>,
        memory: usize,
    ) {
        self.memory += memory;
        self.batches.push_back(Unacked {
            sequence,
            outstanding,
            counts,
            rejects,
            memory,
        });
    }

    /// A row of a batch is done.
    pub(crate) fn row_done(&mut self, sequence: u64, is_rejected: bool) {
        let batch = self.batch(sequence);
        batch.outstanding -= 1;
        if is_rejected {
            batch.counts.rejected += 1;
        } else {
            batch.counts.delivered += 1;
        }
    }

    /// A row of a batch is left out after all.
    pub(crate) fn row_filtered(&mut self, sequence: u64) {
        let batch = self.batch(sequence);
        batch.outstanding -= 1;
        batch.counts.filtered += 1;
    }

    /// Keeps a reject until its batch is acked.
    pub(crate) fn reject(&mut self, reject: Reject) {
        self.batch(reject.sequence).rejects.push(reject);
    }

    /// The next batch in order, once it is done.
    pub(crate) fn next_done(&mut self) -> Option<Done> {
        if self.batches.front()?.outstanding > 0 {
            return None;
        }
        let batch = self.batches.pop_front()?;
        self.memory -= batch.memory;
        Some(Done {
            sequence: batch.sequence,
            counts: batch.counts,
            rejects: batch.rejects,
        })
    }

    /// Bytes of the batches that are not acked.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    fn batch(&mut self, sequence: u64) -> &mut Unacked {
        let first = self.batches.front().map_or(0, |batch| batch.sequence);
        let index = usize::try_from(sequence - first).expect("the batches in memory are few");
        self.batches
            .get_mut(index)
            .expect("a batch stays until all its rows are done")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(tracker: &mut AckTracker) -> Vec<(u64, u64, u64)> {
        std::iter::from_fn(|| tracker.next_done())
            .map(|done| (done.sequence, done.counts.delivered, done.counts.rejected))
            .collect()
    }

    #[test]
    fn batches_are_acked_in_order_when_all_their_rows_are_done() {
        let mut tracker = AckTracker::default();
        tracker.open(1, 2, DestinationCounts::default(), Vec::new(), 10);
        tracker.open(
            2,
            1,
            DestinationCounts {
                rejected: 3,
                ..Default::default()
            },
            Vec::new(),
            20,
        );
        tracker.row_done(2, false);
        tracker.row_done(1, false);
        assert_eq!(sequences(&mut tracker), []);
        tracker.row_done(1, true);
        assert_eq!(sequences(&mut tracker), [(1, 1, 1), (2, 1, 3)]);
        assert_eq!(tracker.memory(), 0);
    }

    #[test]
    fn a_batch_with_nothing_to_send_waits_for_those_before_it() {
        let mut tracker = AckTracker::default();
        tracker.open(1, 1, DestinationCounts::default(), Vec::new(), 0);
        tracker.open(
            2,
            0,
            DestinationCounts {
                filtered: 5,
                ..Default::default()
            },
            Vec::new(),
            0,
        );
        assert_eq!(sequences(&mut tracker), []);
        tracker.row_done(1, false);
        assert_eq!(sequences(&mut tracker), [(1, 1, 0), (2, 0, 0)]);
    }
}
