//! Attempts that failed before they had a run.

use longshore_core::Error;
use longshore_state::{
    AttemptOutcome, FailedStart, RunFilter, RunRetention, TurnEnd, TurnRetry, TurnStatus, run::MAX_FAILED_STARTS,
};

use super::{
    turns::{daemon, turn},
    *,
};

pub(crate) fn id(number: u32) -> String {
    format!("01930000-0000-7000-8002-{number:012}")
}

pub(crate) fn failed_start(number: u32, turn: Option<i64>) -> FailedStart {
    FailedStart {
        run_id: id(number),
        turn,
        holder: process(1),
        origin: AttemptOrigin {
            plugins: Vec::new(),
            ..origin(Trigger::Schedule { due: later(1) })
        },
        started_at: later(u64::from(number)),
        ended_at: later(u64::from(number) + 1),
        error: Error::source("connection_refused", "The database is down")
            .with_remedy("Start it.")
            .retryable(),
        summary: serde_json::json!({ "warnings": [] }),
    }
}

/// Records one, and says which attempt of which run it is.
async fn fail(store: &dyn StateStore, hold: &Hold, number: u32, turn: Option<i64>) -> (String, u32) {
    let failed = failed_start(number, turn);
    let run_id = store.record_failed_start(hold, failed).await.unwrap();
    let run = store.get_run(&run_id).await.unwrap().unwrap();
    assert_eq!(run.attempts.len(), run.run.attempt as usize);
    (run_id, run.run.attempt)
}

/// The runs that the latest turn names: the one that does it, and the one that tells of a try that had none.
async fn named_by_turn(store: &dyn StateStore) -> (Option<String>, Option<String>) {
    let turn = store.list_turns(None, 1).await.unwrap().remove(0);
    (turn.run_id, turn.failed_start)
}

async fn put_off(store: &dyn StateStore, serving: &Hold, turn: i64) {
    let retry = TurnRetry {
        id: turn,
        tries: 1,
        retry_at: later(300),
        error: failed_start(1, None).error,
    };
    store.put_off_turn(serving, retry).await.unwrap();
}

pub(crate) async fn what_failed_before_it_had_a_run_is_a_failed_run_of_the_history(backend: Backend) {
    let store = backend.open().await;
    let hold = acquire(&*store, 1).await;
    assert_eq!(fail(&*store, &hold, 1, None).await, (id(1), 1));
    let details = store.get_run(&id(1)).await.unwrap().unwrap();
    let run = &details.run;
    let expected = failed_start(1, None);
    assert_eq!((run.status, run.kind), (RunStatus::Failed, RunKind::Sync));
    assert_eq!((run.started_at, run.ended_at), (later(1), Some(later(2))));
    assert_eq!((&run.holder, &run.error), (&process(1), &Some(expected.error)));
    let attempt = &details.attempts[0];
    assert_eq!(
        (attempt.outcome, &attempt.error, &attempt.origin),
        (AttemptOutcome::Failed, &run.error, &Some(expected.origin))
    );
    store.append_log(&id(1), vec![line("refused")], 0).await.unwrap();
    let listed = store.list_runs(&RunFilter::default(), 10).await.unwrap();
    assert_eq!(listed.len(), 1);

    backend.kill(1);
    acquire(&*backend.open().await, 2).await;
    let late = store.record_failed_start(&hold, failed_start(2, None)).await;
    assert_eq!(code(late), "run_lost");
}

pub(crate) async fn an_interrupted_run_is_gone_on_with_although_a_try_failed_before_it_had_a_run(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store.finish_run(&hold, end(RUN, RunStatus::Failed)).await.unwrap();
    fail(&*store, &hold, 1, None).await;
    assert_eq!(store.interrupted_run(SYNC).await.unwrap().unwrap().run.run_id, RUN);
    let no_run = store.begin_attempt(&hold, &id(1), process(1), later(20)).await;
    assert_eq!(code(no_run), "run_not_resumable");
    let everything = RunRetention {
        ended_before: UnixMicros(i64::MAX),
        keep: 0,
    };
    let removed = store.remove_runs(&hold, everything).await.unwrap();
    assert_eq!(
        removed, 1,
        "what can be gone on with stays, and not what only is the latest"
    );
    let next = store.begin_attempt(&hold, RUN, process(1), later(20)).await.unwrap();
    assert_eq!(next.number, 2);
}

pub(crate) async fn tries_of_one_turn_that_fail_before_they_have_a_run_are_attempts_of_one(backend: Backend) {
    let store = backend.open().await;
    let store = &*store;
    let (serving, hold) = (daemon(store, 1).await, acquire(store, 1).await);
    let first = store.record_turn(&serving, turn(None, TurnStatus::Open)).await.unwrap();
    assert_eq!(fail(store, &hold, 1, Some(first)).await, (id(1), 1));
    put_off(store, &serving, first).await;
    assert_eq!(fail(store, &hold, 2, Some(first)).await, (id(1), 2));
    let run = store.get_run(&id(1)).await.unwrap().unwrap().run;
    assert_eq!((run.started_at, run.ended_at), (later(1), Some(later(3))));
    assert_eq!(fail(store, &hold, 3, None).await, (id(3), 1), "somebody ran it by hand");

    store.begin_run(&hold, new_run(RUN, 1)).await.unwrap();
    store.finish_run(&hold, end(RUN, RunStatus::Failed)).await.unwrap();
    assert_eq!(
        fail(store, &hold, 4, Some(first)).await,
        (id(4), 1),
        "a run came between"
    );
    let closed = TurnEnd {
        id: first,
        status: TurnStatus::Failed,
        tries: 2,
        error: None,
        now: later(400),
    };
    store.end_turn(&serving, closed).await.unwrap();
    let second = store.record_turn(&serving, turn(None, TurnStatus::Open)).await.unwrap();
    let another = fail(store, &hold, 5, Some(second)).await;
    assert_eq!(another, (id(5), 1), "another time is another run");
}

pub(crate) async fn so_many_tries_that_nobody_could_read_them_are_several_runs(backend: Backend) {
    let store = backend.open().await;
    let store = &*store;
    let (serving, hold) = (daemon(store, 1).await, acquire(store, 1).await);
    let open = store.record_turn(&serving, turn(None, TurnStatus::Open)).await.unwrap();
    put_off(store, &serving, open).await;
    for attempt in 1..=MAX_FAILED_STARTS {
        assert_eq!(fail(store, &hold, attempt, Some(open)).await, (id(1), attempt));
    }
    let next = MAX_FAILED_STARTS + 1;
    assert_eq!(fail(store, &hold, next, Some(open)).await, (id(next), 1));
}

pub(crate) async fn a_turn_names_the_run_that_tells_of_its_tries_until_it_has_one_of_its_own(backend: Backend) {
    let store = backend.open().await;
    let store = &*store;
    let (serving, hold) = (daemon(store, 1).await, acquire(store, 1).await);
    let open = store.record_turn(&serving, turn(None, TurnStatus::Open)).await.unwrap();
    fail(store, &hold, 1, None).await;
    assert_eq!(named_by_turn(store).await, (None, None), "it was no try of the turn");
    fail(store, &hold, 2, Some(open)).await;
    assert_eq!(named_by_turn(store).await, (None, Some(id(2))));
    store.begin_run(&hold, new_run(RUN, 1)).await.unwrap();
    store.link_turn(&hold, open, RUN).await.unwrap();
    assert_eq!(named_by_turn(store).await, (Some(RUN.to_owned()), None));
}
