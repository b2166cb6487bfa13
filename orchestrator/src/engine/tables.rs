//! All partitions of all tables, so many at once, and each table completed as its last partition is.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use longshore_core::{Error, balance, state::TableState};
use longshore_protocol::{status::from_status, v1};
use longshore_state::{Promotion, UnixMicros};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    plan::PlannedTable,
    queue::{Place, Queue},
    report::TableReport,
    session::Session,
    transfer::{PartitionWork, RunContext, SharedSupersessions, TableContext, TableDestination, transfer},
};
use crate::{failure::Failure, observe::spans};

/// Moves all partitions, so many at once, and completes each table as its last partition is done.
pub(super) async fn move_planned(
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
        let span = spans::table(&table.name);
        let mut left = 0;
        let mut queue = (planned.plan.in_order && table.replaces_rows()).then(Queue::default);
        for (partition, progress) in planned.plan.partitions.iter().zip(&planned.progress) {
            table
                .counters
                .forwarded
                .fetch_add(progress.forwarded, Ordering::Relaxed);
            table.counters.acked.fetch_add(progress.forwarded, Ordering::Relaxed);
            let rejected = progress.destinations.values().map(|counts| counts.rejected).sum();
            table.counters.rejected.fetch_add(rejected, Ordering::Relaxed);
            if progress.complete {
                continue;
            }
            left += 1;
            let work = PartitionWork::new(&context.run_id, &table.name, partition.clone(), progress);
            let place = queue.as_mut().map(Queue::join);
            let (context, table, slots) = (Arc::clone(&context), Arc::clone(&table), Arc::clone(&slots));
            let span = spans::partition(&span, &work.partition.id);
            let moving = move_in_turn(context, table, work, slots, place);
            partitions.spawn(async move { (index, spans::recording(span, moving).await) });
        }
        remaining.insert(index, left);
        tables.push((planned, table));
    }
    let mut ending = Ending::default();
    for (index, left) in &remaining {
        if *left == 0 {
            let completed = complete_table(&context, &tables[*index].0, &tables[*index].1).await;
            ending.note(&context, completed);
        }
    }
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
        ending.note(&context, outcome);
    }
    ending.first_failure.map_or(Ok(()), Err)
}

/// Moves a partition when its turn comes and a slot is free.
async fn move_in_turn(
    context: Arc<RunContext>,
    table: Arc<TableContext>,
    work: PartitionWork,
    slots: Arc<Semaphore>,
    mut place: Option<Place>,
) -> Result<(), Failure> {
    // Who waits in a line takes no slot from those who could go.
    if let Some(place) = &mut place
        && !place.comes().await
    {
        return Err(Failure::Cancelled);
    }
    let _slot = slots.acquire_owned().await.expect("the semaphore is never closed");
    if context.cancel.is_cancelled() {
        return Err(Failure::Cancelled);
    }
    transfer(context, table, work).await?;
    if let Some(place) = place {
        place.done();
    }
    Ok(())
}

/// Why the tables are not all moved, when they are not.
#[derive(Default)]
struct Ending {
    first_failure: Option<Failure>,
}

impl Ending {
    fn note(&mut self, context: &RunContext, outcome: Result<(), Failure>) {
        let Err(failure) = outcome else { return };
        // The others end in order: what they have acked is committed.
        context.cancel.cancel();
        // A partition that stops because another one failed says only that it was cancelled.
        if matches!(self.first_failure, None | Some(Failure::Cancelled)) {
            self.first_failure = Some(failure);
        }
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
    let names = session
        .destinations
        .iter()
        .map(|destination| destination.plugin.name.clone());
    let destination_names: Vec<String> = names.collect();
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
                identity_column: answer.identity_column.clone(),
            })
            .collect(),
        batch_rows: answers
            .iter()
            .map(|answer| answer.preferred_batch_rows)
            .filter(|rows| *rows > 0)
            .min()
            .unwrap_or(0),
        window_rows,
        supersessions: SharedSupersessions::default(),
        counters: context
            .progress
            .add(&planned.table.name, planned.expected_rows(), upper_bound),
        metrics: context
            .metrics
            .table(&context.hold.sync, &planned.table.name, &destination_names),
        destination_names: destination_names.into(),
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
    if context.dry_run.is_none() {
        delete_stale(context, table).await?;
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
    let cursor = promotion.as_ref().and_then(|promotion| promotion.state.cursor.clone());
    if promotion
        .as_ref()
        .is_some_and(|promotion| promotion.state.fingerprints.overflowed())
    {
        context.warn(format!(
            "More rows of {name} than can be remembered lie ahead of its cursor, with a date in the future: the next run delivers some of them again."
        ));
    }
    context
        .store
        .promote_table(&context.hold, &context.run_id, name, promotion, UnixMicros::now())
        .await?;
    if let Some(cursor) = cursor.filter(|_| context.dry_run.is_none()) {
        context.metrics.cursors().moved_to(&context.hold.sync, name, &cursor);
    }
    table.counters.complete.store(true, Ordering::Relaxed);
    log_completed(&TableReport::from(&progress));
    Ok(())
}

fn log_completed(table: &TableReport) {
    tracing::info!(
        table = table.table,
        read = table.read,
        delivered = table.delivered,
        rejected = table.rejected,
        filtered = table.filtered,
        deduplicated = table.deduplicated,
        "the table is complete"
    );
}

/// Removes what a complete read did not contain, where the user wants it.
async fn delete_stale(context: &RunContext, table: &TableContext) -> Result<(), Failure> {
    let wanted = |destination: &&TableDestination| destination.write_mode == v1::WriteMode::OverwriteDeleteStale;
    for destination in table.destinations.iter().filter(wanted) {
        let request = v1::DeleteStaleRequest {
            run_id: context.run_id.to_string(),
            table: table.table.name.clone(),
        };
        // Another run's rows would be stale to this one, should it have slept.
        context.lease.renew().await?;
        let mut client = destination.plugin.destination();
        let deleted = tokio::select! {
            deleted = client.delete_stale(request) => deleted,
            () = context.cancel.cancelled() => return Err(Failure::Cancelled),
        };
        match deleted {
            Ok(response) => tracing::info!(
                table = &*table.name,
                deleted = response.into_inner().deleted,
                "stale rows were removed"
            ),
            Err(status) => return Err(destination.plugin.explain(from_status(&status)).await.into()),
        }
    }
    Ok(())
}
