//! `longshore syncs turns`

use crate::{
    cli::{Context, known_sync::require_known, output::Columns, state_location::StateArguments},
    failure::Failure,
    history::turns::ShownTurn,
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
