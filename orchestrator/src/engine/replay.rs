//! Rejects sent again by a person's wish: whole rows, and rows that were delivered without a column.
//!
//! A replay holds the sync as a run does and is recorded as a run of its own kind. It reads nothing, needs no source, and leaves an interrupted run as
//! it is. Whatever speaks against it is said before the first row is sent.

mod selection;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use futures_util::future::{join_all, try_join_all};
use longshore_config::{RejectedValues, Source};
use longshore_core::{Error, balance::DestinationCounts};
use longshore_protocol::{status::from_status, v1};
use longshore_state::{NewRun, Page, RejectFilter, RunEnd, RunKind, RunStatus, UnixMicros};
use tracing::Instrument as _;

use super::{
    attempt::{log_end, origin},
    begin::retried_on_their_way,
    hold::HeldSync,
    progress::{Progress, TableCounters},
    report::{RetryReport, RunReport},
    retry::{RejectedTables, RetryContext, RetryRow, RetryTarget, begin_delivering, send},
    run::{Engine, SyncOutcome},
    session::{ConfiguredPlugin, WriteOptions, start},
};
use crate::{
    failure::Failure,
    figures::{counted, were},
    observe::watch::Watch,
    plugin_host::PluginReference,
};
use selection::{RejectedRow, select};

/// Rows whose values are read from the store at once.
const ROWS_AT_ONCE: usize = 1_000;

/// Bytes of rows after which they are sent before more are read.
const BYTES_AT_ONCE: u64 = 8 * 1024 * 1024;

/// What is to be sent again.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Which rejects, of those that are pending.
    pub filter: RejectFilter,
    /// Rows that a person has mended, by the number of their reject: each in the place of the stored one, with the columns of that.
    pub mended: BTreeMap<i64, bytes::Bytes>,
    /// The user insists on what would otherwise be refused: rows that were delivered but for a column, to a target that appends; and rows of which nobody
    /// can tell whether a newer version was delivered.
    pub insist: bool,
}

/// What the record of a replay says besides its counts.
struct Recorded<'a> {
    run_id: Arc<str>,
    warnings: Vec<String>,
    started: Instant,
    watch: &'a Watch,
    progress: &'a Progress,
}

/// The parts of a replay that have to be stopped again.
struct Destinations {
    plugins: Vec<ConfiguredPlugin>,
    options: Vec<WriteOptions>,
}

impl Engine<'_> {
    /// Sends rejects of one sync again; `progress` follows it.
    pub async fn replay(&self, source: &Source, replay: &Replay, progress: &Progress) -> SyncOutcome {
        let sync = &source.spec.name;
        let log = self.observation.logs.begin(sync);
        let watch = self.observation.watch(log, sync, RunKind::Replay, self.trigger);
        let replaying = Box::pin(self.replay_watched(source, replay, (&watch, progress)));
        let outcome = replaying.instrument(watch.span()).await;
        watch.end(outcome.status()).await;
        outcome
    }

    async fn replay_watched(&self, source: &Source, replay: &Replay, watched: (&Watch, &Progress)) -> SyncOutcome {
        let held = match HeldSync::acquire(Arc::clone(&self.store), &source.spec.name, self.holder.clone()).await {
            Ok(held) => held,
            Err(error) => return SyncOutcome::before_a_run(error),
        };
        let outcome = self.replay_held(source, replay, &held, watched).await;
        let outcome = self.with_pending_rejects(outcome).await;
        if let Err(error) = held.release().await {
            tracing::warn!(%error, "the hold of the sync could not be given back; it lapses by itself");
        }
        outcome
    }

    async fn replay_held(
        &self,
        source: &Source,
        replay: &Replay,
        held: &HeldSync,
        (watch, progress): (&Watch, &Progress),
    ) -> SyncOutcome {
        let begun = async {
            let lost = self.store.close_replays(&held.hold).await?;
            if lost > 0 {
                tracing::warn!(lost, "a replay broke off while rejects were on their way");
            }
            let rows = select(self.store.as_ref(), &held.hold.sync, replay).await?;
            Ok::<_, Failure>((lost, rows))
        };
        let (lost, rows) = match begun.await {
            Ok(begun) => begun,
            Err(failure) => return SyncOutcome::before_a_run(failure),
        };
        let warnings = retried_on_their_way(lost, source.spec.uncertain).into_iter();
        let warnings = warnings.chain(rows.warning()).collect();
        let run_id = uuid::Uuid::now_v7().to_string().into();
        let started = Instant::now();
        let opened = tokio::select! {
            opened = self.open_destinations(source, &rows.rows) => opened,
            () = self.cancel.cancelled() => Err(Failure::Cancelled),
        };
        let destinations = match opened {
            Ok(destinations) => destinations,
            Err(failure) => return SyncOutcome::before_a_run(failure),
        };
        let recorded = Recorded {
            run_id,
            warnings,
            started,
            watch,
            progress,
        };
        let replayed = self
            .replay_through(&destinations, source, replay, held, (rows.rows, recorded))
            .await;
        join_all(destinations.plugins.iter().map(|configured| configured.plugin.stop())).await;
        replayed.unwrap_or_else(SyncOutcome::before_a_run)
    }

    /// Starts the destinations that rows are to go to.
    async fn open_destinations(&self, source: &Source, rows: &[RejectedRow]) -> Result<Destinations, Failure> {
        let wanted: BTreeSet<&str> = rows.iter().map(|row| row.destination.as_str()).collect();
        let mut chosen = self.configuration.destinations_of(&source.spec);
        for name in &wanted {
            if !chosen.iter().any(|destination| destination.spec.name == *name) {
                let message = format!(
                    "Rejects of the destination {name} are to be sent again, which is none of the source {}",
                    source.spec.name
                );
                return Err(Error::config("destination_unknown", message)
                    .with_remedy(
                        "Add it to the source's `destinations` again, or choose other rejects with --destination.",
                    )
                    .into());
            }
        }
        chosen.retain(|destination| wanted.contains(destination.spec.name.as_str()));
        let starting = chosen
            .iter()
            .map(|&destination| start(self.host, PluginReference::from(destination), destination));
        let plugins = try_join_all(starting).await?;
        let options = chosen
            .iter()
            .map(|destination| WriteOptions::of(&destination.spec))
            .collect();
        try_join_all(plugins.iter().map(ConfiguredPlugin::configure)).await?;
        Ok(Destinations { plugins, options })
    }

    /// Makes the destinations ready, checks what speaks against the replay, and sends the rows. An error: it has not begun, and nothing was sent.
    async fn replay_through(
        &self,
        destinations: &Destinations,
        source: &Source,
        replay: &Replay,
        held: &HeldSync,
        (rows, mut recorded): (Vec<RejectedRow>, Recorded<'_>),
    ) -> Result<SyncOutcome, Failure> {
        let context = RetryContext {
            store: Arc::clone(&self.store),
            hold: held.hold.clone(),
            lease: held.lease.clone(),
            run_id: Arc::clone(&recorded.run_id),
            uncertain: source.spec.uncertain,
            keep_rejected_rows: source.spec.rejects.values == RejectedValues::Keep,
            cancel: held.lost.child_token(),
        };
        let mut tables = RejectedTables::default();
        let preparing = async {
            tokio::select! {
                targets = prepare(&context, destinations, &rows, &mut tables) => targets,
                () = context.cancel.cancelled() => Err(Failure::Cancelled),
            }
        };
        let targets = self.until_stopped(held, &context.cancel, preparing).await?;
        selection::check(&rows, &targets, replay.insist)?;
        recorded.warnings.extend(selection::unknown_versions(&rows, &targets));
        let run = NewRun {
            run_id: recorded.run_id.to_string(),
            kind: RunKind::Replay,
            configuration: String::new(),
            again: None,
            holder: self.holder.clone(),
            started_at: UnixMicros::now(),
        };
        self.store.begin_run(&held.hold, run).await?;
        let secrets = &self.configuration.secrets;
        recorded.watch.belongs_to(&recorded.run_id, &self.store, secrets).await;
        let origin = origin(self.trigger, destinations.plugins.iter());
        self.store
            .describe_attempt(&held.hold, &recorded.run_id, origin)
            .await?;
        // A replay has one attempt.
        recorded.progress.began(&recorded.run_id, 1);
        let counters = counters(&rows, recorded.progress);
        tracing::info!(rows = rows.len(), "rejects are sent again");
        let sending = async {
            for target in targets.values() {
                begin_delivering(&context, target, true).await?;
            }
            send_all(&context, replay, (&targets, &counters), rows, &mut tables).await
        };
        let sent = self.until_stopped(held, &context.cancel, sending).await;
        Ok(self.conclude_replay(held, sent, recorded).await)
    }

    async fn conclude_replay(
        &self,
        held: &HeldSync,
        sent: Result<Replayed, Failure>,
        recorded: Recorded<'_>,
    ) -> SyncOutcome {
        let Recorded {
            run_id,
            warnings,
            started,
            ..
        } = recorded;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (status, failure) = match sent {
            Ok(replayed) if replayed.counts.rejected > 0 || replayed.columns > 0 => {
                let failure = Failure::TooManyRejects(rejected_again(replayed));
                (RunStatus::CompletedWithRejects, Some(failure))
            }
            Ok(_) => (RunStatus::Completed, None),
            Err(Failure::Cancelled) => (RunStatus::Cancelled, Some(Failure::Cancelled)),
            Err(failure) => (RunStatus::Failed, Some(failure)),
        };
        let error = failure.as_ref().map(Failure::to_error);
        let end = RunEnd {
            run_id: run_id.to_string(),
            status,
            ended_at: UnixMicros::now(),
            error: error.clone().filter(|_| !status.is_complete()),
            summary: serde_json::json!({ "warnings": warnings, "duration_ms": duration_ms }),
        };
        log_end(&end);
        if let Err(error) = self.store.finish_run(&held.hold, end).await {
            tracing::error!(%error, "the end of the replay could not be recorded");
        }
        match self.store.get_run(&run_id).await {
            Ok(details) => {
                let report = details.map(|details| RunReport {
                    run_id: details.run.run_id.clone(),
                    sync: details.run.sync.clone(),
                    status,
                    attempt: details.run.attempt,
                    tables: Vec::new(),
                    retries: details.retries.iter().map(RetryReport::from).collect(),
                    uncertain: details.run.uncertain_rows,
                    rejects: details.run.rejects,
                    pending_rejects: 0,
                    warnings,
                    duration_ms,
                    error,
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
}

/// By table and destination.
type Targets = BTreeMap<(String, String), RetryTarget>;

/// By table.
type Counters = BTreeMap<String, Arc<TableCounters>>;

/// What a replay came to.
#[derive(Clone, Copy, Default)]
struct Replayed {
    counts: DestinationCounts,
    /// Columns that were left out again of rows that were delivered.
    columns: u64,
}

fn rejected_again(Replayed { counts, columns }: Replayed) -> Error {
    let rows = counted(counts.total(), "row", "rows");
    let mut message = format!("{} of {rows} {} rejected again", counts.rejected, were(counts.rejected));
    if columns > 0 {
        let columns = counted(columns, "column", "columns");
        message.push_str(&format!(", and {columns} of what was delivered"));
    }
    Error::destination("rejected_again", message)
        .with_remedy("`longshore rejects list --status pending` says why; they stay in the ledger.")
}

/// Makes each destination ready for the tables that rows came from, with the columns of the newest of them.
async fn prepare(
    context: &RetryContext,
    destinations: &Destinations,
    rows: &[RejectedRow],
    tables: &mut RejectedTables,
) -> Result<Targets, Failure> {
    let mut targets = BTreeMap::new();
    for (destination, options) in destinations.plugins.iter().zip(&destinations.options) {
        let plugin = &destination.plugin;
        let mut newest = BTreeMap::new();
        for row in rows.iter().filter(|row| row.destination == plugin.name) {
            newest.insert(row.table.as_str(), row.row_table);
        }
        let mut asked = Vec::new();
        for number in newest.into_values() {
            asked.push(v1::TableToPrepare {
                table: Some(tables.get(context.store.as_ref(), number).await?),
                write_mode: options.write_mode.into(),
                // Old columns are no reason to change a table.
                migrate_mode: v1::MigrateMode::Safe.into(),
                expected_rows: None,
            });
        }
        let names: Vec<String> = asked
            .iter()
            .filter_map(|asked| Some(asked.table.as_ref()?.name.clone()))
            .collect();
        let request = v1::PrepareRequest {
            run_id: context.run_id.to_string(),
            tables: asked,
            dry_run: false,
        };
        let answers = match plugin.destination().prepare(request).await {
            Ok(response) => response.into_inner().tables,
            Err(status) => return Err(destination.located(plugin.explain(from_status(&status)).await)),
        };
        if !answers.iter().map(|answer| &answer.name).eq(&names) {
            let message = format!(
                "The destination {} prepared other tables than it was asked for",
                plugin.name
            );
            return Err(Error::protocol("prepare_broken", message).into());
        }
        for answer in &answers {
            let target = RetryTarget::new(plugin, answer);
            targets.insert((target.table.clone(), plugin.name.clone()), target);
        }
    }
    Ok(targets)
}

/// For those who watch: of each table, how many rows there are to be sent, to all its destinations together.
fn counters(rows: &[RejectedRow], progress: &Progress) -> Counters {
    let mut rows_of: BTreeMap<&str, u64> = BTreeMap::new();
    for row in rows {
        *rows_of.entry(&row.table).or_default() += 1;
    }
    let counters = rows_of
        .into_iter()
        .map(|(table, rows)| (table.to_owned(), progress.add(table, Some(rows), None)));
    counters.collect()
}

/// Sends rows in the order in which they were recorded.
async fn send_all(
    context: &RetryContext,
    replay: &Replay,
    (targets, counters): (&Targets, &Counters),
    rows: Vec<RejectedRow>,
    tables: &mut RejectedTables,
) -> Result<Replayed, Failure> {
    let mut total = Replayed::default();
    for (key, target) in targets {
        let of_target: Vec<&RejectedRow> = rows
            .iter()
            .filter(|row| (&row.table, &row.destination) == (&key.0, &key.1))
            .collect();
        let at_once = usize::try_from(target.page_rows()).unwrap_or(ROWS_AT_ONCE);
        let mut rest = of_target.as_slice();
        while !rest.is_empty() {
            let asked = &rest[..rest.len().min(at_once)];
            let page = read_rows(context, replay, asked).await?;
            rest = &rest[page.len()..];
            let count = page.len() as u64;
            let counters = &counters[&key.0];
            counters.forwarded.fetch_add(count, Ordering::Relaxed);
            let sent = send(context, target, tables, page).await?;
            counters.acked.fetch_add(sent.counts.total(), Ordering::Relaxed);
            counters.rejected.fetch_add(sent.counts.rejected, Ordering::Relaxed);
            total.counts += sent.counts;
            total.columns += sent.columns;
            if let Some((_, error)) = sent.failed {
                return Err(error.into());
            }
        }
    }
    Ok(total)
}

/// The values of the first of these rows: as many as are read at once.
async fn read_rows(context: &RetryContext, replay: &Replay, rows: &[&RejectedRow]) -> Result<Vec<RetryRow>, Error> {
    let filter = RejectFilter {
        sync: Some(context.hold.sync.clone()),
        ids: Some(rows.iter().map(|row| row.ids[0]).collect()),
        ..RejectFilter::default()
    };
    let page = Page {
        after: 0,
        rejects: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        bytes: BYTES_AT_ONCE,
    };
    let kept = context.store.read_rejects(&filter, page).await?;
    let pairs = rows.iter().zip(kept).map(|(row, kept)| {
        if row.ids[0] != kept.reject.id || kept.row_data.is_empty() {
            return Err(Error::internal(
                "row_unreadable",
                "A rejected row changed while it was held",
            ));
        }
        let mended = row.ids.iter().find_map(|id| replay.mended.get(id)).cloned();
        Ok(RetryRow {
            ids: row.ids.clone(),
            row_table: row.row_table,
            data: mended.unwrap_or_else(|| kept.row_data.into()),
        })
    });
    let page = pairs.collect::<Result<Vec<_>, _>>()?;
    match page.is_empty() {
        true => Err(Error::internal(
            "row_unreadable",
            "A rejected row is gone while it was held",
        )),
        false => Ok(page),
    }
}
