//! `longshore rejects discard`

use clap::Args;
use longshore_state::UnixMicros;
use serde_json::json;

use crate::{
    cli::{Context, confirmation::confirm, state_location::StateArguments},
    failure::{Exit, Failure},
    figures::counted,
    ledger::{
        discards::{Chosen, discards},
        filters::Filters,
    },
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    state: StateArguments,
    #[command(flatten)]
    filters: Filters,
    /// Only the rejects with these numbers.
    #[arg(long = "id", value_name = "ID", value_delimiter = ',')]
    ids: Vec<i64>,
    /// All pending rejects of all syncs.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// Gives up pending rejects: they stay named in the ledger, and their rows go.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let store = arguments.state.open(context).await?;
    let chosen = Chosen {
        filters: arguments.filters,
        ids: arguments.ids,
        all: arguments.all,
    };
    let chosen = discards(&chosen, &[], store.as_ref()).await?;
    let rejects: usize = chosen.values().map(Vec::len).sum();
    let what = format!(
        "{} of {}",
        counted(rejects as u64, "reject", "rejects"),
        chosen.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    );
    let consequence = format!("Discarding {what} means that no row of theirs is ever sent");
    confirm(
        context,
        arguments.yes,
        &consequence,
        &format!("The rows of {what} will never be sent."),
    )?;
    let mut discarded = 0;
    for (sync, ids) in &chosen {
        discarded += store.discard_rejects(sync, ids, UnixMicros::now()).await?;
    }
    context.output.data(&json!({ "discarded": discarded }), |_| {
        format!(
            "discarded {}; `longshore rejects list --status discarded` shows what was given up\n",
            counted(discarded, "reject", "rejects")
        )
    })?;
    Ok(Exit::Done)
}
