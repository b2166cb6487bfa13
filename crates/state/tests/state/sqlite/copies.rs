//! Copies for work of which nothing is to be kept.

use std::fs;

use longshore_core::CursorValue;
use longshore_state::{Promotion, StateStore, open, open_copy};
use tempfile::TempDir;

use crate::contract::{self, NEXT_RUN, NOW, RUN, SYNC, acquire};

async fn cursor(store: &dyn StateStore) -> Option<CursorValue> {
    let state = store.get_state(SYNC, "t").await.unwrap()?;
    state.state().unwrap().cursor
}

#[tokio::test]
async fn a_copy_holds_what_was_stored_and_what_happens_to_it_reaches_nobody() {
    let (root, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let url = format!("sqlite:{}", root.path().join("state.db").display());
    let store = open(&url).await.unwrap();
    let hold = acquire(&*store, 1).await;
    store.begin_run(&hold, contract::new_run(RUN, 1)).await.unwrap();
    store
        .store_plan(&hold, RUN, vec![contract::plan("t", &[], 0)])
        .await
        .unwrap();
    let promotion = |from_revision, at| Promotion {
        from_revision,
        state: contract::state(at),
    };
    store
        .promote_table(&hold, RUN, "t", Some(promotion(0, 7)), NOW)
        .await
        .unwrap();

    // The process that holds the sync goes on holding it, and the copy is free.
    let copy = open_copy(&url, folder.path()).await.unwrap();
    assert_eq!(cursor(&*copy).await, Some(CursorValue::Int(7)));
    assert!(copy.interrupted_run(SYNC).await.unwrap().is_some());
    let copied = acquire(&*copy, 2).await;
    assert!(copied.generation > hold.generation);
    copy.begin_run(&copied, contract::new_run(NEXT_RUN, 2)).await.unwrap();
    copy.store_plan(&copied, NEXT_RUN, vec![contract::plan("t", &[], 1)])
        .await
        .unwrap();
    copy.promote_table(&copied, NEXT_RUN, "t", Some(promotion(1, 9)), NOW)
        .await
        .unwrap();

    assert_eq!(cursor(&*copy).await, Some(CursorValue::Int(9)));
    assert_eq!(cursor(&*store).await, Some(CursorValue::Int(7)));
    assert!(store.get_run(NEXT_RUN).await.unwrap().is_none());
    store.renew(&hold, NOW, contract::LEASE).await.unwrap();
}

#[tokio::test]
async fn where_there_is_no_state_a_copy_is_empty_and_none_is_made() {
    let (root, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = root.path().join("deep/state.db");
    let copy = open_copy(&format!("sqlite:{}", path.display()), folder.path())
        .await
        .unwrap();
    assert_eq!(copy.list_states(None).await.unwrap(), vec![]);
    assert!(!path.parent().unwrap().exists());
}

#[tokio::test]
async fn what_is_no_state_is_refused_under_its_own_name() {
    let (root, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = root.path().join("state.db");
    fs::write(&path, "kind: source\n".repeat(1000)).unwrap();
    let error = open_copy(&format!("sqlite:{}", path.display()), folder.path())
        .await
        .unwrap_err();
    assert_eq!(error.code, "state_corrupt");
    assert!(error.message.contains(path.to_str().unwrap()), "{error:?}");
}
