//! Rejected rows: kept, superseded, sent again.

use longshore_state::{
    KeptReject, Page, Reject, RejectStatus, RejectedIdentities, RetriedFate, RetriedRow, RetryMark, RetrySettlement,
    Retryable, RunFilter, Supersession, Versions, reject::MAX_ROW_BYTES_PER_SYNC,
};

use super::*;

const ALL: Page = Page {
    after: 0,
    rejects: 1_000,
    bytes: u64::MAX,
};

const LATER_RUN: &str = "01930000-0000-7000-8000-000000000009";

/// A whole row with an identity.
fn row(key: u64, identity: &str) -> NewReject {
    NewReject {
        whole_row: true,
        column: String::new(),
        identity: identity.to_owned(),
        row_data: format!("row {key}").into_bytes(),
        ..reject(key)
    }
}

fn with(from_revision: u64, rejects: Vec<NewReject>) -> CheckpointCommit {
    CheckpointCommit {
        rejects,
        rejected_table: Some(Arc::from(&b"the table"[..])),
        ..commit("a", from_revision, 1)
    }
}

fn superseding(from_revision: u64, identity: &str, rejects: Vec<NewReject>) -> CheckpointCommit {
    CheckpointCommit {
        superseded: vec![Supersession {
            destination: "batch".to_owned(),
            versions: Versions::OfIdentity {
                identity: identity.to_owned(),
                column: String::new(),
            },
        }],
        ..with(from_revision, rejects)
    }
}

fn in_run(run_id: &str) -> Retryable {
    Retryable {
        sync: SYNC.to_owned(),
        table: "events".to_owned(),
        destination: "batch".to_owned(),
        run_id: run_id.to_owned(),
        uncertain_too: true,
        except_tables: Vec::new(),
        held_rule: "uncertain_delivery",
        replaces_by: None,
    }
}

/// All rejects, oldest first.
async fn ledger(store: &dyn StateStore) -> Vec<Reject> {
    let mut all = store.list_rejects(&RejectFilter::default(), 1_000).await.unwrap();
    all.reverse();
    all
}

async fn statuses(store: &dyn StateStore) -> Vec<RejectStatus> {
    ledger(store).await.iter().map(|reject| reject.status).collect()
}

async fn retryable(store: &dyn StateStore, run_id: &str) -> Vec<KeptReject> {
    store.retryable_rejects(&in_run(run_id), 1_000, u64::MAX).await.unwrap()
}

fn numbers(kept: &[KeptReject]) -> Vec<i64> {
    kept.iter().map(|kept| kept.reject.id).collect()
}

/// Three rejected rows of a run that is over, and the next run under the same hold.
async fn next_run(store: &dyn StateStore) -> (Hold, Vec<i64>) {
    let hold = started(store).await;
    let rejects = vec![row(0, "ada"), row(1, "bob"), row(2, "ada")];
    store.commit_checkpoint(&hold, last(with(0, rejects))).await.unwrap();
    store.finish_run(&hold, end(RUN, RunStatus::Failed)).await.unwrap();
    store.begin_run(&hold, new_run(NEXT_RUN, 1)).await.unwrap();
    let ids = ledger(store).await.iter().map(|reject| reject.id).collect();
    (hold, ids)
}

fn mark(ids: &[i64], appends: bool) -> RetryMark {
    RetryMark {
        run_id: NEXT_RUN.to_owned(),
        ids: ids.to_vec(),
        appends,
        at: later(20),
    }
}

fn of(ids: Vec<i64>, fate: RetriedFate) -> RetriedRow {
    RetriedRow {
        ids,
        fate,
        supersedes: Vec::new(),
    }
}

fn settled(rows: Vec<(Vec<i64>, RetriedFate)>) -> RetrySettlement {
    RetrySettlement {
        run_id: NEXT_RUN.to_owned(),
        table: "events".to_owned(),
        destination: "batch".to_owned(),
        rows: rows.into_iter().map(|(ids, fate)| of(ids, fate)).collect(),
        at: later(30),
    }
}

pub(crate) async fn a_kept_row_comes_back_with_its_table(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let rows = vec![
        row(7, "ada"),
        NewReject {
            row_data: Vec::new(),
            ..row(8, "")
        },
    ];
    store.commit_checkpoint(&hold, with(0, rows)).await.unwrap();
    store
        .commit_checkpoint(&hold, with(1, vec![row(9, "bob")]))
        .await
        .unwrap();
    let kept = store.read_rejects(&RejectFilter::default(), ALL).await.unwrap();
    let data: Vec<&[u8]> = kept.iter().map(|kept| kept.row_data.as_slice()).collect();
    assert_eq!(data, [&b"row 7"[..], b"", b"row 9"]);
    assert_eq!([true, false, true], [0, 1, 2].map(|index| kept[index].reject.row_kept));
    assert_eq!(kept[0].reject.row_table, kept[2].reject.row_table, "it is stored once");
    assert_eq!(kept[1].reject.row_table, None);
    let table = store.rejected_table(kept[0].reject.row_table.unwrap()).await.unwrap();
    assert_eq!(table.as_deref(), Some(&b"the table"[..]));
    assert_eq!(store.rejected_table(i64::MAX).await.unwrap(), None);
    let short = Page { bytes: 1, ..ALL };
    assert_eq!(
        store.read_rejects(&RejectFilter::default(), short).await.unwrap().len(),
        1
    );
    let behind = Page {
        after: kept[0].reject.id,
        ..ALL
    };
    assert_eq!(
        store.read_rejects(&RejectFilter::default(), behind).await.unwrap(),
        kept[1..]
    );
    assert_eq!(store.get_reject(kept[2].reject.id).await.unwrap().unwrap(), kept[2]);
}

pub(crate) async fn a_delivered_row_supersedes_the_older_rejects_of_its_identity_and_no_others(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store
        .commit_checkpoint(&hold, with(0, vec![row(0, "ada"), row(1, "bob")]))
        .await
        .unwrap();
    let own = vec![
        row(2, "ada"),
        NewReject {
            superseded: true,
            ..row(3, "ada")
        },
    ];
    store
        .commit_checkpoint(&hold, superseding(1, "ada", own))
        .await
        .unwrap();
    let [superseded, pending] = [RejectStatus::Superseded, RejectStatus::Pending];
    assert_eq!(statuses(&*store).await, [superseded, pending, pending, superseded]);
    let rejects = ledger(&*store).await;
    assert_eq!(
        (rejects[0].resolved_run.as_deref(), rejects[0].resolved_at),
        (Some(RUN), Some(NOW))
    );
    assert_eq!(
        [false, true, true, false],
        [0, 1, 2, 3].map(|index| rejects[index].row_kept),
        "a row of no more use goes"
    );
    let identities = async |column: &str, after: &str| {
        let rejected = RejectedIdentities {
            sync: SYNC.to_owned(),
            table: "events".to_owned(),
            destination: "batch".to_owned(),
            identity_column: column.to_owned(),
        };
        store.rejected_identities(&rejected, after, 10).await.unwrap()
    };
    assert_eq!(identities("", "").await, ["ada", "bob"]);
    assert_eq!(identities("", "ada").await, ["bob"]);
    assert_eq!(identities("name", "").await, [""; 0], "identities of another column");
}

pub(crate) async fn a_commit_that_is_refused_supersedes_nothing(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store
        .commit_checkpoint(&hold, with(0, vec![row(0, "ada")]))
        .await
        .unwrap();
    let refused = store.commit_checkpoint(&hold, superseding(7, "ada", Vec::new())).await;
    assert_eq!(code(refused), "checkpoint_conflict");
    assert_eq!(statuses(&*store).await, [RejectStatus::Pending]);
}

pub(crate) async fn a_run_tries_whole_kept_rows_of_earlier_runs_once_and_leaves_held_ones(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let held = NewReject {
        rule: "uncertain_delivery".to_owned(),
        ..row(2, "")
    };
    let not_kept = NewReject {
        row_data: Vec::new(),
        ..row(3, "")
    };
    let column = NewReject {
        whole_row: false,
        ..row(4, "eve")
    };
    store
        .commit_checkpoint(
            &hold,
            last(with(0, vec![row(0, "ada"), row(1, "bob"), held, not_kept, column])),
        )
        .await
        .unwrap();
    assert_eq!(
        retryable(&*store, RUN).await,
        [],
        "what a run has rejected is for the next one"
    );
    store.finish_run(&hold, end(RUN, RunStatus::Failed)).await.unwrap();
    store.begin_run(&hold, new_run(NEXT_RUN, 1)).await.unwrap();
    let found = numbers(&retryable(&*store, NEXT_RUN).await);
    let ids: Vec<i64> = ledger(&*store).await.iter().map(|reject| reject.id).collect();
    assert_eq!(found, ids[..2]);
    store.mark_retry(&hold, mark(&found[..1], false)).await.unwrap();
    assert_eq!(
        numbers(&retryable(&*store, NEXT_RUN).await),
        ids[1..2],
        "each once a run, whatever became of it"
    );
    let other = Retryable {
        destination: "other".to_owned(),
        ..in_run(NEXT_RUN)
    };
    assert_eq!(store.retryable_rejects(&other, 1_000, u64::MAX).await.unwrap(), []);
}

pub(crate) async fn rows_that_were_tried_least_come_first_and_refused_columns_not_at_all(backend: Backend) {
    let store = backend.open().await;
    let (hold, ids) = next_run(&*store).await;
    store.mark_retry(&hold, mark(&ids[..1], false)).await.unwrap();
    let next = "01930000-0000-7000-8000-000000000003";
    assert_eq!(numbers(&retryable(&*store, next).await), [ids[1], ids[2], ids[0]]);
    let page = store.retryable_rejects(&in_run(next), 2, u64::MAX).await.unwrap();
    assert_eq!(numbers(&page), ids[1..]);
    let small = store.retryable_rejects(&in_run(next), 2, 1).await.unwrap();
    assert_eq!(numbers(&small), ids[1..2]);
    let refused = Retryable {
        except_tables: vec![page[0].reject.row_table.unwrap()],
        ..in_run(next)
    };
    assert_eq!(store.retryable_rejects(&refused, 10, u64::MAX).await.unwrap(), []);
}

pub(crate) async fn what_became_of_rows_that_were_sent_again_is_stored_and_counted(backend: Backend) {
    let store = backend.open().await;
    let (hold, ids) = next_run(&*store).await;
    store.mark_retry(&hold, mark(&ids, false)).await.unwrap();
    let again = NewReject {
        rule: "other_rule".to_owned(),
        reason: "other reason".to_owned(),
        ..row(1, "bob")
    };
    let left_out = NewReject {
        whole_row: false,
        ..row(2, "ada")
    };
    let rows = vec![
        (vec![ids[0]], RetriedFate::Filtered),
        (vec![ids[1]], RetriedFate::RejectedAgain(Box::new(again))),
        (vec![ids[2]], RetriedFate::Redelivered(vec![left_out.clone()])),
    ];
    store.settle_retry(&hold, settled(rows)).await.unwrap();
    let rejects = ledger(&*store).await;
    let [filtered, pending, redelivered] = [RejectStatus::Filtered, RejectStatus::Pending, RejectStatus::Redelivered];
    assert_eq!(statuses(&*store).await, [filtered, pending, redelivered, pending]);
    assert_eq!(
        (&*rejects[1].reject.rule, &*rejects[1].reject.reason),
        ("other_rule", "other reason")
    );
    assert_eq!((rejects[1].attempts, rejects[1].tried_at), (1, Some(later(20))));
    assert_eq!(
        [false, true, false, true],
        [0, 1, 2, 3].map(|index| rejects[index].row_kept)
    );
    assert_eq!(
        (&*rejects[3].run_id, rejects[3].reject.whole_row),
        (NEXT_RUN, false),
        "a column that is still refused is a reject of this run"
    );
    assert_eq!(rejects[2].resolved_run.as_deref(), Some(NEXT_RUN));
    let run = store.get_run(NEXT_RUN).await.unwrap().unwrap();
    let counts = &run.retries[0];
    assert_eq!(
        (counts.retried, counts.redelivered, counts.rejected, counts.filtered),
        (3, 1, 1, 1)
    );
    assert_eq!((run.run.rejects, run.run.uncertain_rows), (1, 0));
    let settled_twice = settled(vec![(vec![ids[2]], RetriedFate::Filtered)]);
    assert_eq!(
        code(store.settle_retry(&hold, settled_twice).await),
        "reject_not_pending"
    );
    assert_eq!(
        code(store.mark_retry(&hold, mark(&ids, false)).await),
        "reject_not_pending"
    );
}

pub(crate) async fn a_redelivered_row_supersedes_older_ones_and_a_column_stays_until_it_is_taken(backend: Backend) {
    let store = backend.open().await;
    let (hold, ids) = next_run(&*store).await;
    store.mark_retry(&hold, mark(&ids[2..], false)).await.unwrap();
    store
        .settle_retry(
            &hold,
            settled(vec![(vec![ids[2]], RetriedFate::Redelivered(Vec::new()))]),
        )
        .await
        .unwrap();
    let [superseded, pending, redelivered] = [
        RejectStatus::Superseded,
        RejectStatus::Pending,
        RejectStatus::Redelivered,
    ];
    assert_eq!(statuses(&*store).await, [superseded, pending, redelivered]);

    let column = |name: &str| NewReject {
        whole_row: false,
        column: name.to_owned(),
        ..row(9, "zoe")
    };
    let mut recorded = with(1, vec![column("url"), column("phone")]);
    recorded.partition.run_id = NEXT_RUN.into();
    recorded.from_revision = 0;
    store
        .store_plan(&hold, NEXT_RUN, vec![plan("events", &["a"], 0)])
        .await
        .unwrap();
    store.commit_checkpoint(&hold, recorded).await.unwrap();
    let columns: Vec<i64> = ledger(&*store).await[3..].iter().map(|reject| reject.id).collect();
    store.mark_retry(&hold, mark(&columns, false)).await.unwrap();
    let fate = RetriedFate::Redelivered(vec![column("phone")]);
    store.settle_retry(&hold, settled(vec![(columns, fate)])).await.unwrap();
    assert_eq!(
        statuses(&*store).await[3..],
        [redelivered, pending],
        "one of the two columns was taken"
    );
}

pub(crate) async fn rows_that_were_sent_again_when_a_process_died_are_uncertain_where_a_repeat_leaves_a_trace(
    backend: Backend,
) {
    let store = backend.open().await;
    let (hold, ids) = next_run(&*store).await;
    store.mark_retry(&hold, mark(&ids[..2], true)).await.unwrap();
    store.mark_retry(&hold, mark(&ids[2..], false)).await.unwrap();
    store
        .settle_retry(
            &hold,
            settled(vec![(vec![ids[0]], RetriedFate::Redelivered(Vec::new()))]),
        )
        .await
        .unwrap();
    store
        .record_retry_resent(&hold, NEXT_RUN, "events", "batch", 5)
        .await
        .unwrap();
    drop(store);
    backend.kill(1);
    let store = backend.open().await;
    let hold = acquire_at(&*store, 2, later(60)).await;
    let attempt = store
        .begin_attempt(&hold, NEXT_RUN, process(2), later(60))
        .await
        .unwrap();
    assert_eq!(
        attempt.uncertain_retries, 1,
        "one was settled, one goes where a repeat changes nothing"
    );
    let uncertain: Vec<bool> = ledger(&*store).await.iter().map(|reject| reject.uncertain).collect();
    assert_eq!(uncertain, [false, true, false]);
    let run = store.get_run(NEXT_RUN).await.unwrap().unwrap();
    assert_eq!((run.run.uncertain_rows, run.retries[0].uncertain), (6, 6));
    let next = "01930000-0000-7000-8000-000000000003";
    let certain_only = Retryable {
        uncertain_too: false,
        ..in_run(next)
    };
    assert_eq!(
        numbers(&store.retryable_rejects(&certain_only, 1_000, u64::MAX).await.unwrap()),
        ids[2..]
    );
    assert_eq!(numbers(&retryable(&*store, next).await), ids[1..]);
    store.finish_run(&hold, end(NEXT_RUN, RunStatus::Failed)).await.unwrap();
    assert_eq!(
        store.get_run(NEXT_RUN).await.unwrap().unwrap().run.uncertain_rows,
        6,
        "counted once"
    );
}

pub(crate) async fn a_replay_leaves_the_interrupted_run_alone_and_is_closed_when_its_process_died(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    store.commit_checkpoint(&hold, with(0, vec![row(0, "")])).await.unwrap();
    store.finish_run(&hold, end(RUN, RunStatus::Cancelled)).await.unwrap();
    let replay = NewRun {
        kind: RunKind::Replay,
        ..new_run(NEXT_RUN, 1)
    };
    store.begin_run(&hold, replay).await.unwrap();
    assert_eq!(store.interrupted_run(SYNC).await.unwrap().unwrap().run.run_id, RUN);
    for (kind, run) in [(RunKind::Sync, RUN), (RunKind::Replay, NEXT_RUN)] {
        let of_kind = RunFilter {
            kind: Some(kind),
            ..RunFilter::default()
        };
        let listed = store.list_runs(&of_kind, 10).await.unwrap();
        assert_eq!(listed.iter().map(|run| &run.run_id).collect::<Vec<_>>(), [run]);
    }
    let id = ledger(&*store).await[0].id;
    store.mark_retry(&hold, mark(&[id], true)).await.unwrap();
    assert_eq!(store.close_replays(&hold).await.unwrap(), 0, "it runs");
    drop(store);
    backend.kill(1);
    let store = backend.open().await;
    let hold = acquire_at(&*store, 2, later(60)).await;
    assert_eq!(store.close_replays(&hold).await.unwrap(), 1);
    let closed = store.get_run(NEXT_RUN).await.unwrap().unwrap().run;
    assert_eq!(
        (closed.kind, closed.status, closed.uncertain_rows),
        (RunKind::Replay, RunStatus::Failed, 1)
    );
    assert_eq!(closed.error.unwrap().code, "replay_abandoned");
    assert!(ledger(&*store).await[0].uncertain);
    store.begin_attempt(&hold, RUN, process(2), later(60)).await.unwrap();
}

pub(crate) async fn a_process_that_lost_its_hold_can_send_and_settle_nothing(backend: Backend) {
    let store = backend.open().await;
    let (hold, ids) = next_run(&*store).await;
    backend.kill(1);
    acquire_at(&*store, 2, later(60)).await;
    assert_eq!(code(store.mark_retry(&hold, mark(&ids, true)).await), "run_lost");
    let fate = RetriedFate::Redelivered(Vec::new());
    assert_eq!(
        code(store.settle_retry(&hold, settled(vec![(vec![ids[0]], fate)])).await),
        "run_lost"
    );
    assert_eq!(code(store.close_replays(&hold).await), "run_lost");
    assert_eq!(statuses(&*store).await, [RejectStatus::Pending; 3]);
}

pub(crate) async fn the_ledger_lets_go_of_what_is_dealt_with_first(backend: Backend) {
    use longshore_state::reject::MAX_REJECTS_PER_SYNC;
    let store = backend.open().await;
    let hold = started(&*store).await;
    store
        .commit_checkpoint(&hold, with(0, vec![row(0, "ada")]))
        .await
        .unwrap();
    store
        .commit_checkpoint(&hold, with(1, vec![row(1, "bob")]))
        .await
        .unwrap();
    store
        .commit_checkpoint(&hold, superseding(2, "bob", Vec::new()))
        .await
        .unwrap();
    let rest = (2..=MAX_REJECTS_PER_SYNC).map(reject).collect();
    let full = store.commit_checkpoint(&hold, with(3, rest)).await.unwrap();
    assert_eq!(full.dropped_rejects, 0, "the superseded one made room");
    let over = store.commit_checkpoint(&hold, with(4, vec![reject(7)])).await.unwrap();
    assert_eq!(over.dropped_rejects, 1, "now the oldest that was pending");
    assert_eq!(store.get_run(RUN).await.unwrap().unwrap().run.dropped_rejects, 1);
}

pub(crate) async fn beyond_the_bound_of_bytes_the_oldest_rows_go_and_stay_named(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let quarter = usize::try_from(MAX_ROW_BYTES_PER_SYNC / 4).unwrap();
    let large = |key| NewReject {
        row_data: vec![0; quarter],
        ..row(key, "")
    };
    for revision in 0..4 {
        let kept = store
            .commit_checkpoint(&hold, with(revision, vec![large(revision)]))
            .await
            .unwrap();
        assert_eq!((kept.dropped_rejects, kept.dropped_rows), (0, 0));
    }
    let over = store.commit_checkpoint(&hold, with(4, vec![row(4, "")])).await.unwrap();
    assert_eq!((over.dropped_rejects, over.dropped_rows), (0, 1));
    let kept: Vec<bool> = ledger(&*store).await.iter().map(|reject| reject.row_kept).collect();
    assert_eq!(kept, [false, true, true, true, true]);
    assert_eq!(store.get_run(RUN).await.unwrap().unwrap().run.dropped_rows, 1);
}

pub(crate) async fn where_rows_are_replaced_only_those_of_a_known_version_are_tried(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let by = |column: &str, reject: NewReject| NewReject {
        identity_column: column.to_owned(),
        ..reject
    };
    let rejects = vec![
        by("id", row(0, "ada")),
        by("id", row(1, "")),
        by("name", row(2, "ada")),
        by("name", row(3, "")),
    ];
    store.commit_checkpoint(&hold, last(with(0, rejects))).await.unwrap();
    store.finish_run(&hold, end(RUN, RunStatus::Failed)).await.unwrap();
    store.begin_run(&hold, new_run(NEXT_RUN, 1)).await.unwrap();
    let ids: Vec<i64> = ledger(&*store).await.iter().map(|reject| reject.id).collect();
    let tried = async |column: Option<&str>| {
        let retryable = Retryable {
            replaces_by: column.map(ToOwned::to_owned),
            ..in_run(NEXT_RUN)
        };
        let found = store.retryable_rejects(&retryable, 10, u64::MAX).await.unwrap();
        let unknown = store.rejects_of_unknown_version(&retryable).await.unwrap();
        assert_eq!(found.len() as u64 + unknown, ids.len() as u64);
        let place = |kept: &KeptReject| ids.iter().position(|id| *id == kept.reject.id).unwrap();
        found.iter().map(place).collect::<Vec<_>>()
    };
    assert_eq!(
        tried(None).await,
        [0, 1, 2, 3],
        "where rows are added, none replaces another"
    );
    assert_eq!(
        tried(Some("id")).await,
        [0, 2, 3],
        "nothing was delivered under ids since, and who had none then has none now"
    );
    let under = |column: &str| RejectedIdentities {
        sync: SYNC.to_owned(),
        table: "events".to_owned(),
        destination: "batch".to_owned(),
        identity_column: column.to_owned(),
    };
    store.forget_versions(&hold, &under("id")).await.unwrap();
    assert_eq!(
        tried(Some("id")).await,
        [0],
        "newer versions of the others go unnoticed from now on"
    );
    assert_eq!(
        tried(Some("name")).await,
        [0, 1],
        "what was never under names has no newer version there"
    );

    let plan = vec![plan("events", &["a"], 0)];
    store.store_plan(&hold, NEXT_RUN, plan).await.unwrap();
    let mut delivered = superseding(0, "ada", Vec::new());
    delivered.superseded[0].versions = Versions::OfIdentity {
        identity: "ada".to_owned(),
        column: "name".to_owned(),
    };
    delivered.partition.run_id = NEXT_RUN.into();
    store.commit_checkpoint(&hold, delivered).await.unwrap();
    let [pending, superseded] = [RejectStatus::Pending, RejectStatus::Superseded];
    assert_eq!(
        statuses(&*store).await,
        [pending, pending, superseded, pending],
        "the same text of another column is another identity"
    );
}

pub(crate) async fn a_row_that_is_refused_again_has_the_rejects_of_its_last_run(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let told_apart = |key: u64, fingerprint: &[u8]| NewReject {
        fingerprint: fingerprint.to_vec(),
        ..row(key, "")
    };
    let column = NewReject {
        whole_row: false,
        column: "url".to_owned(),
        ..told_apart(0, b"a")
    };
    let first = vec![
        told_apart(0, b"a"),
        column,
        told_apart(1, b"b"),
        told_apart(2, b""),
        told_apart(3, b"a"),
    ];
    store.commit_checkpoint(&hold, last(with(0, first))).await.unwrap();
    let [pending, superseded] = [RejectStatus::Pending, RejectStatus::Superseded];
    assert_eq!(
        statuses(&*store).await,
        [pending; 5],
        "of one run, none is earlier than the others"
    );
    let ids: Vec<i64> = ledger(&*store).await.iter().map(|reject| reject.id).collect();
    store.finish_run(&hold, end(RUN, RunStatus::Failed)).await.unwrap();

    store.begin_run(&hold, new_run(NEXT_RUN, 1)).await.unwrap();
    store
        .store_plan(&hold, NEXT_RUN, vec![plan("events", &["a"], 0)])
        .await
        .unwrap();
    // One of the row's rejects may be at the target already.
    store.mark_retry(&hold, mark(&ids[..1], true)).await.unwrap();
    store.finish_run(&hold, end(NEXT_RUN, RunStatus::Failed)).await.unwrap();
    store.begin_run(&hold, new_run(LATER_RUN, 1)).await.unwrap();
    store
        .store_plan(&hold, LATER_RUN, vec![plan("events", &["a"], 0)])
        .await
        .unwrap();
    let mut again = with(0, vec![told_apart(0, b"a"), told_apart(2, b"")]);
    again.partition.run_id = LATER_RUN.into();
    store.commit_checkpoint(&hold, again).await.unwrap();
    assert_eq!(
        statuses(&*store).await,
        [superseded, superseded, pending, pending, superseded, pending, pending]
    );
    let rejects = ledger(&*store).await;
    assert_eq!(rejects[0].resolved_run.as_deref(), Some(LATER_RUN));
    assert_eq!(
        [true, false],
        [5, 6].map(|index| rejects[index].uncertain),
        "what may have been delivered stays so"
    );
}

pub(crate) async fn what_a_retry_leaves_out_is_as_old_as_its_row_and_keeps_what_was_mended(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let told_apart = |key: u64, fingerprint: &[u8]| NewReject {
        fingerprint: fingerprint.to_vec(),
        ..row(key, "")
    };
    // Two versions of one row, and a version of another row that has the same identity, as it turns out.
    let rejects = vec![told_apart(0, b"a"), told_apart(1, b"a"), told_apart(2, b"b")];
    store.commit_checkpoint(&hold, last(with(0, rejects))).await.unwrap();
    store.finish_run(&hold, end(RUN, RunStatus::Failed)).await.unwrap();
    store.begin_run(&hold, new_run(NEXT_RUN, 1)).await.unwrap();
    let ids: Vec<i64> = ledger(&*store).await.iter().map(|reject| reject.id).collect();
    store.mark_retry(&hold, mark(&ids, false)).await.unwrap();
    let left_out = |key: u64, name: &str| NewReject {
        whole_row: false,
        column: name.to_owned(),
        identity: "ada".to_owned(),
        row_data: b"mended".to_vec(),
        ..told_apart(key, b"a")
    };
    let first = of(
        vec![ids[0]],
        RetriedFate::Redelivered(vec![left_out(0, "url"), left_out(0, "phone")]),
    );
    let settlement = RetrySettlement {
        rows: vec![first],
        ..settled(Vec::new())
    };
    store.settle_retry(&hold, settlement).await.unwrap();
    let [redelivered, superseded, pending] = [
        RejectStatus::Redelivered,
        RejectStatus::Superseded,
        RejectStatus::Pending,
    ];
    assert_eq!(
        statuses(&*store).await,
        [redelivered, pending, pending, pending, pending],
        "the newer version of the row is still to be sent"
    );
    let column = ledger(&*store).await[3].id;
    let again = of(
        vec![column],
        RetriedFate::Redelivered(vec![NewReject {
            row_data: b"mended once more".to_vec(),
            ..left_out(0, "url")
        }]),
    );
    store.mark_retry(&hold, mark(&[column], false)).await.unwrap();
    let settlement = RetrySettlement {
        rows: vec![again],
        ..settled(Vec::new())
    };
    store.settle_retry(&hold, settlement).await.unwrap();
    let kept = store.get_reject(column).await.unwrap().unwrap();
    assert_eq!(
        (kept.reject.status, kept.row_data.as_slice()),
        (pending, &b"mended once more"[..])
    );
    let newer = RetriedRow {
        supersedes: vec![Versions::OfIdentity {
            identity: "ada".to_owned(),
            column: String::new(),
        }],
        ..of(vec![ids[2]], RetriedFate::Redelivered(Vec::new()))
    };
    let settlement = RetrySettlement {
        rows: vec![newer],
        ..settled(Vec::new())
    };
    store.settle_retry(&hold, settlement).await.unwrap();
    assert_eq!(
        statuses(&*store).await,
        [redelivered, pending, redelivered, superseded, superseded],
        "what was left out of the first row is older than the third, whenever it was recorded"
    );
}

pub(crate) async fn a_delivered_row_supersedes_its_own_older_versions(backend: Backend) {
    let store = backend.open().await;
    let hold = started(&*store).await;
    let told_apart = |key: u64, fingerprint: &[u8]| NewReject {
        fingerprint: fingerprint.to_vec(),
        ..row(key, "")
    };
    let rejects = vec![told_apart(0, b"a"), told_apart(1, b"b"), told_apart(2, b"")];
    store.commit_checkpoint(&hold, with(0, rejects)).await.unwrap();
    let asked = RejectedIdentities {
        sync: SYNC.to_owned(),
        table: "events".to_owned(),
        destination: "batch".to_owned(),
        identity_column: String::new(),
    };
    assert_eq!(store.rejected_rows(&asked, b"", 10).await.unwrap(), [b"a", b"b"]);
    assert_eq!(store.rejected_rows(&asked, b"a", 10).await.unwrap(), [b"b"]);
    let delivered = CheckpointCommit {
        superseded: vec![Supersession {
            destination: "batch".to_owned(),
            versions: Versions::OfRow(b"a".to_vec()),
        }],
        ..with(1, Vec::new())
    };
    store.commit_checkpoint(&hold, delivered).await.unwrap();
    let [superseded, pending] = [RejectStatus::Superseded, RejectStatus::Pending];
    assert_eq!(statuses(&*store).await, [superseded, pending, pending]);
}

pub(crate) async fn a_discarded_reject_stays_named_and_is_never_sent(backend: Backend) {
    let store = backend.open().await;
    let (hold, ids) = next_run(&*store).await;
    assert_eq!(
        code(store.discard_rejects(SYNC, &ids[..1], later(20)).await),
        "sync_held"
    );
    // It broke off while it was sending two of them.
    store.mark_retry(&hold, mark(&ids[1..], true)).await.unwrap();
    store.release(&hold).await.unwrap();
    let twice = [ids[0], ids[0]];
    assert_eq!(
        code(store.discard_rejects(SYNC, &twice, later(20)).await),
        "reject_not_pending"
    );
    assert_eq!(
        statuses(&*store).await,
        [RejectStatus::Pending; 3],
        "nothing was stored"
    );
    assert_eq!(store.discard_rejects(SYNC, &ids[..2], later(20)).await.unwrap(), 2);
    let rejects = ledger(&*store).await;
    let [discarded, pending] = [RejectStatus::Discarded, RejectStatus::Pending];
    assert_eq!(statuses(&*store).await, [discarded, discarded, pending]);
    assert_eq!(
        (rejects[0].row_kept, rejects[0].resolved_at, &rejects[0].resolved_run),
        (false, Some(later(20)), &None)
    );
    let counts = store.count_rejects(&RejectFilter::default()).await.unwrap();
    let counted: Vec<_> = counts.iter().map(|count| (count.status, count.rejects)).collect();
    assert_eq!(counted, [(discarded, 2), (pending, 1)]);
    let broken = store.get_run(NEXT_RUN).await.unwrap().unwrap();
    assert_eq!(
        broken.run.uncertain_rows, 2,
        "what may have arrived is counted all the same"
    );
}
