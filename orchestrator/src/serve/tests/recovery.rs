//! What a daemon that died has left.

use std::{path::Path, time::Duration};

use longshore_state::{
    Acquisition, DAEMON, Hold, Holder, NewRun, NewTurn, RunEnd, RunKind, RunStatus, StateStore as _, TurnStatus,
    UnixMicros, sqlite::SqliteStore,
};
use tempfile::TempDir;

use crate::serve::recovery::stored;

const NOW: UnixMicros = UnixMicros(1_795_000_000_000_000);

async fn acquire(store: &SqliteStore, name: &str) -> Hold {
    let holder = Holder::current("test");
    match store.acquire(name, holder, NOW, Duration::from_secs(30)).await.unwrap() {
        Acquisition::Acquired { hold, .. } => hold,
        Acquisition::HeldBy(held) => panic!("held by {held:?}"),
    }
}

/// A daemon that died when its run had this status and its turn was open.
async fn died_with(folder: &Path, status: RunStatus) -> (SqliteStore, Hold) {
    let store = SqliteStore::open(&folder.join("state.db")).await.unwrap();
    let daemon = acquire(&store, DAEMON).await;
    let turn = NewTurn {
        sync: "a".to_owned(),
        due: None,
        status: TurnStatus::Open,
        now: NOW,
    };
    let turn = store.record_turn(&daemon, turn).await.unwrap();
    let hold = acquire(&store, "a").await;
    let run = NewRun {
        run_id: "run".to_owned(),
        kind: RunKind::Sync,
        configuration: "fingerprint".to_owned(),
        again: None,
        holder: Holder::current("test"),
        started_at: NOW,
    };
    store.begin_run(&hold, run).await.unwrap();
    store.link_turn(&hold, turn, "run").await.unwrap();
    if status != RunStatus::Running {
        let end = RunEnd {
            run_id: "run".to_owned(),
            status,
            ended_at: NOW,
            error: None,
            summary: serde_json::Value::Null,
        };
        store.finish_run(&hold, end).await.unwrap();
    }
    (store, daemon)
}

#[tokio::test]
async fn a_run_that_had_ended_is_not_repeated_although_nobody_could_say_so() {
    for status in [RunStatus::Completed, RunStatus::CompletedWithRejects] {
        let folder = TempDir::new().unwrap();
        let (store, daemon) = died_with(folder.path(), status).await;
        let found = stored(&store, &daemon, NOW).await.unwrap();
        assert_eq!(found[0].open, None);
        let turns = store.list_turns(None, 10).await.unwrap();
        assert_eq!((turns[0].status, turns[0].ended_at), (TurnStatus::Completed, Some(NOW)));
    }
}

#[tokio::test]
async fn a_run_that_had_not_ended_well_is_gone_on_with() {
    for status in [RunStatus::Running, RunStatus::Failed, RunStatus::Cancelled] {
        let folder = TempDir::new().unwrap();
        let (store, daemon) = died_with(folder.path(), status).await;
        let found = stored(&store, &daemon, NOW).await.unwrap();
        let open = found[0].open.as_ref().expect("it is still to be done");
        assert_eq!(open.run_id.as_deref(), Some("run"));
    }
}
