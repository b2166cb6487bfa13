#![doc = include_str!("../README.md")]

mod catalog;
mod checks;
mod connection;
mod decode;
mod errors;
mod names;
mod plan;
mod position;
mod predicate;
mod probe;
mod read;
mod representation;
mod run;
mod snapshot;
mod source_state;
pub mod spec;
mod statement;
mod tls;
mod work;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use longshore_sdk::{core::fingerprints::Fingerprints, incremental::ReadOptions, prelude::*, source::OpenRuns};

use crate::{
    connection::Connector,
    plan::Planning,
    run::{Run, RunTable},
    snapshot::Snapshot,
    source_state::SourceState,
    spec::Spec,
};

/// The source plugin `postgresql`. The crate's README is its road map.
pub struct PostgreSql {
    spec: Spec,
    connector: Connector,
    runs: OpenRuns<Run>,
}

impl Source for PostgreSql {
    const NAME: &'static str = "postgresql";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const CAPABILITIES: SourceCapabilities = SourceCapabilities {
        incremental: true,
        resumable: true,
        cursor_ranges: false,
    };

    type Spec = Spec;

    fn configure(spec: Spec) -> Result<Self> {
        spec.check()?;
        Ok(Self {
            connector: Connector::new(&spec)?,
            spec,
            runs: OpenRuns::default(),
        })
    }

    async fn test_connection(&self, tables: &[String]) -> Vec<Check> {
        checks::run(&self.connector, &self.spec, tables).await
    }

    async fn list_tables(&self, names: &[String]) -> Result<Vec<Table>> {
        let session = self.connector.connect().await?;
        if names.is_empty() {
            let relations = catalog::list(&session, &self.spec).await?;
            return relations
                .iter()
                .map(|relation| plan::offered(relation, &self.spec))
                .filter(|table| !is_empty_relation(table))
                .collect();
        }
        let mut tables = Vec::with_capacity(names.len());
        for name in names {
            match catalog::relation(&session, &self.spec, name).await {
                Ok(relation) => tables.push(plan::offered(&relation, &self.spec)?),
                Err(error) if error.code == "table_not_found" => {}
                Err(error) => return Err(error),
            }
        }
        Ok(tables)
    }

    async fn open_run(&self, open: OpenRun) -> Result<Vec<TablePlan>> {
        // An attempt of a run that is still open here begins anew.
        self.runs.close(&open.run_id);
        let holder = self.connector.connect().await?;
        holder.begin(None).await?;
        holder.set_running(true);
        let snapshot = Snapshot::export(&holder).await?;
        // Options under a name that nothing has would be silently without effect: a column that was to be left out would be sent.
        let selected = |name: &String| open.tables.iter().any(|selection| selection.name == *name);
        for name in self.spec.table_options.keys().filter(|name| !selected(name)) {
            // Anything else that is wrong with a table that is not read is its own run's matter.
            match catalog::relation(&holder, &self.spec, name).await {
                Err(error) if error.code == "table_not_found" => return Err(ReadOptions::of_nothing(name, &error)),
                Ok(_) | Err(_) => {}
            }
        }
        let mut plans = Vec::with_capacity(open.tables.len());
        let mut tables = HashMap::with_capacity(open.tables.len());
        for selection in &open.tables {
            let planning = Planning {
                session: &holder,
                spec: &self.spec,
                snapshot: &snapshot,
            };
            let relation = plan::relation(&planning, &selection.name).await?;
            let plan = plan::plan(&planning, &relation, selection).await?;
            let table = RunTable {
                selected: relation.selected(&self.spec)?,
                schema: Arc::clone(&plan.table.schema),
                filter: relation.filter(&self.spec),
                relation,
                seen: seen(selection)?,
                resumed: selection.resume.is_some(),
                moved_by: Mutex::default(),
            };
            tables.insert(selection.name.clone(), Arc::new(table));
            plans.push(plan);
        }
        holder.set_running(false);
        tracing::info!(
            run = open.run_id,
            attempt = open.attempt,
            tables = plans.len(),
            xmin = snapshot.xmin,
            "opened the run's snapshot"
        );
        self.runs.open(
            &open.run_id,
            Run {
                holder,
                snapshot,
                tables,
            },
        );
        Ok(plans)
    }

    async fn read(&self, partition: ReadPartition, output: &mut PartitionWriter) -> Result<()> {
        let run = self.runs.get(&partition.run_id)?;
        let table = run.tables.get(&partition.table).cloned().ok_or_else(|| {
            Error::protocol(
                "table_not_in_run",
                format!("Table {} is not part of run {}", partition.table, partition.run_id),
            )
        })?;
        read::read(&self.connector, &run, &table, &partition, output).await
    }

    async fn close_run(&self, run_id: &str) -> Result<()> {
        self.runs.close(run_id);
        Ok(())
    }
}

/// The rows that the last run delivered and this one may see again. A cursor that was set by hand means that rows are wanted again.
fn seen(selection: &TableSelection) -> Result<Fingerprints> {
    let Some(state) = &selection.state else {
        return Ok(Fingerprints::default());
    };
    Ok(if SourceState::of(state)?.is_some() {
        state.fingerprints.clone()
    } else {
        Fingerprints::default()
    })
}

/// A table without columns is legal in PostgreSQL and has nothing to offer.
fn is_empty_relation(table: &Result<Table>) -> bool {
    table.as_ref().is_err_and(|error| error.code == "no_columns")
}
