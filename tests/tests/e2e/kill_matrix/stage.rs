//! What the cells share, and what each has for itself.

use longshore_tests::{
    Longshore, PostgresCluster, Result, SandboxOptions, SandboxProcess,
    fault_proxy::FaultProxies,
    oracle::{Comparison, Oracle},
    shop::{Configuration, Shop, Target},
};
use serde_json::json;

/// Several batches of each table, so that there is something before and after every moment.
pub(super) const ROWS: i64 = 6_000;

/// More bytes than the sockets between the processes hold: a source that has sent everything hears of no commit. The views keep the columns that arrive.
const MAKE_WIDE: &str = "
    CREATE VIEW narrow_profiles AS SELECT * FROM profiles;
    CREATE VIEW narrow_events AS SELECT * FROM events;
    ALTER TABLE profiles ADD padding text NOT NULL DEFAULT repeat('p', 2000);
    ALTER TABLE events ADD padding text NOT NULL DEFAULT repeat('p', 2000);";

/// A shop that nobody changes.
pub(super) struct Stage {
    shop: Shop,
}

/// One cell's own sandbox, state and processes.
pub(super) struct CellScene<'a> {
    stage: &'a Stage,
    target: Target,
    pub(super) sandbox: SandboxProcess,
    pub(super) longshore: Longshore,
    pub(super) proxies: FaultProxies,
}

impl Stage {
    pub(super) async fn set() -> Result<Self> {
        let database = PostgresCluster::shared().await?.create_database().await?;
        let shop = Shop::open(database, ROWS, ROWS).await?;
        shop.database().execute(MAKE_WIDE).await?;
        Ok(Self { shop })
    }
}

impl<'a> CellScene<'a> {
    pub(super) async fn open(stage: &'a Stage, target: Target) -> Result<Self> {
        let sandbox = SandboxOptions {
            rate_limited: false,
            strict: true,
        };
        let sandbox = SandboxProcess::start(sandbox).await?;
        // A run that takes a moment: checkpoints are committed while rows are still to come.
        sandbox.set_faults(json!([{ "kind": "slow", "ms": 40 }])).await?;
        let mut longshore = Longshore::new()?;
        for (name, value) in Configuration::variables() {
            longshore.set_variable(name, value);
        }
        let proxies = FaultProxies::install(
            longshore.folder(),
            "longshore-source-postgresql",
            "longshore-destination-batch",
        )?;
        let configuration = Configuration::new(target, stage.shop.database(), &sandbox)
            .through(&proxies)
            // Little on its way at once keeps the source reading for as long as the destination writes.
            .with_source_line("max_unacked_bytes: 1 MiB")
            .with_destination_option("mapping: { event_id: { ignore: true }, padding: { ignore: true } }")
            .with_destination_option("concurrency: 2")
            .with_destination_option("rate_limit: { unlimited: true }");
        longshore.write("sync.yml", &configuration.text())?;
        Ok(Self {
            stage,
            target,
            sandbox,
            longshore,
            proxies,
        })
    }

    pub(super) async fn compare(&self) -> Result<Comparison> {
        let oracle = Oracle::new(self.stage.shop.database(), &self.sandbox);
        match self.target {
            Target::Profiles => {
                let query = "SELECT custom_id AS row_id, t.* FROM narrow_profiles AS t";
                oracle.compare_profiles(query).await
            }
            Target::Events => {
                let query = "SELECT event_id AS row_id, t.* FROM narrow_events AS t";
                oracle.compare_events(query, &["event_id"]).await
            }
        }
    }
}
