//! One attempt of a run: its steps in their order, and what happens at their end.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use longshore_config::{RejectedValues, Retry, Uncertain};
use longshore_core::Error;
use longshore_protocol::{convert::timestamp, v1};
use longshore_state::{AttemptOrigin, PluginVersion, RunDetails, RunEnd, RunStatus, Trigger, UnixMicros};
use tokio_util::sync::CancellationToken;

use super::{
    begin::OpenedRun,
    dry_run::DryRun,
    hold::HeldSync,
    old_rows,
    plan::{self, OpeningRun, PlannedTable},
    prepare::{check_holding, prepare},
    report::{RetryReport, RunReport, TableReport},
    retry::{Ledgering, RetryContext, retry_and_watch},
    run::{Engine, SyncOutcome, Task},
    session::{ConfiguredPlugin, Session},
    tables::move_planned,
    transfer::{RunContext, check_rejects},
};
use crate::{failure::Failure, observe::metrics::moment_of_timestamp};

/// A source that does not answer within this has lost its snapshot already, or is about to be ended anyway.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

impl Engine<'_> {
    /// Begins a run or goes on with the interrupted one, and says how it stands after this attempt.
    pub(super) async fn attempt(&self, task: &Task<'_>, session: &Session) -> SyncOutcome {
        let started = Instant::now();
        if self.dry_run.is_some()
            && let Err(failure) = DryRun::check(session)
        {
            return SyncOutcome::before_a_run(failure);
        }
        let (mut run, names) = match self.choose_and_begin(task, session).await {
            Ok(begun) => begun,
            Err(failure) => return SyncOutcome::before_a_run(failure),
        };
        let mut moved = self.move_tables(task, session, &mut run, names).await;
        close_run(session, &run.run_id).await;
        if moved.is_ok() {
            moved = self.judge_rejects(task, &run.run_id).await;
        }
        if let Some(dry_run) = &self.dry_run {
            moved = dry_run.end_attempt(session, &run, moved).await;
        }
        self.finish(task.held, run, moved, started).await
    }

    async fn choose_and_begin(&self, task: &Task<'_>, session: &Session) -> Result<(OpenedRun, Vec<String>), Failure> {
        let Task { source, reading, .. } = *task;
        let selected = self.unless_stopped(task, plan::select_tables(session, source)).await?;
        // Messages and log lines will name them.
        let secrets = &self.configuration.secrets;
        selected.iter().for_each(|table| secrets.state(&table.name));
        let names = reading.choose(session, selected)?;
        let fingerprint = plan::fingerprint(session, source, reading);
        let run = self.begin(task, &fingerprint, &names).await?;
        self.say_where_from(task, session, &run).await?;
        if let Some(turn) = self.turn {
            self.store.link_turn(&task.held.hold, turn, &run.run_id).await?;
        }
        task.progress.began(&run.run_id, run.attempt);
        Ok((run, names))
    }

    /// Lets the run's log know its run, and the run's record what it runs with.
    async fn say_where_from(&self, task: &Task<'_>, session: &Session, run: &OpenedRun) -> Result<(), Error> {
        let hold = &task.held.hold;
        if self.dry_run.is_none() {
            let known = task
                .watch
                .belongs_to(&run.run_id, &self.store, &self.configuration.secrets);
            known.await;
        }
        let origin = origin(self.trigger, session.plugins());
        for PluginVersion {
            role,
            name,
            plugin,
            version,
        } in &origin.plugins
        {
            tracing::info!(role, name, plugin, version, "a plugin of the attempt");
        }
        tracing::info!(
            run_id = &*run.run_id,
            attempt = run.attempt,
            trigger = origin.trigger.as_str(),
            due = origin.trigger.due().map(crate::moment::shown),
            longshore = origin.longshore,
            "the attempt begins"
        );
        self.store.describe_attempt(hold, &run.run_id, origin).await
    }

    async fn move_tables(
        &self,
        task: &Task<'_>,
        session: &Session,
        run: &mut OpenedRun,
        tables: Vec<String>,
    ) -> Result<(), Failure> {
        let Task {
            source, reading, held, ..
        } = *task;
        let opening = OpeningRun {
            run_id: &run.run_id,
            attempt: run.attempt,
            tables,
            range: reading.range(),
            interrupted: run.interrupted.as_ref(),
        };
        let asked_at = UnixMicros::now();
        let planned = self
            .unless_stopped(task, plan::open_run(session, self.store.as_ref(), &held.hold, &opening))
            .await?;
        if run.interrupted.is_none() {
            self.know_clocks(&held.hold.sync, &planned, asked_at);
        }
        if planned.is_empty() {
            return Ok(());
        }
        run.warnings
            .extend(planned.iter().flat_map(|table| &table.plan.warnings).cloned());
        held.lease.renew().await?;
        let prepared = self
            .unless_stopped(task, prepare(session, &run.run_id, &planned, self.dry_run.is_some()))
            .await?;
        if source.spec.uncertain == Uncertain::Hold {
            check_holding(session, &planned, &prepared)?;
        }
        run.warnings
            .extend(prepared.iter().flatten().flat_map(|table| &table.warnings).cloned());
        if run.interrupted.is_none() {
            let old = old_rows::notices(session, &run.run_id, &planned, &prepared);
            let notices = self.unless_stopped(task, async { Ok(old.await) }).await?;
            notices.iter().for_each(|notice| (self.announce)(notice));
            run.warnings.extend(notices);
        }
        let context = Arc::new(self.run_context(task, session, &run.run_id));
        // What a range brings once more may be older than what was refused since, so that it supersedes nothing.
        let ledgering = Ledgering {
            retries: source.spec.rejects.retry == Retry::NextRun && reading.moves_cursors(),
            supersedes: reading.moves_cursors(),
        };
        let concurrency = usize::from(source.spec.concurrency);
        let cancel = context.cancel.clone();
        let work = async {
            // A dry run sends nothing that the ledger holds either.
            if self.dry_run.is_none() {
                let retry = retry_context(&context);
                let warnings = retry_and_watch(&retry, session, &planned, &prepared, ledgering).await?;
                run.warnings.extend(warnings);
            }
            move_planned(Arc::clone(&context), session, planned, prepared, concurrency).await
        };
        let moved = self.until_stopped(task.held, &cancel, work).await;
        run.warnings.extend(context.take_warnings());
        moved
    }

    /// Does work that ends in order when its token is cancelled: by the user, or because the sync is lost.
    pub(super) async fn until_stopped<T>(
        &self,
        held: &HeldSync,
        cancel: &CancellationToken,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let follow = async {
            self.cancel.cancelled().await;
            cancel.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            done = work => match done {
                // Who lost the sync must not claim that the user stopped it.
                Err(Failure::Cancelled) if held.lost.is_cancelled() => Err(held.loss().into()),
                done => done,
            },
            () = follow => Err(Failure::Cancelled),
        }
    }

    /// Keeps what the source's clock showed, for the lag of its tables.
    fn know_clocks(&self, sync: &str, planned: &[PlannedTable], asked_at: UnixMicros) {
        for PlannedTable { plan, table, .. } in planned {
            let clock = plan.source_clock.and_then(timestamp);
            if let Some(clock) = clock.and_then(moment_of_timestamp) {
                let cursors = self.observation.metrics.cursors();
                cursors.clock(sync, &table.name, clock, asked_at);
            }
        }
    }

    fn run_context(&self, task: &Task<'_>, session: &Session, run_id: &Arc<str>) -> RunContext {
        let spec = &task.source.spec;
        let source = &session.source.plugin;
        let capabilities = source.description.source.as_ref();
        RunContext {
            store: Arc::clone(&self.store),
            hold: task.held.hold.clone(),
            lease: task.held.lease.clone(),
            run_id: Arc::clone(run_id),
            source: source.clone(),
            resumable: capabilities.is_some_and(|capabilities| capabilities.resumable),
            max_unacked_bytes: spec.max_unacked_bytes.bytes(),
            max_rejects: spec.max_rejects,
            uncertain: spec.uncertain,
            keep_rejected_rows: spec.rejects.values == RejectedValues::Keep && self.dry_run.is_none(),
            progress: task.progress.clone(),
            cancel: task.held.lost.child_token(),
            dry_run: self.dry_run.clone(),
            warnings: Mutex::default(),
            metrics: self.observation.metrics.clone(),
        }
    }

    /// Whether the run as a whole, over all its attempts, has more rejects than the user allows.
    async fn judge_rejects(&self, task: &Task<'_>, run_id: &str) -> Result<(), Failure> {
        let Some(max_rejects) = task.source.spec.max_rejects else {
            return Ok(());
        };
        let tables = self.store.get_run(run_id).await?.map(|details| details.tables);
        let (mut read, mut rejected) = (0, 0);
        for table in tables.iter().flatten() {
            read += table.forwarded();
            rejected += table.destinations().values().map(|counts| counts.rejected).sum::<u64>();
        }
        check_rejects(max_rejects, read, rejected)
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
                SyncOutcome {
                    report,
                    failure,
                    ..SyncOutcome::default()
                }
            }
            Err(error) => SyncOutcome::before_a_run(failure.unwrap_or(error.into())),
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
        log_end(&end);
        self.store.finish_run(&held.hold, end).await?;
        Ok(status)
    }

    /// Gives work up when the user stops, or when the sync is lost.
    pub(super) async fn unless_stopped<T>(
        &self,
        task: &Task<'_>,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            () = self.cancel.cancelled() => Err(Failure::Cancelled),
            () = task.held.lost.cancelled() => Err(task.held.loss().into()),
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
            retries: details.retries.iter().map(RetryReport::from).collect(),
            uncertain: details.run.uncertain_rows,
            rejects: details.run.rejects,
            pending_rejects: 0,
            warnings: run.warnings,
            duration_ms: 0,
            error: None,
        }
    }
}

/// Where an attempt with these plugins comes from.
pub(super) fn origin<'p>(trigger: Trigger, plugins: impl Iterator<Item = &'p ConfiguredPlugin>) -> AttemptOrigin {
    let version = |configured: &ConfiguredPlugin| PluginVersion {
        role: configured.plugin.role.name().to_owned(),
        name: configured.plugin.name.clone(),
        plugin: configured.plugin.description.name.clone(),
        version: configured.plugin.description.version.clone(),
    };
    AttemptOrigin {
        trigger,
        longshore: env!("CARGO_PKG_VERSION").to_owned(),
        plugins: plugins.map(version).collect(),
    }
}

/// The last line of an attempt's log. Who ran it hears of an error in another way.
pub(super) fn log_end(end: &RunEnd) {
    let status = end.status.as_str();
    match &end.error {
        Some(error) => tracing::info!(
            status,
            code = error.code,
            retryable = error.retryable,
            causes = error.causes.join(": "),
            "the attempt ended: {error}"
        ),
        None => tracing::info!(status, "the attempt ended"),
    }
}

/// What of a run's context concerns the rejects that it sends again.
fn retry_context(context: &RunContext) -> RetryContext {
    RetryContext {
        store: Arc::clone(&context.store),
        hold: context.hold.clone(),
        lease: context.lease.clone(),
        run_id: Arc::clone(&context.run_id),
        uncertain: context.uncertain,
        keep_rejected_rows: context.keep_rejected_rows,
        cancel: context.cancel.clone(),
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

fn status(details: &RunDetails, moved: &Result<(), Failure>) -> RunStatus {
    let all_complete = details.tables.iter().all(|table| table.complete);
    let rejected_again = details.retries.iter().any(|retry| retry.rejected > 0);
    match moved {
        Ok(()) if details.run.rejects > 0 || rejected_again => RunStatus::CompletedWithRejects,
        Ok(()) => RunStatus::Completed,
        Err(Failure::TooManyRejects(_)) if all_complete => RunStatus::CompletedWithRejects,
        Err(Failure::Cancelled) => RunStatus::Cancelled,
        Err(_) => RunStatus::Failed,
    }
}
