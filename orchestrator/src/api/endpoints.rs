//! Every endpoint. What is listed here is served and documented, and nothing else is.

use super::{
    call::Needs,
    endpoint::{Endpoint, get, post, put},
    events, openapi, rejects, runs, session, state, syncs,
};

pub(super) fn all() -> Vec<Endpoint> {
    vec![
        get("/openapi.json", "openapi", "This document.")
            .needs(Needs::Nothing)
            .answered_by("application/json", "An OpenAPI document.", openapi::answer),
        get("/session", "session", "Who the caller is to this Longshore.").by(session::show),
        get("/events", "events", "What happens, as it happens: server-sent events, each with a JSON object as its data.")
            .answered_by("text/event-stream", "A stream that goes on until either side ends it.", events::stream),
        get("/syncs", "list_syncs", "Every sync as it stands.").by(syncs::list),
        get("/syncs/{sync}", "show_sync", "One sync as it stands, with its cursors.").by(syncs::show),
        post("/syncs/{sync}/run", "run_sync", "Run a sync now, whatever its schedule says and even while it is paused.").by(syncs::run),
        post("/syncs/{sync}/pause", "pause_sync", "Start no more runs of a sync until it is resumed. A run that goes on is not touched.").by(syncs::pause),
        post("/syncs/{sync}/resume", "resume_sync", "End a pause.").by(syncs::resume),
        post("/syncs/{sync}/cancel", "cancel_sync", "End the current run of a sync in order, or take back one that waits.").by(syncs::cancel),
        get("/syncs/{sync}/turns", "list_turns", "The latest times that a sync was to run, and what came of each, newest first.").by(syncs::turns),
        get("/runs", "list_runs", "Runs, newest first, page after page.").by(runs::list),
        get("/runs/{run}", "show_run", "One run with its attempts, tables and partitions; `last` means the latest.").by(runs::show),
        get("/runs/{run}/log", "show_run_log", "What was logged while a run went on.").by(runs::log),
        post("/runs/{run}/cancel", "cancel_run", "End a run in order. What is acked is committed; the next run of the sync goes on there.").by(runs::cancel),
        get("/rejects", "list_rejects", "Rejects, newest first, page after page.").by(rejects::list),
        get("/rejects/counts", "count_rejects", "How many rejects there are of each kind and status, most first.").by(rejects::counts),
        get("/rejects/export", "export_rejects", "Rejects with their rows, oldest first, as lines of JSON, to look at or to mend.")
            .needs(Needs::Operating)
            .answered_by("application/x-ndjson", "A reject with its row on each line.", rejects::export),
        get("/rejects/{reject}", "show_reject", "One reject; with its row, where that is kept and an operator asks.").by(rejects::show),
        post("/rejects/discard", "discard_rejects", "Give up pending rejects: they stay named in the ledger, and their rows are removed and never sent.").by(rejects::discard),
        post("/rejects/replay", "replay_rejects", "Send pending rejects again now, and answer when it is done.").by(rejects::replay),
        get("/state", "list_state", "The cursor of every table.").by(state::list),
        get("/state/{sync}", "show_state", "All that is stored about a sync: cursors, what the source keeps with them, who runs it, an interrupted run.").by(state::show),
        put("/state/{sync}/tables/{table}", "set_state", "Put a cursor in the place of the stored one: the next run delivers what is beyond it.").by(state::set),
        post("/state/{sync}/reset", "reset_state", "Forget the cursors of a sync, or of one table: the next run reads from the beginning.").by(state::reset),
    ]
}
