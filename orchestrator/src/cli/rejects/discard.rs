//! `longshore rejects discard`

use std::collections::BTreeMap;

use clap::Args;
use longshore_core::Error;
use longshore_state::{RejectStatus, StateStore, UnixMicros};
use serde_json::json;

use crate::{
    cli::{Context, confirmation::confirm, output::grouped, state_location::StateArguments},
    failure::{Exit, Failure},
    ledger::{filters::Filters, unknown},
};

/// Rejects whose numbers are read at once.
const PAGE: u32 = 5_000;

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
    let chosen = chosen(&arguments, store.as_ref()).await?;
    let rejects: usize = chosen.values().map(Vec::len).sum();
    let what = format!(
        "{} rejects of {}",
        grouped(rejects as u64),
        chosen.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    );
    let consequence = format!("Discarding {what} means that their rows are never sent");
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
            "discarded {} rejects; `longshore rejects list --status discarded` names them\n",
            grouped(discarded)
        )
    })?;
    Ok(Exit::Done)
}

/// The numbers of those that are meant, by sync.
async fn chosen(arguments: &Arguments, store: &dyn StateStore) -> Result<BTreeMap<String, Vec<i64>>, Error> {
    let mut filter = arguments.filters.resolve(store, &[]).await?;
    if arguments.filters.means_resolved() {
        return Err(
            Error::config("reject_not_pending", "Only pending rejects can be discarded")
                .with_remedy("Leave --status out, or give `--status pending`."),
        );
    }
    if arguments.filters.is_empty() && arguments.ids.is_empty() && !arguments.all {
        return Err(
            Error::config("nothing_chosen", "It is not said which rejects are to be discarded")
                .with_remedy("Choose them with --id or a filter such as --run, --rule or --table, or give --all."),
        );
    }
    let mut chosen = BTreeMap::<String, Vec<i64>>::new();
    for &id in &arguments.ids {
        let kept = store.get_reject(id).await?.ok_or_else(|| unknown(id))?;
        if kept.reject.status != RejectStatus::Pending {
            let message = format!("The reject {id} is {} already", kept.reject.status);
            return Err(
                Error::config("reject_not_pending", message).with_remedy("Leave it out. Nothing was discarded.")
            );
        }
    }
    if !arguments.ids.is_empty() {
        filter.ids = Some(arguments.ids.clone());
    }
    filter.status = Some(RejectStatus::Pending);
    loop {
        let page = store.list_rejects(&filter, PAGE).await?;
        filter.before = page.last().map(|reject| reject.id);
        let was_last = page.len() < PAGE as usize;
        for reject in page {
            chosen.entry(reject.sync).or_default().push(reject.id);
        }
        if was_last {
            break;
        }
    }
    if chosen.is_empty() {
        return Err(
            Error::config("nothing_to_discard", "The ledger has no pending reject like this")
                .with_remedy("`longshore rejects list --status pending` shows what there is."),
        );
    }
    Ok(chosen)
}
