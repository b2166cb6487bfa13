//! Where Longshore keeps cursors, runs, partitions and rejects.
//!
//! [`StateStore`] is the contract, [`sqlite::SqliteStore`] its embedded implementation, [`open()`] the door. Everything a store promises is
//! written at the trait; the tests in `tests/state/contract` hold every implementation to it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`store`] | the trait: what may be called when, and what is promised |
//! | [`hold`] | who may write for a sync, and when somebody else may take over |
//! | [`process`] | which process this is, and whether another one still lives |
//! | [`table_state`] | the stored cursor state of a table |
//! | [`run`] | runs, attempts, plans, progress |
//! | [`run_log`] | what was logged while a run went on |
//! | [`checkpoint`] | what is stored when a checkpoint is committed |
//! | [`reject`] | the ledger of refused rows |
//! | [`turn`] | what a daemon decides: due times, pauses, what is to be tried again |
//! | [`alert`] | conditions that somebody is told of once |
//! | [`moment`] | points in time, as they are stored |
//! | [`failure`] | every error a store makes, with its code and remedy |
//! | [`sqlite`] | one file, several processes |

pub mod alert;
pub mod checkpoint;
pub mod failure;
pub mod hold;
pub mod moment;
mod open;
pub mod process;
pub mod reject;
pub mod run;
pub mod run_log;
pub mod sqlite;
pub mod store;
pub mod table_state;
pub mod turn;

pub use alert::StoredAlert;
pub use checkpoint::{CheckpointCommit, Committed, PartitionId, ResentRows, SentMark};
pub use hold::{Acquisition, CurrentHold, Hold, Holder};
pub use moment::UnixMicros;
pub use open::{open, open_copy};
pub use reject::{
    KeptReject, NewReject, Page, Reject, RejectCount, RejectFilter, RejectStatus, RejectedIdentities, Removed,
    RetriedFate, RetriedRow, RetryCounts, RetryMark, RetrySettlement, Retryable, RowPlace, Supersession, Versions,
};
pub use run::{
    Attempt, AttemptOrigin, AttemptOutcome, FailedStart, NewRun, NewTablePlan, PartitionProgress, PluginVersion,
    Promotion, Run, RunDetails, RunEnd, RunFilter, RunKind, RunRetention, RunStatus, StartedAttempt, TableProgress,
    Trigger, UncertainRows,
};
pub use run_log::{LogLevel, LogLine, RunLog, StoredLogLine};
pub use store::StateStore;
pub use table_state::{CursorReplacement, Reset, StoredState, TablesRead};
pub use turn::{DAEMON, DueTimes, NewTurn, ScheduledSync, Turn, TurnEnd, TurnRetry, TurnStatus};
