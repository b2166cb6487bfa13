//! One project: its key, its limits, its content and its counts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::rate_limits::RateLimits;
use crate::request::{Identifier, Operation};
use crate::request_log::LoggedRequest;
use crate::store::{Duplicates, EventSnapshot, ProfileSnapshot, Store};
use crate::sync::locked;
use crate::validation::{self, Category, PartialError};

/// A project of a running sandbox.
#[derive(Debug)]
pub struct Project {
    pub(crate) key: String,
    pub(crate) rest_api_key: String,
    pub(crate) rate_limits: Mutex<RateLimits>,
    content: Mutex<Content>,
    /// Custom ids of the calls that are being answered; kept in strict mode only.
    in_flight: Mutex<HashMap<Box<str>, u32>>,
}

#[derive(Debug, Default)]
struct Content {
    store: Store,
    counts: Counts,
    /// Grows with each reset, so that a dump notices that the ground moved.
    generation: u64,
}

/// What happened to a project since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Profiles held.
    pub profiles: usize,
    /// Events held, repeated ones included.
    pub events: usize,
    /// Authenticated calls.
    pub requests: u64,
    /// Calls that took effect, whatever was answered.
    pub applied_requests: u64,
    /// Operations of the calls that took effect.
    pub operations: u64,
    /// Partial errors in answers.
    pub partial_errors: u64,
    /// Calls answered with 429, by the bucket or on demand.
    pub too_many_requests: u64,
    /// Calls that were given no answer: cut on purpose, or the client left.
    pub unanswered: u64,
    /// Calls by status of their answer.
    pub statuses: BTreeMap<u16, u64>,
    /// Calls that took effect, and their operations, by endpoint.
    pub endpoints: BTreeMap<Endpoint, EndpointCounts>,
    /// In strict mode: operations whose profile was in another call that was being answered at the same time. A client
    /// that gives up and tries again at once can cause them too.
    pub overlapping_operations: u64,
}

/// Counts of one endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointCounts {
    /// Calls that took effect.
    pub applied_requests: u64,
    /// Their operations.
    pub operations: u64,
}

/// Claims on the custom ids of one call, released when the call ends.
#[derive(Debug)]
pub(crate) struct InFlight {
    project: Arc<Project>,
    custom_ids: HashSet<Box<str>>,
}

impl Project {
    pub(crate) fn new(key: String, rest_api_key: String, rate_limits: RateLimits) -> Self {
        Self {
            key,
            rest_api_key,
            rate_limits: Mutex::new(rate_limits),
            content: Mutex::default(),
            in_flight: Mutex::default(),
        }
    }

    /// The project's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Counts since the start or the last reset.
    pub fn counts(&self) -> Counts {
        let content = locked(&self.content);
        Counts {
            profiles: content.store.profile_count(),
            events: content.store.event_count(),
            ..content.counts.clone()
        }
    }

    /// One profile.
    pub fn profile(&self, custom_id: &str) -> Option<ProfileSnapshot> {
        locked(&self.content).store.profile(custom_id)
    }

    /// Up to `limit` profiles in the order of their creation, from position `from` on.
    pub fn profiles(&self, from: usize, limit: usize) -> Vec<ProfileSnapshot> {
        locked(&self.content).store.profiles(from, limit).collect()
    }

    /// The events of one profile in the order of reception.
    pub fn events_of(&self, custom_id: &str) -> Vec<EventSnapshot> {
        locked(&self.content).store.events_of(custom_id)
    }

    /// Up to `limit` events in the order of reception, from sequence number `from` on.
    pub fn events(&self, from: usize, limit: usize) -> Vec<EventSnapshot> {
        locked(&self.content).store.events(from, limit).collect()
    }

    /// Events that arrived more than once; at most `limit` groups are listed. Holds up the project while it compares.
    pub fn duplicates(&self, limit: usize) -> Duplicates {
        locked(&self.content).store.duplicates(limit)
    }

    /// Forgets profiles, events and counts. Rate limits stay as they are.
    pub(crate) fn reset(&self) {
        let mut content = locked(&self.content);
        let generation = content.generation + 1;
        *content = Content {
            generation,
            ..Content::default()
        };
    }

    pub(crate) fn generation(&self) -> u64 {
        locked(&self.content).generation
    }

    /// Applies what is valid of a call, all of it in one step, and gives what was refused. The first `refused_on_demand`
    /// operations are refused whole.
    pub(crate) fn apply(
        &self,
        operations: Vec<Operation<'_>>,
        now: DateTime<Utc>,
        refused_on_demand: usize,
    ) -> Vec<PartialError> {
        let mut errors = Vec::new();
        let mut accepted = Vec::with_capacity(operations.len());
        for (bulk_index, operation) in operations.into_iter().enumerate() {
            if bulk_index < refused_on_demand {
                errors.push(PartialError {
                    bulk_index,
                    category: Category::Fault,
                    attribute: None,
                    reason: "refused on demand".to_owned(),
                });
                continue;
            }
            accepted.extend(validation::validate(bulk_index, operation, now, &mut errors));
        }
        let mut content = locked(&self.content);
        for operation in &mut accepted {
            content.store.apply(operation, now, &mut errors);
        }
        drop(content);
        errors.sort_by_key(|error| error.bulk_index);
        errors
    }

    /// Claims the custom ids of a call until the guard is dropped.
    pub(crate) fn claim(self: &Arc<Self>, operations: &[Operation<'_>]) -> InFlight {
        let custom_ids = operations.iter().filter_map(|operation| match &operation.identifier {
            Identifier::CustomId(custom_id) => Some(Box::from(&**custom_id)),
            Identifier::Installation => None,
        });
        let custom_ids: HashSet<Box<str>> = custom_ids.collect();
        let mut overlapping = 0;
        let mut in_flight = locked(&self.in_flight);
        for custom_id in &custom_ids {
            let claims = in_flight.entry(custom_id.clone()).or_default();
            *claims += 1;
            overlapping += u64::from(*claims > 1);
        }
        drop(in_flight);
        locked(&self.content).counts.overlapping_operations += overlapping;
        InFlight {
            project: self.clone(),
            custom_ids,
        }
    }

    pub(crate) fn count(&self, entry: &LoggedRequest) {
        let mut content = locked(&self.content);
        let counts = &mut content.counts;
        counts.requests += 1;
        match entry.status {
            Some(status) => *counts.statuses.entry(status).or_default() += 1,
            None => counts.unanswered += 1,
        }
        counts.too_many_requests += u64::from(entry.status == Some(429));
        counts.partial_errors += entry.partial_errors as u64;
        if entry.applied {
            let operations = entry.operations.unwrap_or_default() as u64;
            counts.applied_requests += 1;
            counts.operations += operations;
            if let Some(endpoint) = entry.endpoint {
                let endpoint = counts.endpoints.entry(endpoint).or_default();
                endpoint.applied_requests += 1;
                endpoint.operations += operations;
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut in_flight = locked(&self.project.in_flight);
        for custom_id in &self.custom_ids {
            if let Some(claims) = in_flight.get_mut(custom_id) {
                *claims -= 1;
                if *claims == 0 {
                    in_flight.remove(custom_id);
                }
            }
        }
    }
}
