//! How an attempt begins: with a new run, or with the interrupted one when it would do the same.

use std::sync::Arc;

use longshore_config::Uncertain;
use longshore_core::Error;
use longshore_protocol::UNCERTAIN_DELIVERY;
use longshore_state::{NewRun, RunDetails, TableProgress, UnixMicros};

use super::run::{Engine, Task};

/// What begins the fingerprint of a run that reads a range again, so that such runs are known by it.
pub(super) const READ_AGAIN: &str = "range:";

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
        let mut warnings = Vec::new();
        if let Some(interrupted) = self.store.interrupted_run(&held.hold.sync).await? {
            if interrupted.run.configuration == fingerprint && all_selected(&interrupted, tables) {
                return self.go_on(task, interrupted).await;
            }
            let half_done = rows_half_done(&interrupted);
            let same_purpose = interrupted.run.configuration.starts_with(READ_AGAIN) != reading.moves_cursors();
            if half_done > 0 && !same_purpose && !reading.moves_cursors() {
                return Err(unfinished(&held.hold.sync, &interrupted, half_done));
            }
            if half_done > 0 {
                warnings.push(given_up(&interrupted, half_done, same_purpose));
            }
        }
        let run_id = uuid::Uuid::now_v7().to_string();
        let run = NewRun {
            run_id: run_id.clone(),
            configuration: fingerprint.to_owned(),
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

    async fn go_on(&self, task: &Task<'_>, interrupted: RunDetails) -> Result<OpenedRun, Error> {
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
        Ok(OpenedRun {
            run_id: run_id.into(),
            attempt: started.number,
            interrupted: Some(interrupted),
            warnings: on_their_way(uncertain, task.source.spec.uncertain)
                .into_iter()
                .collect(),
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
    (rows > 0).then(|| format!("at most {rows} rows were on their way when the last attempt broke off; {becomes}"))
}

/// Whether every table that an interrupted run still has to move is selected: one that was dropped since can not be completed.
fn all_selected(interrupted: &RunDetails, tables: &[String]) -> bool {
    interrupted
        .tables
        .iter()
        .all(|progress| progress.complete || tables.contains(&progress.table))
}

/// Rows delivered by a run of tables that it did not complete: whoever reads these tables anew delivers them once more.
fn rows_half_done(interrupted: &RunDetails) -> u64 {
    let incomplete = interrupted.tables.iter().filter(|table| !table.complete);
    incomplete.map(TableProgress::forwarded).sum()
}

fn unfinished(sync: &str, interrupted: &RunDetails, rows: u64) -> Error {
    let message = format!(
        "The run {} of sync {sync} was interrupted after {rows} rows; reading a range now would give it up",
        interrupted.run.run_id
    );
    Error::config("run_interrupted", message)
        .with_remedy("Let `longshore sync` finish it first, or give it up with `longshore state reset`.")
}

fn given_up(interrupted: &RunDetails, rows: u64, same_purpose: bool) -> String {
    let run_id = &interrupted.run.run_id;
    if same_purpose {
        format!(
            "the run {run_id} was interrupted, and what it was asked for has changed since: it is given up, and its {rows} rows are read again"
        )
    } else {
        format!(
            "the run {run_id}, which read a range again, was interrupted after {rows} rows: it is given up; repeat its command where the range still matters"
        )
    }
}
