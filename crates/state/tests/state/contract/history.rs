//! What is remembered of runs, and for how long.

use longshore_core::Error;
use longshore_state::{
    AttemptOutcome, RejectFilter, RunFilter, RunRetention,
    run_log::{MAX_HEAD_LINES, MAX_LOG_BYTES, MAX_LOG_LINE_BYTES, MAX_LOG_LINES},
};

use super::*;

const EVERYTHING: RunRetention = RunRetention {
    ended_before: UnixMicros(i64::MAX),
    keep: 0,
};

fn id(number: u32) -> String {
    format!("01930000-0000-7000-8001-{number:012}")
}

/// So many complete runs of one empty plan, the first with the number 1, each an hour after the one before.
async fn completed_runs(store: &dyn StateStore, hold: &Hold, count: u32) {
    for number in 1..=count {
        let at = later(3_600 * u64::from(number));
        let run = NewRun {
            started_at: at,
            ..new_run(&id(number), 1)
        };
        store.begin_run(hold, run).await.unwrap();
        let nothing_new = vec![plan("events", &[], 0)];
        store.store_plan(hold, &id(number), nothing_new).await.unwrap();
        store
            .promote_table(hold, &id(number), "events", None, at)
            .await
            .unwrap();
        let ended = RunEnd {
            ended_at: at,
            ..end(&id(number), RunStatus::Completed)
        };
        store.finish_run(hold, ended).await.unwrap();
    }
}

async fn run_ids(store: &dyn StateStore) -> Vec<String> {
    let runs = store.list_runs(&RunFilter::default(), 1_000).await.unwrap();
    runs.into_iter().rev().map(|run| run.run_id).collect()
}

pub(crate) async fn an_attempt_says_what_began_it_and_how_it_ended(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let first = origin(Trigger::Schedule { due: later(1) });
    store.describe_attempt(&hold, RUN, first.clone()).await.unwrap();
    let failed = RunEnd {
        error: Some(Error::source("gone", "The table is gone").retryable()),
        ..end(RUN, RunStatus::Failed)
    };
    store.finish_run(&hold, failed).await.unwrap();
    store.begin_attempt(&hold, RUN, process(1), later(20)).await.unwrap();
    let second = origin(Trigger::Recovery);
    store.describe_attempt(&hold, RUN, second.clone()).await.unwrap();
    store.finish_run(&hold, end(RUN, RunStatus::Cancelled)).await.unwrap();
    assert_eq!(
        code(store.describe_attempt(&hold, RUN, second.clone()).await),
        "run_not_open"
    );

    let attempts = store.get_run(RUN).await.unwrap().unwrap().attempts;
    assert_eq!(
        (&attempts[0].origin, attempts[0].outcome),
        (&Some(first), AttemptOutcome::Failed)
    );
    assert!(attempts[0].error.as_ref().unwrap().retryable);
    assert_eq!(
        (&attempts[1].origin, attempts[1].outcome),
        (&Some(second), AttemptOutcome::Cancelled)
    );
}

pub(crate) async fn an_attempt_whose_process_died_is_told_from_one_that_goes_on(backend: Backend) {
    let store = backend.open().await;
    started(&*store).await;
    backend.kill(1);
    let hold = acquire(&*backend.open().await, 2).await;
    store.begin_attempt(&hold, RUN, process(2), later(1)).await.unwrap();
    let attempts = store.get_run(RUN).await.unwrap().unwrap().attempts;
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Died, AttemptOutcome::Running]);
}

pub(crate) async fn runs_are_listed_by_status_and_from_a_moment_on(backend: Backend) {
    let store = backend.open().await;
    let hold = acquire(&*store, 1).await;
    completed_runs(&*store, &hold, 3).await;
    store.begin_run(&hold, new_run(&id(4), 1)).await.unwrap();
    let listed = async |filter: RunFilter| -> Vec<String> {
        let runs = store.list_runs(&filter, 10).await.unwrap();
        runs.into_iter().map(|run| run.run_id).collect()
    };
    let running = RunFilter {
        status: Some(RunStatus::Running),
        ..RunFilter::default()
    };
    assert_eq!(listed(running).await, [id(4)]);
    let since = RunFilter {
        since: Some(later(2 * 3_600)),
        ..RunFilter::default()
    };
    assert_eq!(listed(since).await, [id(3), id(2)], "the moment itself is included");
}

pub(crate) async fn a_log_comes_back_in_order_and_page_after_page(backend: Backend) {
    let store = backend.open().await;
    started(&*store).await;
    assert_eq!(store.read_log(RUN, 0, 10).await.unwrap().lines, []);
    store
        .append_log(RUN, vec![line("one"), plugin_line("two")], 0)
        .await
        .unwrap();
    store.append_log(RUN, vec![line("three")], 2).await.unwrap();
    let first = store.read_log(RUN, 0, 2).await.unwrap();
    let second = store.read_log(RUN, first.lines[1].number, 2).await.unwrap();
    let lines: Vec<_> = first
        .lines
        .iter()
        .chain(&second.lines)
        .map(|stored| &stored.line)
        .collect();
    assert_eq!(lines, [&line("one"), &plugin_line("two"), &line("three")]);
    assert_eq!((second.left_out, second.lost), (0, 2));
}

pub(crate) async fn a_long_log_keeps_its_beginning_and_its_end_and_says_how_much_is_missing(backend: Backend) {
    let store = backend.open().await;
    started(&*store).await;
    let total = MAX_LOG_LINES + 1_234;
    let lines: Vec<_> = (0..total).map(|number| line(&number.to_string())).collect();
    for batch in lines.chunks(300) {
        store.append_log(RUN, batch.to_vec(), 0).await.unwrap();
    }
    let log = store.read_log(RUN, 0, u32::MAX).await.unwrap();
    assert_eq!((log.lines.len() as u64, log.left_out), (MAX_LOG_LINES, 1_234));
    let number = |index: u64| -> u64 { log.lines[index as usize].line.message.parse().unwrap() };
    assert_eq!((number(0), number(MAX_HEAD_LINES - 1)), (0, MAX_HEAD_LINES - 1));
    assert_eq!(number(MAX_HEAD_LINES), MAX_HEAD_LINES + 1_234);
    assert_eq!(number(MAX_LOG_LINES - 1), total - 1);
    let gaps: Vec<_> = log.lines.iter().map(|stored| stored.left_out_before).collect();
    assert_eq!(gaps[MAX_HEAD_LINES as usize], 1_234);
    assert_eq!(gaps.iter().sum::<u64>(), 1_234, "there is one gap");
}

pub(crate) async fn a_log_of_long_lines_is_bounded_in_bytes(backend: Backend) {
    let store = backend.open().await;
    started(&*store).await;
    let long = "é".repeat(MAX_LOG_LINE_BYTES / 2);
    let lines = MAX_LOG_BYTES / long.len() as u64 + 10;
    let all: Vec<_> = (0..lines).map(|_| line(&long)).collect();
    store.append_log(RUN, all, 0).await.unwrap();
    store.append_log(RUN, vec![line("the last word")], 0).await.unwrap();
    let log = store.read_log(RUN, 0, u32::MAX).await.unwrap();
    let bytes: usize = log.lines.iter().map(|stored| stored.line.message.len()).sum();
    assert!(bytes as u64 <= MAX_LOG_BYTES, "{bytes}");
    assert_eq!(log.lines.len() as u64 + log.left_out, lines + 1);
    assert_eq!(log.lines.last().unwrap().line.message, "the last word");
}

pub(crate) async fn a_run_that_is_not_known_has_no_log(backend: Backend) {
    let store = backend.open().await;
    assert_eq!(code(store.read_log(RUN, 0, 1).await), "run_unknown");
    assert_eq!(code(store.append_log(RUN, vec![line("lost")], 0).await), "run_unknown");
}

pub(crate) async fn runs_that_are_too_old_are_removed_with_all_that_was_stored_about_them(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store.append_log(RUN, vec![line("begun")], 0).await.unwrap();
    complete_partitions(&*store, &hold).await;
    store.promote_table(&hold, RUN, "events", None, later(5)).await.unwrap();
    store.finish_run(&hold, end(RUN, RunStatus::Completed)).await.unwrap();
    completed_runs(&*store, &hold, 3).await;
    let retention = RunRetention {
        ended_before: later(2 * 3_600),
        keep: 100,
    };
    assert_eq!(store.remove_runs(&hold, retention).await.unwrap(), 2);
    assert_eq!(store.remove_runs(&hold, retention).await.unwrap(), 0);
    assert_eq!(run_ids(&*store).await, [id(2), id(3)]);
    assert_eq!(store.get_run(RUN).await.unwrap(), None);
    assert_eq!(code(store.read_log(RUN, 0, 1).await), "run_unknown");
}

pub(crate) async fn of_too_many_runs_the_oldest_go(backend: Backend) {
    let store = backend.open().await;
    let hold = acquire(&*store, 1).await;
    completed_runs(&*store, &hold, 5).await;
    let retention = RunRetention {
        ended_before: UnixMicros(i64::MIN),
        keep: 2,
    };
    assert_eq!(store.remove_runs(&hold, retention).await.unwrap(), 3);
    assert_eq!(run_ids(&*store).await, [id(4), id(5)]);
    assert_eq!(
        store.remove_runs(&hold, EVERYTHING).await.unwrap(),
        1,
        "the latest stays"
    );
}

pub(crate) async fn what_is_running_or_interrupted_is_remembered_however_old_it_is(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    assert_eq!(store.remove_runs(&hold, EVERYTHING).await.unwrap(), 0);
    store.finish_run(&hold, end(RUN, RunStatus::Failed)).await.unwrap();
    // A replay is later than the interrupted run, and does not take its place.
    let replay = NewRun {
        kind: RunKind::Replay,
        ..new_run(NEXT_RUN, 1)
    };
    store.begin_run(&hold, replay).await.unwrap();
    assert_eq!(store.remove_runs(&hold, EVERYTHING).await.unwrap(), 0);
    store
        .finish_run(&hold, end(NEXT_RUN, RunStatus::Completed))
        .await
        .unwrap();
    assert_eq!(store.remove_runs(&hold, EVERYTHING).await.unwrap(), 1);
    let interrupted = store.interrupted_run(SYNC).await.unwrap().unwrap();
    assert_eq!(interrupted.run.run_id, RUN);
    store.begin_attempt(&hold, RUN, process(1), later(20)).await.unwrap();
}

pub(crate) async fn a_run_that_the_ledger_names_is_remembered_until_its_rejects_are_gone(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let mut with_reject = last(commit("a", 0, 10));
    with_reject.rejects = vec![reject(1)];
    store.commit_checkpoint(&hold, with_reject).await.unwrap();
    store.commit_checkpoint(&hold, last(commit("b", 0, 10))).await.unwrap();
    store.promote_table(&hold, RUN, "events", None, later(5)).await.unwrap();
    store
        .finish_run(&hold, end(RUN, RunStatus::CompletedWithRejects))
        .await
        .unwrap();
    completed_runs(&*store, &hold, 2).await;

    assert_eq!(store.remove_runs(&hold, EVERYTHING).await.unwrap(), 1);
    assert_eq!(run_ids(&*store).await, [RUN.to_owned(), id(2)]);
    let rejects = store.list_rejects(&RejectFilter::default(), 10).await.unwrap();
    assert_eq!(rejects[0].run_id, RUN);
    store.remove_rejects(&hold, UnixMicros(i64::MAX)).await.unwrap();
    assert_eq!(store.remove_runs(&hold, EVERYTHING).await.unwrap(), 1);
    assert_eq!(run_ids(&*store).await, [id(2)]);
}

pub(crate) async fn a_process_that_lost_its_hold_removes_no_run(backend: Backend) {
    let store = backend.open().await;
    let hold = acquire(&*store, 1).await;
    completed_runs(&*store, &hold, 2).await;
    backend.kill(1);
    acquire(&*backend.open().await, 2).await;
    assert_eq!(code(store.remove_runs(&hold, EVERYTHING).await), "run_lost");
}

pub(crate) async fn runs_of_syncs_that_are_not_configured_any_more_are_removed_too(backend: Backend) {
    let store = backend.open().await;
    let hold = acquire(&*store, 1).await;
    completed_runs(&*store, &hold, 3).await;
    store.release(&hold).await.unwrap();
    let other = match store.acquire("other", process(1), NOW, LEASE).await.unwrap() {
        Acquisition::Acquired { hold, .. } => hold,
        Acquisition::HeldBy(held) => panic!("held by {held:?}"),
    };
    let retention = RunRetention {
        ended_before: later(2 * 3_600),
        keep: 100,
    };
    let removed = async |configured: &[&str]| {
        let configured = configured.iter().map(|&name| name.to_owned()).collect();
        store
            .remove_runs_of_others(&other, configured, retention)
            .await
            .unwrap()
    };
    assert_eq!(removed(&["other", SYNC]).await, 0, "it is configured");
    assert_eq!(removed(&["other"]).await, 1);
    assert_eq!(run_ids(&*store).await, [id(2), id(3)]);
    let gone = store.remove_runs_of_others(&other, Vec::new(), EVERYTHING).await;
    assert_eq!(gone.unwrap(), 1, "its latest stays: it may come back");
    assert_eq!(run_ids(&*store).await, [id(3)]);

    store.release(&other).await.unwrap();
    let lost = store.remove_runs_of_others(&other, Vec::new(), EVERYTHING).await;
    assert_eq!(code(lost), "run_lost");
}
