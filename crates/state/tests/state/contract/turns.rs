//! What a daemon decides, and what is left of it when it dies.

use longshore_core::Error;
use longshore_state::{DAEMON, DueTimes, NewTurn, ScheduledSync, Turn, TurnEnd, TurnRetry, TurnStatus};

use super::*;

pub(crate) async fn daemon(store: &dyn StateStore, pid: u32) -> Hold {
    match store.acquire(DAEMON, process(pid), NOW, LEASE).await.unwrap() {
        Acquisition::Acquired { hold, .. } => hold,
        Acquisition::HeldBy(held) => panic!("held by {held:?}"),
    }
}

pub(crate) fn due(first: u64, last: u64) -> DueTimes {
    DueTimes {
        first: later(first),
        last: later(last),
    }
}

pub(crate) fn turn(due: Option<DueTimes>, status: TurnStatus) -> NewTurn {
    NewTurn {
        sync: SYNC.to_owned(),
        due,
        status,
        now: later(100),
    }
}

fn ended(id: i64, status: TurnStatus) -> TurnEnd {
    TurnEnd {
        id,
        status,
        tries: 1,
        error: None,
        now: later(200),
    }
}

async fn known(store: &dyn StateStore) -> ScheduledSync {
    let mut syncs = store.list_scheduled().await.unwrap();
    assert_eq!(syncs.len(), 1, "{syncs:?}");
    syncs.remove(0)
}

pub(crate) async fn a_recorded_turn_decides_its_due_times_and_the_next_process_finds_it(backend: Backend) {
    let store = backend.open().await;
    let hold = daemon(&*store, 1).await;
    store.set_schedule(&hold, SYNC, Some("every 10s"), NOW).await.unwrap();
    let id = store
        .record_turn(&hold, turn(Some(due(10, 30)), TurnStatus::Open))
        .await
        .unwrap();
    let next = backend.open().await;
    let sync = known(&*next).await;
    assert_eq!(
        (sync.schedule.as_deref(), sync.decided_until, sync.paused),
        (Some("every 10s"), Some(later(30)), false)
    );
    let expected = Turn {
        id,
        sync: SYNC.to_owned(),
        due: Some(due(10, 30)),
        decided_at: later(100),
        status: TurnStatus::Open,
        tries: 0,
        retry_at: None,
        error: None,
        run_id: None,
        failed_start: None,
        ended_at: None,
    };
    assert_eq!(sync.open, Some(expected.clone()));
    assert_eq!(next.list_turns(Some(SYNC), 10).await.unwrap(), [expected]);
    assert!(next.list_turns(Some("other"), 10).await.unwrap().is_empty());
}

pub(crate) async fn a_sync_has_one_open_turn_at_most(backend: Backend) {
    let store = backend.open().await;
    let hold = daemon(&*store, 1).await;
    let id = store.record_turn(&hold, turn(None, TurnStatus::Open)).await.unwrap();
    let second = store
        .record_turn(&hold, turn(Some(due(10, 10)), TurnStatus::Open))
        .await;
    assert_eq!(code(second), "turn_open");
    assert_eq!(known(&*store).await.decided_until, None, "nothing was decided either");
    // A missed one beside it is no second one.
    store
        .record_turn(&hold, turn(Some(due(20, 20)), TurnStatus::Missed))
        .await
        .unwrap();
    store.end_turn(&hold, ended(id, TurnStatus::Completed)).await.unwrap();
    store.record_turn(&hold, turn(None, TurnStatus::Open)).await.unwrap();
    let turns = store.list_turns(None, 10).await.unwrap();
    let statuses: Vec<TurnStatus> = turns.iter().map(|turn| turn.status).collect();
    assert_eq!(statuses, [TurnStatus::Open, TurnStatus::Missed, TurnStatus::Completed]);
    assert_eq!(turns[2].ended_at, Some(later(200)));
}

pub(crate) async fn a_turn_stands_for_later_due_times_until_its_run_begins(backend: Backend) {
    let store = backend.open().await;
    let hold = daemon(&*store, 1).await;
    let id = store.record_turn(&hold, turn(None, TurnStatus::Open)).await.unwrap();
    store.extend_turn(&hold, id, due(10, 20)).await.unwrap();
    store.extend_turn(&hold, id, due(30, 40)).await.unwrap();
    let sync = known(&*store).await;
    assert_eq!(sync.open.unwrap().due, Some(due(10, 40)));
    assert_eq!(sync.decided_until, Some(later(40)));

    let run = acquire(&*store, 2).await;
    store.link_turn(&run, id, RUN).await.unwrap();
    assert_eq!(code(store.extend_turn(&hold, id, due(50, 50)).await), "turn_not_open");
    let sync = known(&*store).await;
    assert_eq!(sync.open.unwrap().run_id.as_deref(), Some(RUN));
    assert_eq!(sync.decided_until, Some(later(40)));
}

pub(crate) async fn a_turn_that_is_put_off_keeps_when_and_why(backend: Backend) {
    let store = backend.open().await;
    let hold = daemon(&*store, 1).await;
    let id = store.record_turn(&hold, turn(None, TurnStatus::Open)).await.unwrap();
    let retry = TurnRetry {
        id,
        tries: 3,
        retry_at: later(300),
        error: Error::source("plugin_died", "It died").retryable(),
    };
    store.put_off_turn(&hold, retry.clone()).await.unwrap();
    let open = known(&*store).await.open.unwrap();
    assert_eq!(
        (open.tries, open.retry_at, open.error),
        (3, Some(later(300)), Some(retry.error.clone()))
    );
    store.end_turn(&hold, ended(id, TurnStatus::Failed)).await.unwrap();
    assert_eq!(code(store.put_off_turn(&hold, retry).await), "turn_not_open");
    assert_eq!(
        code(store.end_turn(&hold, ended(id, TurnStatus::Completed)).await),
        "turn_not_open"
    );
}

pub(crate) async fn a_pause_needs_no_daemon_and_is_told_once(backend: Backend) {
    let store = backend.open().await;
    assert!(!store.set_paused(SYNC, false).await.unwrap(), "it was not paused");
    assert!(store.set_paused(SYNC, true).await.unwrap());
    assert!(!store.set_paused(SYNC, true).await.unwrap());
    assert!(known(&*store).await.paused);
    let hold = daemon(&*store, 1).await;
    store.set_schedule(&hold, SYNC, Some("every 10s"), NOW).await.unwrap();
    let sync = known(&*store).await;
    assert!(sync.paused, "a schedule does not end a pause");
    assert!(store.set_paused(SYNC, false).await.unwrap());
    assert_eq!(known(&*store).await.schedule.as_deref(), Some("every 10s"));
}

pub(crate) async fn a_daemon_that_lost_the_store_decides_nothing_more(backend: Backend) {
    let store = backend.open().await;
    let stale = daemon(&*store, 1).await;
    let id = store.record_turn(&stale, turn(None, TurnStatus::Open)).await.unwrap();
    backend.kill(1);
    let latest = daemon(&*store, 2).await;
    let end = ended(id, TurnStatus::Completed);
    let retry = TurnRetry {
        id,
        tries: 1,
        retry_at: later(300),
        error: Error::source("plugin_died", "It died"),
    };
    assert_eq!(code(store.set_schedule(&stale, SYNC, None, NOW).await), "run_lost");
    assert_eq!(
        code(store.record_turn(&stale, turn(None, TurnStatus::Missed)).await),
        "run_lost"
    );
    assert_eq!(code(store.extend_turn(&stale, id, due(10, 10)).await), "run_lost");
    assert_eq!(code(store.put_off_turn(&stale, retry).await), "run_lost");
    assert_eq!(code(store.end_turn(&stale, end.clone()).await), "run_lost");
    store.end_turn(&latest, end).await.unwrap();
}

pub(crate) async fn a_run_that_lost_its_sync_does_not_claim_a_turn(backend: Backend) {
    let store = backend.open().await;
    let hold = daemon(&*store, 1).await;
    let id = store.record_turn(&hold, turn(None, TurnStatus::Open)).await.unwrap();
    let stale = acquire(&*store, 1).await;
    backend.kill(1);
    let latest = acquire(&*store, 2).await;
    assert_eq!(code(store.link_turn(&stale, id, RUN).await), "run_lost");
    store.link_turn(&latest, id, NEXT_RUN).await.unwrap();
    let other = match store.acquire("other", process(2), NOW, LEASE).await.unwrap() {
        Acquisition::Acquired { hold, .. } => hold,
        Acquisition::HeldBy(held) => panic!("held by {held:?}"),
    };
    assert_eq!(
        code(store.link_turn(&other, id, RUN).await),
        "turn_not_open",
        "it is another sync's"
    );
}

pub(crate) async fn of_old_turns_the_last_thousand_are_kept(backend: Backend) {
    let store = backend.open().await;
    let hold = daemon(&*store, 1).await;
    let first = store.record_turn(&hold, turn(None, TurnStatus::Open)).await.unwrap();
    for _ in 0..1_005 {
        store.record_turn(&hold, turn(None, TurnStatus::Missed)).await.unwrap();
    }
    let turns = store.list_turns(Some(SYNC), 5_000).await.unwrap();
    assert_eq!(turns.len(), 1_001);
    assert_eq!(turns.last().unwrap().id, first, "an open one is never too old");
}
