//! Commits, marks, and what a crash leaves uncertain.

use longshore_core::fingerprints::Census;
use longshore_state::{ResentRows, RunStatus};

use super::*;

fn mark(id: &str, rows: u64) -> SentMark {
    SentMark {
        partition: partition(id),
        rows,
    }
}

pub(super) fn resent(rows: u64) -> ResentRows {
    ResentRows {
        partition: partition("a"),
        destination: "batch".to_owned(),
        rows,
    }
}

pub(crate) async fn a_commit_adds_up_and_moves_the_position(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    assert_eq!(
        store
            .commit_checkpoint(&hold, commit("a", 0, 10))
            .await
            .unwrap()
            .revision,
        1
    );
    assert_eq!(
        store
            .commit_checkpoint(&hold, last(commit("a", 1, 5)))
            .await
            .unwrap()
            .revision,
        2
    );
    let found = progress(&*store, "a").await;
    assert_eq!((found.revision, found.complete, found.forwarded), (2, true, 15));
    assert_eq!(
        (found.position, found.cursor),
        (b"position 2".to_vec(), Some(CursorValue::Int(2)))
    );
    let source = SourceCounts {
        read: 17,
        emitted: 15,
        filtered: 2,
        deduplicated: 0,
    };
    assert_eq!(found.source, source);
    assert_eq!(found.destinations["batch"].delivered, 15);
    assert_eq!(progress(&*store, "b").await.revision, 0);
}

pub(crate) async fn a_commit_from_another_revision_is_refused_whole(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store.commit_checkpoint(&hold, commit("a", 0, 10)).await.unwrap();
    let before = store.get_run(RUN).await.unwrap();
    for from_revision in [0, 2] {
        let mut conflicting = commit("a", from_revision, 10);
        conflicting.rejects = vec![reject(1)];
        assert_eq!(
            code(store.commit_checkpoint(&hold, conflicting).await),
            "checkpoint_conflict"
        );
    }
    assert_eq!(store.get_run(RUN).await.unwrap(), before);
    assert_eq!(store.list_rejects(&RejectFilter::default(), 10).await.unwrap(), []);
}

pub(crate) async fn nothing_is_committed_behind_the_end(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store.commit_checkpoint(&hold, last(commit("a", 0, 10))).await.unwrap();
    let behind = store.commit_checkpoint(&hold, commit("a", 1, 1)).await;
    assert_eq!(code(behind), "checkpoint_conflict");
}

pub(crate) async fn unknown_partitions_and_runs_are_refused(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    assert_eq!(
        code(store.commit_checkpoint(&hold, commit("c", 0, 1)).await),
        "partition_unknown"
    );
    assert_eq!(
        code(store.record_sent(&hold, vec![mark("c", 1)]).await),
        "partition_unknown"
    );
    let mut nowhere = resent(1);
    nowhere.partition = partition("c");
    assert_eq!(code(store.record_resent(&hold, nowhere).await), "partition_unknown");
    let mut elsewhere = commit("a", 0, 1);
    elsewhere.partition.run_id = Arc::from(NEXT_RUN);
    assert_eq!(code(store.commit_checkpoint(&hold, elsewhere).await), "run_not_open");
    let mut misnamed = commit("a", 0, 1);
    misnamed.destinations = Arc::from([]);
    assert_eq!(
        code(store.commit_checkpoint(&hold, misnamed).await),
        "destinations_misnamed"
    );
}

pub(crate) async fn fingerprints_add_up_and_stay_bounded(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let with = |from_revision, hashes: std::ops::Range<u64>| {
        let mut commit = commit("a", from_revision, 1);
        hashes.for_each(|hash| commit.commit.checkpoint.fingerprints.insert(hash));
        commit
    };
    store.commit_checkpoint(&hold, with(0, 0..3)).await.unwrap();
    store.commit_checkpoint(&hold, with(1, 2..4)).await.unwrap();
    store.commit_checkpoint(&hold, with(2, 0..0)).await.unwrap();
    let mut found = progress(&*store, "a").await.fingerprints;
    assert_eq!((found.len(), found.overflowed()), (5, false));
    assert!(
        found.take(2) && found.take(2) && !found.take(2),
        "equal rows are counted each"
    );
    store
        .commit_checkpoint(&hold, with(3, 10..10 + Fingerprints::MAX as u64))
        .await
        .unwrap();
    let mut ahead = with(4, 0..0);
    (0..2_000).for_each(|hash| ahead.commit.checkpoint.fingerprints.insert_ahead(hash));
    store.commit_checkpoint(&hold, ahead).await.unwrap();
    let found = progress(&*store, "a").await.fingerprints;
    assert_eq!(
        (found.len(), found.overflowed()),
        (5 + Fingerprints::MAX + Fingerprints::MAX_AHEAD, true)
    );
    let mut census = Census::new(found.sketch().unwrap().clone());
    [0, 1, 2, 2, 3, 7]
        .into_iter()
        .chain(10..10 + Fingerprints::MAX as u64)
        .for_each(|hash| census.count(hash, false));
    let reconciled = census.finish().unwrap();
    assert_eq!((reconciled.awaited, reconciled.gone), ([7].into_iter().collect(), 0));
}

pub(crate) async fn a_crash_leaves_the_rows_between_commit_and_mark_uncertain(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store
        .record_sent(&hold, vec![mark("a", 10), mark("b", 40)])
        .await
        .unwrap();
    let mut with_mark = commit("a", 0, 10);
    with_mark.sent_rows = Some(25);
    store.commit_checkpoint(&hold, with_mark).await.unwrap();
    store.record_sent(&hold, vec![mark("a", 20)]).await.unwrap();
    assert_eq!(progress(&*store, "a").await.sent_rows, 25, "a mark never goes back");
    drop(store);

    backend.kill(1);
    let store = backend.open().await;
    let hold = acquire_at(&*store, 2, later(1)).await;
    let attempt = store.begin_attempt(&hold, RUN, process(2), later(1)).await.unwrap();
    let windows: Vec<_> = attempt
        .uncertain
        .iter()
        .map(|found| (&*found.partition, found.newly_counted, found.window))
        .collect();
    assert_eq!((attempt.number, windows), (2, vec![("a", 15, 15), ("b", 40, 40)]));
    let run = store.get_run(RUN).await.unwrap().unwrap();
    assert_eq!(run.run.uncertain_rows, 55);
    assert_eq!(run.tables[0].uncertain_rows(), 55);
    let by_attempt: Vec<_> = run.attempts.iter().map(|attempt| attempt.uncertain_rows).collect();
    assert_eq!(by_attempt, [55, 0], "the attempt that sent them is charged");

    // The second attempt sends less than the first had and dies too: its repeats are counted, and the first attempt's reach is not forgotten.
    store.record_sent(&hold, vec![mark("b", 8)]).await.unwrap();
    backend.kill(2);
    let hold = acquire_at(&*store, 3, later(2)).await;
    let attempt = store.begin_attempt(&hold, RUN, process(3), later(2)).await.unwrap();
    let windows: Vec<_> = attempt
        .uncertain
        .iter()
        .map(|found| (&*found.partition, found.newly_counted, found.window))
        .collect();
    assert_eq!(windows, [("a", 0, 15), ("b", 8, 40)]);
    assert_eq!(store.get_run(RUN).await.unwrap().unwrap().run.uncertain_rows, 63);
}

pub(crate) async fn a_broken_stream_is_counted_once(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store
        .record_sent(&hold, vec![mark("a", 30), mark("b", 5)])
        .await
        .unwrap();
    store.commit_checkpoint(&hold, commit("a", 0, 10)).await.unwrap();
    let uncertain = store.restart_partition(&hold, &partition("a")).await.unwrap();
    assert_eq!((uncertain.newly_counted, uncertain.window), (20, 20));
    let again = store.restart_partition(&hold, &partition("a")).await.unwrap();
    assert_eq!((again.newly_counted, again.window), (0, 20));
    store.commit_checkpoint(&hold, last(commit("a", 1, 20))).await.unwrap();
    store.commit_checkpoint(&hold, last(commit("b", 0, 5))).await.unwrap();
    store.promote_table(&hold, RUN, "events", None, NOW).await.unwrap();
    store.finish_run(&hold, end(RUN, RunStatus::Completed)).await.unwrap();
    assert_eq!(store.get_run(RUN).await.unwrap().unwrap().run.uncertain_rows, 20);
}

pub(crate) async fn rows_that_are_sent_once_more_are_counted_at_once_and_whatever_follows(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store.record_sent(&hold, vec![mark("a", 30)]).await.unwrap();
    // Before the first commit, and twice for the same rows.
    store.record_resent(&hold, resent(20)).await.unwrap();
    store.record_resent(&hold, resent(20)).await.unwrap();
    store.commit_checkpoint(&hold, commit("a", 0, 10)).await.unwrap();
    let mut elsewhere = resent(1);
    elsewhere.destination = "other".to_owned();
    store.record_resent(&hold, elsewhere).await.unwrap();
    let counted = progress(&*store, "a").await.destinations["batch"];
    assert_eq!(
        (counted.delivered, counted.total()),
        (10, 10),
        "they are no part of the balance"
    );
    drop(store);

    backend.kill(1);
    let store = backend.open().await;
    let hold = acquire_at(&*store, 2, later(1)).await;
    let attempt = store.begin_attempt(&hold, RUN, process(2), later(1)).await.unwrap();
    assert_eq!(
        attempt.uncertain[0].newly_counted, 20,
        "what was on its way comes on top"
    );
    store.record_resent(&hold, resent(5)).await.unwrap();
    let run = store.get_run(RUN).await.unwrap().unwrap();
    let by_attempt: Vec<_> = run.attempts.iter().map(|attempt| attempt.uncertain_rows).collect();
    assert_eq!(by_attempt, [61, 5]);
    assert_eq!((run.run.uncertain_rows, run.tables[0].uncertain_rows()), (66, 66));
}

pub(crate) async fn a_cancelled_run_counts_what_it_leaves_behind(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store.record_sent(&hold, vec![mark("a", 7)]).await.unwrap();
    store.finish_run(&hold, end(RUN, RunStatus::Cancelled)).await.unwrap();
    assert_eq!(store.get_run(RUN).await.unwrap().unwrap().run.uncertain_rows, 7);
    let attempt = store.begin_attempt(&hold, RUN, process(1), later(20)).await.unwrap();
    assert_eq!(
        (attempt.uncertain[0].newly_counted, attempt.uncertain[0].window),
        (0, 7)
    );
}
