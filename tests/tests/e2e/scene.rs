//! A shop in PostgreSQL, a sandbox, and Longshore between them.

use longshore_tests::{
    Finished, Longshore, PostgresCluster, Result, RunningLongshore, SandboxOptions, SandboxProcess,
    oracle::{Comparison, Oracle},
    shop::{Configuration, Shop, Target},
};

use crate::report::Report;

/// Everything that a sync of the shop needs.
pub(crate) struct Scene {
    pub(crate) shop: Shop,
    pub(crate) sandbox: SandboxProcess,
    pub(crate) longshore: Longshore,
}

impl Scene {
    /// A shop of some size, a strict sandbox without rate limits, and a plain configuration file for each table: `profiles.yml` and `events.yml`.
    pub(crate) async fn open(profiles: i64, events: i64) -> Result<Self> {
        let database = PostgresCluster::shared().await?.create_database().await?;
        let sandbox = SandboxOptions {
            rate_limited: false,
            strict: true,
        };
        let mut scene = Self {
            shop: Shop::open(database, profiles, events).await?,
            sandbox: SandboxProcess::start(sandbox).await?,
            longshore: Longshore::new()?,
        };
        for (name, value) in Configuration::variables() {
            scene.longshore.set_variable(name, value);
        }
        for target in [Target::Profiles, Target::Events] {
            scene.configure(target, &scene.configuration(target))?;
        }
        Ok(scene)
    }

    /// The plain configuration, to change and to write with [`configure`](Self::configure).
    pub(crate) fn configuration(&self, target: Target) -> Configuration {
        // The sandbox has no limit; at the documented one, the shop's events would take many minutes.
        Configuration::new(target, self.shop.database(), &self.sandbox)
            .with_destination_option("rate_limit: { unlimited: true }")
    }

    pub(crate) fn configure(&self, target: Target, configuration: &Configuration) -> Result<()> {
        self.longshore
            .write(&format!("{}.yml", target.table()), &configuration.text())
    }

    pub(crate) fn start_sync(&self, target: Target) -> Result<RunningLongshore> {
        self.longshore
            .start(["sync", &format!("{}.yml", target.table()), "--json"])
    }

    pub(crate) async fn sync(&self, target: Target) -> Result<Finished> {
        self.start_sync(target)?.finish().await
    }

    /// A sync that is to succeed.
    pub(crate) async fn sync_well(&self, target: Target) -> Result<Report> {
        Report::of(&self.sync(target).await?.succeeded()?)
    }

    pub(crate) async fn compare(&self, target: Target) -> Result<Comparison> {
        Oracle::new(self.shop.database(), &self.sandbox).compare(target).await
    }

    /// The sandbox holds each row once, every field equal, and noticed nothing that a careful client does not do.
    pub(crate) async fn assert_exact(&self, target: Target) -> Result<()> {
        let comparison = self.compare(target).await?;
        assert!(comparison.is_exact(), "{}: {comparison}", target.table());
        let violations = self.sandbox.violations().await?;
        assert_eq!(violations["count"], 0, "{violations}");
        Ok(())
    }
}
