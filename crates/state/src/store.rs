//! The trait: what may be called when, and what is promised.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use longshore_core::Result;

use crate::{
    alert::StoredAlert,
    checkpoint::{CheckpointCommit, Committed, PartitionId, ResentRows, SentMark},
    hold::{Acquisition, CurrentHold, Hold, Holder},
    moment::UnixMicros,
    reject::{
        KeptReject, Page, Reject, RejectCount, RejectFilter, RejectedIdentities, Removed, RetryMark, RetrySettlement,
        Retryable,
    },
    run::{
        AttemptOrigin, FailedStart, NewRun, NewTablePlan, Promotion, Run, RunDetails, RunEnd, RunFilter, RunRetention,
        StartedAttempt, UncertainRows,
    },
    run_log::{LogLine, RunLog},
    table_state::{CursorReplacement, Reset, StoredState, TablesRead},
    turn::{DueTimes, NewTurn, ScheduledSync, Turn, TurnEnd, TurnRetry},
};

/// Where cursors, runs, partitions and rejects are kept.
///
/// # What every operation promises
/// - It is **one transaction**: it happens whole or not at all, and when it returns `Ok` it survives the death of every process. What survives the
///   loss of power is said at each implementation; what may be lost then can only repeat rows.
/// - A future that is dropped before it is ready may or may not have had its effect, but never half of it.
/// - Whatever takes a [`Hold`] is refused with `run_lost` when a later generation exists or the hold was released; nothing is written then, and the
///   caller must stop.
/// - Time comes in as a value. On a store that several machines share, their clocks must agree to well within the length of a lease. When they
///   do not, a hold may be taken too early; even then only the latest generation can write.
/// - Secrets and cell values are never given to a store, apart from cursors, the keys of rejected rows and, where the user does not forbid it, those rows.
///
/// # The order of a run
/// [`acquire`](Self::acquire) → [`interrupted_run`](Self::interrupted_run) → [`begin_run`](Self::begin_run) or
/// [`begin_attempt`](Self::begin_attempt) → [`store_plan`](Self::store_plan) → for each partition [`record_sent`](Self::record_sent) and
/// [`commit_checkpoint`](Self::commit_checkpoint) → [`promote_table`](Self::promote_table) → [`finish_run`](Self::finish_run) →
/// [`release`](Self::release); all the while [`renew`](Self::renew), several times a lease.
///
/// # Errors of every operation
/// `state_busy` and `state_full` (retryable), `state_corrupt`, `state_unwritable`, `state_failed`; see [`crate::failure`].
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync {
    // ---- Holding a sync

    /// Takes the hold of a sync for `lease` from `now`, unless somebody else's hold stands (see [`CurrentHold::stands`]).
    ///
    /// Of several that ask at once exactly one gets it. The holder is somebody else to itself: a process that wants to run a sync twice at once is
    /// refused as well.
    async fn acquire(&self, sync: &str, holder: Holder, now: UnixMicros, lease: Duration) -> Result<Acquisition>;

    /// Moves the end of the lease to `lease` from `now`. A lease that ran out may be renewed as long as nobody has taken the hold over.
    async fn renew(&self, hold: &Hold, now: UnixMicros, lease: Duration) -> Result<()>;

    /// Gives the hold back. A hold that is lost or released already stays as it is: releasing twice does no harm.
    async fn release(&self, hold: &Hold) -> Result<()>;

    /// The hold of a sync as it is stored, whether it still [stands](CurrentHold::stands) or not; `None`: nobody has it.
    async fn current_hold(&self, sync: &str) -> Result<Option<CurrentHold>>;

    // ---- Runs

    /// The latest run of the sync, when it is not complete: its process died, it failed, or it was cancelled. The next `sync` goes on with it when its
    /// configuration is still the same.
    ///
    /// `None` when the latest run is complete, was given up by [`reset_state`](Self::reset_state) of the whole sync, or when there is none.
    /// Who calls it holds the sync; a run that is shown here while another process holds the sync is running.
    async fn interrupted_run(&self, sync: &str) -> Result<Option<RunDetails>>;

    /// Records a new run with its first attempt. A replay leaves other runs alone and is never gone on with; of a sync, a run of the sync that is still recorded as running is ended first: failed, with the error
    /// `run_abandoned` and its uncertain rows counted.
    ///
    /// # Errors
    /// `run_exists`: the id is taken.
    async fn begin_run(&self, hold: &Hold, run: NewRun) -> Result<()>;

    /// Records an attempt that failed before it had a run, so that the history has it: as a run that failed, and that nobody goes on with. An interrupted run of
    /// the sync stays what it is. Further tries of the same turn join it as further attempts, up to [`crate::run::MAX_FAILED_STARTS`], as long as the sync has no
    /// later run. Where the turn is open, it names that run from then on. Returns the id of the run.
    async fn record_failed_start(&self, hold: &Hold, failed: FailedStart) -> Result<String>;

    /// Ends replays whose process died, as failed. Returns how many rows they had sent to targets that append without hearing what became of them;
    /// they are counted with the replay and marked as uncertain.
    async fn close_replays(&self, hold: &Hold) -> Result<u64>;

    /// Goes on with the interrupted run: counts the rows that its last attempt left uncertain, resets the marks, and records a new attempt under
    /// this hold. Complete partitions and tables stay complete.
    ///
    /// # Errors
    /// `run_not_resumable`: it is not the sync's interrupted run.
    async fn begin_attempt(&self, hold: &Hold, run_id: &str, holder: Holder, now: UnixMicros)
    -> Result<StartedAttempt>;

    /// Stores the plans of tables, all or none, before their first row is read. A plan once stored is never replaced; [`reset_state`](Self::reset_state)
    /// removes it.
    ///
    /// # Errors
    /// - `plan_exists`: a table has a plan in this run already.
    /// - `state_moved`: a table's state is not at the revision that the plan was made from.
    /// - `run_not_open`: the run does not run under this hold.
    async fn store_plan(&self, hold: &Hold, run_id: &str, plans: Vec<NewTablePlan>) -> Result<()>;

    /// Records, before they are sent, that rows are going to be sent to a target that appends; several partitions at once to save calls.
    /// A mark below the stored one changes nothing. Survives loss of power.
    ///
    /// # Errors
    /// `run_not_open`, `partition_unknown`.
    async fn record_sent(&self, hold: &Hold, marks: Vec<SentMark>) -> Result<()>;

    /// Counts rows that a destination is about to send once more, without knowing whether they arrived, to a target that appends: as uncertain, with the
    /// partition, the run and its latest attempt. Each call adds to those before it. Survives loss of power.
    ///
    /// # Errors
    /// `run_not_open`, `partition_unknown`.
    async fn record_resent(&self, hold: &Hold, resent: ResentRows) -> Result<()>;

    /// Counts the uncertain rows of one partition whose stream broke and is about to be opened again within the same attempt, and resets its mark.
    ///
    /// # Errors
    /// `run_not_open`, `partition_unknown`.
    async fn restart_partition(&self, hold: &Hold, partition: &PartitionId) -> Result<UncertainRows>;

    /// Stores a checkpoint with its counts, fingerprints and rejects, and whether the partition is complete with it.
    ///
    /// # Errors
    /// - `checkpoint_conflict`: the partition's progress is not at `from_revision`, or its end is committed already. Nothing was stored.
    /// - `run_not_open`, `partition_unknown`.
    async fn commit_checkpoint(&self, hold: &Hold, commit: CheckpointCommit) -> Result<Committed>;

    /// Marks a table complete and, in the same transaction, promotes its new state. `None` for a table that is read whole each time: nothing is
    /// promoted and a state that may exist stays as it is.
    ///
    /// # Errors
    /// - `table_incomplete`: a partition's end is not committed, or the table is complete already.
    /// - `state_moved`: the state is not at `from_revision`. Nothing was stored.
    /// - `state_too_large`: see [`longshore_core::TableState::to_document`].
    /// - `run_not_open`.
    async fn promote_table(
        &self,
        hold: &Hold,
        run_id: &str,
        table: &str,
        promotion: Option<Promotion>,
        now: UnixMicros,
    ) -> Result<()>;

    /// Records the end of the attempt and of the run, and counts what is uncertain. A complete run's plans, positions and fingerprints are dropped,
    /// its counts stay; a failed or cancelled one keeps everything, so that the next `sync` goes on with it.
    ///
    /// # Errors
    /// - `run_incomplete`: it ends as complete and a table is not.
    /// - `run_not_open`.
    async fn finish_run(&self, hold: &Hold, end: RunEnd) -> Result<()>;

    /// Says where the run's latest attempt comes from.
    ///
    /// # Errors
    /// `run_not_open`.
    async fn describe_attempt(&self, hold: &Hold, run_id: &str, origin: AttemptOrigin) -> Result<()>;

    /// Adds lines to a run's log, and lines that are lost to its count of them. Of a log that grows over [`crate::run_log::MAX_LOG_LINES`] or
    /// [`crate::run_log::MAX_LOG_BYTES`] the beginning and the end are kept, and what lies between is counted. Not fenced: what a process that has lost its
    /// hold has to say is worth reading. May be lost with power.
    ///
    /// # Errors
    /// `run_unknown`.
    async fn append_log(&self, run_id: &str, lines: Vec<LogLine>, lost: u64) -> Result<()>;

    /// The lines of a run's log behind the one with the number `after`, at most `limit`; 0: from the beginning.
    ///
    /// # Errors
    /// `run_unknown`.
    async fn read_log(&self, run_id: &str, after: i64, limit: u32) -> Result<RunLog>;

    /// Removes runs of the sync that are too old or too many, with all that is stored about them; returns how many. Stays: a run that goes on, the latest
    /// of the sync that could be gone on with, the one of [`tables_read`](Self::tables_read), and whatever the ledger of rejects names. At most
    /// [`crate::run::MAX_RUNS_REMOVED_AT_ONCE`] go at once.
    async fn remove_runs(&self, hold: &Hold, retention: RunRetention) -> Result<u64>;

    /// Removes runs of syncs that are none of `configured`, which nobody runs any more, as [`remove_runs`](Self::remove_runs) does those of a sync.
    async fn remove_runs_of_others(&self, hold: &Hold, configured: Vec<String>, retention: RunRetention)
    -> Result<u64>;

    /// The latest runs, newest first, at most `limit`.
    async fn list_runs(&self, filter: &RunFilter, limit: u32) -> Result<Vec<Run>>;

    /// The tables that a sync reads, by name: those of its newest run that has planned some and reads what is new, not a range again, and those whose cursor a
    /// person has set since. A table that left the sync keeps its state, and is none of them. None is named where there was no such run yet.
    async fn tables_read(&self, sync: &str) -> Result<TablesRead>;

    /// One run with its attempts, tables and partitions.
    async fn get_run(&self, run_id: &str) -> Result<Option<RunDetails>>;

    // ---- Turns: what a daemon decides

    /// What is known of every sync that was ever scheduled or paused, each with its open turn, ordered by name.
    async fn list_scheduled(&self) -> Result<Vec<ScheduledSync>>;

    /// The latest turns of one sync, or of all, newest first, at most `limit`. Of those that are closed the last thousand of each sync are kept.
    async fn list_turns(&self, sync: Option<&str>, limit: u32) -> Result<Vec<Turn>>;

    /// Pauses a sync, or ends its pause; whether that changed anything. Anybody may, with or without a daemon; a running one has to be told.
    async fn set_paused(&self, sync: &str, paused: bool) -> Result<bool>;

    /// Begins a new schedule of a sync: due times up to an instant count as decided, whatever an earlier schedule said. Here and in what follows,
    /// `daemon` is the hold of [`DAEMON`](crate::turn::DAEMON).
    async fn set_schedule(
        &self,
        daemon: &Hold,
        sync: &str,
        schedule: Option<&str>,
        decided_until: UnixMicros,
    ) -> Result<()>;

    /// Records a turn; in the same transaction the due times that it is for count as decided. Returns its number.
    ///
    /// # Errors
    /// `turn_open`: the sync has an open turn, and this would be another one.
    async fn record_turn(&self, daemon: &Hold, turn: NewTurn) -> Result<i64>;

    /// Lets an open turn whose run has not begun stand for later due times as well; they count as decided.
    ///
    /// # Errors
    /// `turn_not_open`.
    async fn extend_turn(&self, daemon: &Hold, id: i64, due: DueTimes) -> Result<()>;

    /// Says which run does a turn, under the hold of its sync, before anything of the run could be complete: a turn whose run is complete is done, also
    /// when its daemon died before it could say so. What it named of a try that failed before it had a run is forgotten.
    ///
    /// # Errors
    /// `turn_not_open`.
    async fn link_turn(&self, hold: &Hold, id: i64, run_id: &str) -> Result<()>;

    /// Records that a turn is to be tried again.
    ///
    /// # Errors
    /// `turn_not_open`.
    async fn put_off_turn(&self, daemon: &Hold, retry: TurnRetry) -> Result<()>;

    /// Closes a turn.
    ///
    /// # Errors
    /// `turn_not_open`.
    async fn end_turn(&self, daemon: &Hold, end: TurnEnd) -> Result<()>;

    // ---- Cursor states

    /// The states of one sync, or of all, ordered by sync and table.
    async fn list_states(&self, sync: Option<&str>) -> Result<Vec<StoredState>>;

    /// The state of one table.
    async fn get_state(&self, sync: &str, table: &str) -> Result<Option<StoredState>>;

    /// Puts a cursor in the place of the stored one, by a person's wish; returns the new revision.
    ///
    /// What belonged to the old cursor goes: the source's own state and the fingerprints, so that rows behind the new cursor are delivered again;
    /// and the table's plan in an interrupted run. Takes the hold for the length of its transaction, so that a process that slept through its lease
    /// is fenced.
    ///
    /// # Errors
    /// - `sync_held`: a hold stands.
    /// - `state_moved`: the state is not at `from_revision`.
    /// - `cursor_type_mismatch`: the value's type is not that of the stored cursor, or it is an infinity.
    async fn set_state(&self, replacement: CursorReplacement) -> Result<u64>;

    /// Forgets the state of one table, or of all tables of a sync, so that the next run reads from the beginning. Fenced and refused like
    /// [`set_state`](Self::set_state). One table's plan is removed from the interrupted run; a reset of the whole sync gives the interrupted run up.
    ///
    /// # Errors
    /// `sync_held`: a hold stands.
    async fn reset_state(&self, sync: &str, table: Option<&str>, now: UnixMicros) -> Result<Reset>;

    // ---- Alerts

    /// The conditions of one sync, or of all, that somebody was told of or is to be told of.
    async fn list_alerts(&self, sync: Option<&str>) -> Result<Vec<StoredAlert>>;

    /// Puts a condition in the place of what is stored of it.
    async fn set_alert(&self, alert: StoredAlert) -> Result<()>;

    /// Forgets a condition: it does not hold, and nobody is to be told. Of one that is not stored, nothing.
    async fn remove_alert(&self, sync: &str, condition: &str) -> Result<()>;

    // ---- Rejects

    /// Rejects, newest first, at most `limit`.
    async fn list_rejects(&self, filter: &RejectFilter, limit: u32) -> Result<Vec<Reject>>;

    /// One reject, with its row.
    async fn get_reject(&self, id: i64) -> Result<Option<KeptReject>>;

    /// Rejects with their rows, oldest first, a page at a time.
    async fn read_rejects(&self, filter: &RejectFilter, page: Page) -> Result<Vec<KeptReject>>;

    /// Rejects that a run may try again by itself, with their rows: at most `limit`, and no more once their rows have `bytes` together. Those that were
    /// tried least come first, of these the oldest. The next page is what the same question is answered with once these are [marked](Self::mark_retry).
    async fn retryable_rejects(&self, retryable: &Retryable, limit: u32, bytes: u64) -> Result<Vec<KeptReject>>;

    /// How many pending rows [`retryable_rejects`](Self::retryable_rejects) leaves out because nobody knows whether newer versions of them were delivered.
    async fn rejects_of_unknown_version(&self, retryable: &Retryable) -> Result<u64>;

    /// Records, before a run delivers rows that replace others by identities of this column, that newer versions of pending rejects which were recorded under
    /// another column can be delivered unnoticed from now on: they are [of unknown version](Self::rejects_of_unknown_version).
    ///
    /// # Errors
    /// `run_lost`.
    async fn forget_versions(&self, hold: &Hold, replaced: &RejectedIdentities) -> Result<()>;

    /// Gives up pending rejects of a sync, by a person's wish: they stay in the ledger without their rows and are never sent again. Answers how many. Refused while
    /// the sync is held by somebody, who may be sending them.
    ///
    /// # Errors
    /// - `sync_held`: a hold stands.
    /// - `reject_not_pending`: one is dealt with already. Nothing was stored.
    async fn discard_rejects(&self, sync: &str, ids: &[i64], now: UnixMicros) -> Result<u64>;

    /// The table as rejected rows came, by the number that their rejects name: [`CheckpointCommit::rejected_table`].
    async fn rejected_table(&self, number: i64) -> Result<Option<Vec<u8>>>;

    /// Identities that have pending rejects, in order, those behind `after`, at most `limit`.
    async fn rejected_identities(&self, rejected: &RejectedIdentities, after: &str, limit: u32) -> Result<Vec<String>>;

    /// Fingerprints of rows that have pending rejects, in order, those behind `after`, at most `limit`. The identities' column does not matter.
    async fn rejected_rows(&self, rejected: &RejectedIdentities, after: &[u8], limit: u32) -> Result<Vec<Vec<u8>>>;

    /// Records, before they are sent, that rejects are going to be sent again. Where the target appends, those that are never settled are counted as
    /// uncertain when the run ends, or somebody goes on after it; the mark then survives loss of power.
    ///
    /// # Errors
    /// - `reject_not_pending`: one is dealt with already. Nothing was stored.
    /// - `run_not_open`.
    async fn mark_retry(&self, hold: &Hold, mark: RetryMark) -> Result<()>;

    /// Stores what became of rejects that were sent again, adds to the run's counts, records the columns that were left out as rejects of this run, and
    /// marks as superseded what is older than a redelivered row of the same identity. Answers what the ledger dropped to make room, with `revision` 0.
    ///
    /// # Errors
    /// `reject_not_pending`, `run_not_open`. Nothing was stored.
    async fn settle_retry(&self, hold: &Hold, settlement: RetrySettlement) -> Result<Committed>;

    /// Counts rows that a destination is about to send once more while rejects are sent again; as [`record_resent`](Self::record_resent).
    ///
    /// # Errors
    /// `run_not_open`.
    async fn record_retry_resent(
        &self,
        hold: &Hold,
        run_id: &str,
        table: &str,
        destination: &str,
        rows: u64,
    ) -> Result<()>;

    /// Removes the sync's rejects that were recorded before a moment. Each run keeps the count of its own that were still pending.
    async fn remove_rejects(&self, hold: &Hold, before: UnixMicros) -> Result<Removed>;

    /// How many rejects of a sync are pending.
    async fn count_pending_rejects(&self, sync: &str) -> Result<u64>;

    /// How many rejects the ledger holds, by kind and status, most first.
    async fn count_rejects(&self, filter: &RejectFilter) -> Result<Vec<RejectCount>>;
}
