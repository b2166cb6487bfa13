//! Answers to wishes.

use longshore_state::UnixMicros;
use serde::{Deserialize, Serialize};

/// A sync is to run now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The sync.
    pub sync: String,
    /// It starts at once; otherwise something keeps it waiting, and `waits_for` says what.
    pub at_once: bool,
    /// What it waits for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

/// Whether a sync is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseState {
    /// The sync.
    pub sync: String,
    /// Whether it is paused now.
    pub paused: bool,
    /// Whether that changed with this wish.
    pub changed: bool,
    /// When it will run next by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_at: Option<UnixMicros>,
}

/// A run is being ended, or is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// The sync.
    pub sync: String,
    /// The run that ends in order; `None`: it had not begun, and does not now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}
