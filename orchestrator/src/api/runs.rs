//! Runs: listed, looked into, cancelled.

mod counts;

use longshore_core::Result;
use longshore_state::{CurrentHold, Run, RunFilter, RunStatus, StateStore, UnixMicros, process::liveness};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Service,
    answer::Refusal,
    call::Call,
    state::known,
    syncs::{ShownActivity, ShownCancelled},
};
use crate::{
    history::{
        log::ShownLog,
        run_called,
        shown::{ShownDetails, ShownRun},
    },
    moment,
};

pub(super) use counts::RunCounts;

const DEFAULT_PAGE: u32 = 20;
const LARGEST_PAGE: u32 = 200;

/// Which runs are meant.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunQuery {
    /// Of this sync only.
    sync: Option<String>,
    /// With this status only.
    status: Option<RunStatus>,
    /// Only those that began since: a date, an instant as in RFC 3339, or how long ago, such as 90m, 24h or 7d.
    since: Option<String>,
    /// Older than this run: the `next` of the page before.
    before: Option<String>,
    /// At most so many; 20 when nothing is said, 200 at most.
    limit: Option<u32>,
}

/// A page of runs, newest first.
#[derive(Serialize, JsonSchema)]
pub(super) struct RunPage {
    runs: Vec<CountedRun>,
    /// What `before` is for the next page; null: there is none.
    next: Option<String>,
}

/// A run, and what it has moved.
#[derive(Serialize, JsonSchema)]
struct CountedRun {
    #[serde(flatten)]
    run: ShownRun,
    /// Rows that the source has fetched; of a replay, rejects sent again.
    read: u64,
    /// Rows that are durable at the destination.
    delivered: u64,
    /// The time that its attempts took; null: nobody knows, because none has a recorded end.
    duration_ms: Option<u64>,
}

/// All that is known about a run.
#[derive(Serialize, JsonSchema)]
pub(super) struct RunAnswer {
    #[serde(flatten)]
    run: ShownDetails,
    /// What it does at this moment; null: this daemon does not run it.
    progress: Option<ShownActivity>,
    /// Whether another process runs it at this moment, such as `longshore sync` beside the daemon. A `running` that neither does is interrupted.
    elsewhere: bool,
}

pub(super) async fn list(call: Call<(), RunQuery>) -> Result<RunPage, Refusal> {
    let service = call.service;
    let query = call.query;
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, LARGEST_PAGE);
    if let Some(sync) = &query.sync {
        known(&service, sync).await?;
    }
    let since = query
        .since
        .map(|text| moment::since(&text, UnixMicros::now()))
        .transpose();
    let since = since.map_err(Refusal::bad_request)?;
    if let Some(before) = &query.before {
        run_called(service.store.as_ref(), before).await?;
    }
    let filter = RunFilter {
        sync: query.sync,
        kind: None,
        status: query.status,
        since,
        before: query.before,
    };
    // One more than asked for tells whether there is another page.
    let mut runs = service.store.list_runs(&filter, limit + 1).await?;
    let more = runs.len() > limit as usize;
    runs.truncate(limit as usize);
    let next = runs.last().filter(|_| more).map(|last| last.run_id.clone());
    let mut counted = Vec::new();
    for run in runs {
        counted.push(count(&service, run).await?);
    }
    Ok(RunPage { runs: counted, next })
}

async fn count(service: &Service, run: Run) -> Result<CountedRun> {
    let counts = service.counts.of(service.store.as_ref(), &run).await?;
    Ok(CountedRun {
        read: counts.read,
        delivered: counts.delivered,
        duration_ms: counts.duration_ms,
        run: run.into(),
    })
}

pub(super) async fn show(call: Call<String>) -> Result<RunAnswer, Refusal> {
    let details = run_called(call.service.store.as_ref(), &call.path).await?;
    let activities = call.service.daemon.views().into_iter().filter_map(|sync| sync.activity);
    let activity = activities
        .into_iter()
        .find(|activity| activity.run_id.as_deref() == Some(&*details.run.run_id));
    Ok(RunAnswer {
        progress: activity.as_ref().map(ShownActivity::from),
        elsewhere: activity.is_none() && runs_elsewhere(call.service.store.as_ref(), &details.run).await?,
        run: ShownDetails::of(details, None),
    })
}

/// Whether another process has the sync of a run that has no end, and for that run.
async fn runs_elsewhere(store: &dyn StateStore, run: &Run) -> Result<bool> {
    if run.status != RunStatus::Running {
        return Ok(false);
    }
    let hold = store.current_hold(&run.sync).await?;
    let has_it = |hold: CurrentHold| {
        let holder = &hold.holder;
        *holder == run.holder && !holder.is_this_process() && hold.stands(UnixMicros::now(), liveness(holder))
    };
    Ok(hold.is_some_and(has_it))
}

/// A log is bounded, so all of it is answered at once.
pub(super) async fn log(call: Call<String>) -> Result<ShownLog, Refusal> {
    let store = call.service.store.as_ref();
    let details = run_called(store, &call.path).await?;
    Ok(ShownLog::of(store, &details.run.run_id).await?)
}

pub(super) async fn cancel(call: Call<String>) -> Result<ShownCancelled, Refusal> {
    let cancelled = call.service.daemon.cancel_run(&call.path).await?;
    Ok(ShownCancelled {
        sync: cancelled.sync,
        run_id: cancelled.run_id,
    })
}
