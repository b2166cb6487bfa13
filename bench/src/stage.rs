//! What has to run and to be there before something can be measured.

mod clickhouse;
mod null_endpoint;
mod postgresql;

use std::collections::BTreeSet;

use longshore_tests::{Context, Failure, Result, SandboxOptions, SandboxProcess};

pub(crate) use self::{
    clickhouse::ClickHouse,
    null_endpoint::{NullEndpoint, Received},
    postgresql::{Postgresql, SETTINGS as POSTGRESQL_SETTINGS, Transport},
};
use crate::{
    meter::Server,
    table::{Sizes, Table},
};

/// A thing that a scenario needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// A table in PostgreSQL.
    Postgresql(Table),
    /// A table in ClickHouse.
    ClickHouse(Table),
    /// The server that takes everything.
    NullEndpoint,
    /// The emulator of Batch, without its rate limits.
    Sandbox,
}

/// Everything that runs. It ends when dropped.
pub(crate) struct Stage {
    pub(crate) sizes: Sizes,
    postgresql: Option<Postgresql>,
    clickhouse: Option<ClickHouse>,
    null_endpoint: Option<NullEndpoint>,
    sandbox: Option<SandboxProcess>,
    ready: BTreeSet<Need>,
}

impl Stage {
    pub(crate) fn new(sizes: Sizes) -> Self {
        Self {
            sizes,
            postgresql: None,
            clickhouse: None,
            null_endpoint: None,
            sandbox: None,
            ready: BTreeSet::new(),
        }
    }

    /// Starts and fills what is not there yet. Whatever is not needed any more ends: nothing idle is to be in memory while something is measured.
    pub(crate) async fn set(&mut self, needs: &BTreeSet<Need>, mut say: impl FnMut(&str)) -> Result<()> {
        self.clear(needs);
        for need in needs {
            if self.ready.contains(need) {
                continue;
            }
            match need {
                Need::Postgresql(table) => {
                    let server = match &mut self.postgresql {
                        Some(server) => server,
                        none => none.insert(Postgresql::start(self.sizes).await?),
                    };
                    say(&format!("PostgreSQL: {} rows in {table}", table.rows(&self.sizes)));
                    server.load(*table).await?;
                }
                Need::ClickHouse(table) => {
                    let server = match &mut self.clickhouse {
                        Some(server) => server,
                        none => none.insert(ClickHouse::start(self.sizes).await?),
                    };
                    say(&format!("ClickHouse: {} rows in {table}", table.rows(&self.sizes)));
                    server.load(*table).await?;
                }
                Need::NullEndpoint => self.null_endpoint = Some(NullEndpoint::start()?),
                Need::Sandbox => self.sandbox = Some(SandboxProcess::start(SandboxOptions::default()).await?),
            }
            self.ready.insert(*need);
        }
        Ok(())
    }

    fn clear(&mut self, needs: &BTreeSet<Need>) {
        if !needs.iter().any(|need| matches!(need, Need::Postgresql(_))) {
            self.postgresql = None;
            self.ready.retain(|need| !matches!(need, Need::Postgresql(_)));
        }
        if !needs.iter().any(|need| matches!(need, Need::ClickHouse(_))) {
            self.clickhouse = None;
            self.ready.retain(|need| !matches!(need, Need::ClickHouse(_)));
        }
        if !needs.contains(&Need::NullEndpoint) {
            self.null_endpoint = None;
            self.ready.remove(&Need::NullEndpoint);
        }
        if !needs.contains(&Need::Sandbox) {
            self.sandbox = None;
            self.ready.remove(&Need::Sandbox);
        }
    }

    pub(crate) fn postgresql(&self) -> Result<&Postgresql> {
        self.postgresql.as_ref().context("PostgreSQL was asked for")
    }

    pub(crate) fn clickhouse(&self) -> Result<&ClickHouse> {
        self.clickhouse.as_ref().context("ClickHouse was asked for")
    }

    pub(crate) fn null_endpoint(&self) -> Result<&NullEndpoint> {
        self.null_endpoint.as_ref().context("the null endpoint was asked for")
    }

    pub(crate) fn sandbox(&self) -> Result<&SandboxProcess> {
        self.sandbox.as_ref().context("the sandbox was asked for")
    }

    /// The servers that work for a scenario with these needs, to be measured with it.
    pub(crate) fn servers(&self, needs: &BTreeSet<Need>) -> Result<Vec<Server>> {
        let mut servers = Vec::new();
        if needs.iter().any(|need| matches!(need, Need::Postgresql(_))) {
            let pid = self.postgresql()?.pid()?;
            servers.push(Server::Postgresql { pid });
        }
        if needs.iter().any(|need| matches!(need, Need::ClickHouse(_))) {
            let pid = self.clickhouse()?.pid()?;
            let name = "clickhouse engine and front";
            servers.push(Server::Single { name, pid });
        }
        if needs.contains(&Need::NullEndpoint) {
            let pid = self.null_endpoint()?.pid()?;
            let name = "null endpoint";
            servers.push(Server::Single { name, pid });
        }
        if needs.contains(&Need::Sandbox) {
            let pid = i32::try_from(self.sandbox()?.pid()).map_err(|_| Failure::new("a process number is small"))?;
            let name = "sandbox";
            servers.push(Server::Single { name, pid });
        }
        Ok(servers)
    }

    /// What the databases say they are, for those that run.
    pub(crate) async fn versions(&self) -> Result<Vec<String>> {
        let mut versions = Vec::new();
        if let Some(server) = &self.postgresql {
            versions.push(server.version().await?);
        }
        if let Some(server) = &self.clickhouse {
            versions.push(server.version().await?);
        }
        Ok(versions)
    }
}
