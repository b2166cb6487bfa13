//! Events that arrived more than once: what a resend looks like from the receiving side.

use std::hash::{BuildHasher, RandomState};

use serde::{Deserialize, Serialize};

use super::Store;
use super::events::Event;

/// How far the events of a project are distinct. Two events are equal when profile, name, time and attributes are, as sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicates {
    /// All events.
    pub events: usize,
    /// Different events.
    pub distinct: usize,
    /// Events beyond the first of their kind: `events - distinct`.
    pub repeated: usize,
    /// The first groups of equal events, in order of first reception.
    pub groups: Vec<DuplicateGroup>,
}

/// Equal events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateGroup {
    /// Whose events.
    pub custom_id: String,
    /// The events' name.
    pub name: String,
    /// Their sequence numbers, ascending, two at least.
    pub sequences: Vec<u32>,
}

pub(super) fn find(store: &Store, limit: usize) -> Duplicates {
    let total = store.events.len();
    let hasher = RandomState::new();
    let sequences = (0..total).filter_map(|sequence| u32::try_from(sequence).ok());
    let mut hashed: Vec<(u64, u32)> = sequences
        .map(|sequence| (hasher.hash_one(identity(&store.events.get(sequence))), sequence))
        .collect();
    hashed.sort_unstable();

    let mut repeated = 0;
    let mut groups = Vec::new();
    for run in hashed.chunk_by(|left, right| left.0 == right.0) {
        for group in equal_events(store, run) {
            repeated += group.len() - 1;
            groups.push(group);
        }
    }
    groups.sort_unstable_by_key(|group| group[0]);
    groups.truncate(limit);
    let groups = groups.into_iter().map(|sequences| {
        let first = store.events.get(sequences[0]);
        DuplicateGroup {
            custom_id: store.profiles[first.profile as usize].custom_id.to_string(),
            name: store.names.text(first.name).to_owned(),
            sequences,
        }
    });
    Duplicates {
        events: total,
        distinct: total - repeated,
        repeated,
        groups: groups.collect(),
    }
}

/// The groups of two and more equal events among those that share a hash.
fn equal_events(store: &Store, run: &[(u64, u32)]) -> Vec<Vec<u32>> {
    let mut groups: Vec<Vec<u32>> = Vec::new();
    if run.len() < 2 {
        return groups;
    }
    for (_, sequence) in run {
        let event = store.events.get(*sequence);
        let same = |group: &&mut Vec<u32>| identity(&store.events.get(group[0])) == identity(&event);
        match groups.iter_mut().find(same) {
            Some(group) => group.push(*sequence),
            None => groups.push(vec![*sequence]),
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

fn identity<'e>(event: &Event<'e>) -> (u32, u32, Option<&'e str>, &'e str) {
    (event.profile, event.name, event.time, event.attributes)
}
