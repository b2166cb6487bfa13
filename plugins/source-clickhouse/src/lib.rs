#![doc = include_str!("../README.md")]

mod blocks;
mod catalog;
mod checks;
mod column_type;
mod connection;
mod count;
mod errors;
mod fingerprint;
mod names;
mod plan;
mod position;
mod predicate;
mod probe;
mod read;
mod recount;
mod representation;
mod run;
mod source_state;
pub mod spec;
mod statement;
mod stream;
mod text;
mod tls;
mod work;

use std::{collections::HashMap, sync::Arc};

use longshore_sdk::{
    incremental::{KnownRows, ReadOptions},
    prelude::*,
    source::OpenRuns,
};

use crate::{
    blocks::FewRows,
    catalog::Relation,
    connection::{Connector, Server},
    plan::Planning,
    probe::Probe,
    run::{Queries, Run, RunTable},
    source_state::SourceState,
    spec::Spec,
};

/// The source plugin `clickhouse`. The crate's README is its road map.
pub struct ClickHouse {
    spec: Spec,
    connector: Connector,
    runs: OpenRuns<Run>,
}

impl Source for ClickHouse {
    const NAME: &'static str = "clickhouse";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const CAPABILITIES: SourceCapabilities = SourceCapabilities {
        incremental: true,
        resumable: true,
        cursor_ranges: true,
        row_selection: true,
        count_rows: true,
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
        let server = self.connector.hello().await?;
        let mut tables = Vec::with_capacity(names.len());
        if names.is_empty() {
            for relation in catalog::list(&self.connector, &self.spec).await? {
                match self.offered(&server, &relation).await {
                    Ok(table) => tables.push(table),
                    // One table that can not be read must not hide the others.
                    Err(error) => {
                        tracing::warn!(%error, remedy = error.remedy, table = relation.shown, "a table is not listed");
                    }
                }
            }
            return Ok(tables);
        }
        for name in names {
            match catalog::relation(&self.connector, &self.spec, name).await {
                Ok(relation) => tables.push(self.offered(&server, &relation).await?),
                Err(error) if error.code == "table_not_found" => {}
                Err(error) => return Err(error),
            }
        }
        Ok(tables)
    }

    async fn open_run(&self, open: OpenRun) -> Result<Vec<TablePlan>> {
        // An attempt of a run that is still open here begins anew.
        self.end(&open.run_id).await;
        let server = self.connector.hello().await?;
        self.check_unused_options(&open).await?;
        let mut plans = Vec::with_capacity(open.tables.len());
        let mut tables = HashMap::with_capacity(open.tables.len());
        for selection in &open.tables {
            let mut relation = catalog::relation(&self.connector, &self.spec, &selection.name).await?;
            relation.guard_versions(&server);
            let selected = relation.selected(&self.spec)?;
            let schema = catalog::delivered_schema(&self.connector, &server, &relation, &selected).await?;
            let filter = self.spec.options(&relation.shown).read.condition();
            let planning = Planning {
                probe: Probe {
                    connector: &self.connector,
                    server: &server,
                    relation: &relation,
                    filter: filter.clone(),
                },
                spec: &self.spec,
            };
            let offered = relation.offered(&self.spec, Arc::clone(&schema));
            let plan = plan::plan(&planning, offered, selection).await?;
            let table = RunTable {
                relation,
                selected,
                schema,
                filter,
                known: KnownRows::of(selection.state.as_ref(), &plan, SourceState::of)?,
                invalid_utf8: self.spec.invalid_utf8,
                few_rows: FewRows::default(),
                partitions: plan.partitions.clone(),
            };
            tables.insert(selection.name.clone(), Arc::new(table));
            plans.push(plan);
        }
        tracing::info!(
            run = open.run_id,
            attempt = open.attempt,
            tables = plans.len(),
            version = server.version,
            replica = server.host,
            "opened the run"
        );
        let run = Run {
            server,
            tables,
            queries: Queries::new(&self.connector),
        };
        self.runs.open(&open.run_id, run);
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

    async fn count_rows(&self, wanted: CountRows) -> Result<RowCount> {
        let run = self.runs.get(&wanted.run_id)?;
        let table = run.tables.get(&wanted.table).cloned().ok_or_else(|| {
            Error::protocol(
                "table_not_in_run",
                format!("Table {} is not part of run {}", wanted.table, wanted.run_id),
            )
        })?;
        count::count(&self.connector, &run, &table, &wanted).await
    }

    async fn close_run(&self, run_id: &str) -> Result<()> {
        self.end(run_id).await;
        Ok(())
    }
}

impl ClickHouse {
    async fn offered(&self, server: &Server, relation: &Relation) -> Result<Table> {
        let selected = relation.selected(&self.spec)?;
        let schema = catalog::delivered_schema(&self.connector, server, relation, &selected).await?;
        Ok(relation.offered(&self.spec, schema))
    }

    /// Lets a run go, and has the server end what it still does for it.
    async fn end(&self, run_id: &str) {
        let Some(run) = self.runs.close(run_id) else { return };
        for query_id in run.queries.running() {
            self.connector.kill(query_id).await;
        }
    }

    /// Options under a name that nothing has would be silently without effect: a column that was to be left out would be sent.
    async fn check_unused_options(&self, open: &OpenRun) -> Result<()> {
        let selected = |name: &String| open.tables.iter().any(|selection| selection.name == *name);
        for name in self.spec.table_options.keys().filter(|name| !selected(name)) {
            // Anything else that is wrong with a table that is not read is its own run's matter.
            match catalog::relation(&self.connector, &self.spec, name).await {
                Err(error) if error.code == "table_not_found" => return Err(ReadOptions::of_nothing(name, &error)),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }
}
