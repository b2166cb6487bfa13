//! The ledger of rejects: listed, looked into, exported, sent again; with the checks of `longshore rejects`.

use std::path::Path;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream;
use longshore_core::{Error, Result};
use longshore_state::{Page, RejectCount, RejectFilter, RejectStatus, UnixMicros};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Service, Shared,
    access::Role,
    answer::Refusal,
    call::{Call, Nothing},
};
use crate::{
    documents::ErrorDocument,
    engine::report::RunReport,
    figures::counted,
    ledger::{
        discards::{Chosen, discards},
        export::{PAGE, exported},
        filters::Filters,
        mended,
        replays::{Wanted, replays},
        row::rejected_row,
        shown::ShownReject,
        unknown,
    },
};

const DEFAULT_PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 500;

/// What errors call the mended lines of a request.
const MENDED: &str = "the mended rejects";

/// Which rejects are meant; what is not given does not restrict.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RejectQuery {
    /// Of this sync.
    sync: Option<String>,
    /// Of this table.
    table: Option<String>,
    /// Refused by this destination.
    destination: Option<String>,
    /// Recorded by this run: its id, or `last`.
    run: Option<String>,
    /// Under this rule.
    rule: Option<String>,
    /// About this column.
    column: Option<String>,
    /// That stand there.
    status: Option<RejectStatus>,
}

/// A page of rejects.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RejectPageQuery {
    /// Of this sync.
    sync: Option<String>,
    /// Of this table.
    table: Option<String>,
    /// Refused by this destination.
    destination: Option<String>,
    /// Recorded by this run: its id, or `last`.
    run: Option<String>,
    /// Under this rule.
    rule: Option<String>,
    /// About this column.
    column: Option<String>,
    /// That stand there.
    status: Option<RejectStatus>,
    /// Older than the one with this number: the `next` of the page before.
    before: Option<i64>,
    /// At most so many; 50 when nothing is said, 500 at most.
    limit: Option<u32>,
}

/// A page of rejects, newest first.
#[derive(Serialize, JsonSchema)]
pub(super) struct RejectPage {
    rejects: Vec<ShownReject>,
    /// What `before` is for the next page; null: there is none.
    next: Option<i64>,
}

/// How many rejects there are of each kind.
#[derive(Serialize, JsonSchema)]
pub(super) struct RejectCounts {
    counts: Vec<ShownCount>,
}

/// Rejects of one kind that stand in one place.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RejectCount")]
struct ShownCount {
    sync: String,
    table: String,
    destination: String,
    rule: String,
    /// Empty: the whole row.
    column: String,
    status: RejectStatus,
    rejects: u64,
}

/// Which rejects are to be sent again: those with numbers, those that were mended, or those that the rest leaves; all pending ones without anything.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(super) struct ReplayWish {
    /// Those with these numbers.
    ids: Vec<i64>,
    /// Lines of `/rejects/export` whose rows a person has mended. Only values that differ from the stored ones are taken.
    mended: Option<String>,
    /// Send also what would be refused: rows that were delivered but for a column, to a destination that adds rows; and rows of which nobody can tell whether
    /// a newer version was delivered.
    insist: bool,
    /// Of this sync.
    sync: Option<String>,
    /// Of this table.
    table: Option<String>,
    /// Refused by this destination.
    destination: Option<String>,
    /// Recorded by this run: its id, or `last`.
    run: Option<String>,
    /// Under this rule.
    rule: Option<String>,
    /// About this column.
    column: Option<String>,
    /// Pending, if anything.
    status: Option<RejectStatus>,
}

/// What came of it, a report for each sync.
#[derive(Serialize, JsonSchema)]
pub(super) struct Replayed {
    replays: Vec<RunReport>,
    /// Syncs whose replay has no report, such as one that runs at the moment, where those of others have. Where none has, the answer is the first one's error.
    failed: Vec<FailedReplay>,
}

/// A sync whose replay has no report: it did not begin; or the daemon ended, or its state could not be read, and then some may have been sent.
#[derive(Serialize, JsonSchema)]
pub(super) struct FailedReplay {
    sync: String,
    /// Why.
    #[schemars(with = "ErrorDocument")]
    error: Error,
}

impl From<RejectQuery> for Filters {
    fn from(query: RejectQuery) -> Self {
        Self {
            sync: query.sync,
            table: query.table,
            destination: query.destination,
            run: query.run,
            rule: query.rule,
            column: query.column,
            status: query.status,
        }
    }
}

pub(super) async fn list(call: Call<(), RejectPageQuery>) -> Result<RejectPage, Refusal> {
    let query = call.query;
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, LARGEST_PAGE);
    let filters = Filters {
        sync: query.sync,
        table: query.table,
        destination: query.destination,
        run: query.run,
        rule: query.rule,
        column: query.column,
        status: query.status,
    };
    let mut filter = resolved(&call.service, &filters).await?;
    filter.before = query.before;
    // One more than asked for tells whether there is another page.
    let mut rejects = call.service.store.list_rejects(&filter, limit + 1).await?;
    let more = rejects.len() > limit as usize;
    rejects.truncate(limit as usize);
    Ok(RejectPage {
        next: rejects.last().filter(|_| more).map(|last| last.id),
        rejects: rejects.into_iter().map(ShownReject::from).collect(),
    })
}

pub(super) async fn counts(call: Call<(), RejectQuery>) -> Result<RejectCounts, Refusal> {
    let filter = resolved(&call.service, &call.query.into()).await?;
    let counts = call.service.store.count_rejects(&filter).await?;
    Ok(RejectCounts {
        counts: counts.into_iter().map(ShownCount::from).collect(),
    })
}

pub(super) async fn show(call: Call<i64>) -> Result<ShownReject, Refusal> {
    let store = call.service.store.as_ref();
    let kept = store.get_reject(call.path).await?.ok_or_else(|| unknown(call.path))?;
    // Rows are what people at the source have written about others: seeing them is an operator's matter.
    if call.role < Role::Operator {
        return Ok(kept.reject.into());
    }
    let row = rejected_row(store, &kept).await?;
    Ok(ShownReject::with_row(kept.reject, row.as_ref()))
}

/// Lines as they are stored, with nothing covered: they are to come back.
pub(super) async fn export(call: Call<(), RejectQuery>) -> Result<Response, Refusal> {
    let filter = resolved(&call.service, &call.query.into()).await?;
    let pages = stream::try_unfold((call.service, filter, PAGE), |(service, filter, page)| async move {
        let lines = lines(&service, &filter, page).await.inspect_err(|error| {
            // The answer has begun, and can only break off.
            tracing::warn!(code = error.code, %error, "an export of rejects broke off");
        })?;
        Ok::<_, Error>(lines.map(|(text, page)| (text, (service, filter, page))))
    });
    let mut response = Body::from_stream(pages).into_response();
    let lines = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, lines);
    Ok(response)
}

async fn lines(service: &Shared, filter: &RejectFilter, mut page: Page) -> Result<Option<(Bytes, Page)>> {
    let store = service.store.as_ref();
    let rejects = store.read_rejects(filter, page).await?;
    let Some(last) = rejects.last() else {
        return Ok(None);
    };
    page.after = last.reject.id;
    let mut text = String::new();
    for kept in rejects {
        text.push_str(&exported(store, kept).await?.to_string());
        text.push('\n');
    }
    Ok(Some((text.into(), page)))
}

/// Goes on to its end also when the caller hangs up: the history has it.
pub(super) async fn replay(call: Call<(), Nothing, ReplayWish>) -> Result<Replayed, Refusal> {
    let service = call.service;
    let wish = call.body;
    let store = service.store.as_ref();
    if wish.mended.is_some() && !wish.ids.is_empty() {
        let error = Error::config("ids_needless", "The mended rejects say already which are meant");
        return Err(error.with_remedy("Leave `ids` out.").into());
    }
    let mended = match &wish.mended {
        Some(text) => Some(mended::read_text(text, Path::new(MENDED), store).await?),
        None => None,
    };
    let filters = Filters {
        sync: wish.sync,
        table: wish.table,
        destination: wish.destination,
        run: wish.run,
        rule: wish.rule,
        column: wish.column,
        status: wish.status,
    };
    let wanted = Wanted {
        filters,
        ids: wish.ids,
        mended,
        insist: wish.insist,
    };
    let configuration = service.daemon.configuration();
    let wanted = replays(wanted, &configuration, store).await?;
    let wanted: Vec<_> = wanted
        .into_iter()
        .map(|(source, replay)| (source.spec.name.clone(), replay))
        .collect();
    let daemon = service.daemon.clone();
    let replaying = tokio::spawn(async move {
        let mut replayed = Replayed {
            replays: Vec::new(),
            failed: Vec::new(),
        };
        for (sync, replay) in wanted {
            match daemon.replay(&sync, replay).await {
                Ok(report) => replayed.replays.push(report),
                Err(error) => replayed.failed.push(FailedReplay { sync, error }),
            }
        }
        replayed
    });
    let mut replayed = replaying
        .await
        .map_err(|error| Error::internal("replay_broke_off", "The replay broke off").with_cause(&error))?;
    match replayed.replays.is_empty() && !replayed.failed.is_empty() {
        true => Err(replayed.failed.swap_remove(0).error.into()),
        false => Ok(replayed),
    }
}

/// Which rejects are to be given up.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DiscardWish {
    /// Those with these numbers.
    ids: Vec<i64>,
    /// All pending rejects of all syncs.
    all: bool,
    /// That it is known what follows: their rows are removed and never sent.
    confirmed: bool,
    /// Of this sync.
    sync: Option<String>,
    /// Of this table.
    table: Option<String>,
    /// Refused by this destination.
    destination: Option<String>,
    /// Recorded by this run: its id, or `last`.
    run: Option<String>,
    /// Under this rule.
    rule: Option<String>,
    /// About this column.
    column: Option<String>,
    /// Pending, if anything.
    status: Option<RejectStatus>,
}

/// How many were given up.
#[derive(Serialize, JsonSchema)]
pub(super) struct Discarded {
    discarded: u64,
}

pub(super) async fn discard(call: Call<(), Nothing, DiscardWish>) -> Result<Discarded, Refusal> {
    let wish = call.body;
    let store = call.service.store.as_ref();
    let chosen = Chosen {
        filters: Filters {
            sync: wish.sync,
            table: wish.table,
            destination: wish.destination,
            run: wish.run,
            rule: wish.rule,
            column: wish.column,
            status: wish.status,
        },
        ids: wish.ids,
        all: wish.all,
    };
    let found = discards(&chosen, &configured(&call.service), store).await?;
    if !wish.confirmed {
        let rejects: usize = found.values().map(Vec::len).sum();
        let what = counted(rejects as u64, "reject", "rejects");
        let message = format!("Discarding {what} means that no row of theirs is ever sent");
        let error = Error::config("not_confirmed", message).with_remedy("Send `\"confirmed\": true` to do it.");
        return Err(error.into());
    }
    let mut discarded = 0;
    for (sync, ids) in found {
        discarded += store.discard_rejects(&sync, &ids, UnixMicros::now()).await?;
    }
    Ok(Discarded { discarded })
}

async fn resolved(service: &Service, filters: &Filters) -> Result<RejectFilter> {
    filters.resolve(service.store.as_ref(), &configured(service)).await
}

fn configured(service: &Service) -> Vec<String> {
    service.daemon.views().into_iter().map(|sync| sync.name).collect()
}

impl From<RejectCount> for ShownCount {
    fn from(count: RejectCount) -> Self {
        Self {
            sync: count.sync,
            table: count.table,
            destination: count.destination,
            rule: count.rule,
            column: count.column,
            status: count.status,
            rejects: count.rejects,
        }
    }
}
