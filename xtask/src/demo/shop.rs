//! The shop of the demo, in the database that the user chose.

use std::time::Instant;

use clap::ValueEnum;
use longshore_tests::{
    ClickHouseServer, Origin, PostgresCluster, Result, SandboxProcess,
    shop::{ClickHouseShop, Configuration, Shop, Target},
};

use super::DemoArguments;
use crate::{Console, console::duration};

/// Where the shop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Source {
    /// A throwaway PostgreSQL cluster.
    #[value(name = "postgresql")]
    PostgreSql,
    /// The ClickHouse engine behind a small HTTP front.
    #[value(name = "clickhouse")]
    ClickHouse,
}

impl Source {
    /// Its name, for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::PostgreSql => "PostgreSQL",
            Self::ClickHouse => "ClickHouse",
        }
    }
}

/// A shop with the server that it is in. Both go when it is dropped.
pub(super) enum DemoShop {
    PostgreSql(
        Shop,
        #[expect(dead_code, reason = "held as long as its database is used")] PostgresCluster,
    ),
    ClickHouse(ClickHouseShop, ClickHouseServer),
}

impl DemoShop {
    /// Starts a server and fills a shop.
    pub(super) async fn open(arguments: &DemoArguments, console: &Console) -> Result<Self> {
        let (profiles, events) = (arguments.profiles.into(), arguments.events.into());
        let began = Instant::now();
        match arguments.source {
            Source::PostgreSql => {
                let cluster = PostgresCluster::start().await?;
                console.note(format_args!(
                    "a throwaway cluster listens on 127.0.0.1:{} ({})",
                    cluster.port(),
                    duration(began.elapsed())
                ));
                let database = cluster.create_database_named("shop").await?;
                Ok(Self::PostgreSql(Shop::open(database, profiles, events).await?, cluster))
            }
            Source::ClickHouse => {
                let server = ClickHouseServer::start().await?;
                introduce(&server, began, console).await?;
                // A real server may have a database of this name.
                let database = if server.is_front() {
                    server.create_database_named("shop").await?
                } else {
                    server.create_database().await?
                };
                let shop = ClickHouseShop::open(database, profiles, events).await?;
                Ok(Self::ClickHouse(shop, server))
            }
        }
    }

    /// The database that it is in.
    pub(super) fn origin(&self) -> Origin<'_> {
        match self {
            Self::PostgreSql(shop, _) => shop.database().into(),
            Self::ClickHouse(shop, _) => shop.database().into(),
        }
    }

    /// Changes customers; gives their ids.
    pub(super) async fn change_profiles(&self, count: i64) -> Result<Vec<String>> {
        match self {
            Self::PostgreSql(shop, _) => shop.change_profiles(count).await,
            Self::ClickHouse(shop, _) => shop.change_profiles(count).await,
        }
    }

    /// Adds customers; gives their ids.
    pub(super) async fn add_profiles(&self, count: i64) -> Result<Vec<String>> {
        match self {
            Self::PostgreSql(shop, _) => shop.add_profiles(count).await,
            Self::ClickHouse(shop, _) => shop.add_profiles(count).await,
        }
    }

    /// Adds events; gives their ids.
    pub(super) async fn add_events(&self, count: i64) -> Result<Vec<String>> {
        match self {
            Self::PostgreSql(shop, _) => shop.add_events(count).await,
            Self::ClickHouse(shop, _) => shop.add_events(count).await,
        }
    }

    /// The configuration of a sync.
    pub(super) fn configuration(&self, target: Target, sandbox: &SandboxProcess) -> Configuration {
        let configuration = Configuration::new(target, self.origin(), sandbox)
            // The emulator has been told to keep to no rate, so Longshore need not either.
            .with_destination_option("rate_limit: { unlimited: true }");
        match self {
            Self::PostgreSql(..) => configuration,
            Self::ClickHouse(..) => configuration
                // Nobody else writes, so that nothing has to settle; the acts need not wait for the default of five seconds.
                .with_source_option("settle: 0s")
                // What a run recognises in the next one is bounded, and the shop's events are many.
                .with_source_option("overlap: 1m"),
        }
    }

    /// What the options of the configuration that are the demo's own are for.
    pub(super) fn remark(&self) -> Option<&'static str> {
        match self {
            Self::PostgreSql(..) => None,
            Self::ClickHouse(..) => Some(
                "settle: 0s because nobody else writes to this shop; leave it at its default, or longer, where others do.",
            ),
        }
    }

    /// A line for a shell that adds events.
    pub(super) fn line_that_adds_events(&self) -> String {
        let origin = self.origin();
        match self {
            Self::PostgreSql(shop, _) => format!(
                "psql '{}' -c 'SELECT count(*) FROM demo.add_events(500)'",
                shop.database().connection_string()
            ),
            Self::ClickHouse(_, server) => format!(
                "curl --user {}:{} '{}/?database={}' --data 'INSERT INTO events SELECT * REPLACE (event_id + 500 AS event_id, now64(6) AS last_updated_at) FROM events ORDER BY event_id DESC LIMIT 500'",
                origin.user(),
                origin.password(),
                server.base_url(),
                origin.name()
            ),
        }
    }
}

/// Says what is ClickHouse here and what is not.
async fn introduce(server: &ClickHouseServer, began: Instant, console: &Console) -> Result<()> {
    let version = server.query("SELECT version()").await?;
    let version = version.trim_end();
    let took = duration(began.elapsed());
    if server.is_front() {
        console.note(format_args!(
            "the engine of ClickHouse {version} as a library (chdb-core), behind a front that speaks a server's HTTP, on {} ({took})",
            server.base_url()
        ));
    } else {
        console.note(format_args!("the ClickHouse server {version} on {}", server.base_url()));
    }
    Ok(())
}
