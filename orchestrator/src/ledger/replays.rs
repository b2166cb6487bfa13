//! Which rejects of which syncs are to be sent again.

use std::collections::BTreeMap;

use longshore_config::{Configuration, Source};
use longshore_core::{Error, Result};
use longshore_state::{RejectFilter, RejectStatus, StateStore};

use super::{filters::Filters, mended::MendedFile, unknown};
use crate::{
    engine::replay::Replay,
    figures::{counted, grouped, were},
};

/// What a person wants to have sent again: rows that were mended, rejects by their numbers, or those that filters leave; all of the configuration's syncs
/// without any.
pub(crate) struct Wanted {
    pub(crate) filters: Filters,
    pub(crate) ids: Vec<i64>,
    pub(crate) mended: Option<MendedFile>,
    /// See [`Replay::insist`].
    pub(crate) insist: bool,
}

/// What is to be sent again of each sync.
pub(crate) async fn replays<'c>(
    wanted: Wanted,
    configuration: &'c Configuration,
    store: &dyn StateStore,
) -> Result<Vec<(&'c Source, Replay)>> {
    let Wanted {
        filters,
        ids,
        mended,
        insist,
    } = wanted;
    if filters.means_resolved() {
        let message = "Only pending rejects can be sent again";
        return Err(Error::config("reject_not_pending", message).with_remedy("Leave the status out, or say `pending`."));
    }
    let filter = filters.resolve(store, &names(configuration)).await?;
    let (by_sync, rows) = match (mended, ids.as_slice()) {
        (Some(file), _) => (file.ids, file.rows),
        (None, []) => return matching(configuration, store, filter, insist).await,
        (None, ids) => (by_sync(store, ids).await?, BTreeMap::new()),
    };
    if !filters.is_empty() {
        let message = "Numbers and a file say already which rejects are meant";
        return Err(Error::config("filters_needless", message).with_remedy("Leave the filters out."));
    }
    let of_sync = |(sync, ids): (String, Vec<i64>)| {
        let source = configuration
            .source(&sync)
            .ok_or_else(|| sync_missing(configuration, &sync))?;
        let replay = Replay {
            mended: ids.iter().filter_map(|id| Some((*id, rows.get(id)?.clone()))).collect(),
            filter: RejectFilter {
                ids: Some(ids),
                ..RejectFilter::default()
            },
            insist,
        };
        Ok((source, replay))
    };
    by_sync.into_iter().map(of_sync).collect()
}

async fn by_sync(store: &dyn StateStore, ids: &[i64]) -> Result<BTreeMap<String, Vec<i64>>> {
    let mut found = BTreeMap::<String, Vec<i64>>::new();
    for &id in ids {
        let kept = store.get_reject(id).await?.ok_or_else(|| unknown(id))?;
        found.entry(kept.reject.sync).or_default().push(id);
    }
    Ok(found)
}

/// The syncs of the configuration that have pending rejects like this.
async fn matching<'c>(
    configuration: &'c Configuration,
    store: &dyn StateStore,
    filter: RejectFilter,
    insist: bool,
) -> Result<Vec<(&'c Source, Replay)>> {
    if let Some(sync) = &filter.sync
        && configuration.source(sync).is_none()
    {
        return Err(sync_missing(configuration, sync));
    }
    let mut replays = Vec::new();
    for source in &configuration.sources {
        let name = &source.spec.name;
        if filter.sync.as_ref().is_some_and(|sync| sync != name) {
            continue;
        }
        let of_sync = RejectFilter {
            sync: Some(name.clone()),
            status: Some(RejectStatus::Pending),
            ..filter.clone()
        };
        if store.list_rejects(&of_sync, 1).await?.is_empty() {
            continue;
        }
        let replay = Replay {
            filter: of_sync,
            insist,
            ..Replay::default()
        };
        replays.push((source, replay));
    }
    if replays.is_empty() {
        let pending = RejectFilter {
            status: Some(RejectStatus::Pending),
            ..filter
        };
        if let Some(other) = store.list_rejects(&pending, 1).await?.first() {
            return Err(sync_missing(configuration, &other.sync));
        }
        let message = "The ledger has no pending reject like this";
        return Err(Error::config("nothing_to_replay", message)
            .with_remedy("`longshore rejects list --status pending` shows what there is."));
    }
    Ok(replays)
}

fn names(configuration: &Configuration) -> Vec<String> {
    let names = configuration.sources.iter().map(|source| source.spec.name.clone());
    names.collect()
}

fn sync_missing(configuration: &Configuration, sync: &str) -> Error {
    let names = names(configuration);
    Error::config(
        "source_unknown",
        format!("The configuration has no source `{sync}`, whose rejects are to be sent again"),
    )
    .with_remedy(format!(
        "Its sources are: {}. Nothing was sent. Name the file that has `{sync}` too, as in `longshore rejects replay longshore.yml {sync}.yml`, or leave its \
         rejects out: by --sync with one of these, or by other numbers and lines.",
        names.join(", ")
    ))
}

/// What is said of pending rejects like this that belong to syncs of other configurations; `None`: there are none.
pub(crate) async fn left_out(
    filters: &Filters,
    configuration: &Configuration,
    store: &dyn StateStore,
) -> Result<Option<String>> {
    let names = names(configuration);
    let filter = RejectFilter {
        status: Some(RejectStatus::Pending),
        ..filters.resolve(store, &names).await?
    };
    if filter.sync.is_some() {
        return Ok(None);
    }
    let mut others = BTreeMap::<String, u64>::new();
    for count in store.count_rejects(&filter).await? {
        if !names.contains(&count.sync) {
            *others.entry(count.sync).or_default() += count.rejects;
        }
    }
    let total: u64 = others.values().sum();
    if total == 0 {
        return Ok(None);
    }
    let of_each = others
        .iter()
        .map(|(sync, rejects)| format!("{sync}: {}", grouped(*rejects)));
    Ok(Some(format!(
        "{} of syncs that this configuration does not have {} left out ({}): to send them too, name their files as well",
        counted(total, "pending reject", "pending rejects"),
        were(total),
        of_each.collect::<Vec<_>>().join(", ")
    )))
}
