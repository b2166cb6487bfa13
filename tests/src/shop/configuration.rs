//! Configuration documents for the shop.

use crate::{
    Origin, PASSWORD, PROJECT_KEY, REST_API_KEY, SandboxProcess,
    fault_proxy::{FaultProxies, Role},
};

/// The environment variable with the database's password.
pub const PASSWORD_VARIABLE: &str = "SHOP_PASSWORD";
/// The environment variable with the REST API key.
pub const BATCH_KEY_VARIABLE: &str = "BATCH_REST_API_KEY";

/// One of Batch's two targets, with the shop's table for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The table `profiles`, to profile attributes.
    Profiles,
    /// The table `events`, to profile events.
    Events,
}

impl Target {
    /// The table; also the name of its sync.
    pub fn table(self) -> &'static str {
        match self {
            Self::Profiles => "profiles",
            Self::Events => "events",
        }
    }

    /// The name of its destination.
    pub fn destination(self) -> &'static str {
        match self {
            Self::Profiles => "batch-profiles",
            Self::Events => "batch-events",
        }
    }
}

/// A sync of one of the shop's tables to a sandbox, as a file with two documents. Secrets stand in environment variables.
#[derive(Clone, Debug)]
pub struct Configuration {
    target: Target,
    table: String,
    source_plugin: String,
    destination_plugin: String,
    source_lines: Vec<String>,
    source_options: Vec<String>,
    destination_options: Vec<String>,
}

impl Configuration {
    /// What is needed and nothing more.
    pub fn new<'a>(target: Target, database: impl Into<Origin<'a>>, sandbox: &SandboxProcess) -> Self {
        let origin = database.into();
        let source_options = [
            format!("host: {}", origin.host()),
            format!("port: {}", origin.port()),
            format!("database: {}", origin.name()),
            format!("username: {}", origin.user()),
            format!("password: ${{{PASSWORD_VARIABLE}}}"),
            "cursor: last_updated_at".to_owned(),
        ];
        let mut destination_options = vec![
            match target {
                Target::Profiles => "target: profile_attributes".to_owned(),
                Target::Events => "target: profile_events".to_owned(),
            },
            format!("base_url: {}", sandbox.base_url()),
            format!("project_key: {PROJECT_KEY}"),
            format!("rest_api_key: ${{{BATCH_KEY_VARIABLE}}}"),
        ];
        if target == Target::Events {
            destination_options.push("mapping: { event_id: { ignore: true } }".to_owned());
        }
        Self {
            target,
            table: target.table().to_owned(),
            source_plugin: origin.plugin().to_owned(),
            destination_plugin: "batch".to_owned(),
            source_lines: Vec::new(),
            source_options: source_options.into(),
            destination_options,
        }
    }

    /// The variables that a file for PostgreSQL refers to, with their values.
    pub fn variables() -> [(&'static str, &'static str); 2] {
        [(PASSWORD_VARIABLE, PASSWORD), (BATCH_KEY_VARIABLE, REST_API_KEY)]
    }

    /// The variables that a file for a database refers to, with their values.
    pub fn variables_for(origin: Origin<'_>) -> [(&'static str, &str); 2] {
        [
            (PASSWORD_VARIABLE, origin.password()),
            (BATCH_KEY_VARIABLE, REST_API_KEY),
        ]
    }

    /// The same with fault proxies in place of the plugins.
    #[must_use]
    pub fn through(mut self, proxies: &FaultProxies) -> Self {
        let program = |role| format!("{}\n  registry: local", proxies.program(role).display());
        self.source_plugin = program(Role::Source);
        self.destination_plugin = program(Role::Destination);
        self
    }

    /// The same for another table. The sync keeps its name.
    #[must_use]
    pub fn with_table(mut self, table: &str) -> Self {
        table.clone_into(&mut self.table);
        self
    }

    /// The same with one more line among Longshore's own options of the source, such as `concurrency: 1`.
    #[must_use]
    pub fn with_source_line(mut self, line: &str) -> Self {
        self.source_lines.push(line.to_owned());
        self
    }

    /// The same with one more line among the options of the source plugin. A line with the same key goes.
    #[must_use]
    pub fn with_source_option(mut self, line: &str) -> Self {
        replace(&mut self.source_options, line);
        self
    }

    /// The same with one more line among the options of the destination plugin. A line with the same key goes.
    #[must_use]
    pub fn with_destination_option(mut self, line: &str) -> Self {
        replace(&mut self.destination_options, line);
        self
    }

    /// The file.
    pub fn text(&self) -> String {
        let (name, table, destination) = (self.target.table(), &self.table, self.target.destination());
        let (source_plugin, destination_plugin) = (&self.source_plugin, &self.destination_plugin);
        let source_lines = indented(&self.source_lines, "  ");
        let source_options = indented(&self.source_options, "    ");
        let destination_options = indented(&self.destination_options, "    ");
        format!(
            "kind: source\nspec:\n  name: {name}\n  path: {source_plugin}\n  tables: [{table}]\n  destinations: [{destination}]\n\
             {source_lines}  spec:\n{source_options}\
             ---\nkind: destination\nspec:\n  name: {destination}\n  path: {destination_plugin}\n  spec:\n{destination_options}"
        )
    }
}

fn replace(lines: &mut Vec<String>, line: &str) {
    let key = line.split(':').next();
    lines.retain(|known| known.split(':').next() != key);
    lines.push(line.to_owned());
}

fn indented(lines: &[String], indentation: &str) -> String {
    lines.iter().map(|line| format!("{indentation}{line}\n")).collect()
}
