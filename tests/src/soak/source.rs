//! What a soak needs of a database.

use std::{collections::BTreeMap, time::Duration};

use tokio_util::sync::CancellationToken;

use super::tally::Tally;
use crate::{Result, SandboxProcess, fault_proxy::FaultProxies, shop::Target};

/// A database with a table `profiles` (`custom_id`, `version`, …) and a table `events` (`event_id`, …), which writers keep busy.
pub(super) trait BusySource {
    /// The program of its plugin.
    const PLUGIN: &'static str;

    /// The configuration of a sync.
    fn configuration(&self, target: Target, sandbox: &SandboxProcess, proxies: &FaultProxies) -> String;

    /// The variables that configurations refer to, with their values.
    fn variables(&self) -> Vec<(&'static str, String)>;

    /// Writes until told to stop; then ends every transaction that is open.
    async fn write_until(&self, seed: u64, stop: &CancellationToken, tally: &Tally) -> Result<()>;

    /// How long after the last write a sync reads everything.
    fn settles_within(&self) -> Duration;

    /// Breaks the connections of syncs at the server's side; gives how many.
    async fn break_connections(&self) -> Result<u64>;

    /// What must be there in the end.
    async fn contents(&self) -> Result<Contents>;

    /// What is known of a row, for whoever looks for the reason of its absence.
    async fn describe(&self, target: Target, row: &str) -> Result<String>;
}

/// What a database holds when everything has come to rest.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The version of each profile, by custom id.
    pub(super) profiles: BTreeMap<String, i64>,
    /// Custom ids of profiles that were deleted: they may have arrived before.
    pub(super) deleted: Vec<String>,
    /// Ids of events.
    pub(super) events: Vec<i64>,
}
