//! One attempt of a run: its steps in their order, and what happens at their end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use longshore_config::Source;
use longshore_core::Error;
use longshore_protocol::v1;
use longshore_state::{NewRun, RunDetails, RunEnd, RunStatus, TableProgress, UnixMicros};

use super::{
    hold::HeldSync,
    plan::{self, OpeningRun},
    prepare::prepare,
    progress::Progress,
    report::{RunReport, TableReport},
    run::{Engine, SyncOutcome},
    session::Session,
    tables::move_planned,
    transfer::RunContext,
};
use crate::failure::Failure;

/// A source that does not answer within this has lost its snapshot already, or is about to be ended anyway.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// A sync that is held, with its plugins ready.
pub(super) struct ReadySync<'a> {
    pub(super) source: &'a Source,
    pub(super) session: &'a Session,
    pub(super) held: &'a HeldSync,
    pub(super) progress: &'a Progress,
}

/// The run in hand.
struct OpenedRun {
    run_id: Arc<str>,
    attempt: u32,
    interrupted: Option<RunDetails>,
    warnings: Vec<String>,
}

impl Engine<'_> {
    /// Begins a run or goes on with the interrupted one, and says how it stands after this attempt.
    pub(super) async fn attempt(&self, sync: &ReadySync<'_>) -> SyncOutcome {
        let started = Instant::now();
        let ReadySync {
            source, session, held, ..
        } = *sync;
        let selected = match self.unless_cancelled(plan::select_tables(session, source)).await {
            Ok(selected) => selected,
            Err(failure) => return SyncOutcome::before_a_run(failure),
        };
        let fingerprint = plan::configuration_fingerprint(session, source, &self.configuration.secrets);
        let names: Vec<String> = selected.into_iter().map(|table| table.name).collect();
        let mut run = match self.begin(held, &fingerprint, &names).await {
            Ok(run) => run,
            Err(error) => return SyncOutcome::before_a_run(error),
        };
        let moved = self.move_tables(sync, &mut run, names).await;
        close_run(session, &run.run_id).await;
        self.finish(held, run, moved, started).await
    }

    /// Begins a run, or the next attempt of the interrupted one when it would do the same.
    async fn begin(&self, held: &HeldSync, fingerprint: &str, tables: &[String]) -> Result<OpenedRun, Error> {
        let mut warnings = Vec::new();
        if let Some(interrupted) = self.store.interrupted_run(&held.hold.sync).await? {
            let run_id = interrupted.run.run_id.clone();
            if interrupted.run.configuration == fingerprint && all_selected(&interrupted, tables) {
                let started = self
                    .store
                    .begin_attempt(&held.hold, &run_id, self.holder.clone(), UnixMicros::now())
                    .await?;
                let uncertain: u64 = started.uncertain.iter().map(|partition| partition.window).sum();
                tracing::info!(
                    run_id,
                    attempt = started.number,
                    uncertain,
                    "going on with the interrupted run"
                );
                if uncertain > 0 {
                    warnings.push(format!(
                        "at most {uncertain} rows were on their way when the last attempt broke off; they are sent again and may be there twice"
                    ));
                }
                return Ok(OpenedRun {
                    run_id: run_id.into(),
                    attempt: started.number,
                    interrupted: Some(interrupted),
                    warnings,
                });
            }
            let done: u64 = interrupted
                .tables
                .iter()
                .filter(|table| !table.complete)
                .map(TableProgress::forwarded)
                .sum();
            if done > 0 {
                warnings.push(format!(
                    "the run {run_id} was interrupted, and the configuration or the tables have changed since: it is given up, and its {done} rows are read again"
                ));
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

    async fn move_tables(&self, sync: &ReadySync<'_>, run: &mut OpenedRun, tables: Vec<String>) -> Result<(), Failure> {
        let ReadySync {
            source,
            session,
            held,
            progress,
        } = *sync;
        let opening = OpeningRun {
            run_id: &run.run_id,
            attempt: run.attempt,
            tables,
            interrupted: run.interrupted.as_ref(),
        };
        let planned = self
            .unless_cancelled(plan::open_run(session, self.store.as_ref(), &held.hold, &opening))
            .await?;
        if planned.is_empty() {
            return Ok(());
        }
        run.warnings
            .extend(planned.iter().flat_map(|table| &table.plan.warnings).cloned());
        let prepared = self.unless_cancelled(prepare(session, &run.run_id, &planned)).await?;
        run.warnings
            .extend(prepared.iter().flatten().flat_map(|table| &table.warnings).cloned());
        let context = Arc::new(RunContext {
            store: Arc::clone(&self.store),
            hold: held.hold.clone(),
            run_id: Arc::clone(&run.run_id),
            source: session.source.plugin.clone(),
            resumable: session
                .source
                .plugin
                .description
                .source
                .as_ref()
                .is_some_and(|source| source.resumable),
            max_unacked_bytes: source.spec.max_unacked_bytes.bytes(),
            max_rejects: source.spec.max_rejects,
            progress: progress.clone(),
            cancel: held.lost.child_token(),
        });
        let stop_with_user = context.cancel.clone();
        let user = self.cancel.clone();
        let follow = async move {
            user.cancelled().await;
            stop_with_user.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            moved = move_planned(Arc::clone(&context), session, planned, prepared, usize::from(source.spec.concurrency)) => match moved {
                // Who lost the sync must not claim that the user stopped it.
                Err(Failure::Cancelled) if held.lost.is_cancelled() => Err(lost().into()),
                moved => moved,
            },
            () = follow => Err(Failure::Cancelled),
        }
    }

    /// Records the end of the attempt, and says how the run stands after it.
    async fn finish(
        &self,
        held: &HeldSync,
        run: OpenedRun,
        moved: Result<(), Failure>,
        started: Instant,
    ) -> SyncOutcome {
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let recorded = self.record_end(held, &run, &moved, duration_ms).await;
        let mut failure = moved.err();
        let status = match recorded {
            Ok(status) => status,
            Err(error) => {
                tracing::error!(%error, "the end of the run could not be recorded");
                failure = failure.or(Some(error.into()));
                RunStatus::Failed
            }
        };
        match self.store.get_run(&run.run_id).await {
            // Read again, because the end of an attempt counts what is uncertain.
            Ok(details) => {
                let error = failure.as_ref().map(Failure::to_error);
                let report = details.map(|details| RunReport {
                    error,
                    duration_ms,
                    ..RunReport::of(&details, status, run)
                });
                SyncOutcome { report, failure }
            }
            Err(error) => SyncOutcome {
                report: None,
                failure: failure.or(Some(error.into())),
            },
        }
    }

    async fn record_end(
        &self,
        held: &HeldSync,
        run: &OpenedRun,
        moved: &Result<(), Failure>,
        duration_ms: u64,
    ) -> Result<RunStatus, Error> {
        let details = self.store.get_run(&run.run_id).await?;
        let details = details
            .ok_or_else(|| Error::internal("run_forgotten", "The store does not know the run that has just ended"))?;
        let status = status(&details, moved);
        let end = RunEnd {
            run_id: run.run_id.to_string(),
            status,
            ended_at: UnixMicros::now(),
            error: moved.as_ref().err().map(Failure::to_error),
            summary: serde_json::json!({ "warnings": run.warnings, "duration_ms": duration_ms }),
        };
        self.store.finish_run(&held.hold, end).await?;
        Ok(status)
    }

    async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            () = self.cancel.cancelled() => Err(Failure::Cancelled),
        }
    }
}

impl RunReport {
    fn of(details: &RunDetails, status: RunStatus, run: OpenedRun) -> Self {
        Self {
            run_id: details.run.run_id.clone(),
            sync: details.run.sync.clone(),
            status,
            attempt: run.attempt,
            tables: details.tables.iter().map(TableReport::from).collect(),
            uncertain: details.run.uncertain_rows,
            rejects: details.run.rejects,
            warnings: run.warnings,
            duration_ms: 0,
            error: None,
        }
    }
}

/// Releases the run's snapshot, whether or not the run succeeded.
async fn close_run(session: &Session, run_id: &str) {
    let request = v1::CloseRunRequest {
        run_id: run_id.to_owned(),
    };
    let mut source = session.source.plugin.source();
    match tokio::time::timeout(CLOSE_DEADLINE, source.close_run(request)).await {
        Ok(Ok(_)) => {}
        // The plugin is ended next, and its connections with it.
        Ok(Err(status)) => tracing::debug!(%status, "the source could not close the run"),
        Err(_) => tracing::debug!("the source did not close the run in time"),
    }
}

/// Whether every table that an interrupted run still has to move is selected: one that was dropped since can not be completed.
fn all_selected(interrupted: &RunDetails, tables: &[String]) -> bool {
    interrupted
        .tables
        .iter()
        .all(|progress| progress.complete || tables.contains(&progress.table))
}

fn status(details: &RunDetails, moved: &Result<(), Failure>) -> RunStatus {
    let all_complete = details.tables.iter().all(|table| table.complete);
    match moved {
        Ok(()) if details.run.rejects > 0 => RunStatus::CompletedWithRejects,
        Ok(()) => RunStatus::Completed,
        Err(Failure::TooManyRejects(_)) if all_complete => RunStatus::CompletedWithRejects,
        Err(Failure::Cancelled) => RunStatus::Cancelled,
        Err(_) => RunStatus::Failed,
    }
}

fn lost() -> Error {
    Error::internal("run_lost", "Another process has taken this sync over; this one stops and has moved nothing since")
        .with_remedy("This happens when a process is stopped for longer than its lease, such as a suspended machine. The other run goes on.")
}
