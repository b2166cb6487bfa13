//! One file, several processes.
//!
//! # What survives what
//! The death of a process loses nothing that an operation has returned `Ok` for. For the loss of **power** there are two levels, because waiting
//! for the disk at every checkpoint would make a slow disk the bound of a fast sync:
//! - Holds, plans, marks of sent rows, promotions and the ends of runs are flushed to the disk before the operation returns
//!   (`synchronous = FULL`).
//! - Checkpoints and renewals are not (`synchronous = NORMAL`): the last of them may be missing after the power comes back. The file is
//!   consistent, the run goes on from an earlier checkpoint, and rows are sent again that had arrived: the guarantee is at-least-once. Because the
//!   marks of sent rows did survive, those repeats are inside the count of uncertain rows. The next flushed operation flushes them too.
//!
//! # How several processes share the file
//! Write-ahead log, so that readers never wait; every write takes the file's one write lock at its beginning (`BEGIN IMMEDIATE`) and waits up to
//! [`BUSY_TIMEOUT`] for it. The file must lie on a local disk: on network file systems its locks do not hold.
//!
//! # How the runtime is kept free
//! One thread owns the connection and works off a bounded queue; it ends when the store is dropped, which waits for the operation under way.

mod alerts;
mod bounds;
mod checkpoints;
mod copy;
mod failure;
mod file;
mod history;
mod holds;
mod plans;
mod rejects;
mod retries;
mod rows;
mod run_logs;
mod runs;
mod schema;
mod states;
mod turns;
mod worker;

use std::{fmt, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use longshore_core::{Error, Result};

use self::worker::{Durability, Worker};
use crate::{
    alert::StoredAlert,
    checkpoint::{CheckpointCommit, Committed, PartitionId, ResentRows, SentMark},
    hold::{Acquisition, CurrentHold, Hold, Holder, Liveness},
    moment::UnixMicros,
    process,
    reject::{
        KeptReject, Page, Reject, RejectCount, RejectFilter, RejectedIdentities, Removed, RetryMark, RetrySettlement,
        Retryable,
    },
    run::{
        AttemptOrigin, FailedStart, NewRun, NewTablePlan, Promotion, Run, RunDetails, RunEnd, RunFilter, RunRetention,
        StartedAttempt, UncertainRows,
    },
    run_log::{LogLine, RunLog},
    store::StateStore,
    table_state::{CursorReplacement, Reset, StoredState, TablesRead},
    turn::{DueTimes, NewTurn, ScheduledSync, Turn, TurnEnd, TurnRetry},
};

/// How long an operation waits for other processes that write. The longest of theirs, 100,000 rejects in one commit, takes about a second.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Tells whether a holder's process still lives. Called inside a transaction: it must be quick and must not use the store.
pub type LivenessProbe = Arc<dyn Fn(&Holder) -> Liveness + Send + Sync>;

/// The embedded store.
pub struct SqliteStore {
    worker: Worker,
    liveness: LivenessProbe,
}

impl SqliteStore {
    /// Opens the file, or makes it, with its folder: both readable by their owner only. An older version's file is migrated.
    ///
    /// # Errors
    /// - `state_newer`: a newer version of Longshore wrote the file. It is left as it is.
    /// - `state_foreign`: the file is another program's database. It is left as it is.
    /// - `state_corrupt`: the file is no database, or damaged.
    /// - `state_unwritable`: the file or its folder can not be made or written.
    /// - `state_busy`: another process keeps it locked.
    /// - `state_full`: its disk is full.
    pub async fn open(path: &Path) -> Result<Self> {
        Self::open_with_probe(path, Arc::new(process::liveness)).await
    }

    /// Copies the file as it is now into an empty folder, and opens the copy. Nobody holds a sync in it, and nothing that happens to it reaches the
    /// file. Without a file the copy is empty, and no file is made.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_copy(path: &Path, folder: &Path) -> Result<Self> {
        let (from, to) = (path.to_owned(), folder.join("state.db"));
        let copying = tokio::task::spawn_blocking({
            let to = to.clone();
            move || copy::copy(&from, &to)
        });
        copying.await.map_err(|error| {
            Error::internal("state_copy_ended", "Copying the state ended early").with_cause(&error)
        })??;
        Self::open(&to).await
    }

    /// Like [`open`](Self::open), with another way to tell whether a holder lives.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with_probe(path: &Path, liveness: LivenessProbe) -> Result<Self> {
        Ok(Self {
            worker: Worker::start(path).await?,
            liveness,
        })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.worker.path())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl StateStore for SqliteStore {
    async fn acquire(&self, sync: &str, holder: Holder, now: UnixMicros, lease: Duration) -> Result<Acquisition> {
        let (sync, probe) = (sync.to_owned(), self.liveness.clone());
        let lease_until = now.after(lease);
        self.worker
            .write(Durability::Power, move |tx| {
                holds::acquire(tx, &sync, holder, now, lease_until, &probe)
            })
            .await
    }

    async fn renew(&self, hold: &Hold, now: UnixMicros, lease: Duration) -> Result<()> {
        let (hold, lease_until) = (hold.clone(), now.after(lease));
        self.worker
            .write(Durability::Process, move |tx| holds::renew(tx, &hold, lease_until))
            .await
    }

    async fn release(&self, hold: &Hold) -> Result<()> {
        let hold = hold.clone();
        self.worker
            .write(Durability::Power, move |tx| holds::release(tx, &hold))
            .await
    }

    async fn current_hold(&self, sync: &str) -> Result<Option<CurrentHold>> {
        let sync = sync.to_owned();
        self.worker.read(move |tx| holds::current(tx, &sync)).await
    }

    async fn interrupted_run(&self, sync: &str) -> Result<Option<RunDetails>> {
        let sync = sync.to_owned();
        self.worker.read(move |tx| runs::interrupted(tx, &sync)).await
    }

    async fn begin_run(&self, hold: &Hold, run: NewRun) -> Result<()> {
        let hold = hold.clone();
        self.worker
            .write(Durability::Power, move |tx| runs::begin(tx, &hold, &run))
            .await
    }

    async fn record_failed_start(&self, hold: &Hold, failed: FailedStart) -> Result<String> {
        let hold = hold.clone();
        self.worker
            .write(Durability::Process, move |tx| {
                runs::record_failed_start(tx, &hold, &failed)
            })
            .await
    }

    async fn close_replays(&self, hold: &Hold) -> Result<u64> {
        let hold = hold.clone();
        self.worker
            .write(Durability::Power, move |tx| runs::close_replays(tx, &hold))
            .await
    }

    async fn begin_attempt(
        &self,
        hold: &Hold,
        run_id: &str,
        holder: Holder,
        now: UnixMicros,
    ) -> Result<StartedAttempt> {
        let (hold, run_id) = (hold.clone(), run_id.to_owned());
        self.worker
            .write(Durability::Power, move |tx| {
                runs::begin_attempt(tx, &hold, &run_id, &holder, now)
            })
            .await
    }

    async fn store_plan(&self, hold: &Hold, run_id: &str, tables: Vec<NewTablePlan>) -> Result<()> {
        let (hold, run_id) = (hold.clone(), run_id.to_owned());
        self.worker
            .write(Durability::Power, move |tx| plans::store(tx, &hold, &run_id, &tables))
            .await
    }

    async fn record_sent(&self, hold: &Hold, marks: Vec<SentMark>) -> Result<()> {
        let hold = hold.clone();
        self.worker
            .write(Durability::Power, move |tx| checkpoints::record_sent(tx, &hold, &marks))
            .await
    }

    async fn record_resent(&self, hold: &Hold, resent: ResentRows) -> Result<()> {
        let hold = hold.clone();
        self.worker
            .write(Durability::Power, move |tx| {
                checkpoints::record_resent(tx, &hold, &resent)
            })
            .await
    }

    async fn restart_partition(&self, hold: &Hold, partition: &PartitionId) -> Result<UncertainRows> {
        let (hold, partition) = (hold.clone(), partition.clone());
        self.worker
            .write(Durability::Power, move |tx| {
                checkpoints::restart_partition(tx, &hold, &partition)
            })
            .await
    }

    async fn commit_checkpoint(&self, hold: &Hold, commit: CheckpointCommit) -> Result<Committed> {
        let hold = hold.clone();
        let durability = match commit.sent_rows {
            Some(_) => Durability::Power,
            None => Durability::Process,
        };
        self.worker
            .write(durability, move |tx| checkpoints::commit(tx, &hold, &commit))
            .await
    }

    async fn promote_table(
        &self,
        hold: &Hold,
        run_id: &str,
        table: &str,
        promotion: Option<Promotion>,
        now: UnixMicros,
    ) -> Result<()> {
        let (hold, run_id, table) = (hold.clone(), run_id.to_owned(), table.to_owned());
        self.worker
            .write(Durability::Power, move |tx| {
                plans::promote(tx, &hold, &run_id, &table, promotion.as_ref(), now)
            })
            .await
    }

    async fn finish_run(&self, hold: &Hold, end: RunEnd) -> Result<()> {
        let hold = hold.clone();
        self.worker
            .write(Durability::Power, move |tx| runs::finish(tx, &hold, &end))
            .await
    }

    async fn describe_attempt(&self, hold: &Hold, run_id: &str, origin: AttemptOrigin) -> Result<()> {
        let (hold, run_id) = (hold.clone(), run_id.to_owned());
        self.worker
            .write(Durability::Process, move |tx| {
                runs::describe_attempt(tx, &hold, &run_id, &origin)
            })
            .await
    }

    async fn append_log(&self, run_id: &str, lines: Vec<LogLine>, lost: u64) -> Result<()> {
        let run_id = run_id.to_owned();
        self.worker
            .write(Durability::Process, move |tx| {
                run_logs::append(tx, &run_id, &lines, lost)
            })
            .await
    }

    async fn read_log(&self, run_id: &str, after: i64, limit: u32) -> Result<RunLog> {
        let run_id = run_id.to_owned();
        self.worker
            .read(move |tx| run_logs::read(tx, &run_id, after, limit))
            .await
    }

    async fn remove_runs(&self, hold: &Hold, retention: RunRetention) -> Result<u64> {
        let hold = hold.clone();
        self.worker
            .write(Durability::Process, move |tx| history::remove(tx, &hold, retention))
            .await
    }

    async fn remove_runs_of_others(
        &self,
        hold: &Hold,
        configured: Vec<String>,
        retention: RunRetention,
    ) -> Result<u64> {
        let hold = hold.clone();
        self.worker
            .write(Durability::Process, move |tx| {
                history::remove_of_others(tx, &hold, &configured, retention)
            })
            .await
    }

    async fn list_runs(&self, filter: &RunFilter, limit: u32) -> Result<Vec<Run>> {
        let filter = filter.clone();
        self.worker.read(move |tx| runs::list(tx, &filter, limit)).await
    }

    async fn tables_read(&self, sync: &str) -> Result<TablesRead> {
        let sync = sync.to_owned();
        self.worker.read(move |tx| plans::tables_read(tx, &sync)).await
    }

    async fn get_run(&self, run_id: &str) -> Result<Option<RunDetails>> {
        let run_id = run_id.to_owned();
        self.worker.read(move |tx| runs::get(tx, &run_id)).await
    }

    async fn list_scheduled(&self) -> Result<Vec<ScheduledSync>> {
        self.worker.read(turns::list_scheduled).await
    }

    async fn list_turns(&self, sync: Option<&str>, limit: u32) -> Result<Vec<Turn>> {
        let sync = sync.map(ToOwned::to_owned);
        self.worker
            .read(move |tx| turns::list(tx, sync.as_deref(), limit))
            .await
    }

    async fn set_paused(&self, sync: &str, paused: bool) -> Result<bool> {
        let sync = sync.to_owned();
        self.worker
            .write(Durability::Power, move |tx| turns::set_paused(tx, &sync, paused))
            .await
    }

    async fn set_schedule(
        &self,
        daemon: &Hold,
        sync: &str,
        schedule: Option<&str>,
        decided_until: UnixMicros,
    ) -> Result<()> {
        let (daemon, sync, schedule) = (daemon.clone(), sync.to_owned(), schedule.map(ToOwned::to_owned));
        self.worker
            .write(Durability::Power, move |tx| {
                turns::set_schedule(tx, &daemon, &sync, schedule.as_deref(), decided_until)
            })
            .await
    }

    async fn record_turn(&self, daemon: &Hold, turn: NewTurn) -> Result<i64> {
        let daemon = daemon.clone();
        self.worker
            .write(Durability::Power, move |tx| turns::record(tx, &daemon, &turn))
            .await
    }

    async fn extend_turn(&self, daemon: &Hold, id: i64, due: DueTimes) -> Result<()> {
        let daemon = daemon.clone();
        self.worker
            .write(Durability::Power, move |tx| turns::extend(tx, &daemon, id, due))
            .await
    }

    async fn link_turn(&self, hold: &Hold, id: i64, run_id: &str) -> Result<()> {
        let (hold, run_id) = (hold.clone(), run_id.to_owned());
        self.worker
            .write(Durability::Power, move |tx| turns::link(tx, &hold, id, &run_id))
            .await
    }

    async fn put_off_turn(&self, daemon: &Hold, retry: TurnRetry) -> Result<()> {
        let daemon = daemon.clone();
        self.worker
            .write(Durability::Power, move |tx| turns::put_off(tx, &daemon, &retry))
            .await
    }

    async fn end_turn(&self, daemon: &Hold, end: TurnEnd) -> Result<()> {
        let daemon = daemon.clone();
        self.worker
            .write(Durability::Power, move |tx| turns::end(tx, &daemon, &end))
            .await
    }

    async fn list_states(&self, sync: Option<&str>) -> Result<Vec<StoredState>> {
        let sync = sync.map(ToOwned::to_owned);
        self.worker.read(move |tx| states::list(tx, sync.as_deref())).await
    }

    async fn get_state(&self, sync: &str, table: &str) -> Result<Option<StoredState>> {
        let (sync, table) = (sync.to_owned(), table.to_owned());
        self.worker.read(move |tx| states::get(tx, &sync, &table)).await
    }

    async fn set_state(&self, replacement: CursorReplacement) -> Result<u64> {
        let probe = self.liveness.clone();
        self.worker
            .write(Durability::Power, move |tx| states::replace(tx, replacement, &probe))
            .await
    }

    async fn reset_state(&self, sync: &str, table: Option<&str>, now: UnixMicros) -> Result<Reset> {
        let (sync, table, probe) = (sync.to_owned(), table.map(ToOwned::to_owned), self.liveness.clone());
        self.worker
            .write(Durability::Power, move |tx| {
                states::reset(tx, &sync, table.as_deref(), now, &probe)
            })
            .await
    }

    async fn list_alerts(&self, sync: Option<&str>) -> Result<Vec<StoredAlert>> {
        let sync = sync.map(ToOwned::to_owned);
        self.worker.read(move |tx| alerts::list(tx, sync.as_deref())).await
    }

    async fn set_alert(&self, alert: StoredAlert) -> Result<()> {
        self.worker
            .write(Durability::Power, move |tx| alerts::set(tx, &alert))
            .await
    }

    async fn remove_alert(&self, sync: &str, condition: &str) -> Result<()> {
        let (sync, condition) = (sync.to_owned(), condition.to_owned());
        self.worker
            .write(Durability::Power, move |tx| alerts::remove(tx, &sync, &condition))
            .await
    }

    async fn list_rejects(&self, filter: &RejectFilter, limit: u32) -> Result<Vec<Reject>> {
        let filter = filter.clone();
        self.worker.read(move |tx| rejects::list(tx, &filter, limit)).await
    }

    async fn get_reject(&self, id: i64) -> Result<Option<KeptReject>> {
        self.worker.read(move |tx| rejects::get(tx, id)).await
    }

    async fn read_rejects(&self, filter: &RejectFilter, page: Page) -> Result<Vec<KeptReject>> {
        let filter = filter.clone();
        self.worker.read(move |tx| rejects::page(tx, &filter, page)).await
    }

    async fn retryable_rejects(&self, retryable: &Retryable, limit: u32, bytes: u64) -> Result<Vec<KeptReject>> {
        let retryable = retryable.clone();
        self.worker
            .read(move |tx| rejects::retryable(tx, &retryable, (limit, bytes)))
            .await
    }

    async fn rejects_of_unknown_version(&self, retryable: &Retryable) -> Result<u64> {
        let retryable = retryable.clone();
        self.worker
            .read(move |tx| rejects::of_unknown_version(tx, &retryable))
            .await
    }

    async fn forget_versions(&self, hold: &Hold, replaced: &RejectedIdentities) -> Result<()> {
        let (hold, replaced) = (hold.clone(), replaced.clone());
        self.worker
            .write(Durability::Power, move |tx| {
                rejects::forget_versions(tx, &hold, &replaced)
            })
            .await
    }

    async fn discard_rejects(&self, sync: &str, ids: &[i64], now: UnixMicros) -> Result<u64> {
        let (sync, ids, probe) = (sync.to_owned(), ids.to_vec(), self.liveness.clone());
        self.worker
            .write(Durability::Power, move |tx| {
                holds::fence_everybody(tx, &sync, now, &probe)?;
                rejects::discard(tx, &sync, &ids, now)
            })
            .await
    }

    async fn rejected_table(&self, number: i64) -> Result<Option<Vec<u8>>> {
        self.worker.read(move |tx| rejects::table(tx, number)).await
    }

    async fn rejected_identities(&self, rejected: &RejectedIdentities, after: &str, limit: u32) -> Result<Vec<String>> {
        let (rejected, after) = (rejected.clone(), after.to_owned());
        self.worker
            .read(move |tx| rejects::identities(tx, &rejected, &after, limit))
            .await
    }

    async fn rejected_rows(&self, rejected: &RejectedIdentities, after: &[u8], limit: u32) -> Result<Vec<Vec<u8>>> {
        let (rejected, after) = (rejected.clone(), after.to_vec());
        self.worker
            .read(move |tx| {
                let RejectedIdentities {
                    sync,
                    table,
                    destination,
                    ..
                } = &rejected;
                rejects::fingerprints(tx, (sync, table, destination), &after, limit)
            })
            .await
    }

    async fn mark_retry(&self, hold: &Hold, mark: RetryMark) -> Result<()> {
        let hold = hold.clone();
        let durability = match mark.appends {
            true => Durability::Power,
            false => Durability::Process,
        };
        self.worker
            .write(durability, move |tx| retries::mark(tx, &hold, &mark))
            .await
    }

    async fn settle_retry(&self, hold: &Hold, settlement: RetrySettlement) -> Result<Committed> {
        let hold = hold.clone();
        let dropped = self
            .worker
            .write(Durability::Power, move |tx| retries::settle(tx, &hold, &settlement))
            .await?;
        Ok(Committed {
            revision: 0,
            dropped_rejects: dropped.rejects,
            dropped_rows: dropped.rows,
        })
    }

    async fn record_retry_resent(
        &self,
        hold: &Hold,
        run_id: &str,
        table: &str,
        destination: &str,
        rows: u64,
    ) -> Result<()> {
        let hold = hold.clone();
        let [run_id, table, destination] = [run_id, table, destination].map(ToOwned::to_owned);
        self.worker
            .write(Durability::Power, move |tx| {
                retries::record_resent(tx, &hold, &run_id, (&table, &destination), rows)
            })
            .await
    }

    async fn remove_rejects(&self, hold: &Hold, before: UnixMicros) -> Result<Removed> {
        let hold = hold.clone();
        self.worker
            .write(Durability::Process, move |tx| bounds::remove_older(tx, &hold, before))
            .await
    }

    async fn count_pending_rejects(&self, sync: &str) -> Result<u64> {
        let sync = sync.to_owned();
        self.worker.read(move |tx| rejects::count_pending(tx, &sync)).await
    }

    async fn count_rejects(&self, filter: &RejectFilter) -> Result<Vec<RejectCount>> {
        let filter = filter.clone();
        self.worker.read(move |tx| rejects::count(tx, &filter)).await
    }
}
