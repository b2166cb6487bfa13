//! A run: its steps in their order, and what happens at their end.

use std::{sync::Arc, time::Instant};

use longshore_config::{Configuration, Source};
use longshore_core::Error;
use longshore_protocol::v1;
use longshore_state::{Holder, NewRun, RunDetails, RunEnd, RunStatus, StateStore, TableProgress, UnixMicros};
use tokio_util::sync::CancellationToken;

use super::{
    hold::HeldSync,
    plan::{self, OpeningRun},
    prepare::prepare,
    progress::Progress,
    report::{RunReport, TableReport},
    session::Session,
    tables::move_planned,
    transfer::RunContext,
};
use crate::{failure::Failure, plugin_host::PluginHost};

/// What a sync needs besides its configuration.
pub struct Engine<'a> {
    /// Starts plugins.
    pub host: &'a PluginHost,
    /// Holds cursors and runs.
    pub store: Arc<dyn StateStore>,
    /// The configuration.
    pub configuration: &'a Configuration,
    /// This process.
    pub holder: Holder,
    /// The user wants to stop.
    pub cancel: CancellationToken,
}

/// How a sync went: the report of the run, when there was one, and why it stopped short, when it did.
pub struct SyncOutcome {
    /// Counts by table.
    pub report: Option<RunReport>,
    /// Why it stopped.
    pub failure: Option<Failure>,
}

/// A sync that is held, with its plugins ready.
struct ReadySync<'a> {
    source: &'a Source,
    session: &'a Session,
    held: &'a HeldSync,
    progress: &'a Progress,
}

/// The run in hand.
struct OpenedRun {
    run_id: Arc<str>,
    attempt: u32,
    interrupted: Option<RunDetails>,
    warnings: Vec<String>,
}

impl Engine<'_> {
    /// Runs one sync to its end, or goes on with its interrupted run.
    pub async fn sync(&self, source: &Source, progress: &Progress) -> SyncOutcome {
        let held = match HeldSync::acquire(Arc::clone(&self.store), &source.spec.name, self.holder.clone()).await {
            Ok(held) => held,
            Err(error) => {
                return SyncOutcome {
                    report: None,
                    failure: Some(error.into()),
                };
            }
        };
        let outcome = match Session::open(self.host, self.configuration, source).await {
            Ok(session) => {
                let outcome = self
                    .sync_held(&ReadySync {
                        source,
                        session: &session,
                        held: &held,
                        progress,
                    })
                    .await;
                session.close().await;
                outcome
            }
            Err(failure) => SyncOutcome {
                report: None,
                failure: Some(failure),
            },
        };
        if let Err(error) = held.release().await {
            tracing::warn!(%error, "the hold of the sync could not be given back; it lapses by itself");
        }
        outcome
    }

    async fn sync_held(&self, sync: &ReadySync<'_>) -> SyncOutcome {
        let started = Instant::now();
        let ReadySync {
            source, session, held, ..
        } = *sync;
        let selected = match self.unless_cancelled(plan::select_tables(session, source)).await {
            Ok(selected) => selected,
            Err(failure) => {
                return SyncOutcome {
                    report: None,
                    failure: Some(failure),
                };
            }
        };
        let fingerprint = plan::configuration_fingerprint(session, source, &self.configuration.secrets);
        let names: Vec<String> = selected.into_iter().map(|table| table.name).collect();
        let mut run = match self.begin(held, &fingerprint, &names).await {
            Ok(run) => run,
            Err(error) => {
                return SyncOutcome {
                    report: None,
                    failure: Some(error.into()),
                };
            }
        };
        let moved = self.move_tables(sync, &mut run, names).await;
        // The snapshot is released whether or not the run succeeded; a source that is gone has released it already.
        let close = v1::CloseRunRequest {
            run_id: run.run_id.to_string(),
        };
        if let Err(status) = session.source.plugin.source().close_run(close).await {
            tracing::debug!(%status, "the source could not close the run");
        }
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
