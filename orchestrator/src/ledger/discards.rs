//! Which rejects are to be given up.

use std::collections::BTreeMap;

use longshore_core::Error;
use longshore_state::{RejectStatus, StateStore};

use super::{filters::Filters, unknown};

/// Rejects whose numbers are read at once.
const PAGE: u32 = 5_000;

/// What a person wants to have given up. Nothing chosen is a slip, unless it is said that all are meant.
pub(crate) struct Chosen {
    pub(crate) filters: Filters,
    pub(crate) ids: Vec<i64>,
    pub(crate) all: bool,
}

/// The numbers of those that are meant, by sync.
pub(crate) async fn discards(
    chosen: &Chosen,
    configured: &[String],
    store: &dyn StateStore,
) -> Result<BTreeMap<String, Vec<i64>>, Error> {
    let mut filter = chosen.filters.resolve(store, configured).await?;
    if chosen.filters.means_resolved() {
        return Err(
            Error::config("reject_not_pending", "Only pending rejects can be discarded")
                .with_remedy("Leave the status out, or say `pending`."),
        );
    }
    if chosen.filters.is_empty() && chosen.ids.is_empty() && !chosen.all {
        return Err(
            Error::config("nothing_chosen", "It is not said which rejects are to be discarded")
                .with_remedy("Choose them by number (`--id`) or by a filter such as the run, rule or table, or say that all are meant (`--all`)."),
        );
    }
    let mut found = BTreeMap::<String, Vec<i64>>::new();
    for &id in &chosen.ids {
        let kept = store.get_reject(id).await?.ok_or_else(|| unknown(id))?;
        if kept.reject.status != RejectStatus::Pending {
            let message = format!("The reject {id} is {} already", kept.reject.status);
            return Err(
                Error::config("reject_not_pending", message).with_remedy("Leave it out. Nothing was discarded.")
            );
        }
    }
    if !chosen.ids.is_empty() {
        filter.ids = Some(chosen.ids.clone());
    }
    filter.status = Some(RejectStatus::Pending);
    loop {
        let page = store.list_rejects(&filter, PAGE).await?;
        filter.before = page.last().map(|reject| reject.id);
        let was_last = page.len() < PAGE as usize;
        for reject in page {
            found.entry(reject.sync).or_default().push(reject.id);
        }
        if was_last {
            break;
        }
    }
    if found.is_empty() {
        return Err(
            Error::config("nothing_to_discard", "The ledger has no pending reject like this")
                .with_remedy("`longshore rejects list --status pending` shows what there is."),
        );
    }
    Ok(found)
}
