//! What every store promises. A backend says how to open its store; [`contract!`] makes the tests.

pub(crate) mod alerts;
pub(crate) mod checkpoints;
pub(crate) mod failed_starts;
pub(crate) mod history;
pub(crate) mod holds;
pub(crate) mod rejects;
pub(crate) mod retries;
pub(crate) mod runs;
pub(crate) mod states;
pub(crate) mod turns;

use std::{
    collections::{BTreeMap, HashSet},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use longshore_core::{
    CursorValue, Result, TableState,
    balance::{DestinationCounts, SourceCounts},
    fingerprints::{Fingerprints, Multiset},
    partition::{Checkpoint, Commit},
};
use longshore_state::{
    Acquisition, AttemptOrigin, CheckpointCommit, Hold, Holder, LogLevel, LogLine, NewReject, NewRun, NewTablePlan,
    PartitionId, PartitionProgress, PluginVersion, Promotion, RejectFilter, RunEnd, RunKind, RunStatus, SentMark,
    StateStore, Trigger, UnixMicros, hold::Liveness,
};

pub(crate) const SYNC: &str = "shop";
pub(crate) const RUN: &str = "01930000-0000-7000-8000-000000000001";
pub(crate) const NEXT_RUN: &str = "01930000-0000-7000-8000-000000000002";
pub(crate) const LEASE: Duration = Duration::from_secs(30);
pub(crate) const NOW: UnixMicros = UnixMicros(1_795_000_000_000_000);

type Opening = Pin<Box<dyn Future<Output = Arc<dyn StateStore>> + Send>>;

/// One state, that may be opened several times as several processes would.
pub(crate) struct Backend {
    open: Box<dyn Fn(Probe) -> Opening + Send + Sync>,
    dead: Arc<Mutex<HashSet<u32>>>,
    /// Removed at the end of the test.
    pub(crate) _keep: Box<dyn std::any::Any + Send + Sync>,
}

pub(crate) type Probe = Arc<dyn Fn(&Holder) -> Liveness + Send + Sync>;

impl Backend {
    pub(crate) fn new(
        open: impl Fn(Probe) -> Opening + Send + Sync + 'static,
        keep: impl std::any::Any + Send + Sync,
    ) -> Self {
        Self {
            open: Box::new(open),
            dead: Arc::default(),
            _keep: Box::new(keep),
        }
    }

    pub(crate) async fn open(&self) -> Arc<dyn StateStore> {
        let dead = self.dead.clone();
        let probe = move |holder: &Holder| match dead.lock().unwrap().contains(&holder.pid) {
            true => Liveness::Dead,
            false => Liveness::Alive,
        };
        (self.open)(Arc::new(probe)).await
    }

    /// From now on every store of this backend knows that the process is gone.
    pub(crate) fn kill(&self, pid: u32) {
        self.dead.lock().unwrap().insert(pid);
    }
}

/// Makes a test of each promise for the backend that `$backend` makes.
macro_rules! contract {
    ($backend:path: $($module:ident { $($promise:ident,)* })*) => {
        $($(
            #[tokio::test]
            async fn $promise() {
                crate::contract::$module::$promise($backend()).await;
            }
        )*)*
    };
}
pub(crate) use contract;

pub(crate) fn later(seconds: u64) -> UnixMicros {
    NOW.after(Duration::from_secs(seconds))
}

pub(crate) fn process(pid: u32) -> Holder {
    Holder {
        host: "host".to_owned(),
        boot_id: "boot".to_owned(),
        pid_namespace: "pid:[1]".to_owned(),
        pid,
        process_started: 100,
        invocation_id: format!("invocation-{pid}"),
    }
}

pub(crate) async fn acquire(store: &dyn StateStore, pid: u32) -> Hold {
    acquire_at(store, pid, NOW).await
}

pub(crate) async fn acquire_at(store: &dyn StateStore, pid: u32, now: UnixMicros) -> Hold {
    match store.acquire(SYNC, process(pid), now, LEASE).await.unwrap() {
        Acquisition::Acquired { hold, .. } => hold,
        Acquisition::HeldBy(held) => panic!("held by {held:?}"),
    }
}

pub(crate) fn new_run(run_id: &str, pid: u32) -> NewRun {
    NewRun {
        run_id: run_id.to_owned(),
        kind: RunKind::Sync,
        again: None,
        configuration: "fingerprint".to_owned(),
        holder: process(pid),
        started_at: NOW,
    }
}

pub(crate) fn origin(trigger: Trigger) -> AttemptOrigin {
    AttemptOrigin {
        trigger,
        longshore: "0.1.0".to_owned(),
        plugins: vec![PluginVersion {
            role: "source".to_owned(),
            name: SYNC.to_owned(),
            plugin: "postgresql".to_owned(),
            version: "0.2.0".to_owned(),
        }],
    }
}

pub(crate) fn line(message: &str) -> LogLine {
    LogLine {
        at: NOW,
        level: LogLevel::Info,
        plugin: None,
        message: message.to_owned(),
    }
}

pub(crate) fn plugin_line(message: &str) -> LogLine {
    LogLine {
        level: LogLevel::Warn,
        plugin: Some("source shop (postgresql)".to_owned()),
        ..line(message)
    }
}

pub(crate) fn plan(table: &str, partitions: &[&str], state_revision: u64) -> NewTablePlan {
    NewTablePlan {
        table: table.to_owned(),
        plan: format!("plan of {table}").into_bytes(),
        state_revision,
        partitions: partitions.iter().map(|&id| id.to_owned()).collect(),
    }
}

/// A run of process 1 with one table, `events`, of two partitions, `a` and `b`.
pub(crate) async fn started(store: &dyn StateStore) -> Hold {
    let hold = acquire(store, 1).await;
    store.begin_run(&hold, new_run(RUN, 1)).await.unwrap();
    store
        .store_plan(&hold, RUN, vec![plan("events", &["a", "b"], 0)])
        .await
        .unwrap();
    hold
}

pub(crate) fn partition(id: &str) -> PartitionId {
    PartitionId::new(RUN, "events", id)
}

/// The next commit of a partition of `events`: so many rows more, all delivered to `batch`.
pub(crate) fn commit(id: &str, from_revision: u64, rows: u64) -> CheckpointCommit {
    let source = SourceCounts {
        read: rows + 1,
        emitted: rows,
        filtered: 1,
        deduplicated: 0,
    };
    let delivered = DestinationCounts {
        delivered: rows,
        ..DestinationCounts::default()
    };
    CheckpointCommit {
        partition: partition(id),
        from_revision,
        commit: Commit {
            checkpoint: Checkpoint {
                sequence: from_revision + 1,
                position: format!("position {}", from_revision + 1).into_bytes(),
                cursor: Some(CursorValue::Int(from_revision as i64 + 1)),
                fingerprints: Fingerprints::default(),
                counts: source,
            },
            source,
            forwarded: rows,
            destinations: vec![delivered],
            end: false,
        },
        destinations: Arc::from(["batch".to_owned()]),
        rejects: Vec::new(),
        rejected_table: None,
        superseded: Vec::new(),
        sent_rows: None,
        at: NOW,
    }
}

pub(crate) fn last(mut commit: CheckpointCommit) -> CheckpointCommit {
    commit.commit.end = true;
    commit
}

pub(crate) fn reject(key: u64) -> NewReject {
    NewReject {
        destination: "batch".to_owned(),
        key: key.to_string(),
        rule: "string_too_long".to_owned(),
        column: "name".to_owned(),
        reason: "a text of 301 characters, 300 are allowed".to_owned(),
        whole_row: false,
        sequence: 1,
        row: key,
        ..NewReject::default()
    }
}

pub(crate) fn state(cursor: i64) -> TableState {
    TableState {
        cursor_column: "id".to_owned(),
        cursor: Some(CursorValue::Int(cursor)),
        source_state: r#"{"xmin":731}"#.to_owned(),
        fingerprints: Fingerprints::default(),
        awaited: Multiset::default(),
    }
}

pub(crate) fn end(run_id: &str, status: RunStatus) -> RunEnd {
    RunEnd {
        run_id: run_id.to_owned(),
        status,
        ended_at: later(10),
        error: None,
        summary: serde_json::json!({"tables": []}),
    }
}

/// Commits the ends of both partitions of `events`.
pub(crate) async fn complete_partitions(store: &dyn StateStore, hold: &Hold) {
    for id in ["a", "b"] {
        store.commit_checkpoint(hold, last(commit(id, 0, 10))).await.unwrap();
    }
}

pub(crate) async fn progress(store: &dyn StateStore, id: &str) -> PartitionProgress {
    let run = store.get_run(RUN).await.unwrap().unwrap();
    let partitions = run.tables.into_iter().flat_map(|table| table.partitions);
    let mut by_id: BTreeMap<_, _> = partitions.map(|found| (found.partition.clone(), found)).collect();
    by_id.remove(id).unwrap()
}

#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().code
}
