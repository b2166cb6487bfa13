#![doc = include_str!("../README.md")]

mod catalog;
mod checks;
mod connection;
mod copy;
mod count;
mod decode;
mod errors;
#[doc(hidden)]
pub mod hot_paths;
mod names;
mod opening;
mod places;
mod plan;
mod position;
mod predicate;
mod probe;
mod read;
mod recount;
mod representation;
mod run;
mod snapshot;
mod source_state;
pub mod spec;
mod statement;
mod tls;
mod work;

use longshore_sdk::{prelude::*, source::OpenRuns};

use crate::{connection::Connector, run::Run, spec::Spec};

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
        let (run, plans) = opening::open(&self.connector, &self.spec, &open).await?;
        tracing::info!(
            run = open.run_id,
            attempt = open.attempt,
            tables = plans.len(),
            xmin = run.snapshot.xmin,
            "opened the run's snapshot"
        );
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
        count::count(&self.connector, &self.spec, &run, &table, &wanted).await
    }

    async fn close_run(&self, run_id: &str) -> Result<()> {
        self.runs.close(run_id);
        Ok(())
    }
}

/// A table without columns is legal in PostgreSQL and has nothing to offer.
fn is_empty_relation(table: &Result<Table>) -> bool {
    table.as_ref().is_err_and(|error| error.code == "no_columns")
}
