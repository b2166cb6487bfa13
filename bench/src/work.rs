//! How each kind of scenario is run.

mod ceiling;
mod generated;
mod limits;
mod peer;
mod sync;

use std::{collections::BTreeMap, ffi::OsStr, process::Command};

use longshore_tests::Result;
use serde::{Deserialize, Serialize};

use crate::{
    meter::{Measured, ProcessUse},
    scenario::{From, Order, Scenario, Sync, To, Work},
    stage::Stage,
    table::Table,
};
use sync::Workplace;

/// One run of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// From the start of the program to its end; of peers, without starting Python and importing packages.
    pub(crate) seconds: f64,
    /// Rows that were moved.
    pub(crate) rows: u64,
    /// Bytes that were moved, where they are known: of PostgreSQL as COPY has them, of ClickHouse as ArrowStream, over HTTP the bodies.
    pub(crate) bytes: Option<u64>,
    /// The measured program, what it started, then servers.
    pub(crate) processes: Vec<ProcessUse>,
}

/// Runs scenarios, and keeps what one run needs of an earlier one.
#[derive(Default)]
pub(crate) struct Runner {
    /// Bytes of a table as COPY has it. They do not depend on who asks, so they are counted once.
    copied_bytes: BTreeMap<Table, u64>,
    /// Bytes of a table as ArrowStream has it, as the last fetch counted them.
    fetched_bytes: BTreeMap<Table, u64>,
    /// Bytes of the generated events as they travel.
    generated_bytes: Option<u64>,
    /// Directories with the state of incremental syncs, by scenario.
    workplaces: BTreeMap<String, Workplace>,
}

impl Runner {
    /// One run.
    ///
    /// # Errors
    /// It fails, or moved other rows than it should have.
    pub(crate) async fn run(&mut self, scenario: &Scenario, stage: &Stage) -> Result<Sample> {
        let servers = stage.servers(&scenario.needs())?;
        match &scenario.work {
            Work::Copy {
                transport,
                table,
                order,
            } => {
                let bytes = self.copied_bytes(*table, stage).await?;
                let measured = ceiling::copy(stage, *transport, *table, *order, &servers).await?;
                Ok(Sample::of(measured, table.rows(&stage.sizes), Some(bytes)))
            }
            Work::Fetch(table) => {
                let (measured, bytes) = ceiling::fetch(stage, *table, &servers).await?;
                self.fetched_bytes.insert(*table, bytes);
                Ok(Sample::of(measured, table.rows(&stage.sizes), Some(bytes)))
            }
            Work::Hops => {
                let bytes = self.generated_bytes(stage).await?;
                let measured = ceiling::hops(bytes).await?;
                Ok(Sample::of(measured, stage.sizes.events, Some(bytes)))
            }
            Work::Sync(sync) => {
                let workplace = Workplace::new(sync, stage, None)?;
                let expected = sync.table.rows(&stage.sizes);
                let (measured, sent) = workplace.sync(stage, expected, &servers).await?;
                let bytes = match sent {
                    None if sync.to == To::Discard => self.bytes_read(sync, stage).await?,
                    sent => sent,
                };
                Ok(Sample::of(measured, expected, bytes))
            }
            Work::NothingNew(sync) => {
                let workplace = self.caught_up(&scenario.name, sync, stage).await?;
                let (measured, _) = workplace.sync(stage, 0, &servers).await?;
                Ok(Sample::of(measured, 0, None))
            }
            Work::FewNew(sync) => {
                let workplace = self.caught_up(&scenario.name, sync, stage).await?;
                sync::add_new_rows(sync, stage).await?;
                let (measured, _) = workplace.sync(stage, stage.sizes.new, &servers).await?;
                Ok(Sample::of(measured, stage.sizes.new, None))
            }
            Work::Peer { program, table } => {
                let mut sample = peer::run(program, *table, stage, &servers).await?;
                if sample.bytes.is_none() {
                    sample.bytes = Some(self.copied_bytes(*table, stage).await?);
                }
                Ok(sample)
            }
            Work::Bucket(endpoint) => Ok(limits::bucket(*endpoint, stage)),
            Work::Limited(endpoint) => limits::sync(*endpoint, stage).await,
        }
    }

    async fn copied_bytes(&mut self, table: Table, stage: &Stage) -> Result<u64> {
        if let Some(bytes) = self.copied_bytes.get(&table) {
            return Ok(*bytes);
        }
        let bytes = ceiling::count_copied(stage, table).await?;
        self.copied_bytes.insert(table, bytes);
        Ok(bytes)
    }

    async fn generated_bytes(&mut self, stage: &Stage) -> Result<u64> {
        if let Some(bytes) = self.generated_bytes {
            return Ok(bytes);
        }
        let bytes = generated::count_bytes(stage.sizes.events).await?;
        self.generated_bytes = Some(bytes);
        Ok(bytes)
    }

    /// What a sync that discards has read, where that is a table whose bytes a ceiling tells.
    async fn bytes_read(&mut self, sync: &Sync, stage: &Stage) -> Result<Option<u64>> {
        match (sync.from, sync.table) {
            (From::Generate, _) => self.generated_bytes(stage).await.map(Some),
            (From::Postgresql(_), Table::Events) => self.copied_bytes(sync.table, stage).await.map(Some),
            (From::ClickHouse, table) => Ok(self.fetched_bytes.get(&table).copied()),
            // Of views there is no ceiling.
            (From::Postgresql(_), _) => Ok(None),
        }
    }

    /// The directory of an incremental sync that has read everything there is.
    async fn caught_up(&mut self, scenario: &str, sync: &Sync, stage: &Stage) -> Result<&Workplace> {
        if !self.workplaces.contains_key(scenario) {
            // What was there before is of no interest: only what comes is read.
            let workplace = Workplace::new(sync, stage, Some("now"))?;
            self.workplaces.insert(scenario.to_owned(), workplace);
        }
        let workplace = &self.workplaces[scenario];
        workplace.catch_up().await?;
        Ok(workplace)
    }
}

impl Sample {
    fn of(measured: Measured, rows: u64, bytes: Option<u64>) -> Self {
        Self {
            seconds: measured.seconds,
            rows,
            bytes,
            processes: measured.processes,
        }
    }

    /// Rows in a second.
    pub(crate) fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.seconds
    }

    /// CPU seconds of everything that took part.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.processes.iter().map(|process| process.cpu_seconds).sum()
    }
}

/// A command with nothing of this process's environment but the path: no variable of a user changes what is measured.
fn plain_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// The rows of a table as a statement.
fn rows_of(table: Table, order: Order) -> String {
    match order {
        Order::Physical => format!("SELECT * FROM {table}"),
        Order::Cursor => format!("SELECT * FROM {table} ORDER BY last_updated_at, {}", table.key()),
    }
}
