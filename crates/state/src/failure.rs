//! Every error a store makes, with its code and remedy. Errors of a particular database are mapped to these beside that database's code.
//!
//! | code | when | who can help |
//! |---|---|---|
//! | `run_lost` | another process took the sync over, or the hold was released | nobody: this process must stop |
//! | `sync_held` | a run holds the sync | the user, by waiting |
//! | `state_moved` | a cursor state is not at the revision expected | the user, by trying again |
//! | `reject_not_pending` | a reject is to be sent again that is dealt with | the user |
//! | `cursor_type_mismatch` | `state set` with a value of another type | the user |
//! | `state_busy` | other processes keep the store locked | time; retryable |
//! | `state_full` | the disk of the store is full | the user; retryable, because room comes back |
//! | `state_corrupt`, `state_foreign`, `state_newer`, `state_unwritable`, `state_backend_unavailable` | the store can not be opened or used | the user |
//! | `state_failed` and the rest | a bug of Longshore | we |

use longshore_core::{CursorValue, Error};

use crate::{
    checkpoint::PartitionId,
    hold::{CurrentHold, Hold},
};

pub(crate) fn run_lost(hold: &Hold) -> Error {
    Error::internal(
        "run_lost",
        format!(
            "This process has lost its hold of sync {} (generation {}): another one took it over, or it was released",
            hold.sync, hold.generation
        ),
    )
    .with_remedy(
        "Nothing was written. The process was suspended for longer than its lease, or somebody changed the state by hand; the next run goes on from the last commit.",
    )
}

pub(crate) fn sync_held(sync: &str, held: &CurrentHold) -> Error {
    Error::config(
        "sync_held",
        format!(
            "Sync {sync} is held by process {} on {}; its state can not be changed while it runs",
            held.holder.pid, held.holder.host
        ),
    )
    .with_remedy("Wait for the run to end, or cancel it, and try again.")
}

pub(crate) fn state_moved(sync: &str, table: &str, expected: u64, found: u64) -> Error {
    Error::config(
        "state_moved",
        format!("The state of table {table} of sync {sync} is at revision {found}, not {expected}: somebody changed it meanwhile"),
    )
    .with_remedy("Nothing was written. Look at it with `longshore state show` and try again.")
    .with_table(table)
}

pub(crate) fn cursor_type_mismatch(table: &str, stored: Option<&CursorValue>, given: &CursorValue) -> Error {
    let message = match stored {
        Some(stored) => {
            format!("'{given}' is not of the type of the cursor stored for table {table}, which is '{stored}'")
        }
        None => format!("'{given}' can not be the cursor of table {table}"),
    };
    Error::config("cursor_type_mismatch", message)
        .with_remedy(
            "Give a finite value of the cursor column's type, or reset the state to read the table from its beginning.",
        )
        .with_table(table)
}

pub(crate) fn run_exists(run_id: &str) -> Error {
    Error::internal("run_exists", format!("There is a run {run_id} already"))
}

pub(crate) fn run_unknown(run_id: &str) -> Error {
    Error::config("run_unknown", format!("There is no run {run_id}"))
        .with_remedy("`longshore runs list` shows the ids; old runs are removed after their retention.")
}

pub(crate) fn run_not_open(run_id: &str, hold: &Hold) -> Error {
    Error::internal(
        "run_not_open",
        format!(
            "Run {run_id} does not run under generation {} of sync {}",
            hold.generation, hold.sync
        ),
    )
}

pub(crate) fn run_not_resumable(run_id: &str, sync: &str) -> Error {
    Error::internal(
        "run_not_resumable",
        format!("Run {run_id} is not the interrupted run of sync {sync}"),
    )
}

pub(crate) fn run_abandoned() -> Error {
    Error::internal(
        "run_abandoned",
        "The run's process died, and the next run did not go on with it",
    )
}

pub(crate) fn replay_abandoned() -> Error {
    Error::internal(
        "replay_abandoned",
        "The replay's process died; what it had not settled is still pending",
    )
}

pub(crate) fn run_incomplete(run_id: &str, tables: u64) -> Error {
    Error::internal(
        "run_incomplete",
        format!("Run {run_id} can not be complete: {tables} of its tables are not"),
    )
}

pub(crate) fn run_still_running(run_id: &str) -> Error {
    Error::internal("run_still_running", format!("Run {run_id} can not end as running"))
}

pub(crate) fn reject_not_pending(id: i64) -> Error {
    Error::config(
        "reject_not_pending",
        format!("The reject {id} is not pending any more, or is not in the ledger of this sync"),
    )
    .with_remedy("Nothing was written. `longshore rejects show` says what became of it.")
}

pub(crate) fn turn_open(sync: &str) -> Error {
    Error::internal("turn_open", format!("Sync {sync} is to run already"))
}

pub(crate) fn turn_not_open(id: i64) -> Error {
    Error::internal(
        "turn_not_open",
        format!("The turn {id} is closed, or its run has begun"),
    )
}

pub(crate) fn plan_exists(table: &str, run_id: &str) -> Error {
    Error::internal(
        "plan_exists",
        format!("Table {table} has a plan in run {run_id} already"),
    )
    .with_table(table)
}

pub(crate) fn table_incomplete(table: &str, run_id: &str) -> Error {
    Error::internal(
        "table_incomplete",
        format!("Table {table} of run {run_id} has no plan, a partition that is not complete, or is complete already"),
    )
    .with_table(table)
}

pub(crate) fn partition_unknown(partition: &PartitionId) -> Error {
    Error::internal(
        "partition_unknown",
        format!("Run {} has no partition {}", partition.run_id, partition.partition),
    )
    .with_table(&*partition.table)
}

pub(crate) fn checkpoint_conflict(partition: &PartitionId, expected: u64, found: u64) -> Error {
    Error::internal(
        "checkpoint_conflict",
        format!(
            "The progress of partition {} is at revision {found}, not {expected}, or its end is committed already",
            partition.partition
        ),
    )
    .with_table(&*partition.table)
}

pub(crate) fn destinations_misnamed(partition: &PartitionId, names: usize, counts: usize) -> Error {
    Error::internal(
        "destinations_misnamed",
        format!("A commit names {names} destinations and has the counts of {counts}"),
    )
    .with_table(&*partition.table)
}
