//! A run: its steps in their order, and what happens at their end.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use longshore_config::{Configuration, Source};
use longshore_core::{Error, balance, state::TableState};
use longshore_protocol::{status::from_status, v1};
use longshore_state::{
    Holder, NewRun, Promotion, RunDetails, RunEnd, RunStatus, StateStore, TableProgress, UnixMicros,
};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    hold::HeldSync,
    plan::{self, OpeningRun, PlannedTable},
    progress::Progress,
    report::{RunReport, TableReport},
    session::{Session, mode_name},
    transfer::{PartitionWork, RunContext, TableContext, TableDestination, transfer},
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
                let outcome = self.sync_held(source, &session, &held, progress).await;
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

    async fn sync_held(&self, source: &Source, session: &Session, held: &HeldSync, progress: &Progress) -> SyncOutcome {
        let started = Instant::now();
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
        let mut run = match self.begin(held, &fingerprint).await {
            Ok(run) => run,
            Err(error) => {
                return SyncOutcome {
                    report: None,
                    failure: Some(error.into()),
                };
            }
        };
        let names = selected.into_iter().map(|table| table.name).collect();
        let moved = self.move_tables(source, session, held, &mut run, names, progress).await;
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
    async fn begin(&self, held: &HeldSync, fingerprint: &str) -> Result<OpenedRun, Error> {
        let mut warnings = Vec::new();
        if let Some(interrupted) = self.store.interrupted_run(&held.hold.sync).await? {
            let run_id = interrupted.run.run_id.clone();
            if interrupted.run.configuration == fingerprint {
                let started = self
                    .store
                    .begin_attempt(&held.hold, &run_id, self.holder.clone(), UnixMicros::now())
                    .await?;
                let uncertain: u64 = started.uncertain.iter().map(|partition| partition.newly_counted).sum();
                tracing::info!(
                    run_id,
                    attempt = started.number,
                    uncertain,
                    "going on with the interrupted run"
                );
                if uncertain > 0 {
                    warnings.push(format!("{uncertain} rows were on their way when the last attempt broke off; they are sent again and may be there twice"));
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
                    "the run {run_id} was interrupted and the configuration has changed since: it is given up, and its {done} rows are read again"
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

    async fn move_tables(
        &self,
        source: &Source,
        session: &Session,
        held: &HeldSync,
        run: &mut OpenedRun,
        tables: Vec<String>,
        progress: &Progress,
    ) -> Result<(), Failure> {
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

    async fn finish(
        &self,
        held: &HeldSync,
        run: OpenedRun,
        moved: Result<(), Failure>,
        started: Instant,
    ) -> SyncOutcome {
        let run_id = run.run_id.to_string();
        let report = match self.store.get_run(&run_id).await {
            Ok(Some(details)) => Some(report(&details, &run, &moved, started)),
            Ok(None) => None,
            Err(error) => {
                return SyncOutcome {
                    report: None,
                    failure: Some(error.into()),
                };
            }
        };
        let mut failure = moved.err();
        let summary = report.as_ref().map(serde_json::to_value).transpose();
        let end = RunEnd {
            run_id,
            status: report.as_ref().map_or(RunStatus::Failed, |report| report.status),
            ended_at: UnixMicros::now(),
            error: failure.as_ref().map(Failure::to_error),
            summary: summary.ok().flatten().unwrap_or_default(),
        };
        if let Err(error) = self.store.finish_run(&held.hold, end).await {
            tracing::error!(%error, "the end of the run could not be recorded");
            failure = failure.or(Some(error.into()));
        }
        SyncOutcome { report, failure }
    }

    async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            () = self.cancel.cancelled() => Err(Failure::Cancelled),
        }
    }
}

/// Prepares every table at every destination; the answer is by destination, then by table.
async fn prepare(
    session: &Session,
    run_id: &str,
    planned: &[PlannedTable],
) -> Result<Vec<Vec<v1::PreparedTable>>, Failure> {
    let mut prepared = Vec::new();
    for (destination, options) in session.destinations.iter().zip(&session.write_modes) {
        let tables = planned.iter().map(|table| v1::TableToPrepare {
            table: Some(table.table.clone()),
            write_mode: options.write_mode.into(),
            migrate_mode: options.migrate_mode.into(),
            expected_rows: table.expected_rows(),
        });
        let request = v1::PrepareRequest {
            run_id: run_id.to_owned(),
            tables: tables.collect(),
        };
        let plugin = &destination.plugin;
        let answers = match plugin.destination().prepare(request).await {
            Ok(response) => response.into_inner().tables,
            Err(status) => return Err(destination.located(plugin.explain(from_status(&status)).await)),
        };
        let names = |tables: Vec<&str>| tables.join(", ");
        if answers
            .iter()
            .map(|table| table.name.as_str())
            .ne(planned.iter().map(|table| table.table.name.as_str()))
        {
            let message = format!(
                "The destination {} was asked to prepare {} and prepared {}",
                plugin.name,
                names(planned.iter().map(|table| table.table.name.as_str()).collect()),
                names(answers.iter().map(|table| table.name.as_str()).collect())
            );
            return Err(Error::protocol("prepare_broken", message).into());
        }
        for table in &answers {
            check_mode(destination, table, planned)?;
        }
        prepared.push(answers);
    }
    Ok(prepared)
}

/// Stale rows are what a *complete* read did not contain: an incremental read proves nothing absent.
fn check_mode(
    destination: &super::session::ConfiguredPlugin,
    prepared: &v1::PreparedTable,
    planned: &[PlannedTable],
) -> Result<(), Failure> {
    let name = &destination.plugin.name;
    let mode = prepared.write_mode();
    if mode == v1::WriteMode::Unspecified {
        return Err(Error::protocol(
            "prepare_broken",
            format!("The destination {name} prepared {} without a write mode", prepared.name),
        )
        .into());
    }
    let incremental = planned
        .iter()
        .any(|table| table.table.name == prepared.name && table.plan.completed_state.is_some());
    if mode == v1::WriteMode::OverwriteDeleteStale && incremental {
        let error = Error::config(
            "stale_rows_unknown",
            format!(
                "The table {} is read incrementally, so the destination {name} can not know which rows are stale",
                prepared.name
            ),
        )
        .with_remedy(format!(
            "Use write_mode: {}, or read the table whole by leaving its cursor out.",
            mode_name(v1::WriteMode::Overwrite)
        ))
        .with_field("/../write_mode");
        return Err(destination.located(error));
    }
    Ok(())
}

/// Moves all partitions, so many at once, and completes each table as its last partition is done.
async fn move_planned(
    context: Arc<RunContext>,
    session: &Session,
    planned: Vec<PlannedTable>,
    prepared: Vec<Vec<v1::PreparedTable>>,
    concurrency: usize,
) -> Result<(), Failure> {
    let mut remaining = BTreeMap::new();
    let mut tables = Vec::new();
    let mut partitions = JoinSet::new();
    let slots = Arc::new(Semaphore::new(concurrency));
    for (index, planned) in planned.into_iter().enumerate() {
        let table = Arc::new(table_context(&context, session, &planned, index, &prepared));
        let mut left = 0;
        for (partition, progress) in planned.plan.partitions.iter().zip(&planned.progress) {
            table
                .counters
                .forwarded
                .fetch_add(progress.forwarded, Ordering::Relaxed);
            table.counters.acked.fetch_add(progress.forwarded, Ordering::Relaxed);
            if progress.complete {
                continue;
            }
            left += 1;
            let work = PartitionWork::new(&context.run_id, &table.name, partition.clone(), progress);
            let (context, table, slots) = (Arc::clone(&context), Arc::clone(&table), Arc::clone(&slots));
            partitions.spawn(async move {
                let _slot = slots.acquire_owned().await.expect("the semaphore is never closed");
                (index, transfer(context, table, work).await)
            });
        }
        remaining.insert(index, left);
        tables.push((planned, table));
    }
    for (index, left) in &remaining {
        if *left == 0 {
            complete_table(&context, &tables[*index].0, &tables[*index].1).await?;
        }
    }
    let mut first_failure: Option<Failure> = None;
    while let Some(joined) = partitions.join_next().await {
        let outcome = match joined {
            Ok((index, Ok(()))) => {
                let left = remaining.entry(index).or_insert(1);
                *left -= 1;
                match *left {
                    0 => complete_table(&context, &tables[index].0, &tables[index].1).await,
                    _ => Ok(()),
                }
            }
            Ok((_, Err(failure))) => Err(failure),
            Err(panicked) => Err(Error::internal("partition_panicked", "A partition's task panicked")
                .with_cause(&panicked)
                .into()),
        };
        if let Err(failure) = outcome {
            // The others end in order: what they have acked is committed.
            context.cancel.cancel();
            // A partition that stops because another one failed says only that it was cancelled.
            if first_failure.is_none() || matches!(first_failure, Some(Failure::Cancelled)) {
                first_failure = Some(failure);
            }
        }
    }
    match first_failure {
        Some(failure) => Err(failure),
        None => context.check_all_rejects(),
    }
}

fn table_context(
    context: &RunContext,
    session: &Session,
    planned: &PlannedTable,
    index: usize,
    prepared: &[Vec<v1::PreparedTable>],
) -> TableContext {
    let name: Arc<str> = planned.table.name.as_str().into();
    let upper_bound = planned.plan.upper_bound.clone().and_then(|bound| bound.try_into().ok());
    let answers: Vec<&v1::PreparedTable> = prepared.iter().map(|tables| &tables[index]).collect();
    let window_rows = answers
        .iter()
        .filter(|answer| !answer.redelivery_is_idempotent && answer.preferred_unacked_rows > 0)
        .map(|answer| answer.preferred_unacked_rows)
        .min();
    TableContext {
        table: planned.table.clone(),
        name,
        destinations: session
            .destinations
            .iter()
            .zip(&answers)
            .map(|(destination, answer)| TableDestination {
                plugin: destination.plugin.clone(),
                write_mode: answer.write_mode(),
                redelivery_is_idempotent: answer.redelivery_is_idempotent,
            })
            .collect(),
        destination_names: session
            .destinations
            .iter()
            .map(|destination| destination.plugin.name.clone())
            .collect(),
        batch_rows: answers
            .iter()
            .map(|answer| answer.preferred_batch_rows)
            .filter(|rows| *rows > 0)
            .min()
            .unwrap_or(0),
        window_rows,
        counters: context
            .progress
            .add(&planned.table.name, planned.expected_rows(), upper_bound),
    }
}

/// All partitions of a table are committed: the law is checked, stale rows go, the cursor is promoted.
async fn complete_table(context: &RunContext, planned: &PlannedTable, table: &TableContext) -> Result<(), Failure> {
    let name = &planned.table.name;
    let details = context.store.get_run(&context.run_id).await?;
    let progress = details.and_then(|details| details.tables.into_iter().find(|progress| &progress.table == name));
    let progress = progress.ok_or_else(|| {
        Error::internal(
            "run_forgotten",
            format!("The store does not know the table {name} of this run"),
        )
    })?;
    let destinations = progress.destinations();
    for destination in &*table.destination_names {
        let counted = destinations.get(destination).copied().unwrap_or_default();
        balance::check(name, progress.source(), progress.forwarded(), counted)?;
    }
    for destination in table
        .destinations
        .iter()
        .filter(|destination| destination.write_mode == v1::WriteMode::OverwriteDeleteStale)
    {
        let request = v1::DeleteStaleRequest {
            run_id: context.run_id.to_string(),
            table: name.clone(),
        };
        match destination.plugin.destination().delete_stale(request).await {
            Ok(response) => tracing::info!(
                table = name,
                deleted = response.into_inner().deleted,
                "stale rows were removed"
            ),
            Err(status) => return Err(destination.plugin.explain(from_status(&status)).await.into()),
        }
    }
    let state = planned
        .plan
        .completed_state
        .clone()
        .map(TableState::try_from)
        .transpose()?;
    let promotion = state.map(|state| Promotion {
        from_revision: planned.state_revision,
        state: state.promoted(progress.partitions.iter().map(|partition| &partition.fingerprints)),
    });
    context
        .store
        .promote_table(&context.hold, &context.run_id, name, promotion, UnixMicros::now())
        .await?;
    table.counters.complete.store(true, Ordering::Relaxed);
    Ok(())
}

fn report(details: &RunDetails, run: &OpenedRun, moved: &Result<(), Failure>, started: Instant) -> RunReport {
    let tables: Vec<TableReport> = details.tables.iter().map(TableReport::from).collect();
    let status = match moved {
        Ok(()) if details.run.rejects > 0 => RunStatus::CompletedWithRejects,
        Ok(()) => RunStatus::Completed,
        Err(Failure::TooManyRejects(_)) if tables.iter().all(|table| table.complete) => RunStatus::CompletedWithRejects,
        Err(Failure::Cancelled) => RunStatus::Cancelled,
        Err(_) => RunStatus::Failed,
    };
    RunReport {
        run_id: details.run.run_id.clone(),
        sync: details.run.sync.clone(),
        status,
        attempt: run.attempt,
        uncertain: details.run.uncertain_rows,
        rejects: details.run.rejects,
        tables,
        warnings: run.warnings.clone(),
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        error: moved.as_ref().err().map(Failure::to_error),
    }
}

fn lost() -> Error {
    Error::internal("run_lost", "Another process has taken this sync over; this one stops and has moved nothing since")
        .with_remedy("This happens when a process is stopped for longer than its lease, such as a suspended machine. The other run goes on.")
}
