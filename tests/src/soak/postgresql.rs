//! PostgreSQL under a soak.

mod statement;
mod writer;

use std::time::Duration;

use futures_util::future::try_join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use self::writer::{Temper, Writer};
use super::{
    source::{BusySource, Contents},
    tally::Tally,
};
use crate::{
    Context, Database, PostgresCluster, Result, SandboxProcess,
    fault_proxy::FaultProxies,
    shop::{Configuration, Target},
};

/// Longer than the longest transaction plus the farthest that a writer's clock is set back, with room for a machine that is slow.
const OVERLAP: &str = "overlap: 2m";

/// Who writes at the same time.
const WRITERS: [Temper; 7] = [
    Temper::Lively,
    Temper::Lively,
    Temper::Lively,
    Temper::Lively,
    Temper::Slow,
    Temper::TwoPhase,
    Temper::Bulk,
];

/// A throwaway cluster with the two tables.
#[derive(Debug)]
pub(super) struct PostgresSource {
    database: Database,
    // Ends the server when dropped.
    _cluster: PostgresCluster,
}

impl PostgresSource {
    pub(super) async fn start() -> Result<Self> {
        let cluster = PostgresCluster::start().await?;
        let database = cluster.create_database_named("soak").await?;
        database.execute(include_str!("postgresql/schema.sql")).await?;
        Ok(Self {
            database,
            _cluster: cluster,
        })
    }
}

impl BusySource for PostgresSource {
    const PLUGIN: &'static str = "longshore-source-postgresql";

    fn configuration(&self, target: Target, sandbox: &SandboxProcess, proxies: &FaultProxies) -> String {
        Configuration::new(target, &self.database, sandbox)
            .through(proxies)
            .with_source_option(OVERLAP)
            .with_destination_option("mapping: {}")
            .with_destination_option("rate_limit: { unlimited: true }")
            .text()
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        Configuration::variables()
            .map(|(name, value)| (name, value.to_owned()))
            .into()
    }

    /// What is committed is read.
    fn settles_within(&self) -> Duration {
        Duration::ZERO
    }

    async fn write_until(&self, seed: u64, stop: &CancellationToken, tally: &Tally) -> Result<()> {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut writers = Vec::new();
        for (number, temper) in WRITERS.into_iter().enumerate() {
            let connection = self.database.connect().await?;
            writers.push(Writer::new(connection, number, temper, chance.random(), tally).write_until(stop));
        }
        try_join_all(writers).await.map(drop)
    }

    async fn break_connections(&self) -> Result<u64> {
        let broken = self
            .database
            .count(
                "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE application_name = 'longshore' AND pid <> pg_backend_pid()",
            )
            .await?;
        u64::try_from(broken).context("a count is not negative")
    }

    async fn contents(&self) -> Result<Contents> {
        let connection = self.database.connect().await?;
        let ask = async |query: &str| {
            connection
                .query(query, &[])
                .await
                .context(format!("this query fails: {query}"))
        };
        let mut contents = Contents::default();
        for row in ask("SELECT custom_id, version FROM profiles").await? {
            contents.profiles.insert(row.get(0), row.get(1));
        }
        for row in ask("SELECT custom_id FROM deleted").await? {
            contents.deleted.push(row.get(0));
        }
        for row in ask("SELECT event_id FROM events").await? {
            contents.events.push(row.get(0));
        }
        Ok(contents)
    }

    async fn describe(&self, target: Target, row: &str) -> Result<String> {
        let (table, key) = match target {
            Target::Profiles => ("profiles", "custom_id"),
            Target::Events => ("events", "event_id"),
        };
        let connection = self.database.connect().await?;
        let query =
            format!("SELECT to_jsonb(t)::text || ', transaction ' || xmin FROM {table} AS t WHERE {key}::text = $1");
        let found = connection
            .query_one(&query, &[&row])
            .await
            .context(format!("{row} can not be looked up"))?;
        Ok(found.get(0))
    }
}
