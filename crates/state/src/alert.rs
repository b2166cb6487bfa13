//! Conditions of a sync that somebody is told of once: kept, so that a restart neither forgets nor repeats them.

use crate::moment::UnixMicros;

/// A condition as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAlert {
    /// The sync.
    pub sync: String,
    /// The condition, in the orchestrator's own words: one alert for each sync and condition.
    pub condition: String,
    /// It holds; otherwise it does not any more, and that is to be told.
    pub firing: bool,
    /// Since when it holds, or does not any more.
    pub since: UnixMicros,
    /// Whoever is to know has been told.
    pub told: bool,
    /// What is told, in the orchestrator's own form. Without secrets and cell values.
    pub message: serde_json::Value,
}
