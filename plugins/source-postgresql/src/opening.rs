//! Opens a run: takes its snapshot, plans its tables, and makes sure that the snapshot sees what they hold.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use longshore_sdk::{
    incremental::{KnownRows, ReadOptions},
    prelude::*,
};

use crate::{
    catalog,
    connection::{Connector, Session},
    errors::from_postgres,
    places::Places,
    plan::{self, Planning},
    run::{Run, RunTable},
    snapshot::Snapshot,
    source_state::SourceState,
    spec::Spec,
    work::{Pages, Work},
};

/// So often is a snapshot taken anew because a table was rewritten at that moment; then the next attempt may try.
const SNAPSHOTS: u32 = 5;

/// Opens a run's snapshot and plans its tables.
///
/// # Errors
/// What makes a table unreadable, and `table_rewritten` (retryable).
pub(crate) async fn open(connector: &Connector, spec: &Spec, open: &OpenRun) -> Result<(Run, Vec<TablePlan>)> {
    let holder = connector.connect().await?;
    holder.set_running(true);
    for _ in 0..SNAPSHOTS {
        let snapshot = Snapshot::take(&holder).await?;
        let planned = plan_tables(&holder, spec, &snapshot, open).await?;
        if !rewritten_since(&holder).await? {
            holder.set_running(false);
            let (tables, plans) = planned;
            let run = Run {
                holder,
                snapshot,
                tables,
            };
            return Ok((run, plans));
        }
        tracing::info!(
            run = open.run_id,
            "a table was rewritten after the snapshot was taken: taking another"
        );
        holder
            .batch_execute("ROLLBACK")
            .await
            .map_err(|error| from_postgres(&error, "giving a snapshot back"))?;
    }
    Err(Error::source(
        "table_rewritten",
        "Tables are rewritten again and again while the run is being opened",
    )
    .retryable()
    .with_remedy("Run when no ALTER TABLE, TRUNCATE, CLUSTER or VACUUM FULL is at work."))
}

async fn plan_tables(
    holder: &Session,
    spec: &Spec,
    snapshot: &Snapshot,
    open: &OpenRun,
) -> Result<(HashMap<String, Arc<RunTable>>, Vec<TablePlan>)> {
    check_options(holder, spec, open).await?;
    let planning = Planning {
        session: holder,
        spec,
        snapshot,
    };
    let mut plans = Vec::with_capacity(open.tables.len());
    let mut tables = HashMap::with_capacity(open.tables.len());
    for selection in &open.tables {
        let relation = plan::relation(&planning, &selection.name).await?;
        let mut plan = plan::plan(&planning, &relation, selection).await?;
        let places = match &selection.resume {
            Some(_) => {
                let pages = Work::pages_of(&plan.partitions)?;
                check_not_behind(snapshot, &plan, &pages).map_err(|error| error.with_table(&relation.shown))?;
                Places::of(&planning, &relation, &pages).await?
            }
            None => None,
        };
        let repeats = places.as_ref().and_then(|places| places.warning(&relation.shown));
        plan.warnings.extend(repeats);
        let table = RunTable {
            selected: relation.selected(spec)?,
            schema: Arc::clone(&plan.table.schema),
            filter: relation.filter(spec),
            partitions: plan.partitions.clone(),
            relation,
            known: KnownRows::of(selection.state.as_ref(), &plan, SourceState::of)?,
            places,
            moved_by: Mutex::default(),
        };
        tables.insert(selection.name.clone(), Arc::new(table));
        plans.push(plan);
    }
    Ok((tables, plans))
}

/// An interrupted run can not go on at a standby that has not replayed what the run has seen: pieces would be done, and a cursor stored, without rows that are
/// yet to come. Of one server, the oldest open transaction is never an older one later.
fn check_not_behind(snapshot: &Snapshot, plan: &TablePlan, pages: &[Pages]) -> Result<()> {
    if !snapshot.is_standby {
        return Ok(());
    }
    let mut is_behind = false;
    if let Some(state) = plan
        .completed_state
        .as_ref()
        .map(SourceState::of)
        .transpose()?
        .flatten()
    {
        is_behind |= state.server().is(snapshot)
            && match state.xmin {
                Some(xmin) => snapshot.xmin < xmin,
                None => state
                    .next_transaction
                    .is_some_and(|next| snapshot.next_transaction < next),
            };
    }
    is_behind |= pages
        .iter()
        .any(|piece| piece.server.is_behind(piece.first_xmin, snapshot));
    if !is_behind {
        return Ok(());
    }
    Err(Error::source(
        "server_behind",
        "This standby has not replayed what the interrupted run has seen already at another server",
    )
    .retryable()
    .with_remedy("Wait until it has caught up, or let the run go on at the server that it began at."))
}

/// Options under a name that nothing has would be silently without effect: a column that was to be left out would be sent.
async fn check_options(holder: &Session, spec: &Spec, open: &OpenRun) -> Result<()> {
    let selected = |name: &String| open.tables.iter().any(|selection| selection.name == *name);
    for name in spec.table_options.keys().filter(|name| !selected(name)) {
        // Anything else that is wrong with a table that is not read is its own run's matter.
        match catalog::relation(holder, spec, name).await {
            Err(error) if error.code == "table_not_found" => return Err(ReadOptions::of_nothing(name, &error)),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// Whether a table that the plans read was rewritten, or got another name, between the snapshot and the lock on it.
///
/// ALTER TABLE, TRUNCATE and a refresh of a materialized view put rows into another file, where an older snapshot sees none of them: the run would find
/// the table empty and be content. Planning has locked every table below the selected ones (ACCESS SHARE, until the run is closed), so none is
/// rewritten from here on; whether one was is seen where the file of the snapshot's catalog is not the file of now. The name is in that catalog too, and
/// one that means nothing any more would pass for a partition that is gone.
async fn rewritten_since(holder: &Session) -> Result<bool> {
    const REWRITTEN: &str = "\
        SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation \
          LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
          WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.relation >= 16384 \
            AND (c.oid IS NULL OR c.relkind IN ('r', 'm') AND (pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode \
              OR CASE WHEN pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE') \
                 THEN pg_catalog.to_regclass(pg_catalog.format('%I.%I', n.nspname, c.relname)) IS DISTINCT FROM c.oid ELSE false END)))";
    let row = holder.query_one(REWRITTEN, &[]).await;
    Ok(row
        .map_err(|error| from_postgres(&error, "looking for tables that were rewritten"))?
        .get(0))
}
