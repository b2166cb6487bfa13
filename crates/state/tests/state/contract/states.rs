//! Cursor states and what a person may do with them.

use longshore_core::cursor::Sign;
use longshore_state::{CursorReplacement, Reset, RunStatus};

use super::*;

fn replacement(table: &str, from_revision: u64, cursor: CursorValue) -> CursorReplacement {
    CursorReplacement {
        sync: SYNC.to_owned(),
        table: table.to_owned(),
        from_revision,
        cursor_column: "id".to_owned(),
        cursor,
        at: NOW,
    }
}

async fn promoted(store: &dyn StateStore) -> Hold {
    let hold = started(store).await;
    complete_partitions(store, &hold).await;
    let mut state = state(42);
    state.fingerprints.insert(7);
    let promotion = Promotion {
        from_revision: 0,
        state,
    };
    store
        .promote_table(&hold, RUN, "events", Some(promotion), NOW)
        .await
        .unwrap();
    hold
}

pub(crate) async fn a_state_set_by_hand_forgets_what_belonged_to_the_old_cursor(backend: Backend) {
    let store = backend.open().await;
    let hold = promoted(&*store).await;
    store.finish_run(&hold, end(RUN, RunStatus::Completed)).await.unwrap();
    store.release(&hold).await.unwrap();
    let revision = store
        .set_state(replacement("events", 1, CursorValue::Int(-5)))
        .await
        .unwrap();
    let stored = store.get_state(SYNC, "events").await.unwrap().unwrap();
    assert_eq!((revision, stored.revision, &stored.run_id), (2, 2, &None));
    let expected = TableState {
        cursor_column: "id".to_owned(),
        cursor: Some(CursorValue::Int(-5)),
        ..TableState::default()
    };
    assert_eq!(stored.state().unwrap(), expected);
    assert_eq!(store.list_states(None).await.unwrap(), [stored]);
}

pub(crate) async fn nonsense_is_refused(backend: Backend) {
    let store = backend.open().await;
    store
        .set_state(replacement("events", 0, CursorValue::Int(1)))
        .await
        .unwrap();
    let text = CursorValue::Text("1".to_owned());
    assert_eq!(
        code(store.set_state(replacement("events", 1, text)).await),
        "cursor_type_mismatch"
    );
    let infinity = CursorValue::Infinity(Sign::Positive);
    assert_eq!(
        code(store.set_state(replacement("events", 1, infinity)).await),
        "cursor_type_mismatch"
    );
    let stale = store.set_state(replacement("events", 0, CursorValue::Int(2))).await;
    assert_eq!(code(stale), "state_moved");
    let stored = store.get_state(SYNC, "events").await.unwrap().unwrap();
    assert_eq!(
        (stored.revision, stored.state().unwrap().cursor),
        (1, Some(CursorValue::Int(1)))
    );
}

pub(crate) async fn a_reset_table_is_planned_anew_by_the_interrupted_run(backend: Backend) {
    let store = backend.open().await;
    let hold = acquire(&*store, 1).await;
    store.begin_run(&hold, new_run(RUN, 1)).await.unwrap();
    let plans = vec![plan("events", &["a"], 0), plan("other", &["a"], 0)];
    store.store_plan(&hold, RUN, plans).await.unwrap();
    let sent = SentMark {
        partition: partition("a"),
        rows: 4,
    };
    store.record_sent(&hold, vec![sent]).await.unwrap();
    backend.kill(1);
    let reset = store.reset_state(SYNC, Some("events"), later(1)).await.unwrap();
    assert_eq!(reset, Reset { states: 0, plans: 1 });
    let found = store.interrupted_run(SYNC).await.unwrap().unwrap();
    let tables: Vec<_> = found.tables.iter().map(|table| &*table.table).collect();
    assert_eq!((tables, found.run.uncertain_rows), (vec!["other"], 4));
    let hold = acquire_at(&*store, 2, later(1)).await;
    store.begin_attempt(&hold, RUN, process(2), later(1)).await.unwrap();
    store
        .store_plan(&hold, RUN, vec![plan("events", &["a", "b"], 0)])
        .await
        .unwrap();
}

pub(crate) async fn a_reset_sync_starts_over(backend: Backend) {
    let store = backend.open().await;
    let hold = promoted(&*store).await;
    store.finish_run(&hold, end(RUN, RunStatus::Failed)).await.unwrap();
    store.release(&hold).await.unwrap();
    let other = CursorReplacement {
        sync: "another sync".to_owned(),
        ..replacement("events", 0, CursorValue::Int(1))
    };
    store.set_state(other).await.unwrap();
    let reset = store.reset_state(SYNC, None, later(1)).await.unwrap();
    assert_eq!(reset, Reset { states: 1, plans: 0 }, "its only table was complete");
    assert_eq!(store.interrupted_run(SYNC).await.unwrap(), None);
    assert_eq!(store.list_states(Some(SYNC)).await.unwrap(), []);
    assert_eq!(
        store.list_states(None).await.unwrap().len(),
        1,
        "another sync's state stays"
    );
    assert_eq!(
        store.get_run(RUN).await.unwrap().unwrap().tables[0].forwarded(),
        20,
        "the history stays"
    );
}

pub(crate) async fn resetting_nothing_is_no_error(backend: Backend) {
    let store = backend.open().await;
    let reset = store.reset_state("never seen", None, NOW).await.unwrap();
    assert_eq!(reset, Reset::default());
}

pub(crate) async fn every_cursor_value_comes_back_as_it_was(backend: Backend) {
    let store = backend.open().await;
    let values = [
        CursorValue::Int(i64::MIN),
        CursorValue::Int(0),
        CursorValue::Uint(u64::MAX),
        CursorValue::Decimal("-0.000000000000000000000000000000000001".to_owned()),
        CursorValue::Date(-719_162),
        CursorValue::Text("\u{0}'\"\u{1f6a2}".to_owned()),
        CursorValue::Uuid([255; 16]),
        CursorValue::Binary(vec![0, 255]),
    ];
    for (index, value) in values.into_iter().enumerate() {
        let table = format!("table {index} \"'\u{1f6a2}");
        store.set_state(replacement(&table, 0, value.clone())).await.unwrap();
        let stored = store.get_state(SYNC, &table).await.unwrap().unwrap();
        assert_eq!(stored.state().unwrap().cursor, Some(value));
    }
}
