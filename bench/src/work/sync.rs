//! `longshore sync` in a directory of its own.

use std::process::Command;

use longshore_tests::{Context, Failure, PASSWORD, PROJECT_KEY, REST_API_KEY, Result, USER, binaries};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::plain_command;
use crate::{
    meter::{Measured, Output, Server, measure},
    scenario::{From, Order, Sync, Target, To},
    stage::{Received, Stage},
    table::Table,
};

/// From one new row of a ClickHouse table to the next run's look behind: rounds add more rows in ten minutes than a state remembers.
const CLICKHOUSE_OVERLAP: &str = "2s";

/// A directory with a configuration, and with a state as soon as something was read.
pub(super) struct Workplace {
    folder: TempDir,
    to: To,
}

/// What `longshore sync --json` says, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Report {
    status: String,
    tables: Vec<TableReport>,
}

#[derive(Debug, Deserialize)]
struct TableReport {
    delivered: u64,
    rejected: u64,
}

impl Workplace {
    /// A state that knows nothing.
    pub(super) fn new(sync: &Sync, stage: &Stage, start_from: Option<&str>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("longshore-bench-").tempdir();
        let folder = folder.context("a temporary directory can not be made")?;
        std::fs::write(
            folder.path().join("longshore.yml"),
            configuration(sync, stage, start_from)?,
        )
        .context("the configuration can not be written")?;
        Ok(Self { folder, to: sync.to })
    }

    /// One measured run, and the bytes that were sent over HTTP.
    ///
    /// # Errors
    /// It fails, or did not deliver exactly `expected` rows.
    pub(super) async fn sync(
        &self,
        stage: &Stage,
        expected: u64,
        servers: &[Server],
    ) -> Result<(Measured, Option<u64>)> {
        if let To::Sandbox(_) = self.to {
            stage.sandbox()?.reset().await?;
        }
        let before = self.received(stage).await?;
        let measured = measure(&mut self.command()?, Output::Kept, servers).await?;
        let after = self.received(stage).await?;
        let report: Report =
            serde_json::from_str(&measured.stdout).context("longshore does not say what it has done")?;
        let delivered: u64 = report.tables.iter().map(|table| table.delivered).sum();
        let rejected: u64 = report.tables.iter().map(|table| table.rejected).sum();
        if delivered != expected || rejected > 0 {
            return Err(Failure::new(format!(
                "{delivered} rows were delivered in place of {expected}, {rejected} rejected ({})",
                report.status
            )));
        }
        Ok((
            measured,
            after.zip(before).map(|(after, before)| after.bytes - before.bytes),
        ))
    }

    /// A run whose measures are of no interest.
    pub(super) async fn catch_up(&self) -> Result<()> {
        measure(&mut self.command()?, Output::Kept, &[]).await.map(drop)
    }

    async fn received(&self, stage: &Stage) -> Result<Option<Received>> {
        match self.to {
            To::NullEndpoint(_) => stage.null_endpoint()?.received().await.map(Some),
            To::Discard | To::Sandbox(_) => Ok(None),
        }
    }

    fn command(&self) -> Result<Command> {
        let mut command = plain_command(binaries::longshore()?);
        command
            .args(["sync", "--json"])
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("BENCH_PASSWORD", PASSWORD)
            .env("BENCH_REST_API_KEY", REST_API_KEY);
        Ok(command)
    }
}

/// Adds rows to what the sync reads.
pub(super) async fn add_new_rows(sync: &Sync, stage: &Stage) -> Result<()> {
    match sync.from {
        From::Postgresql(_) => stage.postgresql()?.add_new().await,
        From::ClickHouse => stage.clickhouse()?.add_new().await,
        From::Generate => Err(Failure::new("generated rows are as many as were asked for")),
    }
}

/// JSON is YAML, so values need no rules of quoting.
fn configuration(sync: &Sync, stage: &Stage, start_from: Option<&str>) -> Result<String> {
    let (path, table, spec) = source(sync, stage, start_from)?;
    let source = json!({
        "name": "bench", "path": path, "tables": [table], "destinations": ["there"], "concurrency": sync.concurrency, "spec": spec,
    });
    let (path, spec) = destination(sync.to, stage)?;
    let destination = json!({ "name": "there", "path": path, "spec": spec });
    Ok(format!(
        "kind: source\nspec: {source}\n---\nkind: destination\nspec: {destination}\n"
    ))
}

/// Plugin, table and options.
fn source(sync: &Sync, stage: &Stage, start_from: Option<&str>) -> Result<(&'static str, String, Value)> {
    let table = sync.table.name();
    let mut options = json!({});
    if sync.order == Order::Cursor {
        options["cursor"] = json!("last_updated_at");
    }
    if let Some(start_from) = start_from {
        options["start_from"] = json!(start_from);
    }
    match sync.from {
        From::Postgresql(transport) => {
            let server = stage.postgresql()?;
            let spec = json!({
                "host": server.host(transport), "port": server.port(), "database": server.database(), "username": USER,
                "password": "${BENCH_PASSWORD}", "table_options": { &table: options },
            });
            Ok(("postgresql", table, spec))
        }
        From::ClickHouse => {
            if sync.table == Table::Large {
                options["overlap"] = json!(CLICKHOUSE_OVERLAP);
            }
            let (server, database) = (stage.clickhouse()?.server(), stage.clickhouse()?.database());
            let spec = json!({
                "host": server.host(), "port": server.port(), "database": database.name(), "username": server.user(),
                "password": "${BENCH_PASSWORD}", "table_options": { &table: options },
            });
            Ok(("clickhouse", table, spec))
        }
        From::Generate => Ok((
            "generate",
            super::generated::TABLE.to_owned(),
            super::generated::spec(sync.table.rows(&stage.sizes), sync.concurrency),
        )),
    }
}

/// Plugin and options.
fn destination(to: To, stage: &Stage) -> Result<(&'static str, Value)> {
    match to {
        To::Discard => Ok(("discard", json!({}))),
        To::NullEndpoint(target) => Ok(("batch", batch(target, stage.null_endpoint()?.base_url()))),
        To::Sandbox(target) => Ok(("batch", batch(target, stage.sandbox()?.base_url()))),
    }
}

fn batch(target: Target, base_url: String) -> Value {
    json!({
        "target": target.name(), "project_key": PROJECT_KEY, "rest_api_key": "${BENCH_REST_API_KEY}", "base_url": base_url,
        "rate_limit": { "unlimited": true },
    })
}
