//! `longshore syncs turns`

use std::path::Path;

use longshore_core::Error;
use longshore_state::StateStore;

use crate::{
    cli::{Context, output::Columns, state_location::StateArguments},
    failure::Failure,
    history::{require_sync, turns::ShownTurn},
    serve::control::{Client, Question},
};

pub(super) async fn list(
    sync: Option<&str>,
    limit: u32,
    state: &StateArguments,
    context: &Context,
) -> Result<(), Failure> {
    let store = state.open(context).await?;
    if let Some(sync) = sync {
        let location = state.location(context).await?;
        require_known(store.as_ref(), location.sqlite_path(), sync).await?;
    }
    let turns: Vec<ShownTurn> = store
        .list_turns(sync, limit)
        .await?
        .into_iter()
        .map(ShownTurn::from)
        .collect();
    Ok(context.output.data(&turns, |turns| in_words(turns))?)
}

/// Refuses a name that neither the state nor a daemon knows: an empty list would look like an answer.
async fn require_known(store: &dyn StateStore, state_file: &Path, sync: &str) -> Result<(), Error> {
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

fn in_words(turns: &[ShownTurn]) -> String {
    let mut columns = Columns::new(&["SYNC", "DUE", "STATUS", "TRIES", "RUN", "ENDED", "ERROR"]);
    for turn in turns {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        columns.row(vec![
            turn.sync.clone(),
            match (&turn.first_due_at, &turn.last_due_at) {
                (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
                (_, Some(last)) => last.clone(),
                _ => "by request".to_owned(),
            },
            turn.status.as_str().to_owned(),
            turn.tries.to_string(),
            or_none(&turn.run_id),
            or_none(&turn.ended_at),
            turn.error.as_ref().map(|error| error.code.clone()).unwrap_or_default(),
        ]);
    }
    columns.render("no daemon has decided anything with this state yet")
}
