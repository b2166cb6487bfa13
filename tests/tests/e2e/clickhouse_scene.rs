//! Tables in ClickHouse, a sandbox, and Longshore between them.

use std::collections::BTreeMap;

use longshore_tests::{
    ClickHouseDatabase, ClickHouseServer, Context, Finished, Longshore, PROJECT_KEY, REST_API_KEY, Result,
    SandboxOptions, SandboxProcess, shop::Target,
};
use serde_json::{Map, Value};

use crate::report::Report;

/// Everything that a sync out of ClickHouse needs.
pub(crate) struct ClickHouseScene {
    pub(crate) server: &'static ClickHouseServer,
    pub(crate) database: ClickHouseDatabase,
    pub(crate) sandbox: SandboxProcess,
    pub(crate) longshore: Longshore,
}

/// A sync of tables to one of Batch's targets.
#[derive(Clone, Debug)]
pub(crate) struct ClickHouseSync {
    target: Target,
    /// As YAML, such as `[profiles]`.
    tables: String,
    source_lines: Vec<String>,
    destination_lines: Vec<String>,
}

impl ClickHouseSync {
    pub(crate) fn of(tables: &str, target: Target) -> Self {
        Self {
            target,
            tables: tables.to_owned(),
            source_lines: Vec::new(),
            destination_lines: Vec::new(),
        }
    }

    /// The same with a line more among the options of the source plugin.
    pub(crate) fn with_source(mut self, line: &str) -> Self {
        self.source_lines.push(line.to_owned());
        self
    }

    /// The same with a line more among the options of the destination plugin.
    pub(crate) fn with_destination(mut self, line: &str) -> Self {
        self.destination_lines.push(line.to_owned());
        self
    }
}

/// What the sandbox holds of one profile, or of one event whose custom id no other event has.
pub(crate) type Received = BTreeMap<String, Map<String, Value>>;

impl ClickHouseScene {
    /// A database with these tables, a strict sandbox without rate limits.
    pub(crate) async fn open(statements: &str) -> Result<Self> {
        let server = ClickHouseServer::shared().await?;
        let database = server.create_database().await?;
        Self::in_database(server, database, statements).await
    }

    /// The same in a database that was made for it.
    pub(crate) async fn in_database(
        server: &'static ClickHouseServer,
        database: ClickHouseDatabase,
        statements: &str,
    ) -> Result<Self> {
        database.execute(statements).await?;
        let mut longshore = Longshore::new()?;
        longshore.set_variable("CLICKHOUSE_PASSWORD", server.password());
        longshore.set_variable("BATCH_REST_API_KEY", REST_API_KEY);
        let sandbox = SandboxOptions {
            rate_limited: false,
            strict: true,
        };
        Ok(Self {
            server,
            database,
            sandbox: SandboxProcess::start(sandbox).await?,
            longshore,
        })
    }

    /// Runs a sync; its state is that of its target.
    pub(crate) async fn sync(&self, sync: &ClickHouseSync) -> Result<Finished> {
        let file = format!("{}.yml", sync.target.table());
        self.longshore.write(&file, &self.text(sync))?;
        self.longshore.run(["sync", &file, "--json"]).await
    }

    /// A sync that is to succeed.
    pub(crate) async fn sync_well(&self, sync: &ClickHouseSync) -> Result<Report> {
        Report::of(&self.sync(sync).await?.succeeded()?)
    }

    /// What arrived, by custom id; fails where an event's is not its own.
    pub(crate) async fn received(&self, target: Target) -> Result<Received> {
        let mut received = Received::new();
        match target {
            Target::Profiles => {
                for profile in self.sandbox.profiles().await? {
                    received.insert(profile.custom_id, profile.attributes);
                }
            }
            Target::Events => {
                for event in self.sandbox.events().await? {
                    let before = received.insert(event.custom_id.clone(), event.attributes);
                    assert!(before.is_none(), "two events of {}", event.custom_id);
                }
            }
        }
        Ok(received)
    }

    /// The sandbox noticed nothing that a careful client does not do.
    pub(crate) async fn assert_no_violations(&self) -> Result<()> {
        let violations = self.sandbox.violations().await?;
        assert_eq!(violations["count"], 0, "{violations}");
        Ok(())
    }

    fn text(&self, sync: &ClickHouseSync) -> String {
        let (name, tables) = (sync.target.table(), &sync.tables);
        let target = match sync.target {
            Target::Profiles => "profile_attributes",
            Target::Events => "profile_events",
        };
        let (host, port, user) = (self.server.host(), self.server.port(), self.server.user());
        let database = Value::from(self.database.name());
        let base_url = self.sandbox.base_url();
        let [source, destination] = [&sync.source_lines, &sync.destination_lines]
            .map(|lines| lines.iter().map(|line| format!("    {line}\n")).collect::<String>());
        format!(
            "kind: source\nspec:\n  name: {name}\n  path: clickhouse\n  tables: {tables}\n  destinations: [batch]\n  spec:\n    \
             host: {host}\n    port: {port}\n    database: {database}\n    username: {user}\n    password: ${{CLICKHOUSE_PASSWORD}}\n{source}\
             ---\nkind: destination\nspec:\n  name: batch\n  path: batch\n  spec:\n    target: {target}\n    base_url: {base_url}\n    \
             project_key: {PROJECT_KEY}\n    rest_api_key: ${{BATCH_REST_API_KEY}}\n    rate_limit: {{ unlimited: true }}\n{destination}"
        )
    }
}

/// One text of a row.
pub(crate) fn text_of<'a>(row: &'a Map<String, Value>, column: &str) -> Result<&'a str> {
    row.get(column)
        .and_then(Value::as_str)
        .context(format!("{column} is no text"))
}
