//! Strict mode: what a careful client never does is recorded, while the answers stay the same.

use serde::{Deserialize, Serialize};

use crate::validation::PartialError;

/// Violations whose details are kept; beyond it they are only counted.
const KEPT: usize = 1_000;

/// Something that a careful client never does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Sequence number of the call in the request log.
    pub request: u64,
    /// The project.
    pub project: String,
    /// What it was.
    pub kind: ViolationKind,
    /// The rule, in words.
    pub reason: String,
    /// The refused piece, for partial errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<PartialError>,
}

/// The kinds of violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViolationKind {
    /// A piece of a call was refused.
    PartialError,
    /// A whole call was refused with 400, 413 or 415.
    RefusedCall,
    /// A call without operations.
    EmptyCall,
    /// One custom id twice in a call: what the service does then is not documented.
    RepeatedCustomId,
}

/// All violations: the number of them, and the first ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violations {
    /// How many there were.
    pub count: u64,
    /// The first of them, 1,000 at most.
    pub first: Vec<Violation>,
}

impl Violations {
    pub(crate) fn push(&mut self, violation: Violation) {
        self.count += 1;
        if self.first.len() < KEPT {
            self.first.push(violation);
        }
    }
}
