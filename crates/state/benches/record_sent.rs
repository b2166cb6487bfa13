//! What a mark of sent rows and a commit cost: `cargo bench -p longshore-state`. Compare with the disk: a mark waits for it once.

use std::{
    error::Error,
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use longshore_core::{balance::DestinationCounts, partition::Checkpoint, partition::Commit};
use longshore_state::{
    Acquisition, CheckpointCommit, Holder, NewReject, NewRun, NewTablePlan, PartitionId, SentMark, StateStore,
    UnixMicros, sqlite::SqliteStore,
};

const ROUNDS: u64 = 2_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // On the disk of the build, because a temporary folder may be memory.
    let folder = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let store = SqliteStore::open(&folder.path().join("state.db")).await?;
    let now = UnixMicros::now();
    let acquisition = store
        .acquire("bench", Holder::current("bench"), now, Duration::from_secs(600))
        .await?;
    let Acquisition::Acquired { hold, .. } = acquisition else {
        return Err("the sync is held".into());
    };
    let run = NewRun {
        run_id: "run".to_owned(),
        kind: longshore_state::RunKind::Sync,
        again: None,
        configuration: String::new(),
        holder: Holder::current("bench"),
        started_at: now,
    };
    store.begin_run(&hold, run).await?;
    let plan = NewTablePlan {
        table: "events".to_owned(),
        plan: Vec::new(),
        state_revision: 0,
        partitions: vec!["a".to_owned()],
    };
    store.store_plan(&hold, "run", vec![plan]).await?;
    let partition = PartitionId::new("run", "events", "a");

    let started = Instant::now();
    for round in 1..=ROUNDS {
        let mark = SentMark {
            partition: partition.clone(),
            rows: round,
        };
        store.record_sent(&hold, vec![mark]).await?;
    }
    report("record_sent", started)?;

    let names: Arc<[String]> = Arc::from(["batch".to_owned()]);
    let commit = |from_revision, rejects| CheckpointCommit {
        partition: partition.clone(),
        from_revision,
        commit: Commit {
            checkpoint: Checkpoint {
                position: vec![7; 200],
                ..Checkpoint::default()
            },
            source: Default::default(),
            forwarded: 1_000,
            destinations: vec![DestinationCounts::default()],
            end: false,
        },
        destinations: names.clone(),
        rejects,
        rejected_table: None,
        superseded: Vec::new(),
        sent_rows: None,
        at: now,
    };
    let started = Instant::now();
    for round in 0..ROUNDS {
        store.commit_checkpoint(&hold, commit(round, Vec::new())).await?;
    }
    report("commit_checkpoint", started)?;

    let reject = |row| NewReject {
        key: format!("customer-{row}"),
        rule: "string_too_long".to_owned(),
        reason: "a text of 301 characters, 300 are allowed".to_owned(),
        row,
        ..NewReject::default()
    };
    let started = Instant::now();
    store
        .commit_checkpoint(&hold, commit(ROUNDS, (0..100_000).map(reject).collect()))
        .await?;
    writeln!(
        std::io::stdout(),
        "{:<20} {:>9.1?} for 100,000",
        "rejects",
        started.elapsed()
    )?;
    Ok(())
}

fn report(name: &str, started: Instant) -> std::io::Result<()> {
    let each = started.elapsed() / u32::try_from(ROUNDS).unwrap_or(u32::MAX);
    writeln!(std::io::stdout(), "{name:<20} {each:>9.1?} each")
}
