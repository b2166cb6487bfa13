//! One partition: batches one way, acks the other, checkpoints into the store.

mod stream;
mod tally;
mod uncommitted;

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

use longshore_config::{MaxRejects, Uncertain};
use longshore_core::{Error, Scope, retry::RetryPolicy};
use longshore_protocol::v1;
use longshore_state::{Hold, PartitionId, PartitionProgress, StateStore};
use tokio_util::sync::CancellationToken;

use super::{
    dry_run::DryRun,
    hold::Lease,
    progress::{Progress, TableCounters},
};
use crate::{
    failure::Failure,
    figures::{counted, were},
    observe::metrics::{Metrics, Retried, TableMetrics},
    plugin_host::Plugin,
};
use stream::PartitionStream;
pub(super) use stream::{new_reject, versions_of, warn_of_dropped};
pub(super) use uncommitted::SharedSupersessions;

/// A share of rejects is judged during a run only from so many rows on: at its beginning one bad row would be all of them. It is judged again at the end.
const SHARE_NEEDS_ROWS: u64 = 1_000;

/// What all partitions of a run share.
pub(super) struct RunContext {
    pub(super) store: Arc<dyn StateStore>,
    pub(super) hold: Hold,
    pub(super) lease: Lease,
    pub(super) run_id: Arc<str>,
    pub(super) source: Plugin,
    /// The source can go on behind a checkpoint; otherwise only the end of a partition is worth committing.
    pub(super) resumable: bool,
    pub(super) max_unacked_bytes: u64,
    pub(super) max_rejects: Option<MaxRejects>,
    /// What becomes of rows that an append target may have.
    pub(super) uncertain: Uncertain,
    /// Rejected rows are kept, values and all.
    pub(super) keep_rejected_rows: bool,
    pub(super) progress: Progress,
    /// The user wants to stop, or the sync is lost.
    pub(super) cancel: CancellationToken,
    /// Nothing is sent, and nothing is stored that outlives the command.
    pub(super) dry_run: Option<DryRun>,
    /// What the user should know of the tables that are complete.
    pub(super) warnings: Mutex<Vec<String>>,
    pub(super) metrics: Metrics,
}

/// What all partitions of a table share.
pub(super) struct TableContext {
    pub(super) table: v1::Table,
    pub(super) name: Arc<str>,
    pub(super) destinations: Vec<TableDestination>,
    pub(super) destination_names: Arc<[String]>,
    /// The smallest wish of the destinations; 0: none.
    pub(super) batch_rows: u64,
    /// Rows that may be on their way unacked, where sending a row twice leaves a trace.
    pub(super) window_rows: Option<u64>,
    pub(super) counters: Arc<TableCounters>,
    pub(super) metrics: TableMetrics,
    pub(super) supersessions: SharedSupersessions,
}

/// One destination of a table.
pub(super) struct TableDestination {
    pub(super) plugin: Plugin,
    pub(super) write_mode: v1::WriteMode,
    pub(super) redelivery_is_idempotent: bool,
    /// The column that identities of its rejects come from.
    pub(super) identity_column: String,
}

/// A partition and how far it is.
pub(super) struct PartitionWork {
    pub(super) partition: v1::Partition,
    pub(super) id: PartitionId,
    pub(super) revision: u64,
    pub(super) position: Vec<u8>,
    /// Rows committed by this and earlier attempts.
    pub(super) forwarded: u64,
    /// Rows beyond the last commit that an append target may have.
    pub(super) uncertain: u64,
}

impl RunContext {
    /// Something the user should know; shown with the run.
    pub(super) fn warn(&self, warning: String) {
        self.warnings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(warning);
    }

    /// What was said with [`Self::warn`].
    pub(super) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a run that is going on has more rejects than the user allows. A dry run notes the place and goes on.
    pub(super) fn check_rejects_so_far(&self, table: &str) -> Result<(), Failure> {
        let (read, rejected) = self.progress.totals();
        let checked = match self.max_rejects {
            None => Ok(()),
            Some(MaxRejects::PartsPerMillion(_)) if read < SHARE_NEEDS_ROWS => Ok(()),
            Some(max_rejects) => check_rejects(max_rejects, read, rejected),
        };
        match &self.dry_run {
            Some(dry_run) if checked.is_err() => {
                dry_run.would_stop(table, read, rejected);
                Ok(())
            }
            _ => checked,
        }
    }
}

/// Whether so many rejects are more than the user allows.
pub(super) fn check_rejects(max_rejects: MaxRejects, read: u64, rejected: u64) -> Result<(), Failure> {
    if !max_rejects.is_exceeded(rejected, read) {
        return Ok(());
    }
    let error = Error::destination(
        "too_many_rejects",
        format!(
            "{rejected} of {} {} rejected; max_rejects allows {max_rejects}",
            counted(read, "row", "rows"),
            were(rejected)
        ),
    )
    .with_remedy("`longshore rejects list` shows what was refused and why; what was delivered stays delivered.");
    Err(Failure::TooManyRejects(error))
}

impl TableContext {
    /// Whether a row takes the place of an older one at some destination, so that versions must come in their order.
    pub(super) fn replaces_rows(&self) -> bool {
        self.destinations
            .iter()
            .any(|destination| destination.write_mode != v1::WriteMode::Append)
    }

    /// Whether rows are recorded before they are sent, because sending them twice would leave a trace.
    pub(super) fn records_before_sending(&self) -> bool {
        self.destinations
            .iter()
            .any(|destination| !destination.redelivery_is_idempotent)
    }
}

impl PartitionWork {
    pub(super) fn new(
        run_id: &Arc<str>,
        table: &Arc<str>,
        partition: v1::Partition,
        progress: &PartitionProgress,
    ) -> Self {
        Self {
            id: PartitionId::new(Arc::clone(run_id), Arc::clone(table), partition.id.as_str()),
            partition,
            revision: progress.revision,
            position: progress.position.clone(),
            forwarded: progress.forwarded,
            uncertain: progress.highest_sent_rows.saturating_sub(progress.forwarded),
        }
    }
}

/// Moves a partition to its end, trying again from the last commit where that can help.
pub(super) async fn transfer(
    context: Arc<RunContext>,
    table: Arc<TableContext>,
    mut work: PartitionWork,
) -> Result<(), Failure> {
    let mut attempt = 1;
    loop {
        let revision_before = work.revision;
        let failure = match move_once(&context, &table, &mut work).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        let Failure::Error(error) = &failure else {
            return Err(failure);
        };
        if work.revision > revision_before {
            // It got somewhere: what failed now is not what failed before.
            attempt = 1;
        }
        attempt += 1;
        let delay = RetryPolicy::PARTITION.delay_before(attempt, crate::chance::number());
        // What concerns the whole run, such as a plugin's death, is for the next attempt of the run.
        let here = error.retryable && error.scope != Scope::Run && !context.cancel.is_cancelled();
        let Some(delay) = delay.filter(|_| here) else {
            return Err(failure);
        };
        tracing::warn!(table = &*table.name, partition = &*work.id.partition, attempt, ?delay, %error, code = error.code, "the partition is tried again");
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = context.cancel.cancelled() => return Err(Failure::Cancelled),
        }
        context.metrics.retried(&context.hold.sync, Retried::Partition);
        if table.records_before_sending() {
            let uncertain = context.store.restart_partition(&context.hold, &work.id).await?;
            work.uncertain = uncertain.window;
            if uncertain.newly_counted > 0 {
                tracing::warn!(
                    table = &*table.name,
                    rows = uncertain.newly_counted,
                    "rows were on their way and may be delivered twice"
                );
            }
        }
    }
}

async fn move_once(context: &RunContext, table: &TableContext, work: &mut PartitionWork) -> Result<(), Failure> {
    let forwarded_before = table.counters.forwarded.load(Ordering::Relaxed);
    let outcome = match PartitionStream::open(context, table, work).await {
        Ok(stream) => stream.run().await,
        Err(failure) => Err(failure),
    };
    if let Err(Failure::Error(error)) = &outcome {
        let rows = table
            .counters
            .forwarded
            .load(Ordering::Relaxed)
            .saturating_sub(forwarded_before);
        tracing::debug!(table = &*table.name, partition = &*work.id.partition, rows, %error, "the partition's stream broke");
    }
    outcome
}
