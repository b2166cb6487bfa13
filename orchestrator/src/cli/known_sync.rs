//! Whether a sync that somebody names is one.

use std::path::Path;

use longshore_core::Error;
use longshore_state::StateStore;

use crate::{
    history::require_sync,
    serve::control::{Client, Question},
};

/// Refuses a name that neither the state nor a daemon knows: an empty list would look like an answer. The daemon is asked only about a name that the state does
/// not have: what is stored can be read whatever becomes of it.
pub(super) async fn require_known(store: &dyn StateStore, state_file: &Path, sync: &str) -> Result<(), Error> {
    let unknown = match require_sync(store, sync).await {
        Err(error) if error.code == "sync_unknown" => error,
        known => return known,
    };
    if store.list_scheduled().await?.iter().any(|known| known.sync == sync) {
        return Ok(());
    }
    let Some(daemon) = Client::connect(state_file).await? else {
        return Err(unknown);
    };
    let syncs = daemon.ask_value(&Question::Syncs).await?;
    // A sync that was never to run has nothing in the state yet, and is none the less known.
    let is_known = syncs
        .as_array()
        .into_iter()
        .flatten()
        .any(|known| known["name"] == sync);
    if is_known { Ok(()) } else { Err(unknown) }
}
