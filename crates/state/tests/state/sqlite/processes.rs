//! Several real processes on one file. The test binary starts itself, with one test chosen that does the other process's part.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use longshore_state::{Acquisition, Holder, StateStore as _, UnixMicros, sqlite::SqliteStore};
use tempfile::TempDir;

use crate::contract::{self, RUN, SYNC};

/// Names the file to the other process; without it that process's part has nothing to do.
const FILE: &str = "LONGSHORE_STATE_TEST_FILE";
const READY: &str = "the other process is ready";
const LEASE: Duration = Duration::from_secs(3600);
/// Syncs that each of several writers takes.
const SYNCS: u32 = 200;

/// Another process; killed when the test ends, however it ends.
struct OtherProcess(Child);

impl OtherProcess {
    fn start(part: &str, path: &Path) -> Self {
        let part = format!("sqlite::processes::{part}");
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &part, "--nocapture", "--test-threads", "1"])
            .env(FILE, path)
            .stdout(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    fn wait_until_ready(&mut self) {
        let output = BufReader::new(self.0.stdout.as_mut().unwrap());
        let ready = output.lines().any(|line| line.unwrap().contains(READY));
        assert!(ready, "the other process ended early");
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn file() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

/// Holds the sync and a run until it is killed.
#[tokio::test]
async fn part_hold_until_killed() {
    let Some(path) = file() else { return };
    let store = SqliteStore::open(&path).await.unwrap();
    let holder = Holder::current("the other one");
    let answer = store.acquire(SYNC, holder, UnixMicros::now(), LEASE).await.unwrap();
    let Acquisition::Acquired { hold, .. } = answer else {
        panic!("somebody else holds the sync");
    };
    let run = contract::new_run(RUN, std::process::id());
    store.begin_run(&hold, run).await.unwrap();
    let plan = contract::plan("events", &["a"], 0);
    store.store_plan(&hold, RUN, vec![plan]).await.unwrap();
    store
        .commit_checkpoint(&hold, contract::commit("a", 0, 10))
        .await
        .unwrap();
    println!("{READY}");
    std::future::pending::<()>().await;
}

/// Takes syncs of its own, one after the other.
#[tokio::test]
async fn part_write_a_lot() {
    let Some(path) = file() else { return };
    let store = SqliteStore::open(&path).await.unwrap();
    for number in 0..SYNCS {
        let sync = format!("{} {number}", std::process::id());
        let holder = Holder::current("writer");
        let answer = store.acquire(&sync, holder, UnixMicros::now(), LEASE).await.unwrap();
        assert!(matches!(answer, Acquisition::Acquired { .. }));
    }
}

#[tokio::test]
async fn a_killed_process_is_taken_over_at_once_and_its_commits_are_there() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("state.db");
    let mut other = OtherProcess::start("part_hold_until_killed", &path);
    other.wait_until_ready();

    let store = SqliteStore::open(&path).await.unwrap();
    let this = || Holder::current("this one");
    let answer = store.acquire(SYNC, this(), UnixMicros::now(), LEASE).await.unwrap();
    let Acquisition::HeldBy(held) = answer else {
        panic!("a live process was robbed of its sync");
    };
    assert_eq!(
        (held.holder.pid, &*held.holder.invocation_id),
        (other.0.id(), "the other one")
    );
    other.kill();
    let answer = store.acquire(SYNC, this(), UnixMicros::now(), LEASE).await.unwrap();
    let Acquisition::Acquired { hold, taken_over_from } = answer else {
        panic!("a dead process holds its sync");
    };
    assert_eq!(taken_over_from, Some(held));
    let interrupted = store.interrupted_run(SYNC).await.unwrap().unwrap();
    assert_eq!(interrupted.tables[0].partitions[0].position, b"position 1");
    let attempt = store.begin_attempt(&hold, RUN, this(), UnixMicros::now());
    attempt.await.unwrap();
    store
        .commit_checkpoint(&hold, contract::commit("a", 1, 10))
        .await
        .unwrap();
}

#[tokio::test]
async fn processes_that_make_and_write_one_file_at_once_wait_for_each_other() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("new/state.db");
    let mut others: Vec<_> = (0..4).map(|_| OtherProcess::start("part_write_a_lot", &path)).collect();
    for other in &mut others {
        assert!(other.0.wait().unwrap().success());
    }
    let store = SqliteStore::open(&path).await.unwrap();
    for other in &others {
        let last = format!("{} {}", other.0.id(), SYNCS - 1);
        let found = store.current_hold(&last).await.unwrap();
        assert!(
            found.is_some(),
            "one process wrote into a file that the others do not see"
        );
    }
}
