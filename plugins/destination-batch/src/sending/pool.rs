//! Rows that wait to be sent, by profile. Pure, apart from the claims that are shared with other streams.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::{
    claims::Claim,
    request::{BodyWriter, Request, RequestLimits},
};
use crate::{encode::batch::Row, operation::Operation};

/// The rows of one stream that wait. Rows of one profile wait in order, merged into as few operations as the API takes; of one profile, one operation at a
/// time is in flight.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    profiles: HashMap<Arc<str>, Profile, RandomState>,
    /// Profiles that can go, in the order in which their first row came.
    ready: VecDeque<Arc<str>>,
    rows: usize,
}

#[derive(Debug, Default)]
struct Profile {
    next: Option<Operation>,
    /// Behind `next`; mostly empty, and then without memory of its own.
    later: VecDeque<Operation>,
    is_in_flight: bool,
}

impl Profile {
    /// Adds a row at the end.
    fn push(&mut self, row: Row) {
        let last = self.later.back_mut().or(self.next.as_mut());
        let Err(row) = last.map_or(Err(row.clone()), |last| last.merge(row)) else {
            return;
        };
        let operation = Operation::new(row);
        match self.next {
            None => self.next = Some(operation),
            Some(_) => self.later.push_back(operation),
        }
    }

    fn pop(&mut self) -> Option<Operation> {
        std::mem::replace(&mut self.next, self.later.pop_front())
    }
}

impl Pool {
    /// Adds a row behind those of its profile.
    pub(crate) fn push(&mut self, row: Row) {
        self.rows += 1;
        if let Some(profile) = self.profiles.get_mut(row.custom_id()) {
            return profile.push(row);
        }
        let id: Arc<str> = row.custom_id().into();
        self.ready.push_back(Arc::clone(&id));
        let profile = Profile {
            next: Some(Operation::new(row)),
            ..Profile::default()
        };
        self.profiles.insert(id, profile);
    }

    /// Rows that wait.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Profiles that could go now.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Takes the next request out: the profiles that are ready, up to the limits, apart from those that another stream has in flight. `None` when
    /// none is left.
    pub(crate) fn take(&mut self, limits: RequestLimits, mut claim: Claim) -> Option<Request> {
        let mut operations = Vec::with_capacity(limits.operations.min(self.ready.len()));
        let mut body = BodyWriter::default();
        let mut blocked = Vec::new();
        while operations.len() < limits.operations {
            let Some(id) = self.ready.pop_front() else { break };
            let profile = self.profiles.get_mut(&id).expect("a ready profile is in the pool");
            let operation = profile.next.as_ref().expect("a ready profile has a row waiting");
            if !claim.add(&id) {
                blocked.push(id);
                continue;
            }
            if !body.push_within(operation, limits.bytes) {
                claim.give_back_last();
                self.ready.push_front(id);
                break;
            }
            let operation = profile.pop().expect("it was there a moment ago");
            profile.is_in_flight = true;
            self.rows -= operation.rows().len();
            operations.push(operation);
        }
        for id in blocked.into_iter().rev() {
            self.ready.push_front(id);
        }
        if operations.is_empty() {
            return None;
        }
        Some(Request {
            operations,
            body: body.finish(),
            claim,
        })
    }

    /// The request with these operations is over: their profiles can go again.
    pub(crate) fn release<'a>(&mut self, custom_ids: impl Iterator<Item = &'a str>) {
        for id in custom_ids {
            let Some((id, mut profile)) = self.profiles.remove_entry(id) else {
                continue;
            };
            if profile.next.is_none() {
                continue;
            }
            if std::mem::take(&mut profile.is_in_flight) {
                self.ready.push_back(Arc::clone(&id));
            }
            self.profiles.insert(id, profile);
        }
    }
}

#[cfg(test)]
mod tests;
