//! The stored form: a change of it is a new version, never an accident.

use std::{fs, path::Path, sync::Arc};

use longshore_core::{CursorValue, Error};
use longshore_state::{
    AttemptOutcome, CursorReplacement, NewReject, Promotion, RejectFilter, RetryMark, RunEnd, RunStatus,
    StateStore as _, StoredAlert, Trigger, Turn, TurnEnd, TurnRetry, TurnStatus, sqlite::SqliteStore,
};
use rusqlite::{Connection, types::ValueRef};
use tempfile::TempDir;

use crate::contract::{self, NEXT_RUN, NOW, RUN, SYNC, failed_starts, later, turns};

const TABLES: [&str; 16] = [
    "holds",
    "states",
    "runs",
    "attempts",
    "run_tables",
    "partitions",
    "partition_destinations",
    "run_retries",
    "run_logs",
    "run_log_lines",
    "alerts",
    "reject_tables",
    "rejects",
    "reject_ledgers",
    "scheduled_syncs",
    "turns",
];

/// A completed run, an interrupted one, and a state set by hand.
async fn write_everything(path: &Path) {
    let store = SqliteStore::open(path).await.unwrap();
    let hold = contract::started(&store).await;
    store
        .describe_attempt(&hold, RUN, contract::origin(Trigger::Schedule { due: NOW }))
        .await
        .unwrap();
    let lines = vec![contract::line("begun"), contract::plugin_line("connected")];
    store.append_log(RUN, lines, 3).await.unwrap();
    let alert = StoredAlert {
        sync: SYNC.to_owned(),
        condition: "failure".to_owned(),
        firing: true,
        since: NOW,
        told: true,
        message: serde_json::json!({"summary": "it failed"}),
    };
    store.set_alert(alert).await.unwrap();
    let mut first = contract::last(contract::commit("a", 0, 10));
    first.rejects = vec![contract::reject(1), kept_reject()];
    first.rejected_table = Some(Arc::from(&b"table"[..]));
    first.commit.checkpoint.fingerprints.insert(0x0102_0304_0506_0708);
    store.commit_checkpoint(&hold, first).await.unwrap();
    let second = contract::last(contract::commit("b", 0, 10));
    store.commit_checkpoint(&hold, second).await.unwrap();
    let promotion = Promotion {
        from_revision: 0,
        state: contract::state(42),
    };
    let promoted = store.promote_table(&hold, RUN, "events", Some(promotion), later(5));
    promoted.await.unwrap();
    let completed = contract::end(RUN, RunStatus::CompletedWithRejects);
    store.finish_run(&hold, completed).await.unwrap();

    store.begin_run(&hold, contract::new_run(NEXT_RUN, 1)).await.unwrap();
    let plan = contract::plan("events", &["a"], 1);
    store.store_plan(&hold, NEXT_RUN, vec![plan]).await.unwrap();
    let mut unfinished = contract::commit("a", 0, 3);
    unfinished.partition.run_id = NEXT_RUN.into();
    unfinished.sent_rows = Some(9);
    unfinished.commit.checkpoint.fingerprints.insert(9);
    store.commit_checkpoint(&hold, unfinished).await.unwrap();
    let retried = store.list_rejects(&RejectFilter::default(), 1).await.unwrap()[0].id;
    let mark = RetryMark {
        run_id: NEXT_RUN.to_owned(),
        ids: vec![retried],
        appends: true,
        at: NOW,
    };
    store.mark_retry(&hold, mark).await.unwrap();
    store
        .record_retry_resent(&hold, NEXT_RUN, "events", "batch", 2)
        .await
        .unwrap();
    let failed = RunEnd {
        error: Some(Error::source("gone", "The table is gone").with_remedy("Look")),
        ..contract::end(NEXT_RUN, RunStatus::Failed)
    };
    store.finish_run(&hold, failed).await.unwrap();

    let replacement = CursorReplacement {
        sync: "by hand".to_owned(),
        table: "t".to_owned(),
        from_revision: 0,
        cursor_column: "id".to_owned(),
        cursor: CursorValue::Int(-1),
        at: NOW,
    };
    store.set_state(replacement).await.unwrap();
    write_turns(&store).await;
}

/// A missed turn, one that is done, one that is to be tried again, and a pause.
async fn write_turns(store: &SqliteStore) {
    let daemon = turns::daemon(store, 1).await;
    let every = Some("every 10s");
    store.set_schedule(&daemon, SYNC, every, NOW).await.unwrap();
    let missed = turns::turn(Some(turns::due(10, 20)), TurnStatus::Missed);
    store.record_turn(&daemon, missed).await.unwrap();
    for status in [TurnStatus::Completed, TurnStatus::Open] {
        let asked = match status {
            TurnStatus::Completed => None,
            _ => Some(turns::due(30, 30)),
        };
        let id = store
            .record_turn(&daemon, turns::turn(asked, TurnStatus::Open))
            .await
            .unwrap();
        if status == TurnStatus::Completed {
            let end = TurnEnd {
                id,
                status,
                tries: 1,
                error: None,
                now: later(101),
            };
            store.end_turn(&daemon, end).await.unwrap();
            continue;
        }
        let hold = contract::acquire_at(store, 1, later(60)).await;
        store.link_turn(&hold, id, NEXT_RUN).await.unwrap();
        let failed = failed_starts::failed_start(1, Some(id));
        store.record_failed_start(&hold, failed).await.unwrap();
        let retry = TurnRetry {
            id,
            tries: 2,
            retry_at: later(300),
            error: Error::source("plugin_died", "It died").retryable(),
        };
        store.put_off_turn(&daemon, retry).await.unwrap();
        store.release(&hold).await.unwrap();
    }
    store.release(&daemon).await.unwrap();
    store.set_paused(SYNC, true).await.unwrap();
}

fn kept_reject() -> NewReject {
    NewReject {
        identity: "ada".to_owned(),
        identity_column: "id".to_owned(),
        fingerprint: b"0123456789abcdef".to_vec(),
        primary_key: "id = 2".to_owned(),
        row_data: b"row".to_vec(),
        whole_row: true,
        ..contract::reject(2)
    }
}

fn schema(connection: &Connection) -> String {
    let ours = "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    let mut statement = connection.prepare(ours).unwrap();
    let parts = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let parts: Vec<_> = parts.map(Result::unwrap).collect();
    let pragma = |name| -> i64 { connection.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
    format!(
        "PRAGMA application_id = {};\nPRAGMA user_version = {};\n{}\n",
        pragma("application_id"),
        pragma("user_version"),
        parts.join("\n")
    )
}

fn contents(connection: &Connection) -> String {
    let mut text = String::new();
    for table in TABLES {
        let all = format!("SELECT * FROM {table} ORDER BY 1, 2");
        let mut statement = connection.prepare(&all).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..columns)
                .map(|column| literal(row.get_ref(column).unwrap()))
                .collect();
            text += &format!("INSERT INTO {table} VALUES ({});\n", values.join(", "));
        }
    }
    text
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Text(text) => format!("'{}'", std::str::from_utf8(text).unwrap().replace('\'', "''")),
        ValueRef::Blob(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{hex}'")
        }
        ValueRef::Real(_) => panic!("no float is ever stored"),
    }
}

fn compare(actual: &str, golden: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(golden);
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    if actual != expected {
        let written = Path::new(env!("CARGO_TARGET_TMPDIR")).join(golden.file_name().unwrap());
        fs::write(&written, actual).unwrap();
        panic!(
            "{} differs from what is stored now, which is in {}",
            golden.display(),
            written.display()
        );
    }
}

#[tokio::test]
async fn the_schema_is_what_it_was() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("state.db");
    drop(SqliteStore::open(&path).await.unwrap());
    compare(&schema(&Connection::open(&path).unwrap()), "schema.sql");
}

#[tokio::test]
async fn version_8_is_written_as_it_always_was() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("state.db");
    write_everything(&path).await;
    let connection = Connection::open(&path).unwrap();
    compare(&(schema(&connection) + &contents(&connection)), "state-v8.sql");
}

#[tokio::test]
async fn a_file_of_version_1_is_read_and_gone_on_with() {
    read_and_gone_on_with(include_str!("../../golden/state-v1.sql"), 6).await;
}

#[tokio::test]
async fn a_file_of_version_2_is_read_and_gone_on_with() {
    read_and_gone_on_with(include_str!("../../golden/state-v2.sql"), 6).await;
}

#[tokio::test]
async fn a_file_of_version_3_is_read_and_gone_on_with() {
    assert_its_retry(include_str!("../../golden/state-v3.sql")).await;
}

#[tokio::test]
async fn a_file_of_version_4_is_read_and_gone_on_with() {
    assert_its_retry(include_str!("../../golden/state-v4.sql")).await;
}

#[tokio::test]
async fn a_file_of_version_7_is_read_and_gone_on_with() {
    let open = assert_its_history(include_str!("../../golden/state-v7.sql")).await;
    assert_eq!(open.failed_start, None);
}

#[tokio::test]
async fn a_file_of_version_8_is_read_and_gone_on_with() {
    let open = assert_its_history(include_str!("../../golden/state-v8.sql")).await;
    assert_eq!(open.failed_start, Some(failed_starts::id(1)));
}

/// Returns the open turn.
async fn assert_its_history(dump: &str) -> Turn {
    assert_its_retry(dump).await;
    let (_root, store) = read_and_gone_on_with(dump, 9).await;
    let run = store.get_run(RUN).await.unwrap().unwrap();
    assert_eq!(
        run.attempts[0].origin,
        Some(contract::origin(Trigger::Schedule { due: NOW }))
    );
    let log = store.read_log(RUN, 0, 10).await.unwrap();
    let lines: Vec<_> = log.lines.into_iter().map(|stored| stored.line).collect();
    assert_eq!(lines, [contract::line("begun"), contract::plugin_line("connected")]);
    assert_eq!((log.left_out, log.lost), (0, 3));
    assert!(store.list_alerts(Some(SYNC)).await.unwrap()[0].told);
    let sync = store.list_scheduled().await.unwrap().remove(0);
    assert_eq!((sync.paused, sync.decided_until), (true, Some(later(30))));
    let open = sync.open.unwrap();
    assert_eq!((open.tries, open.run_id.as_deref()), (2, Some(NEXT_RUN)));
    assert!(open.error.as_ref().unwrap().retryable);
    open
}

async fn assert_its_retry(dump: &str) {
    let (_root, store) = read_and_gone_on_with(dump, 9).await;
    let retried = &store.list_rejects(&RejectFilter::default(), 1).await.unwrap()[0];
    assert_eq!((retried.attempts, retried.uncertain, retried.row_kept), (1, true, true));
    let run = store.get_run(NEXT_RUN).await.unwrap().unwrap();
    assert_eq!(run.retries[0].uncertain, 3, "two were announced, one was on its way");
}

async fn read_and_gone_on_with(dump: &str, uncertain: u64) -> (TempDir, SqliteStore) {
    let root = TempDir::new().unwrap();
    let path = root.path().join("state.db");
    Connection::open(&path).unwrap().execute_batch(dump).unwrap();

    let store = SqliteStore::open(&path).await.unwrap();
    let state = store.get_state(SYNC, "events").await.unwrap().unwrap();
    assert_eq!((state.revision, state.state().unwrap()), (1, contract::state(42)));
    let rejects = store.list_rejects(&RejectFilter::default(), 10).await.unwrap();
    assert_eq!(rejects.last().unwrap().reject, contract::reject(1));
    let completed = store.get_run(RUN).await.unwrap().unwrap();
    assert_eq!(completed.run.status, RunStatus::CompletedWithRejects);
    assert_eq!(completed.tables[0].forwarded(), 20);
    assert_eq!(completed.attempts[0].outcome, AttemptOutcome::CompletedWithRejects);

    let interrupted = store.interrupted_run(SYNC).await.unwrap().unwrap();
    assert_eq!(
        (&*interrupted.run.run_id, interrupted.run.uncertain_rows),
        (NEXT_RUN, uncertain)
    );
    assert_eq!(interrupted.run.error.unwrap().code, "gone");
    let partition = &interrupted.tables[0].partitions[0];
    assert_eq!((partition.revision, partition.fingerprints.len()), (1, 1));
    assert_eq!(partition.position, b"position 1");
    let hold = contract::acquire_at(&store, 2, later(60)).await;
    let attempt = store.begin_attempt(&hold, NEXT_RUN, contract::process(2), later(60));
    let attempt = attempt.await.unwrap();
    assert_eq!((attempt.number, attempt.uncertain[0].window), (2, 6));
    let mut next = contract::last(contract::commit("a", 1, 3));
    next.partition.run_id = NEXT_RUN.into();
    store.commit_checkpoint(&hold, next).await.unwrap();
    (root, store)
}
