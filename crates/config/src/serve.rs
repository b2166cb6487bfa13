//! What concerns `longshore serve` as a whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Runs at once when nothing is said: each has the processes of its plugins, and databases notice several at once.
pub const DEFAULT_CONCURRENT_RUNS: u16 = 4;

/// The options of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    /// How many runs go on at once. Others wait until one has ended. Syncs that name the same destination take turns in any case.
    #[serde(default = "default_concurrent_runs")]
    #[schemars(range(min = 1, max = 256))]
    pub concurrent_runs: u16,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            concurrent_runs: DEFAULT_CONCURRENT_RUNS,
        }
    }
}

fn default_concurrent_runs() -> u16 {
    DEFAULT_CONCURRENT_RUNS
}
