//! The last calls, newest kept: what was asked, what was answered, how long it took.

use std::collections::VecDeque;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;

/// One call. Holds no credentials and no content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedRequest {
    /// Number of the call in the order of arrival, from zero.
    pub sequence: u64,
    /// When its head was read.
    pub received_at: DateTime<Utc>,
    /// From the head to the answer, in microseconds.
    pub duration_us: u64,
    /// The project, once the call was authenticated.
    pub project: Option<String>,
    /// The endpoint, if the path led to one.
    pub endpoint: Option<Endpoint>,
    /// The API version in the path.
    pub version: Option<String>,
    /// Bytes of the body as sent.
    pub bytes: usize,
    /// Operations in the body, once it was read.
    pub operations: Option<usize>,
    /// Events in the body, once it was read.
    pub events: Option<usize>,
    /// When its operations were taken from the bucket, in microseconds since the start; nothing when they were not. Never goes back.
    pub admitted_us: Option<u64>,
    /// Whether the call took effect.
    pub applied: bool,
    /// HTTP status of the answer; nothing when none was given: cut on purpose, or the client left.
    pub status: Option<u16>,
    /// `error_code` of the answer.
    pub error_code: Option<String>,
    /// Partial errors in the answer.
    pub partial_errors: usize,
    /// The kind of fault that had the call.
    pub fault: Option<String>,
}

#[derive(Debug)]
pub(crate) struct RequestLog {
    most: usize,
    entries: VecDeque<LoggedRequest>,
    most_bodies: usize,
    bodies: VecDeque<(u64, Bytes)>,
}

impl RequestLog {
    pub(crate) fn holding(most: usize, most_bodies: usize) -> Self {
        Self {
            most,
            entries: VecDeque::new(),
            most_bodies,
            bodies: VecDeque::new(),
        }
    }

    pub(crate) fn push(&mut self, entry: LoggedRequest, body: Option<Bytes>) {
        if let Some(body) = body {
            push_bounded(&mut self.bodies, (entry.sequence, body), self.most_bodies);
        }
        push_bounded(&mut self.entries, entry, self.most);
    }

    /// Entries from this sequence number on, in the order in which the calls ended.
    pub(crate) fn entries(&self, from: u64, limit: usize) -> Vec<LoggedRequest> {
        let page = self.entries.iter().filter(|entry| entry.sequence >= from).take(limit);
        page.cloned().collect()
    }

    pub(crate) fn body(&self, sequence: u64) -> Option<Bytes> {
        let kept = self.bodies.iter().find(|(known, _)| *known == sequence);
        kept.map(|(_, body)| body.clone())
    }

    pub(crate) fn clear(&mut self, project: Option<&str>) {
        let goes = |entry: &LoggedRequest| project.is_none_or(|project| entry.project.as_deref() == Some(project));
        let gone: Vec<u64> = self
            .entries
            .iter()
            .filter(|entry| goes(entry))
            .map(|entry| entry.sequence)
            .collect();
        self.bodies.retain(|(sequence, _)| !gone.contains(sequence));
        self.entries.retain(|entry| !goes(entry));
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if most == 0 {
        return;
    }
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(item);
}
