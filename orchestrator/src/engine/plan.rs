//! What to read: the selected tables, their stored states, and an interrupted run to go on with.

use std::collections::{BTreeMap, BTreeSet};

use longshore_config::{Source, TableSelection};
use longshore_core::{CursorValue, Error, Result, range::CursorRange};
use longshore_protocol::{status::from_status, v1};
use longshore_state::{NewTablePlan, PartitionProgress, RunDetails, StateStore, TableProgress};
use prost::Message as _;
use xxhash_rust::xxh3::xxh3_128;

use super::{reading::Reading, session::Session};
use crate::failure::Failure;

/// A table that is still to be moved in a run.
#[derive(Debug)]
pub struct PlannedTable {
    /// The source's plan.
    pub plan: v1::TablePlan,
    /// The table, taken out of the plan.
    pub table: v1::Table,
    /// The state's revision that the plan was made from; 0: there was none.
    pub state_revision: u64,
    /// The cursor that the run goes on from; `None`: the table is read from its beginning, or a range of it.
    pub cursor_before: Option<CursorValue>,
    /// How far each partition of the plan is, in its order.
    pub progress: Vec<PartitionProgress>,
}

/// Asks the source for the tables that a sync selects.
///
/// # Errors
/// `table_not_found` and the like at their place in the configuration; what the source says.
pub async fn select_tables(session: &Session, source: &Source) -> Result<Vec<v1::Table>, Failure> {
    let selection = TableSelection::of(source);
    // A database may have ten thousand tables: ask only for those that are named, where they are named exactly.
    let names = selection.exact_names().unwrap_or_default();
    let mut offered = list_tables(session, names.clone()).await?;
    if offered.len() < names.len() {
        // Something is missing: the whole list lets the error name what was probably meant.
        offered = list_tables(session, Vec::new()).await?;
    }
    let offered_names: Vec<String> = offered.iter().map(|table| table.name.clone()).collect();
    let selected: BTreeSet<String> = selection.select(&offered_names)?.into_iter().collect();
    Ok(offered
        .into_iter()
        .filter(|table| selected.contains(&table.name))
        .collect())
}

/// Asks the source for tables with these names, or for all.
///
/// # Errors
/// What the source says.
pub async fn list_tables(session: &Session, names: Vec<String>) -> Result<Vec<v1::Table>> {
    let plugin = &session.source.plugin;
    match plugin.source().list_tables(v1::ListTablesRequest { names }).await {
        Ok(response) => Ok(response.into_inner().tables),
        Err(status) => Err(plugin.explain(from_status(&status)).await),
    }
}

/// A hash of everything that decides what an interrupted run would do. Secrets do not take part: a new password is no new configuration.
#[must_use]
pub(super) fn fingerprint(session: &Session, source: &Source, reading: &Reading) -> String {
    let destinations: Vec<_> = session
        .destinations
        .iter()
        .zip(&session.write_modes)
        .map(|(destination, options)| {
            (
                &destination.plugin.name,
                &destination.plugin.description.name,
                options.write_mode as i32,
            )
        })
        .collect();
    let spec = &source.spec;
    let mut document = vec![
        serde_json::json!(spec.path),
        serde_json::json!(spec.tables),
        serde_json::json!(spec.skip_tables),
        session.source.spec.without_secrets(),
        serde_json::json!(destinations),
    ];
    document.extend(reading.again_as_json());
    format!("{:032x}", xxh3_128(serde_json::json!(document).to_string().as_bytes()))
}

/// Fixes the run's view: asks the source for the plan of each table that is not complete, and stores the plans that are new.
///
/// # Errors
/// What the source says; `plan_broken` when its answer does not fit the question.
pub async fn open_run(
    session: &Session,
    store: &dyn StateStore,
    hold: &longshore_state::Hold,
    run: &OpeningRun<'_>,
) -> Result<Vec<PlannedTable>, Failure> {
    let resumed: BTreeMap<&str, &TableProgress> = run
        .interrupted
        .iter()
        .flat_map(|details| &details.tables)
        .map(|progress| (progress.table.as_str(), progress))
        .collect();
    let mut selections = Vec::new();
    let mut revisions = BTreeMap::new();
    let mut cursors = BTreeMap::new();
    for name in &run.tables {
        let progress = resumed.get(name.as_str());
        if progress.is_some_and(|progress| progress.complete) {
            continue;
        }
        let stored = store.get_state(&hold.sync, name).await?;
        let state = match run.range {
            Some(_) => None,
            None => stored.as_ref().map(longshore_state::StoredState::state).transpose()?,
        };
        let resume = progress.map(|progress| decode_plan(&progress.plan)).transpose()?;
        let revision = progress.map_or_else(
            || stored.map_or(0, |stored| stored.revision),
            |progress| progress.state_revision,
        );
        revisions.insert(name.clone(), revision);
        cursors.insert(name.clone(), state.as_ref().and_then(|state| state.cursor.clone()));
        selections.push(v1::TableSelection {
            name: name.clone(),
            state: state.map(Into::into),
            resume,
            range: run.range.clone().map(Into::into),
            rows: None,
        });
    }
    if selections.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<String> = selections.iter().map(|selection| selection.name.clone()).collect();
    let request = v1::OpenRunRequest {
        run_id: run.run_id.to_owned(),
        attempt: run.attempt,
        tables: selections,
    };
    let plugin = &session.source.plugin;
    let mut plans = match plugin.source().open_run(request).await {
        Ok(response) => response.into_inner().tables,
        Err(status) => return Err(session.source.located(plugin.explain(from_status(&status)).await)),
    };
    plans.iter_mut().for_each(|plan| plugin.clear_all(&mut plan.warnings));
    let mut planned = Vec::new();
    for (name, plan) in matched(&asked, plans)? {
        let progress = partition_progress(&plan, resumed.get(name.as_str()).copied())?;
        let table = plan.table.clone().ok_or_else(|| broken(&name, "it has no table"))?;
        if run.range.is_some() && plan.completed_state.is_some() {
            return Err(broken(&name, "a range was to be read, and it would move the cursor").into());
        }
        let state_revision = revisions.get(&name).copied().unwrap_or(0);
        planned.push(PlannedTable {
            plan,
            table,
            state_revision,
            cursor_before: cursors.remove(&name).flatten(),
            progress,
        });
    }
    let new: Vec<NewTablePlan> = planned
        .iter()
        .filter(|table| !resumed.contains_key(table.table.name.as_str()))
        .map(PlannedTable::to_store)
        .collect();
    if !new.is_empty() {
        store.store_plan(hold, run.run_id, new).await?;
    }
    Ok(planned)
}

/// The run to open.
#[derive(Debug)]
pub struct OpeningRun<'a> {
    /// The run.
    pub run_id: &'a str,
    /// From 1.
    pub attempt: u32,
    /// The tables selected.
    pub tables: Vec<String>,
    /// Only these rows; the stored states are left alone.
    pub range: Option<CursorRange>,
    /// What an earlier attempt has left.
    pub interrupted: Option<&'a RunDetails>,
}

impl PlannedTable {
    /// Rows that are expected, when the source could tell.
    #[must_use]
    pub fn expected_rows(&self) -> Option<u64> {
        let of_partitions: Option<u64> = self
            .plan
            .partitions
            .iter()
            .map(|partition| partition.estimated_rows)
            .sum();
        of_partitions.or(self.table.estimated_rows)
    }

    /// Whether every row of the table is read, so that what does not come is not there.
    pub(super) fn is_read_whole(&self) -> bool {
        self.plan.completed_state.is_none() && self.table.cursor.is_empty()
    }

    fn to_store(&self) -> NewTablePlan {
        NewTablePlan {
            table: self.table.name.clone(),
            plan: self.plan.encode_to_vec(),
            state_revision: self.state_revision,
            partitions: self
                .plan
                .partitions
                .iter()
                .map(|partition| partition.id.clone())
                .collect(),
        }
    }
}

fn decode_plan(stored: &[u8]) -> Result<v1::TablePlan> {
    v1::TablePlan::decode(stored).map_err(|error| {
        Error::internal(
            "plan_unreadable",
            "The stored plan of an interrupted run can not be read",
        )
        .with_cause(&error)
    })
}

/// Pairs each table asked for with its plan.
fn matched(asked: &[String], plans: Vec<v1::TablePlan>) -> Result<Vec<(String, v1::TablePlan)>> {
    let mut by_name = BTreeMap::new();
    for plan in plans {
        let name = plan.table.as_ref().map(|table| table.name.clone()).unwrap_or_default();
        if by_name.insert(name.clone(), plan).is_some() {
            return Err(broken(&name, "it was planned twice"));
        }
    }
    let paired = asked.iter().map(|name| {
        let plan = by_name
            .remove(name)
            .ok_or_else(|| broken(name, "it was asked for and not planned"))?;
        Ok((name.clone(), plan))
    });
    let paired = paired.collect::<Result<Vec<_>>>()?;
    match by_name.keys().next() {
        Some(extra) => Err(broken(extra, "it was planned and not asked for")),
        None => Ok(paired),
    }
}

/// How far each partition of a plan is. A resumed plan must have the partitions that were stored.
fn partition_progress(plan: &v1::TablePlan, resumed: Option<&TableProgress>) -> Result<Vec<PartitionProgress>> {
    let name = plan.table.as_ref().map_or("", |table| table.name.as_str());
    let ids: Vec<&str> = plan.partitions.iter().map(|partition| partition.id.as_str()).collect();
    if ids.iter().collect::<BTreeSet<_>>().len() != ids.len() {
        return Err(broken(name, "two of its partitions have one id"));
    }
    let Some(resumed) = resumed else {
        return Ok(ids
            .iter()
            .map(|&id| PartitionProgress {
                partition: id.to_owned(),
                ..PartitionProgress::default()
            })
            .collect());
    };
    let stored: Vec<&str> = resumed
        .partitions
        .iter()
        .map(|progress| progress.partition.as_str())
        .collect();
    if stored != ids {
        return Err(broken(name, "its partitions are not those of the run that is resumed"));
    }
    Ok(resumed.partitions.clone())
}

fn broken(table: &str, what: &str) -> Error {
    Error::protocol(
        "plan_broken",
        format!("The source's plan of table {table} is broken: {what}"),
    )
    .with_table(table)
}
