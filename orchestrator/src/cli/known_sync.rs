//! Whether a sync that somebody names is one.

use std::path::Path;

use longshore_core::Error;
use longshore_state::StateStore;

use crate::{
    history::require_sync,
    serve::control::{Client, Question},
};

/// Refuses a name that neither the state nor a daemon knows: an empty list would look like an answer.
pub(super) async fn require_known(store: &dyn StateStore, state_file: &Path, sync: &str) -> Result<(), Error> {
    if store.list_scheduled().await?.iter().any(|known| known.sync == sync) {
        return Ok(());
    }
    if let Some(daemon) = Client::connect(state_file).await? {
        let syncs = daemon.ask_value(&Question::Syncs).await?;
        // A sync that was never to run has no turn yet, and is none the less known.
        if syncs
            .as_array()
            .into_iter()
            .flatten()
            .any(|known| known["name"] == sync)
        {
            return Ok(());
        }
    }
    require_sync(store, sync).await
}
