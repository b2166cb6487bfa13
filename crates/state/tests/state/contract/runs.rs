//! Runs, attempts, plans, promotion.

use longshore_core::Error;
use longshore_state::{CursorReplacement, RunFilter, RunRetention, RunStatus};

use super::*;

pub(crate) async fn a_completed_run_promotes_and_keeps_its_counts_only(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    complete_partitions(&*store, &hold).await;
    let promotion = Promotion {
        from_revision: 0,
        state: state(42),
    };
    store
        .promote_table(&hold, RUN, "events", Some(promotion), later(5))
        .await
        .unwrap();
    store.finish_run(&hold, end(RUN, RunStatus::Completed)).await.unwrap();
    store.release(&hold).await.unwrap();

    let stored = store.get_state(SYNC, "events").await.unwrap().unwrap();
    assert_eq!(stored.state().unwrap(), state(42));
    assert_eq!(
        (stored.revision, stored.run_id.as_deref(), stored.updated_at),
        (1, Some(RUN), later(5))
    );
    assert_eq!(store.interrupted_run(SYNC).await.unwrap(), None);

    let found = store.get_run(RUN).await.unwrap().unwrap();
    assert_eq!(
        (found.run.status, found.run.ended_at),
        (RunStatus::Completed, Some(later(10)))
    );
    assert_eq!(found.run.summary, Some(serde_json::json!({"tables": []})));
    assert_eq!(found.duration(), Duration::from_secs(10));
    let table = &found.tables[0];
    assert!(table.complete && table.plan.is_empty() && table.partitions[0].position.is_empty());
    assert_eq!(
        (&table.cursor_before, &table.cursor_after),
        (&None, &Some(CursorValue::Int(42)))
    );
    assert_eq!(
        (
            table.forwarded(),
            table.source().read,
            table.destinations()["batch"].delivered
        ),
        (20, 22, 20)
    );
}

pub(crate) async fn a_run_goes_on_where_its_dead_process_stopped(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store.commit_checkpoint(&hold, last(commit("a", 0, 10))).await.unwrap();
    store.commit_checkpoint(&hold, commit("b", 0, 3)).await.unwrap();
    drop(store);

    backend.kill(1);
    let store = backend.open().await;
    let hold = acquire_at(&*store, 2, later(1)).await;
    let found = store.interrupted_run(SYNC).await.unwrap().unwrap();
    assert_eq!((&*found.run.run_id, found.run.status), (RUN, RunStatus::Running));
    assert_eq!(found.run.configuration, "fingerprint");
    let table = &found.tables[0];
    assert_eq!(
        (&*table.plan, table.state_revision, table.complete),
        (&b"plan of events"[..], 0, false)
    );
    let positions: Vec<_> = table
        .partitions
        .iter()
        .map(|found| (found.complete, &*found.position, found.revision))
        .collect();
    assert_eq!(
        positions,
        [(true, &b"position 1"[..], 1), (false, &b"position 1"[..], 1)]
    );

    store.begin_attempt(&hold, RUN, process(2), later(1)).await.unwrap();
    store.commit_checkpoint(&hold, last(commit("b", 1, 7))).await.unwrap();
    store.promote_table(&hold, RUN, "events", None, later(2)).await.unwrap();
    store
        .finish_run(&hold, end(RUN, RunStatus::CompletedWithRejects))
        .await
        .unwrap();
    let found = store.get_run(RUN).await.unwrap().unwrap();
    assert_eq!((found.tables[0].forwarded(), found.run.attempt), (20, 2));
    assert_eq!(
        found.attempts[0].ended_at, None,
        "nobody knows when the first attempt died"
    );
    assert_eq!(
        (found.attempts[1].holder.pid, found.duration()),
        (2, Duration::from_secs(9))
    );
}

pub(crate) async fn a_failed_run_keeps_its_error_until_it_goes_on(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let error = Error::source("gone", "The table is gone").with_table("events");
    let failed = RunEnd {
        error: Some(error.clone()),
        ..end(RUN, RunStatus::Failed)
    };
    store.finish_run(&hold, failed).await.unwrap();
    let late = store.commit_checkpoint(&hold, commit("a", 0, 1)).await;
    assert_eq!(code(late), "run_not_open", "an ended run takes no commits");
    let found = store.interrupted_run(SYNC).await.unwrap().unwrap();
    assert_eq!(found.run.error, Some(error.clone()));
    store.begin_attempt(&hold, RUN, process(1), later(20)).await.unwrap();
    let found = store.get_run(RUN).await.unwrap().unwrap();
    assert_eq!(
        (found.run.status, found.run.error, found.run.ended_at),
        (RunStatus::Running, None, None)
    );
    assert_eq!(found.attempts[0].error, Some(error));
}

pub(crate) async fn a_run_that_nobody_went_on_with_is_closed_by_the_next(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let sent = SentMark {
        partition: partition("a"),
        rows: 4,
    };
    store.record_sent(&hold, vec![sent]).await.unwrap();
    backend.kill(1);
    let hold = acquire_at(&*store, 2, later(1)).await;
    store.begin_run(&hold, new_run(NEXT_RUN, 2)).await.unwrap();
    let abandoned = store.get_run(RUN).await.unwrap().unwrap();
    assert_eq!(
        (abandoned.run.status, abandoned.run.uncertain_rows),
        (RunStatus::Failed, 4)
    );
    assert_eq!(abandoned.run.error.unwrap().code, "run_abandoned");
    assert!(abandoned.tables[0].plan.is_empty());
    let resumed = store.begin_attempt(&hold, RUN, process(2), later(1)).await;
    assert_eq!(code(resumed), "run_not_resumable");
    let duplicate = store.begin_run(&hold, new_run(RUN, 2)).await;
    assert_eq!(code(duplicate), "run_exists");
}

pub(crate) async fn a_plan_is_stored_once_and_whole(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let again = vec![plan("new", &["x"], 0), plan("events", &["a"], 0)];
    assert_eq!(code(store.store_plan(&hold, RUN, again).await), "plan_exists");
    let moved = vec![plan("new", &["x"], 3)];
    assert_eq!(code(store.store_plan(&hold, RUN, moved).await), "state_moved");
    let found = store.get_run(RUN).await.unwrap().unwrap();
    assert_eq!(found.tables.len(), 1, "a plan that is refused leaves nothing behind");
}

pub(crate) async fn a_plan_keeps_its_order(backend: Backend) {
    let store = backend.open().await;
    let hold = acquire(&*store, 1).await;
    store.begin_run(&hold, new_run(RUN, 1)).await.unwrap();
    let plans = vec![plan("zebra", &["9", "10", "1"], 0), plan("ant", &[], 0)];
    store.store_plan(&hold, RUN, plans).await.unwrap();
    let found = store.get_run(RUN).await.unwrap().unwrap();
    let tables: Vec<_> = found.tables.iter().map(|table| &*table.table).collect();
    let partitions: Vec<_> = found.tables[0]
        .partitions
        .iter()
        .map(|found| &*found.partition)
        .collect();
    assert_eq!((tables, partitions), (vec!["zebra", "ant"], vec!["9", "10", "1"]));
}

pub(crate) async fn an_incomplete_table_is_not_promoted(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store.commit_checkpoint(&hold, last(commit("a", 0, 1))).await.unwrap();
    let promotion = Promotion {
        from_revision: 0,
        state: state(1),
    };
    let promote = |table| store.promote_table(&hold, RUN, table, Some(promotion.clone()), NOW);
    assert_eq!(code(promote("events").await), "table_incomplete");
    assert_eq!(code(promote("unplanned").await), "table_incomplete");
    let finished = store.finish_run(&hold, end(RUN, RunStatus::Completed)).await;
    assert_eq!(code(finished), "run_incomplete");
    let still = store.finish_run(&hold, end(RUN, RunStatus::Running)).await;
    assert_eq!(code(still), "run_still_running");
    store.commit_checkpoint(&hold, last(commit("b", 0, 1))).await.unwrap();
    promote("events").await.unwrap();
    assert_eq!(
        code(promote("events").await),
        "table_incomplete",
        "a table is promoted once"
    );
}

pub(crate) async fn a_promotion_from_another_revision_changes_nothing(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    complete_partitions(&*store, &hold).await;
    let promotion = Promotion {
        from_revision: 7,
        state: state(1),
    };
    let promoted = store.promote_table(&hold, RUN, "events", Some(promotion), NOW).await;
    assert_eq!(code(promoted), "state_moved");
    assert_eq!(store.get_state(SYNC, "events").await.unwrap(), None);
    assert!(!store.get_run(RUN).await.unwrap().unwrap().tables[0].complete);
    let too_large = Promotion {
        from_revision: 0,
        state: TableState {
            source_state: "x".repeat(TableState::MAX_BYTES),
            ..state(1)
        },
    };
    let promoted = store.promote_table(&hold, RUN, "events", Some(too_large), NOW).await;
    assert_eq!(code(promoted), "state_too_large");
    assert!(!store.get_run(RUN).await.unwrap().unwrap().tables[0].complete);
}

pub(crate) async fn runs_are_listed_newest_first(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store.finish_run(&hold, end(RUN, RunStatus::Failed)).await.unwrap();
    store.begin_run(&hold, new_run(NEXT_RUN, 1)).await.unwrap();
    let list = async |filter: RunFilter, limit| {
        let runs = store.list_runs(&filter, limit).await.unwrap();
        runs.into_iter().map(|run| run.run_id).collect::<Vec<_>>()
    };
    assert_eq!(list(RunFilter::default(), 10).await, [NEXT_RUN, RUN]);
    assert_eq!(list(RunFilter::default(), 1).await, [NEXT_RUN]);
    let page_before = |run: &str| RunFilter {
        before: Some(run.to_owned()),
        ..RunFilter::default()
    };
    assert_eq!(list(page_before(NEXT_RUN), 10).await, [RUN]);
    assert_eq!(list(page_before(RUN), 10).await, [""; 0]);
    let failed = RunFilter {
        sync: Some(SYNC.to_owned()),
        status: Some(RunStatus::Failed),
        ..RunFilter::default()
    };
    assert_eq!(list(failed, 10).await, [RUN]);
    let other = RunFilter {
        sync: Some("other".to_owned()),
        ..RunFilter::default()
    };
    assert_eq!(list(other, 10).await, [""; 0]);
    assert_eq!(store.get_run("unknown").await.unwrap(), None);
}

pub(crate) async fn the_newest_plan_of_what_is_new_tells_which_tables_are_read(backend: Backend) {
    let store = backend.open().await;
    let read = async || Vec::from_iter(store.tables_read(SYNC).await.unwrap().names().clone());
    assert_eq!(read().await, [""; 0], "nothing is known");
    let hold = acquire(&*store, 1).await;
    let id = |number: u32| format!("01930000-0000-7000-8003-{number:012}");
    let run = async |number: u32, tables: &[&str], change: &dyn Fn(&mut NewRun)| {
        let mut run = new_run(&id(number), 1);
        change(&mut run);
        store.begin_run(&hold, run).await.unwrap();
        let plans: Vec<_> = tables.iter().map(|table| plan(table, &[], 0)).collect();
        if !plans.is_empty() {
            store.store_plan(&hold, &id(number), plans).await.unwrap();
        }
        let failed = end(&id(number), RunStatus::Failed);
        store.finish_run(&hold, failed).await.unwrap();
    };
    run(1, &["orders", "people"], &|_| ()).await;
    // A replay reads nothing, and what fails before it has looked at the source plans nothing, however often it does.
    run(2, &["replayed"], &|run| run.kind = RunKind::Replay).await;
    for number in 3..80 {
        run(number, &[], &|_| ()).await;
    }
    for number in 80..160 {
        let again = serde_json::json!({ "from": "1" });
        run(number, &["orders"], &|run| run.again = Some(again.clone())).await;
    }
    assert_eq!(read().await, ["orders", "people"]);
    let everything = RunRetention {
        ended_before: UnixMicros(i64::MAX),
        keep: 0,
    };
    store.remove_runs(&hold, everything).await.unwrap();
    assert_eq!(read().await, ["orders", "people"], "that run is remembered");
    run(160, &["people"], &|_| ()).await;
    assert_eq!(read().await, ["people"]);
    assert_eq!(store.tables_read("other").await.unwrap().names().len(), 0);
}

pub(crate) async fn a_table_whose_cursor_a_person_set_is_read_although_its_plan_is_gone(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let more = vec![plan("people", &[], 0)];
    store.store_plan(&hold, RUN, more).await.unwrap();
    store.finish_run(&hold, end(RUN, RunStatus::Failed)).await.unwrap();
    store.release(&hold).await.unwrap();
    let replacement = CursorReplacement {
        sync: SYNC.to_owned(),
        table: "people".to_owned(),
        from_revision: 0,
        cursor_column: "id".to_owned(),
        cursor: CursorValue::Int(1),
        at: later(1),
    };
    store.set_state(replacement).await.unwrap();
    let interrupted = store.get_run(RUN).await.unwrap().unwrap();
    assert_eq!(interrupted.tables.len(), 1);
    let read = store.tables_read(SYNC).await.unwrap();
    assert_eq!(Vec::from_iter(read.names()), ["events", "people"]);
}
