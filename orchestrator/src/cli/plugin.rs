//! `longshore plugin list|info`

use clap::{Args, Subcommand, ValueEnum};
use longshore_config::Registry;
use longshore_protocol::v1;
use serde::Serialize;
use serde_json::Value;

use super::{Context, output::Columns};
use crate::{
    engine::session::mode_name,
    failure::{Exit, Failure},
    plugin_host::{Plugin, PluginReference, Role, bundled_plugins},
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The plugins that are installed together with longshore.
    List,
    /// What a plugin can do, and the JSON Schema of its options.
    Info {
        /// In which role.
        #[arg(value_enum)]
        role: RoleName,
        /// Name of a bundled plugin, path of a program, or address of a running one; see --registry.
        path: String,
        /// Where the plugin comes from.
        #[arg(long, value_enum, default_value_t = RegistryName::Bundled)]
        registry: RegistryName,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    Source,
    Destination,
}

#[derive(Clone, Copy, ValueEnum)]
enum RegistryName {
    Bundled,
    Local,
    Grpc,
}

#[derive(Serialize)]
struct ListedPlugin {
    role: &'static str,
    name: String,
    program: String,
}

#[derive(Serialize)]
struct PluginInfo {
    role: &'static str,
    name: String,
    version: String,
    protocol_versions: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceAbilities>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<DestinationAbilities>,
    spec_schema: Value,
}

#[derive(Serialize)]
struct SourceAbilities {
    incremental: bool,
    resumable: bool,
}

#[derive(Serialize)]
struct DestinationAbilities {
    write_modes: Vec<&'static str>,
    delete_stale: bool,
    read_back: bool,
    preview: bool,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    match arguments.command {
        Command::List => list(context)?,
        Command::Info { role, path, registry } => {
            let reference = PluginReference {
                role: role.into(),
                name: path.clone(),
                path,
                registry: registry.into(),
                version: None,
                tls: None,
            };
            let host = context.plugin_host()?;
            let plugin = host.start(reference).await?;
            let info = PluginInfo::of(&plugin);
            plugin.stop().await;
            context.output.data(&info?, PluginInfo::in_words)?;
        }
    }
    Ok(Exit::Done)
}

fn list(context: &Context) -> Result<(), Failure> {
    let plugins: Vec<ListedPlugin> = bundled_plugins()
        .into_iter()
        .map(|plugin| ListedPlugin {
            role: plugin.role,
            name: plugin.name,
            program: plugin.program.display().to_string(),
        })
        .collect();
    context.output.data(&plugins, |plugins| {
        let mut columns = Columns::new(&["ROLE", "NAME", "PROGRAM"]);
        for plugin in plugins {
            columns.row(vec![
                plugin.role.to_owned(),
                plugin.name.clone(),
                plugin.program.clone(),
            ]);
        }
        columns.render("no plugin is installed beside this program")
    })?;
    Ok(())
}

impl PluginInfo {
    fn of(plugin: &Plugin) -> longshore_core::Result<Self> {
        let description = &plugin.description;
        let destination = description
            .destination
            .as_ref()
            .filter(|_| plugin.role == Role::Destination);
        let source = description.source.as_ref().filter(|_| plugin.role == Role::Source);
        Ok(Self {
            role: plugin.role.name(),
            name: description.name.clone(),
            version: description.version.clone(),
            protocol_versions: description.protocol_versions.clone(),
            source: source.map(|source| SourceAbilities {
                incremental: source.incremental,
                resumable: source.resumable,
            }),
            destination: destination.map(DestinationAbilities::from),
            spec_schema: plugin.spec_schema()?,
        })
    }

    fn in_words(&self) -> String {
        let mut text = format!(
            "{} {} {}, plugin protocol {:?}\n",
            self.role, self.name, self.version, self.protocol_versions
        );
        if let Some(source) = &self.source {
            text.push_str(&format!(
                "incremental reading: {}\nresumes within a partition: {}\n",
                yes(source.incremental),
                yes(source.resumable)
            ));
        }
        if let Some(destination) = &self.destination {
            text.push_str(&format!("write modes: {}\n", destination.write_modes.join(", ")));
            text.push_str(&format!("deletes stale rows: {}\n", yes(destination.delete_stale)));
            text.push_str(&format!("previews: {}\n", yes(destination.preview)));
        }
        text.push_str(&format!("JSON Schema of its options:\n{:#}\n", self.spec_schema));
        text
    }
}

fn yes(ability: bool) -> &'static str {
    if ability { "yes" } else { "no" }
}

impl From<&v1::DestinationCapabilities> for DestinationAbilities {
    fn from(capabilities: &v1::DestinationCapabilities) -> Self {
        Self {
            write_modes: capabilities.write_modes().map(mode_name).collect(),
            delete_stale: capabilities.delete_stale,
            read_back: capabilities.read_back,
            preview: capabilities.preview,
        }
    }
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Source => Self::Source,
            RoleName::Destination => Self::Destination,
        }
    }
}

impl From<RegistryName> for Registry {
    fn from(registry: RegistryName) -> Self {
        match registry {
            RegistryName::Bundled => Self::Bundled,
            RegistryName::Local => Self::Local,
            RegistryName::Grpc => Self::Grpc,
        }
    }
}
