//! The ledger.

use longshore_state::{RejectCount, RejectStatus, Removed, reject::MAX_REJECTS_PER_SYNC};

use super::*;

fn with_rejects(from_revision: u64, keys: std::ops::Range<u64>) -> CheckpointCommit {
    CheckpointCommit {
        rejects: keys.map(reject).collect(),
        ..commit("a", from_revision, 1)
    }
}

pub(crate) async fn rejects_are_listed_newest_first_and_page_after_page(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store.commit_checkpoint(&hold, with_rejects(0, 0..3)).await.unwrap();
    store.commit_checkpoint(&hold, with_rejects(1, 3..5)).await.unwrap();
    let mut filter = RejectFilter::default();
    let page = store.list_rejects(&filter, 3).await.unwrap();
    let keys: Vec<_> = page.iter().map(|found| &*found.reject.key).collect();
    assert_eq!(keys, ["4", "3", "2"]);
    let one = store.get_reject(page[0].id).await.unwrap().unwrap();
    assert_eq!((&one.reject, one.row_data.as_slice()), (&page[0], &[][..]));
    let newest = &page[0];
    assert_eq!(
        (&*newest.sync, &*newest.run_id, &*newest.table, &*newest.partition),
        (SYNC, RUN, "events", "a")
    );
    assert_eq!((newest.at, &newest.reject), (NOW, &reject(4)));
    filter.before = Some(page[2].id);
    let rest = store.list_rejects(&filter, 3).await.unwrap();
    assert_eq!((rest.len(), &*rest[1].reject.key), (2, "0"));
    assert_eq!(store.get_reject(i64::MAX).await.unwrap(), None);
    assert_eq!(store.get_run(RUN).await.unwrap().unwrap().run.rejects, 5);
}

pub(crate) async fn rejects_are_filtered_and_counted_by_kind(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let mut mixed = with_rejects(0, 0..3);
    mixed.rejects[1].rule = "event_too_old".to_owned();
    mixed.rejects[1].column.clear();
    store.commit_checkpoint(&hold, mixed).await.unwrap();
    let count = |rule: &str, column: &str, rejects| RejectCount {
        sync: SYNC.to_owned(),
        table: "events".to_owned(),
        destination: "batch".to_owned(),
        rule: rule.to_owned(),
        column: column.to_owned(),
        status: RejectStatus::Pending,
        rejects,
    };
    let all = store.count_rejects(&RejectFilter::default()).await.unwrap();
    assert_eq!(
        all,
        [count("string_too_long", "name", 2), count("event_too_old", "", 1)]
    );
    let of = |sync: Option<&str>, table: Option<&str>, run_id: Option<&str>| RejectFilter {
        sync: sync.map(ToOwned::to_owned),
        table: table.map(ToOwned::to_owned),
        run_id: run_id.map(ToOwned::to_owned),
        ..RejectFilter::default()
    };
    assert_eq!(
        store
            .list_rejects(&of(Some(SYNC), Some("events"), Some(RUN)), 10)
            .await
            .unwrap()
            .len(),
        3
    );
    let by_rule = RejectFilter {
        rule: Some("event_too_old".to_owned()),
        column: Some(String::new()),
        status: Some(RejectStatus::Pending),
        destination: Some("batch".to_owned()),
        ..RejectFilter::default()
    };
    let found = store.list_rejects(&by_rule, 10).await.unwrap();
    assert_eq!((found.len(), &*found[0].reject.key), (1, "1"));
    let by_number = RejectFilter {
        ids: Some(vec![found[0].id, i64::MAX]),
        ..RejectFilter::default()
    };
    assert_eq!(store.list_rejects(&by_number, 10).await.unwrap(), found);
    for nothing in [
        of(Some("other"), None, None),
        of(None, Some("other"), None),
        of(None, None, Some("other")),
        RejectFilter {
            status: Some(RejectStatus::Superseded),
            ..RejectFilter::default()
        },
    ] {
        assert_eq!(store.list_rejects(&nothing, 10).await.unwrap(), []);
        assert_eq!(store.count_rejects(&nothing).await.unwrap(), []);
    }
}

pub(crate) async fn the_ledger_drops_its_oldest_beyond_the_bound_and_says_so(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let full = store
        .commit_checkpoint(&hold, with_rejects(0, 0..MAX_REJECTS_PER_SYNC))
        .await
        .unwrap();
    assert_eq!(full.dropped_rejects, 0);
    let over = MAX_REJECTS_PER_SYNC..MAX_REJECTS_PER_SYNC + 10;
    let over = store.commit_checkpoint(&hold, with_rejects(1, over)).await.unwrap();
    assert_eq!(over.dropped_rejects, 10);
    let counts = store.count_rejects(&RejectFilter::default()).await.unwrap();
    assert_eq!(counts[0].rejects, MAX_REJECTS_PER_SYNC);
    let run = store.get_run(RUN).await.unwrap().unwrap().run;
    assert_eq!((run.rejects, run.dropped_rejects), (MAX_REJECTS_PER_SYNC + 10, 10));
    let newest = store.list_rejects(&RejectFilter::default(), 1).await.unwrap();
    assert_eq!(newest[0].reject.key, (MAX_REJECTS_PER_SYNC + 9).to_string());
    let everything = RejectFilter {
        before: Some(newest[0].id - i64::try_from(MAX_REJECTS_PER_SYNC).unwrap() + 2),
        ..RejectFilter::default()
    };
    let oldest = store.list_rejects(&everything, 10).await.unwrap();
    let keys: Vec<_> = oldest.iter().map(|found| &*found.reject.key).collect();
    assert_eq!(keys, ["10"], "the oldest went first");
}

pub(crate) async fn old_rejects_are_removed_and_pending_ones_counted(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store.commit_checkpoint(&hold, with_rejects(0, 0..3)).await.unwrap();
    let mut newer = with_rejects(1, 3..5);
    newer.at = later(100);
    store.commit_checkpoint(&hold, newer).await.unwrap();
    let removed = store.remove_rejects(&hold, later(50)).await.unwrap();
    assert_eq!((removed.pending, removed.resolved), (3, 0));
    let left = store.list_rejects(&RejectFilter::default(), 10).await.unwrap();
    assert_eq!(left.len(), 2);
    let run = store.get_run(RUN).await.unwrap().unwrap().run;
    assert_eq!((run.rejects, run.dropped_rejects), (5, 3));
    assert_eq!(
        store.remove_rejects(&hold, later(50)).await.unwrap(),
        Removed::default()
    );
    store.release(&hold).await.unwrap();
    assert_eq!(code(store.remove_rejects(&hold, later(500)).await), "run_lost");
}
