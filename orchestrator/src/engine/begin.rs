//! How an attempt begins: with a new run, or with the interrupted one when it would do the same.

use std::sync::Arc;

use longshore_config::Uncertain;
use longshore_core::Error;
use longshore_protocol::UNCERTAIN_DELIVERY;
use longshore_state::{NewRun, PartitionProgress, RunDetails, RunKind, RunRetention, UnixMicros};

use super::run::{Engine, Task};
use crate::figures::counted;

/// The run in hand.
pub(super) struct OpenedRun {
    pub(super) run_id: Arc<str>,
    pub(super) attempt: u32,
    pub(super) interrupted: Option<RunDetails>,
    pub(super) warnings: Vec<String>,
}

impl Engine<'_> {
    /// Begins a run, or the next attempt of the interrupted one when it would do the same.
    ///
    /// # Errors
    /// `run_interrupted`: a range is to be read again while what is new is half delivered. Those of the store.
    pub(super) async fn begin(
        &self,
        task: &Task<'_>,
        fingerprint: &str,
        tables: &[String],
    ) -> Result<OpenedRun, Error> {
        let Task { reading, held, .. } = *task;
        let mut warnings = self.tend_ledger(task).await?;
        // The one that is about to begin counts.
        let others = self.configuration.settings.history.max_runs.saturating_sub(1);
        self.forget_old_runs(task, others).await?;
        if let Some(interrupted) = self.store.interrupted_run(&held.hold.sync).await? {
            if interrupted.run.configuration == fingerprint && all_selected(&interrupted, tables) {
                return self.go_on(task, interrupted, warnings).await;
            }
            if let Some(warning) = abandon(task, &interrupted)? {
                warnings.push(warning);
            }
        }
        let run_id = uuid::Uuid::now_v7().to_string();
        let run = NewRun {
            run_id: run_id.clone(),
            kind: RunKind::Sync,
            configuration: fingerprint.to_owned(),
            again: reading.again_as_json(),
            holder: self.holder.clone(),
            started_at: UnixMicros::now(),
        };
        self.store.begin_run(&held.hold, run).await?;
        Ok(OpenedRun {
            run_id: run_id.into(),
            attempt: 1,
            interrupted: None,
            warnings,
        })
    }

    /// Ends replays that nobody goes on with, and removes rejects that are older than their retention; says what the user should know.
    async fn tend_ledger(&self, task: &Task<'_>) -> Result<Vec<String>, Error> {
        let hold = &task.held.hold;
        let lost = self.store.close_replays(hold).await?;
        let retention = task.source.spec.rejects.retention;
        let removed = self
            .store
            .remove_rejects(hold, UnixMicros::now().before(retention.duration()))
            .await?;
        let pending = (removed.pending > 0).then(|| {
            format!(
                "{} older than {retention} and gone from the ledger, although nothing had come of it",
                counted(removed.pending, "reject is", "rejects are")
            )
        });
        Ok(retried_on_their_way(lost, task.source.spec.uncertain)
            .into_iter()
            .chain(pending)
            .collect())
    }

    /// Removes runs beyond the `keep` latest, and those that are older than the configuration remembers, also those of syncs that it does not have any more. After the ledger was tended: what was in it may
    /// have kept them.
    pub(super) async fn forget_old_runs(&self, task: &Task<'_>, keep: u32) -> Result<(), Error> {
        let history = self.configuration.settings.history;
        let retention = RunRetention {
            ended_before: UnixMicros::now().before(history.retention.duration()),
            keep,
        };
        let removed = self.store.remove_runs(&task.held.hold, retention).await?;
        if removed > 0 {
            tracing::info!(removed, "old runs of the sync are forgotten");
        }
        let sources = &self.configuration.sources;
        let configured = sources.iter().map(|source| source.spec.name.clone()).collect();
        let hold = &task.held.hold;
        let removed = self.store.remove_runs_of_others(hold, configured, retention).await?;
        if removed > 0 {
            tracing::info!(
                removed,
                "old runs of syncs that the configuration does not have are forgotten"
            );
        }
        Ok(())
    }

    async fn go_on(
        &self,
        task: &Task<'_>,
        interrupted: RunDetails,
        mut warnings: Vec<String>,
    ) -> Result<OpenedRun, Error> {
        let run_id = interrupted.run.run_id.clone();
        let started = self
            .store
            .begin_attempt(&task.held.hold, &run_id, self.holder.clone(), UnixMicros::now())
            .await?;
        let uncertain = started.uncertain.iter().map(|partition| partition.window).sum();
        tracing::info!(
            run_id,
            attempt = started.number,
            uncertain,
            "going on with the interrupted run"
        );
        let policy = task.source.spec.uncertain;
        warnings.extend(on_their_way(uncertain, policy));
        warnings.extend(retried_on_their_way(started.uncertain_retries, policy));
        Ok(OpenedRun {
            run_id: run_id.into(),
            attempt: started.number,
            interrupted: Some(interrupted),
            warnings,
        })
    }
}

/// What is said of rows that an append target may have.
fn on_their_way(rows: u64, uncertain: Uncertain) -> Option<String> {
    let becomes = match uncertain {
        Uncertain::Resend => "they are sent again and may be there twice".to_owned(),
        Uncertain::Hold => {
            format!(
                "they are held and not sent again; the ledger of rejects names them under the rule {UNCERTAIN_DELIVERY}"
            )
        }
    };
    (rows > 0).then(|| {
        let rows = counted(rows, "row was on its", "rows were on their");
        format!("at most {rows} way when the last attempt broke off; {becomes}")
    })
}

/// What is said of rejects that an append target may have.
pub(super) fn retried_on_their_way(rows: u64, uncertain: Uncertain) -> Option<String> {
    let becomes = match uncertain {
        Uncertain::Resend => "the next run sends them once more, and they may be there twice",
        Uncertain::Hold => "they are not sent again by themselves; `longshore rejects list` shows them as uncertain",
    };
    (rows > 0).then(|| {
        let rejects = counted(rows, "reject was", "rejects were");
        format!("at most {rejects} being sent again when that broke off; {becomes}")
    })
}

/// Whether every table that an interrupted run still has to move is selected: one that was dropped since can not be completed.
fn all_selected(interrupted: &RunDetails, tables: &[String]) -> bool {
    interrupted
        .tables
        .iter()
        .all(|progress| progress.complete || tables.contains(&progress.table))
}

/// Whether an interrupted run that will not be gone on with may be given up, and what is to be said of it.
///
/// # Errors
/// `run_interrupted`: rows that it has sent would come twice without being asked for.
fn abandon(task: &Task<'_>, interrupted: &RunDetails) -> Result<Option<String>, Error> {
    let (run_id, rows) = (&interrupted.run.run_id, rows_of_open_tables(interrupted));
    if rows == 0 {
        return Ok(None);
    }
    let reads_again = interrupted.run.again.is_some();
    let refusal = if !task.reading.moves_cursors() && !reads_again {
        Some("reading a range now would give it up")
    } else if task.source.spec.uncertain == Uncertain::Hold && !reads_again {
        Some(
            "what it was asked for has changed since, so its rows would be sent once more, which `uncertain: hold` forbids",
        )
    } else {
        None
    };
    if let Some(why) = refusal {
        let message = format!(
            "The run {run_id} of sync {} was interrupted after at most {}; {why}",
            task.held.hold.sync,
            counted(rows, "row", "rows")
        );
        return Err(Error::config("run_interrupted", message).with_remedy(
            "Let `longshore sync` finish it first, with the configuration that it began with, or give it up with `longshore state reset`.",
        ));
    }
    Ok(Some(if reads_again {
        format!(
            "the run {run_id}, which read a range again, was interrupted after at most {}: it is given up; repeat its command where the range still matters",
            counted(rows, "row", "rows")
        )
    } else {
        format!(
            "the run {run_id} was interrupted, and what it was asked for has changed since: it is given up, and its rows, at most {rows}, are sent once more"
        )
    }))
}

/// Rows sent by a run of tables that it did not complete: whoever reads these tables anew sends them once more.
fn rows_of_open_tables(interrupted: &RunDetails) -> u64 {
    let open = interrupted.tables.iter().filter(|table| !table.complete);
    open.flat_map(|table| &table.partitions)
        .map(PartitionProgress::touched_rows)
        .sum()
}
