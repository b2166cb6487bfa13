//! What destinations have refused, and superseded, behind the last commit of a stream.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use longshore_state::{NewReject, Supersession};

/// Bytes of rejected rows from which on a commit that is possible comes before more rows.
const HEAVY: u64 = 8 * 1024 * 1024;

/// Bytes of rejected rows that one stream keeps in memory. Beyond, where a source gives no checkpoint to commit them with, rejects are recorded without
/// their rows.
const MOST: u64 = 64 * 1024 * 1024;

/// Rejects of rows that no commit has passed yet, and what delivered rows supersede among older ones.
pub(super) struct Uncommitted {
    /// Number of the stream among those of its table.
    stream: u64,
    rejects: Vec<(u64, NewReject)>,
    superseded: Vec<(u64, u64, Supersession)>,
    row_bytes: u64,
    rows_let_go: u64,
}

/// What a commit takes along.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) rejects: Vec<NewReject>,
    pub(super) superseded: Vec<Supersession>,
}

/// What the streams of a table tell each other: a row that one of them delivered may supersede a reject that another one has not committed yet.
#[derive(Debug, Default)]
pub(in crate::engine) struct SharedSupersessions(Mutex<Shared>);

#[derive(Debug, Default)]
struct Shared {
    streams: u64,
    moment: u64,
    /// The stream that delivered, and when.
    delivered: HashMap<Supersession, (u64, u64)>,
}

impl SharedSupersessions {
    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_stream(&self) -> u64 {
        let mut shared = self.lock();
        shared.streams += 1;
        shared.streams
    }

    fn next_moment(&self) -> u64 {
        let mut shared = self.lock();
        shared.moment += 1;
        shared.moment
    }

    fn delivered(&self, stream: u64, superseded: &Supersession) {
        let mut shared = self.lock();
        shared.moment += 1;
        let delivered = (stream, shared.moment);
        shared.delivered.insert(superseded.clone(), delivered);
    }

    /// Whether another stream has delivered a newer version since.
    fn superseded_elsewhere(&self, stream: u64, moment: u64, reject: &NewReject) -> bool {
        let shared = self.lock();
        if shared.delivered.is_empty() {
            return false;
        }
        supersessions_of(reject).any(|superseded| {
            let delivered = shared.delivered.get(&superseded);
            delivered.is_some_and(|(other, since)| *other != stream && *since > moment)
        })
    }
}

impl Uncommitted {
    pub(super) fn new(shared: &SharedSupersessions) -> Self {
        Self {
            stream: shared.next_stream(),
            rejects: Vec::new(),
            superseded: Vec::new(),
            row_bytes: 0,
            rows_let_go: 0,
        }
    }

    /// So much waits for a commit that it should come before more rows.
    pub(super) fn is_heavy(&self) -> bool {
        self.row_bytes >= HEAVY
    }

    pub(super) fn reject(&mut self, shared: &SharedSupersessions, mut reject: NewReject) {
        if self.row_bytes + reject.row_data.len() as u64 > MOST {
            if self.rows_let_go == 0 {
                tracing::warn!(
                    "too many rejected rows wait for a checkpoint: further ones are named in the ledger without their values, and can not be sent again"
                );
            }
            self.rows_let_go += 1;
            reject.row_data = Vec::new();
        }
        self.row_bytes += reject.row_data.len() as u64;
        self.rejects.push((shared.next_moment(), reject));
    }

    /// The row there, of batch and number, was delivered and supersedes older rejects.
    pub(super) fn supersede(
        &mut self,
        shared: &SharedSupersessions,
        (sequence, row): (u64, u64),
        superseded: Supersession,
    ) {
        shared.delivered(self.stream, &superseded);
        self.superseded.push((sequence, row, superseded));
    }

    /// Takes what belongs to the batches up to this one.
    pub(super) fn take_up_to(&mut self, shared: &SharedSupersessions, sequence: u64) -> Passed {
        let superseded = std::mem::take(&mut self.superseded);
        let (passed, later): (Vec<_>, Vec<_>) = superseded.into_iter().partition(|(batch, ..)| *batch <= sequence);
        self.superseded = later;
        let mut delivered = HashMap::<&Supersession, (u64, u64)>::new();
        for (batch, row, superseded) in &passed {
            let latest = delivered.entry(superseded).or_default();
            *latest = (*latest).max((*batch, *row));
        }
        let (mut rejects, mut left) = (Vec::new(), Vec::new());
        for (moment, mut reject) in std::mem::take(&mut self.rejects) {
            if reject.sequence > sequence {
                left.push((moment, reject));
                continue;
            }
            self.row_bytes -= reject.row_data.len() as u64;
            let place = (reject.sequence, reject.row);
            let by_later_row = !delivered.is_empty()
                && supersessions_of(&reject)
                    .any(|superseded| delivered.get(&superseded).is_some_and(|row| *row > place));
            reject.superseded = by_later_row || shared.superseded_elsewhere(self.stream, moment, &reject);
            rejects.push(reject);
        }
        self.rejects = left;
        Passed {
            rejects,
            superseded: passed.into_iter().map(|(.., superseded)| superseded).collect(),
        }
    }
}

/// What supersedes a reject.
fn supersessions_of(reject: &NewReject) -> impl Iterator<Item = Supersession> {
    reject.versions().map(|versions| Supersession {
        destination: reject.destination.clone(),
        versions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(sequence: u64, row: u64, identity: &str) -> NewReject {
        NewReject {
            destination: "batch".to_owned(),
            identity: identity.to_owned(),
            sequence,
            row,
            row_data: vec![0; 10],
            ..NewReject::default()
        }
    }

    fn of(identity: &str) -> Supersession {
        Supersession {
            destination: "batch".to_owned(),
            versions: longshore_state::Versions::OfIdentity {
                identity: identity.to_owned(),
                column: String::new(),
            },
        }
    }

    fn fates(passed: &Passed) -> Vec<(u64, u64, bool)> {
        let fate = |reject: &NewReject| (reject.sequence, reject.row, reject.superseded);
        passed.rejects.iter().map(fate).collect()
    }

    #[test]
    fn a_later_row_supersedes_those_before_it_and_none_behind_it() {
        let shared = SharedSupersessions::default();
        let mut stream = Uncommitted::new(&shared);
        stream.reject(&shared, reject(1, 0, "ada"));
        stream.reject(&shared, reject(1, 9, "ada"));
        stream.reject(&shared, reject(1, 3, "bob"));
        stream.reject(&shared, reject(1, 2, ""));
        stream.supersede(&shared, (1, 5), of("ada"));
        let passed = stream.take_up_to(&shared, 1);
        assert_eq!(
            fates(&passed),
            [(1, 0, true), (1, 9, false), (1, 3, false), (1, 2, false)]
        );
        assert_eq!(passed.superseded.len(), 1);
        assert_eq!(stream.row_bytes, 0);
    }

    #[test]
    fn a_commit_takes_what_it_passes_and_leaves_the_rest() {
        let shared = SharedSupersessions::default();
        let mut stream = Uncommitted::new(&shared);
        stream.reject(&shared, reject(1, 0, "ada"));
        stream.reject(&shared, reject(2, 0, "bob"));
        stream.supersede(&shared, (2, 5), of("ada"));
        let first = stream.take_up_to(&shared, 1);
        assert_eq!(
            (fates(&first), first.superseded.len()),
            (vec![(1, 0, false)], 0),
            "the row that supersedes it is not committed"
        );
        assert_eq!(stream.row_bytes, 10);
        let second = stream.take_up_to(&shared, 2);
        assert_eq!((fates(&second), second.superseded.len()), (vec![(2, 0, false)], 1));
    }

    #[test]
    fn rows_that_wait_without_end_are_let_go_and_stay_named() {
        let shared = SharedSupersessions::default();
        let mut stream = Uncommitted::new(&shared);
        let half = usize::try_from(MOST / 2).unwrap();
        for row in 0..3 {
            let large = NewReject {
                row_data: vec![0; half],
                ..reject(1, row, "")
            };
            stream.reject(&shared, large);
        }
        assert!(stream.is_heavy());
        let kept: Vec<bool> = stream
            .take_up_to(&shared, 1)
            .rejects
            .iter()
            .map(|reject| !reject.row_data.is_empty())
            .collect();
        assert_eq!(kept, [true, true, false]);
        assert!(!stream.is_heavy());
    }

    #[test]
    fn a_row_of_another_stream_supersedes_what_was_rejected_before_and_is_not_committed() {
        let shared = SharedSupersessions::default();
        let (mut first, mut second) = (Uncommitted::new(&shared), Uncommitted::new(&shared));
        first.reject(&shared, reject(1, 0, "ada"));
        second.supersede(&shared, (7, 0), of("ada"));
        second.take_up_to(&shared, 7);
        first.reject(&shared, reject(1, 1, "ada"));
        assert_eq!(fates(&first.take_up_to(&shared, 1)), [(1, 0, true), (1, 1, false)]);
    }
}
