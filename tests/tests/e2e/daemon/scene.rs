//! A daemon over sources that generate rows and destinations that discard them.

use longshore_tests::{Finished, Longshore, PATIENCE, Result, RunningLongshore, eventually};
use serde_json::Value;

/// A working directory with a configuration of several syncs.
pub(super) struct Daemons {
    pub(super) longshore: Longshore,
}

/// A sync of the configuration: a table of one column more than a key, to a destination of its own.
#[derive(Clone)]
pub(super) struct Sync {
    pub(super) name: &'static str,
    /// Lines among Longshore's own options, such as `schedule: …`.
    pub(super) lines: &'static str,
    /// Lines among the source plugin's options.
    pub(super) source: &'static str,
    /// Lines among the destination plugin's options.
    pub(super) destination: &'static str,
    pub(super) rows: u64,
}

impl Sync {
    /// A sync that runs by request, and is done in a moment.
    pub(super) fn quick(name: &'static str) -> Self {
        Self {
            name,
            lines: "",
            source: "",
            destination: "ack_delay: 0",
            rows: 10,
        }
    }

    /// A sync that runs by request and moves on for minutes.
    pub(super) fn slow(name: &'static str) -> Self {
        Self {
            source: "checkpoint_rows: 10",
            destination: "batches_per_second: 5",
            rows: 10_000,
            ..Self::quick(name)
        }
    }

    pub(super) fn with_schedule(self, lines: &'static str) -> Self {
        Self { lines, ..self }
    }

    fn text(&self) -> String {
        let Self {
            name,
            lines,
            source,
            destination,
            rows,
        } = self;
        format!(
            "---\nkind: source\nspec:\n  name: {name}\n  path: generate\n  tables: ['*']\n  destinations: [{name}-out]\n  {lines}\n  spec:\n    \
             tables: [{{ name: numbers, rows: {rows}, cursor: id }}]\n    {source}\n\
             ---\nkind: destination\nspec:\n  name: {name}-out\n  path: discard\n  spec:\n    {destination}\n"
        )
    }
}

impl Daemons {
    pub(super) fn new(syncs: &[Sync]) -> Result<Self> {
        let daemons = Self {
            longshore: Longshore::new()?,
        };
        daemons.configure(syncs)?;
        Ok(daemons)
    }

    /// Replaces the configuration.
    pub(super) fn configure(&self, syncs: &[Sync]) -> Result<()> {
        let documents: String = syncs.iter().map(Sync::text).collect();
        self.longshore.write("longshore.yml", &documents)
    }

    /// A daemon that answers.
    pub(super) async fn start(&self, more: &[&str]) -> Result<RunningLongshore> {
        let daemon = self.longshore.start([&["serve"], more].concat())?;
        eventually("the daemon answers", PATIENCE, async || {
            let said = daemon.said("serving");
            said.then_some(())
        })
        .await?;
        Ok(daemon)
    }

    /// What `syncs list` says of one sync.
    pub(super) async fn sync(&self, name: &str) -> Result<Value> {
        let syncs = self.longshore.json(["syncs", "list"]).await?;
        let syncs = syncs.as_array().cloned().unwrap_or_default();
        Ok(syncs
            .into_iter()
            .find(|sync| sync["name"] == name)
            .unwrap_or(Value::Null))
    }

    /// Waits until `syncs list` says this of a sync.
    pub(super) async fn until(&self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually(&format!("{name}: {what}"), 2 * PATIENCE, async || {
            self.sync(name).await.ok().filter(|sync| is_so(sync))
        })
        .await
    }

    pub(super) async fn until_running(&self, name: &str) -> Result<Value> {
        self.until(name, "it runs and has moved rows", |sync| {
            sync["phase"] == "running" && sync["activity"]["tables"][0]["acked"].as_u64() > Some(0)
        })
        .await
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> Result<Finished> {
        self.longshore.run(arguments).await
    }

    /// The turns of a sync, newest first.
    pub(super) async fn turns(&self, name: &str) -> Result<Vec<Value>> {
        let turns = self.longshore.json(["syncs", "turns", name, "--limit", "1000"]).await?;
        Ok(turns.as_array().cloned().unwrap_or_default())
    }
}
