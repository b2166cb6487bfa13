//! When a checkpoint of a partition may be committed, and when the partition is done.
//!
//! A [`PartitionFlow`] follows one `Read` stream and the `Write` streams it feeds. It sees the envelopes only: sequence numbers, row and byte
//! counts, checkpoints, acks. It holds no data and does no I/O: the caller tells it what happened and asks what may be committed.
//!
//! The one rule that matters: **a checkpoint is committed only when every destination has acked every batch before it**.

use std::collections::VecDeque;

use crate::{
    balance::{DestinationCounts, SourceCounts},
    cursor::CursorValue,
    error::{Error, Result},
    fingerprints::Fingerprints,
};

/// A mark in a partition's stream: "everything before me is enough to resume from here".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last batch before it; 0: none.
    pub sequence: u64,
    /// The source's own description of the position.
    pub position: Vec<u8>,
    /// The cursor there, for people.
    pub cursor: Option<CursorValue>,
    /// Rows since the previous checkpoint that a later run may see again.
    pub fingerprints: Fingerprints,
    /// What the source counted on this stream up to here.
    pub counts: SourceCounts,
}

/// A batch's envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Position in the stream, from 1.
    pub sequence: u64,
    /// Rows in the batch.
    pub rows: u64,
    /// Size of the batch in bytes.
    pub bytes: u64,
}

/// What may be stored now. The counts are those since the previous commit of the same flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The checkpoint, with the fingerprints of all that were passed over since the previous commit.
    pub checkpoint: Checkpoint,
    /// What the source counted.
    pub source: SourceCounts,
    /// Rows forwarded.
    pub forwarded: u64,
    /// What each destination counted, in the order of the flow's destinations.
    pub destinations: Vec<DestinationCounts>,
    /// The partition is complete.
    pub end: bool,
}

/// One partition's stream, seen from between the source and the destinations.
#[derive(Debug)]
pub struct PartitionFlow {
    destinations: Vec<DestinationFlow>,
    /// Batches that at least one destination has not acked, oldest first.
    unacked: VecDeque<Envelope>,
    unacked_bytes: u64,
    unacked_rows: u64,
    last_sequence: u64,
    forwarded: u64,
    checkpoints: VecDeque<PendingCheckpoint>,
    committed_source: SourceCounts,
    committed_forwarded: u64,
    ended: bool,
}

#[derive(Debug, Default)]
struct DestinationFlow {
    acked: u64,
    /// Counts of acked batches that no commit has taken yet, oldest first.
    batches: VecDeque<(u64, DestinationCounts)>,
}

#[derive(Debug)]
struct PendingCheckpoint {
    checkpoint: Checkpoint,
    forwarded: u64,
    end: bool,
}

impl PartitionFlow {
    /// A flow to so many destinations, at the start of a stream.
    #[must_use]
    pub fn new(destinations: usize) -> Self {
        Self {
            destinations: (0..destinations).map(|_| DestinationFlow::default()).collect(),
            unacked: VecDeque::new(),
            unacked_bytes: 0,
            unacked_rows: 0,
            last_sequence: 0,
            forwarded: 0,
            checkpoints: VecDeque::new(),
            committed_source: SourceCounts::default(),
            committed_forwarded: 0,
            ended: false,
        }
    }

    /// The source sent a batch; it is about to be forwarded.
    ///
    /// # Errors
    /// `sequence_broken`, `empty_batch`, `batch_after_end`: the source broke the contract.
    pub fn batch(&mut self, envelope: Envelope) -> Result<()> {
        if self.ended {
            return Err(Error::protocol(
                "batch_after_end",
                "The source sent a batch after the end of the partition",
            ));
        }
        if envelope.sequence != self.last_sequence + 1 {
            return Err(Error::protocol(
                "sequence_broken",
                format!(
                    "The source sent batch {} after batch {}",
                    envelope.sequence, self.last_sequence
                ),
            ));
        }
        if envelope.rows == 0 {
            return Err(Error::protocol(
                "empty_batch",
                format!("The source sent batch {} without rows", envelope.sequence),
            ));
        }
        self.last_sequence = envelope.sequence;
        self.forwarded += envelope.rows;
        self.unacked_bytes += envelope.bytes;
        self.unacked_rows += envelope.rows;
        self.unacked.push_back(envelope);
        Ok(())
    }

    /// The source sent a checkpoint; `end` says that the partition is read to its end.
    ///
    /// # Errors
    /// `checkpoint_misplaced`, `checkpoint_miscounted`: the source broke the contract.
    pub fn checkpoint(&mut self, checkpoint: Checkpoint, end: bool) -> Result<()> {
        if self.ended || checkpoint.sequence != self.last_sequence {
            return Err(Error::protocol(
                "checkpoint_misplaced",
                format!(
                    "The source sent a checkpoint for batch {} after batch {}",
                    checkpoint.sequence, self.last_sequence
                ),
            ));
        }
        let counts = checkpoint.counts;
        if counts.emitted != self.forwarded || counts.read != counts.emitted + counts.filtered + counts.deduplicated {
            return Err(Error::protocol(
                "checkpoint_miscounted",
                format!(
                    "The source counts {counts:?} where {} rows were forwarded",
                    self.forwarded
                ),
            ));
        }
        self.ended = end;
        self.checkpoints.push_back(PendingCheckpoint {
            checkpoint,
            forwarded: self.forwarded,
            end,
        });
        Ok(())
    }

    /// A destination acked a batch.
    ///
    /// # Errors
    /// `ack_out_of_order`, `ack_miscounted`: the destination broke the contract.
    pub fn ack(&mut self, destination: usize, sequence: u64, counts: DestinationCounts) -> Result<()> {
        let flow = &mut self.destinations[destination];
        if sequence != flow.acked + 1 || sequence > self.last_sequence {
            return Err(Error::protocol(
                "ack_out_of_order",
                format!(
                    "The destination acked batch {sequence} after batch {}; {} were sent",
                    flow.acked, self.last_sequence
                ),
            ));
        }
        let oldest = self.unacked.front().map_or(sequence, |batch| batch.sequence);
        let index = usize::try_from(sequence - oldest).expect("unacked batches fit in memory");
        let rows = self.unacked.get(index).map_or(0, |batch| batch.rows);
        if counts.total() != rows {
            return Err(Error::protocol(
                "ack_miscounted",
                format!(
                    "The destination accounts for {} rows of batch {sequence}, which has {rows}",
                    counts.total()
                ),
            ));
        }
        flow.acked = sequence;
        flow.batches.push_back((sequence, counts));
        let acked_by_all = self.acked_by_all();
        while let Some(batch) = self.unacked.front().filter(|batch| batch.sequence <= acked_by_all) {
            self.unacked_bytes -= batch.bytes;
            self.unacked_rows -= batch.rows;
            self.unacked.pop_front();
        }
        Ok(())
    }

    /// Takes the latest checkpoint that may be committed, if there is a new one.
    pub fn take_commit(&mut self) -> Option<Commit> {
        let acked = self.acked_by_all();
        let mut fingerprints = Fingerprints::default();
        let mut latest: Option<PendingCheckpoint> = None;
        while self
            .checkpoints
            .front()
            .is_some_and(|pending| pending.checkpoint.sequence <= acked)
        {
            let pending = self.checkpoints.pop_front().expect("front exists");
            fingerprints.extend(&pending.checkpoint.fingerprints);
            latest = Some(pending);
        }
        let PendingCheckpoint {
            mut checkpoint,
            forwarded,
            end,
        } = latest?;
        checkpoint.fingerprints = fingerprints;
        let destinations = self
            .destinations
            .iter_mut()
            .map(|flow| flow.take_counts(checkpoint.sequence))
            .collect();
        let commit = Commit {
            source: since(checkpoint.counts, self.committed_source),
            forwarded: forwarded - self.committed_forwarded,
            destinations,
            end,
            checkpoint,
        };
        self.committed_source = commit.checkpoint.counts;
        self.committed_forwarded = forwarded;
        Some(commit)
    }

    /// Whether rows were forwarded behind the last checkpoint: acked or not, they can not be committed before the next one has come.
    #[must_use]
    pub fn awaits_checkpoint(&self) -> bool {
        let last = self.checkpoints.back().map(|pending| pending.forwarded);
        self.forwarded > last.unwrap_or(self.committed_forwarded)
    }

    /// Whether [`Self::take_commit`] would answer something.
    #[must_use]
    pub fn commit_possible(&self) -> bool {
        let acked = self.acked_by_all();
        self.checkpoints
            .front()
            .is_some_and(|pending| pending.checkpoint.sequence <= acked)
    }

    /// Bytes forwarded that at least one destination has not acked.
    #[must_use]
    pub fn unacked_bytes(&self) -> u64 {
        self.unacked_bytes
    }

    /// Rows forwarded that at least one destination has not acked.
    #[must_use]
    pub fn unacked_rows(&self) -> u64 {
        self.unacked_rows
    }

    /// Batches forwarded that at least one destination has not acked.
    #[must_use]
    pub fn unacked_batches(&self) -> usize {
        self.unacked.len()
    }

    /// Rows forwarded on this stream.
    #[must_use]
    pub fn forwarded(&self) -> u64 {
        self.forwarded
    }

    /// Rows forwarded since the last commit: those that a crash now would send again.
    #[must_use]
    pub fn uncommitted_rows(&self) -> u64 {
        self.forwarded - self.committed_forwarded
    }

    /// The last batch that was forwarded; 0: none.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Whether the source has read the partition to its end.
    #[must_use]
    pub fn source_done(&self) -> bool {
        self.ended
    }

    /// Whether the end of the partition is committed.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.ended && self.checkpoints.is_empty()
    }

    /// Whether a destination has acked every batch.
    #[must_use]
    pub fn all_acked(&self, destination: usize) -> bool {
        self.destinations[destination].acked == self.last_sequence
    }

    fn acked_by_all(&self) -> u64 {
        self.destinations
            .iter()
            .map(|flow| flow.acked)
            .min()
            .unwrap_or(self.last_sequence)
    }
}

impl DestinationFlow {
    fn take_counts(&mut self, up_to: u64) -> DestinationCounts {
        let mut counts = DestinationCounts::default();
        while let Some((_, batch)) = self.batches.front().filter(|(sequence, _)| *sequence <= up_to) {
            counts += *batch;
            self.batches.pop_front();
        }
        counts
    }
}

fn since(now: SourceCounts, before: SourceCounts) -> SourceCounts {
    SourceCounts {
        read: now.read - before.read,
        emitted: now.emitted - before.emitted,
        filtered: now.filtered - before.filtered,
        deduplicated: now.deduplicated - before.deduplicated,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROWS: u64 = 10;

    fn batch(sequence: u64) -> Envelope {
        Envelope {
            sequence,
            rows: ROWS,
            bytes: 100,
        }
    }

    fn mark(sequence: u64) -> Checkpoint {
        let rows = sequence * ROWS;
        Checkpoint {
            sequence,
            position: sequence.to_string().into_bytes(),
            counts: SourceCounts {
                read: rows,
                emitted: rows,
                ..SourceCounts::default()
            },
            ..Checkpoint::default()
        }
    }

    fn delivered(rows: u64) -> DestinationCounts {
        DestinationCounts {
            delivered: rows,
            ..DestinationCounts::default()
        }
    }

    #[test]
    fn a_checkpoint_waits_for_the_slowest_destination() {
        let mut flow = PartitionFlow::new(2);
        flow.batch(batch(1)).unwrap();
        flow.checkpoint(mark(1), false).unwrap();
        flow.ack(0, 1, delivered(ROWS)).unwrap();
        assert_eq!(flow.take_commit(), None);
        assert_eq!(flow.unacked_bytes(), 100);
        flow.ack(
            1,
            1,
            DestinationCounts {
                rejected: 3,
                delivered: 7,
                ..DestinationCounts::default()
            },
        )
        .unwrap();
        let commit = flow.take_commit().unwrap();
        assert_eq!(commit.checkpoint.position, b"1");
        assert_eq!(commit.destinations[1].rejected, 3);
        assert_eq!((flow.unacked_bytes(), flow.uncommitted_rows()), (0, 0));
    }

    #[test]
    fn rows_behind_the_last_checkpoint_wait_for_the_next() {
        let mut flow = PartitionFlow::new(1);
        assert!(!flow.awaits_checkpoint());
        flow.batch(batch(1)).unwrap();
        assert!(flow.awaits_checkpoint());
        flow.checkpoint(mark(1), false).unwrap();
        assert!(!flow.awaits_checkpoint());
        flow.batch(batch(2)).unwrap();
        flow.ack(0, 1, delivered(ROWS)).unwrap();
        flow.ack(0, 2, delivered(ROWS)).unwrap();
        flow.take_commit().unwrap();
        assert!(
            flow.awaits_checkpoint(),
            "the second batch is acked and can not be committed"
        );
        flow.checkpoint(mark(2), false).unwrap();
        flow.take_commit().unwrap();
        assert!(!flow.awaits_checkpoint());
    }

    #[test]
    fn an_empty_partition_is_complete_after_its_end_is_committed() {
        let mut flow = PartitionFlow::new(1);
        flow.checkpoint(mark(0), true).unwrap();
        assert!(!flow.complete());
        assert!(flow.take_commit().unwrap().end);
        assert!(flow.complete());
    }

    #[test]
    fn a_peer_that_breaks_the_contract_is_named() {
        let code = |result: Result<()>| result.unwrap_err().code;
        let mut flow = PartitionFlow::new(1);
        assert_eq!(code(flow.batch(batch(2))), "sequence_broken");
        assert_eq!(code(flow.batch(Envelope { rows: 0, ..batch(1) })), "empty_batch");
        assert_eq!(code(flow.ack(0, 1, delivered(ROWS))), "ack_out_of_order");
        flow.batch(batch(1)).unwrap();
        assert_eq!(code(flow.ack(0, 1, delivered(ROWS - 1))), "ack_miscounted");
        assert_eq!(code(flow.ack(0, 2, delivered(ROWS))), "ack_out_of_order");
        assert_eq!(code(flow.checkpoint(mark(0), false)), "checkpoint_misplaced");
        let miscounted = Checkpoint {
            counts: SourceCounts::default(),
            ..mark(1)
        };
        assert_eq!(code(flow.checkpoint(miscounted, false)), "checkpoint_miscounted");
        flow.checkpoint(mark(1), true).unwrap();
        assert_eq!(code(flow.batch(batch(2))), "batch_after_end");
    }

    proptest! {
        /// Whatever the interleaving, nothing is committed before it is acked by all, and in the end everything is committed once.
        #[test]
        fn commits_never_run_ahead_of_acks_and_add_up(steps in proptest::collection::vec(0_u8..4, 1..300)) {
            let mut flow = PartitionFlow::new(2);
            let (mut sent, mut acked, mut committed) = (0_u64, [0_u64; 2], 0_u64);
            let mut rows = 0;
            let mut take = |flow: &mut PartitionFlow, acked: [u64; 2]| {
                let Some(commit) = flow.take_commit() else { return Ok(()) };
                prop_assert!(commit.checkpoint.sequence <= acked[0].min(acked[1]));
                prop_assert!(commit.checkpoint.sequence > committed || commit.end || commit.checkpoint.sequence == committed);
                prop_assert_eq!(commit.forwarded, (commit.checkpoint.sequence - committed) * ROWS);
                prop_assert_eq!(commit.destinations[0].total(), commit.forwarded);
                prop_assert_eq!(commit.destinations[1].total(), commit.forwarded);
                committed = commit.checkpoint.sequence;
                rows += commit.source.read;
                Ok(())
            };
            for step in steps {
                match step {
                    0 => { sent += 1; flow.batch(batch(sent)).unwrap(); }
                    1 => flow.checkpoint(mark(sent), false).unwrap(),
                    step => {
                        let destination = usize::from(step - 2);
                        if acked[destination] < sent {
                            acked[destination] += 1;
                            flow.ack(destination, acked[destination], delivered(ROWS)).unwrap();
                        }
                    }
                }
                take(&mut flow, acked)?;
            }
            flow.checkpoint(mark(sent), true).unwrap();
            for (destination, acked) in acked.iter_mut().enumerate() {
                while *acked < sent {
                    *acked += 1;
                    flow.ack(destination, *acked, delivered(ROWS)).unwrap();
                }
            }
            take(&mut flow, acked)?;
            prop_assert!(flow.complete());
            prop_assert_eq!(rows, sent * ROWS);
            prop_assert_eq!(flow.unacked_rows(), 0);
        }
    }
}
