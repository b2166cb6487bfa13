//! Holding a sync, and being fenced.

use longshore_state::{Acquisition, CursorReplacement, RunStatus};

use super::{checkpoints::resent, *};

pub(crate) async fn the_second_process_is_told_who_holds_and_since_when(backend: Backend) {
    let (first, second) = (backend.open().await, backend.open().await);
    let hold = acquire(&*first, 1).await;
    let answer = second.acquire(SYNC, process(2), later(1), LEASE).await.unwrap();
    let Acquisition::HeldBy(held) = answer else {
        panic!("two processes hold one sync");
    };
    assert_eq!(held.holder, process(1));
    assert_eq!(
        (held.since, held.lease_until, held.generation),
        (NOW, later(30), hold.generation)
    );
    assert_eq!(second.current_hold(SYNC).await.unwrap(), Some(held));
    let other = second.acquire("another sync", process(2), NOW, LEASE).await.unwrap();
    assert!(matches!(other, Acquisition::Acquired { .. }), "another sync is free");
}

pub(crate) async fn a_process_is_refused_its_own_sync_while_it_holds_it(backend: Backend) {
    let store = backend.open().await;
    acquire(&*store, 1).await;
    let again = store.acquire(SYNC, process(1), NOW, LEASE).await.unwrap();
    assert!(matches!(again, Acquisition::HeldBy(_)));
}

pub(crate) async fn a_released_sync_is_free_and_its_generation_grows(backend: Backend) {
    let store = backend.open().await;
    let first = acquire(&*store, 1).await;
    store.release(&first).await.unwrap();
    store.release(&first).await.unwrap();
    assert_eq!(store.current_hold(SYNC).await.unwrap(), None);
    assert_eq!(code(store.renew(&first, NOW, LEASE).await), "run_lost");
    assert_eq!(code(store.begin_run(&first, new_run(RUN, 1)).await), "run_lost");
    let second = acquire(&*store, 2).await;
    assert!(second.generation > first.generation);
    store.release(&first).await.unwrap();
    assert!(
        store.current_hold(SYNC).await.unwrap().is_some(),
        "an old hold releases nothing"
    );
}

pub(crate) async fn a_dead_process_is_taken_over_at_once(backend: Backend) {
    let store = backend.open().await;
    let dead = acquire(&*store, 1).await;
    backend.kill(1);
    let answer = store.acquire(SYNC, process(2), later(1), LEASE).await.unwrap();
    let Acquisition::Acquired { hold, taken_over_from } = answer else {
        panic!("a dead process holds a sync");
    };
    assert!(hold.generation > dead.generation);
    assert_eq!(taken_over_from.unwrap().holder, process(1));
}

pub(crate) async fn an_expired_lease_is_taken_over_although_its_process_lives(backend: Backend) {
    let store = backend.open().await;
    acquire(&*store, 1).await;
    let early = store.acquire(SYNC, process(2), later(29), LEASE).await.unwrap();
    assert!(matches!(early, Acquisition::HeldBy(_)));
    acquire_at(&*store, 2, later(30)).await;
}

pub(crate) async fn a_renewed_lease_stands_longer(backend: Backend) {
    let store = backend.open().await;
    let hold = acquire(&*store, 1).await;
    store.renew(&hold, later(29), LEASE).await.unwrap();
    let answer = store.acquire(SYNC, process(2), later(58), LEASE).await.unwrap();
    assert!(matches!(answer, Acquisition::HeldBy(_)));
    store.renew(&hold, later(100), LEASE).await.unwrap();
}

pub(crate) async fn of_many_that_ask_at_once_exactly_one_wins(backend: Backend) {
    let mut contenders = tokio::task::JoinSet::new();
    for pid in 1..=8 {
        let store = backend.open().await;
        contenders.spawn(async move { store.acquire(SYNC, process(pid), NOW, LEASE).await.unwrap() });
    }
    let answers = contenders.join_all().await;
    let won = answers
        .iter()
        .filter(|answer| matches!(answer, Acquisition::Acquired { .. }));
    assert_eq!((answers.len(), won.count()), (8, 1));
}

pub(crate) async fn a_process_that_slept_through_its_lease_can_write_nothing(backend: Backend) {
    let (stale, fresh) = (backend.open().await, backend.open().await);
    let old = started(&*stale).await;
    stale.commit_checkpoint(&old, commit("a", 0, 10)).await.unwrap();
    let new = acquire_at(&*fresh, 2, later(30)).await;
    fresh.begin_attempt(&new, RUN, process(2), later(30)).await.unwrap();
    let before = fresh.get_run(RUN).await.unwrap();

    let mark = SentMark {
        partition: partition("a"),
        rows: 99,
    };
    let refusals = [
        code(stale.commit_checkpoint(&old, commit("a", 1, 10)).await),
        code(stale.renew(&old, later(31), LEASE).await),
        code(stale.record_sent(&old, vec![mark]).await),
        code(stale.record_resent(&old, resent(99)).await),
        code(stale.restart_partition(&old, &partition("a")).await),
        code(stale.store_plan(&old, RUN, vec![plan("more", &[], 0)]).await),
        code(stale.promote_table(&old, RUN, "events", None, NOW).await),
        code(stale.finish_run(&old, end(RUN, RunStatus::Failed)).await),
        code(stale.begin_run(&old, new_run(NEXT_RUN, 1)).await),
        code(stale.begin_attempt(&old, RUN, process(1), NOW).await),
    ];
    assert_eq!(refusals, ["run_lost"; 10]);
    assert_eq!(fresh.get_run(RUN).await.unwrap(), before);

    fresh.commit_checkpoint(&new, commit("a", 1, 10)).await.unwrap();
}

pub(crate) async fn a_change_by_hand_fences_a_process_that_slept(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    complete_partitions(&*store, &hold).await;
    store.reset_state(SYNC, Some("other"), later(31)).await.unwrap();
    let promotion = Some(Promotion {
        from_revision: 0,
        state: state(1),
    });
    let promoted = store.promote_table(&hold, RUN, "events", promotion, later(31)).await;
    assert_eq!(code(promoted), "run_lost");
    assert_eq!(store.get_state(SYNC, "events").await.unwrap(), None);
}

pub(crate) async fn a_state_that_is_held_can_not_be_changed_by_hand(backend: Backend) {
    let store = backend.open().await;
    acquire(&*store, 1).await;
    let replacement = CursorReplacement {
        sync: SYNC.to_owned(),
        table: "events".to_owned(),
        from_revision: 0,
        cursor_column: "id".to_owned(),
        cursor: CursorValue::Int(1),
        at: later(1),
    };
    assert_eq!(code(store.set_state(replacement.clone()).await), "sync_held");
    assert_eq!(code(store.reset_state(SYNC, None, later(1)).await), "sync_held");
    backend.kill(1);
    store.set_state(replacement).await.unwrap();
    store.reset_state(SYNC, None, later(1)).await.unwrap();
}
