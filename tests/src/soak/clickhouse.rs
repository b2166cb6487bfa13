//! ClickHouse under a soak. It has no transactions, so nothing commits late; instead rows are inserted some time after the time that they carry, in many
//! small parts that are merged all the while, and profiles are replaced by newer versions.

mod writer;

use std::time::Duration;

use futures_util::future::try_join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::writer::Writer;
use super::{
    source::{BusySource, Contents},
    tally::Tally,
};
use crate::{
    ClickHouseDatabase, ClickHouseServer, Context, PROJECT_KEY, REST_API_KEY, Result, SandboxProcess,
    fault_proxy::{FaultProxies, Role},
    shop::{BATCH_KEY_VARIABLE, Target},
};

/// The environment variable with the server's password.
const PASSWORD_VARIABLE: &str = "CLICKHOUSE_PASSWORD";
/// How many connections write.
const WRITERS: usize = 4;
/// As `settle` of the configuration: rows younger than this wait for the next run.
const SETTLE: Duration = Duration::from_secs(2);
/// As `overlap` of the configuration, in seconds: rows are inserted at most a third of it late, so that a machine that is slow makes no difference.
const OVERLAP_SECONDS: u32 = 60;

const SCHEMA: &str = "
CREATE TABLE profiles (custom_id String, version Int64, last_updated_at DateTime64(6, 'UTC'))
    ENGINE = ReplacingMergeTree(version) ORDER BY custom_id;
CREATE TABLE events (event_id Int64, custom_id String, event_name String, event_time DateTime64(6, 'UTC'), last_updated_at DateTime64(6, 'UTC'))
    ENGINE = MergeTree ORDER BY (last_updated_at, event_id)";

/// A throwaway server with the two tables.
#[derive(Debug)]
pub(super) struct ClickHouseSource {
    database: ClickHouseDatabase,
    server: ClickHouseServer,
}

impl ClickHouseSource {
    pub(super) async fn start() -> Result<Self> {
        let server = ClickHouseServer::start().await?;
        let database = server.create_database().await?;
        database.execute(SCHEMA).await?;
        Ok(Self { database, server })
    }

    async fn numbers(&self, query: &str) -> Result<Vec<(String, i64)>> {
        let rows = self.database.rows(query).await?;
        let number = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        rows.iter()
            .map(|row| {
                let found = row["id"].as_str().map(str::to_owned).zip(number(&row["number"]));
                found.context(format!("this query gives something else: {query}"))
            })
            .collect()
    }
}

impl BusySource for ClickHouseSource {
    const PLUGIN: &'static str = "longshore-source-clickhouse";

    fn configuration(&self, target: Target, sandbox: &SandboxProcess, proxies: &FaultProxies) -> String {
        let (table, destination) = (target.table(), target.destination());
        let (source_program, destination_program) = (proxies.program(Role::Source), proxies.program(Role::Destination));
        let batch_target = match target {
            Target::Profiles => "profile_attributes",
            Target::Events => "profile_events",
        };
        let key = match target {
            Target::Profiles => "custom_id",
            Target::Events => "event_id",
        };
        let source = format!(
            "kind: source\nspec:\n  name: {table}\n  path: {}\n  registry: local\n  tables: [{table}]\n  destinations: [{destination}]\n  spec:\n    \
             host: {}\n    port: {}\n    database: {}\n    username: {}\n    password: ${{{PASSWORD_VARIABLE}}}\n    cursor: last_updated_at\n    \
             settle: {}s\n    overlap: {OVERLAP_SECONDS}s\n    table_options: {{ {table}: {{ primary_key: [{key}] }} }}\n",
            source_program.display(),
            self.server.host(),
            self.server.port(),
            self.database.name(),
            self.server.user(),
            SETTLE.as_secs(),
        );
        let destination = format!(
            "kind: destination\nspec:\n  name: {destination}\n  path: {}\n  registry: local\n  spec:\n    target: {batch_target}\n    \
             base_url: {}\n    project_key: {PROJECT_KEY}\n    rest_api_key: ${{{BATCH_KEY_VARIABLE}}}\n    rate_limit: {{ unlimited: true }}\n",
            destination_program.display(),
            sandbox.base_url(),
        );
        format!("{source}---\n{destination}")
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            (PASSWORD_VARIABLE, self.server.password().to_owned()),
            (BATCH_KEY_VARIABLE, REST_API_KEY.to_owned()),
        ]
    }

    async fn write_until(&self, seed: u64, stop: &CancellationToken, tally: &Tally) -> Result<()> {
        let mut chance = StdRng::seed_from_u64(seed);
        let writers =
            (0..WRITERS).map(|number| Writer::new(&self.database, number, chance.random(), tally).write_until(stop));
        try_join_all(writers.collect::<Vec<_>>()).await.map(drop)
    }

    /// There is no session that could be ended: each query is a request of its own.
    async fn break_connections(&self) -> Result<u64> {
        Ok(0)
    }

    fn settles_within(&self) -> Duration {
        SETTLE + Duration::from_secs(1)
    }

    async fn contents(&self) -> Result<Contents> {
        let profiles = self
            .numbers("SELECT custom_id AS id, version AS number FROM profiles FINAL")
            .await?;
        let events = self
            .numbers("SELECT custom_id AS id, event_id AS number FROM events")
            .await?;
        Ok(Contents {
            profiles: profiles.into_iter().collect(),
            deleted: Vec::new(),
            events: events.into_iter().map(|(_, number)| number).collect(),
        })
    }

    async fn describe(&self, target: Target, row: &str) -> Result<String> {
        let condition = match target {
            Target::Profiles => format!("profiles FINAL WHERE custom_id = '{row}'"),
            Target::Events => format!("events WHERE event_id = {row}"),
        };
        let rows = self.database.rows(&format!("SELECT * FROM {condition}")).await?;
        Ok(rows.into_iter().map(|row| Value::Object(row).to_string()).collect())
    }
}
