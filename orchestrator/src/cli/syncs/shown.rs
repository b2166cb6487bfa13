//! Syncs in columns, as a daemon or the state shows them.

use std::collections::BTreeMap;

use longshore_core::Result;
use longshore_state::{RunFilter, RunKind, RunStatus, StateStore, UnixMicros};
use serde::Serialize;
use serde_json::Value;

use crate::{cli::output::Columns, moment::shown as at};

/// Runs that are read to find the last one of each sync.
const RUNS: u32 = 1_000;

/// A sync as far as it is stored.
#[derive(Serialize)]
pub(super) struct StoredSync {
    name: String,
    paused: bool,
    /// The schedule that a daemon last ran it by.
    schedule: Option<String>,
    /// A run was interrupted or put off, and the next daemon goes on with it.
    waiting: bool,
    last_run: Option<StoredRun>,
}

#[derive(Serialize)]
struct StoredRun {
    run_id: String,
    status: RunStatus,
    started_at: String,
    ended_at: Option<String>,
}

/// Every sync that is stored: run, scheduled or paused at some time.
pub(super) async fn stored(store: &dyn StateStore) -> Result<Vec<StoredSync>> {
    let mut syncs = BTreeMap::new();
    for known in store.list_scheduled().await? {
        let sync = StoredSync {
            name: known.sync.clone(),
            paused: known.paused,
            schedule: known.schedule,
            waiting: known.open.is_some(),
            last_run: None,
        };
        syncs.insert(known.sync, sync);
    }
    let of_syncs = RunFilter {
        kind: Some(RunKind::Sync),
        ..RunFilter::default()
    };
    // Newest first: the first of each sync is its last.
    for run in store.list_runs(&of_syncs, RUNS).await? {
        let sync = syncs.entry(run.sync.clone()).or_insert_with(|| StoredSync {
            name: run.sync.clone(),
            paused: false,
            schedule: None,
            waiting: false,
            last_run: None,
        });
        sync.last_run.get_or_insert(StoredRun {
            run_id: run.run_id,
            status: run.status,
            started_at: at(run.started_at),
            ended_at: run.ended_at.map(at),
        });
    }
    Ok(syncs.into_values().collect())
}

pub(super) fn of_store(syncs: &[StoredSync]) -> String {
    let mut columns = Columns::new(&["SYNC", "STATE", "SCHEDULE", "LAST RUN", "STARTED"]);
    for sync in syncs {
        let run = sync.last_run.as_ref();
        columns.row(vec![
            sync.name.clone(),
            match (sync.paused, sync.waiting) {
                (true, _) => "paused",
                (false, true) => "to be gone on with",
                (false, false) => "-",
            }
            .to_owned(),
            sync.schedule.clone().unwrap_or_else(|| "-".to_owned()),
            run.map_or_else(|| "-".to_owned(), |run| run.status.to_string()),
            run.map_or_else(|| "-".to_owned(), |run| run.started_at.clone()),
        ]);
    }
    columns.render("no sync was run with this state yet")
}

/// Turns the instants of a daemon's answer into what every command prints. A daemon counts microseconds since 1970, under names that end in `_at`, and `since`.
pub(super) fn make_readable(answer: &mut Value) {
    match answer {
        Value::Array(items) => items.iter_mut().for_each(make_readable),
        Value::Object(entries) => {
            for (name, value) in entries {
                match value.as_i64().filter(|_| name.ends_with("_at") || name == "since") {
                    Some(micros) => *value = at(UnixMicros(micros)).into(),
                    None => make_readable(value),
                }
            }
        }
        _ => {}
    }
}

/// What a daemon answers: [`crate::serve::handle::SyncView`] as JSON.
pub(super) fn of_daemon(syncs: &Value) -> String {
    let mut columns = Columns::new(&[
        "SYNC",
        "STATE",
        "SCHEDULE",
        "NEXT RUN",
        "LAST RUN",
        "ENDED",
        "RUN / ERROR",
    ]);
    for sync in syncs.as_array().into_iter().flatten() {
        let text = |pointer: &str| sync.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let phase = or_none(text("/phase"));
        let is_paused = sync["paused"].as_bool().unwrap_or(false);
        columns.row(vec![
            or_none(text("/name")),
            match is_paused && phase != "paused" {
                true => format!("{phase}, paused"),
                false => phase,
            },
            or_none(text("/schedule/text")),
            or_none(text("/next_run_at")),
            or_none(text("/last_run/status")),
            or_none(text("/last_run/ended_at")),
            remark(sync),
        ]);
    }
    columns.render("the configuration has no syncs")
}

/// What a person has to know of what runs or waits.
fn remark(sync: &Value) -> String {
    let activity = &sync["activity"];
    let run = activity["run_id"].as_str().map(|run| format!("run {run}"));
    if let Some(what) = activity["waits_for"].as_str() {
        let error = error_in_words(&activity["last_error"]).map(|error| format!(" ({error})"));
        let run = run.map(|run| format!("; {run}")).unwrap_or_default();
        return format!("waits for {what}{}{run}", error.unwrap_or_default());
    }
    if let Some(run) = run {
        return run;
    }
    error_in_words(&sync["last_run"]["error"]).unwrap_or_default()
}

/// The code in front: the message alone says where something broke, and often not what.
fn error_in_words(error: &Value) -> Option<String> {
    let message = error["message"].as_str()?;
    Some(match error["code"].as_str() {
        Some(code) => format!("[{code}] {message}"),
        None => message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_is_shown_with_its_code_in_front() {
        let error = json!({ "code": "not_authenticated", "message": "PostgreSQL refused while connecting" });
        let failed = json!({ "name": "shop", "phase": "idle", "last_run": { "status": "failed", "error": error } });
        assert_eq!(
            remark(&failed),
            "[not_authenticated] PostgreSQL refused while connecting"
        );
        let waiting = json!({ "activity": { "waits_for": "its next try", "last_error": error } });
        assert_eq!(
            remark(&waiting),
            "waits for its next try ([not_authenticated] PostgreSQL refused while connecting)"
        );
        let broken_off = json!({ "activity": { "waits_for": "its next attempt", "last_error": error, "run_id": "7" } });
        assert!(remark(&broken_off).ends_with("); run 7"), "it can be cancelled");
        let text = of_daemon(&json!([failed]));
        assert!(text.lines().next().unwrap().ends_with("RUN / ERROR"), "{text}");
    }
}
