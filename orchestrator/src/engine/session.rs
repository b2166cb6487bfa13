//! The plugins of a sync: started, checked, configured, stopped.

use std::{collections::HashSet, time::Duration};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{join_all, try_join_all},
    stream,
};
use longshore_config::{Configuration, Configured, Diagnostic, Document, PluginSpec, Registry, Source, WriteMode};
use longshore_core::{Domain, Error};
use longshore_protocol::v1;

use crate::{
    failure::Failure,
    plugin_host::{Plugin, PluginHost, PluginReference, Role},
};

/// Sources whose plugins are started together for a validation.
const VALIDATED_AT_ONCE: usize = 4;

/// How long a daemon waits at its start for plugins to say which of their options are secret.
const LEARNING: Duration = Duration::from_secs(5);

/// Starts the plugins of every source and has them check their options, as each run does. Nothing is connected to. What is not wrong and still should be
/// looked at is given back.
///
/// # Errors
/// Everything that is wrong with the configuration, or the first thing that is wrong elsewhere.
pub async fn validate(host: &PluginHost, configuration: &Configuration) -> Result<Vec<Diagnostic>, Failure> {
    let mut diagnostics = Vec::new();
    let mut warnings = Vec::new();
    for sources in configuration.sources.chunks(VALIDATED_AT_ONCE) {
        let opening = sources.iter().map(|source| Session::open(host, configuration, source));
        for opened in join_all(opening).await {
            match opened {
                Ok(session) => {
                    warnings.extend(session.plugins().flat_map(|plugin| plugin.spec.warnings()).cloned());
                    session.close().await;
                }
                // Mistakes in the options of one source do not hide those of the next.
                Err(Failure::Configuration(found)) => diagnostics.extend(found),
                Err(failure) => return Err(failure),
            }
        }
    }
    diagnostics.dedup();
    if !diagnostics.is_empty() {
        return Err(Failure::Configuration(diagnostics));
    }
    let mut seen = HashSet::new();
    warnings.retain(|warning| seen.insert(warning.clone()));
    Ok(warnings)
}

/// Asks each plugin of a configuration, once, which of its options are secret, so that from its first word on a daemon tells names from secrets. What a plugin
/// that does not answer would have said is found out when it runs.
pub async fn learn(host: &PluginHost, configuration: &Configuration) {
    let mut asked = HashSet::new();
    let sources = configuration.sources.iter().filter_map(|source| {
        let reference = PluginReference::from(source);
        asked
            .insert(kind_of(&reference))
            .then(|| learn_from(host, reference, &configuration.sources).boxed())
    });
    let sources: Vec<_> = sources.collect();
    let destinations = configuration.destinations.iter().filter_map(|destination| {
        let reference = PluginReference::from(destination);
        asked
            .insert(kind_of(&reference))
            .then(|| learn_from(host, reference, &configuration.destinations).boxed())
    });
    let all = stream::iter(sources.into_iter().chain(destinations.collect::<Vec<_>>()));
    let learning = all.buffer_unordered(VALIDATED_AT_ONCE).collect::<()>();
    if tokio::time::timeout(LEARNING, learning).await.is_err() {
        tracing::warn!(
            "not every plugin has said within {} s which of its options are secret: until it does, values from variables count as secret",
            LEARNING.as_secs()
        );
    }
}

async fn learn_from<S>(host: &PluginHost, reference: PluginReference, all: &[Configured<S>])
where
    for<'a> PluginReference: From<&'a Configured<S>>,
{
    let kind = kind_of(&reference);
    let plugin = match host.start(reference).await {
        Ok(plugin) => plugin,
        Err(error) => {
            tracing::warn!(code = error.code, %error, causes = ?error.causes, "a plugin can not be asked yet which of its options are secret");
            return;
        }
    };
    match plugin.spec_schema() {
        Ok(schema) => {
            let users = all.iter().filter(|user| kind_of(&PluginReference::from(user)) == kind);
            users.for_each(|user| learn_of(&user.document, &schema));
        }
        Err(error) => {
            tracing::warn!(code = error.code, %error, "a plugin does not say which of its options are secret")
        }
    }
    plugin.stop().await;
}

/// What is wrong with the options is said when they are used.
fn learn_of(document: &Document, schema: &serde_json::Value) {
    if let Ok(spec) = document.validate_plugin_spec(schema) {
        spec.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    }
}

/// What makes two references mean the same plugin.
fn kind_of(reference: &PluginReference) -> (Role, Registry, String) {
    (reference.role, reference.registry, reference.path.clone())
}

/// The plugins of one sync, ready to be used.
pub struct Session {
    /// Where rows come from.
    pub source: ConfiguredPlugin,
    /// Where rows go, in the configuration's order.
    pub destinations: Vec<ConfiguredPlugin>,
    /// How the user wants each destination written.
    pub write_modes: Vec<WriteOptions>,
}

/// A destination's options that are not the plugin's own.
#[derive(Clone, Copy, Debug)]
pub struct WriteOptions {
    /// Asked for; unspecified: the destination's natural mode.
    pub write_mode: v1::WriteMode,
    /// How far a table may be changed.
    pub migrate_mode: v1::MigrateMode,
}

/// A plugin with the document that configures it.
#[derive(Clone)]
pub struct ConfiguredPlugin {
    /// The plugin.
    pub plugin: Plugin,
    /// Where it is configured.
    pub document: Document,
    /// Its options, valid against its schema.
    pub spec: PluginSpec,
}

impl Session {
    /// Starts the plugins of a sync, validates their options and hands them over.
    ///
    /// # Errors
    /// What is wrong with the configuration, at its place; what the plugins say.
    pub async fn open(host: &PluginHost, configuration: &Configuration, source: &Source) -> Result<Self, Failure> {
        let destinations = configuration.destinations_of(&source.spec);
        let source_plugin = start(host, PluginReference::from(source), source);
        let destination_plugins = try_join_all(
            destinations
                .iter()
                .map(|&destination| start(host, PluginReference::from(destination), destination)),
        );
        let (source_plugin, destination_plugins) =
            futures_util::future::try_join(source_plugin, destination_plugins).await?;
        let opened = destinations.iter().zip(&destination_plugins);
        for (&destination, plugin) in opened {
            release_elsewhere(&configuration.destinations, destination, plugin)?;
        }
        release_elsewhere(&configuration.sources, source, &source_plugin)?;
        let write_modes = destinations
            .iter()
            .zip(&destination_plugins)
            .map(|(destination, plugin)| {
                let options = WriteOptions::of(&destination.spec);
                options
                    .check(&plugin.plugin)
                    .map_err(|error| located(&destination.document, error))?;
                Ok::<_, Failure>(options)
            });
        let write_modes = write_modes.collect::<Result<_, _>>()?;
        let session = Self {
            source: source_plugin,
            destinations: destination_plugins,
            write_modes,
        };
        try_join_all(session.plugins().map(ConfiguredPlugin::configure)).await?;
        Ok(session)
    }

    /// Source first, then the destinations.
    pub fn plugins(&self) -> impl Iterator<Item = &ConfiguredPlugin> {
        std::iter::once(&self.source).chain(&self.destinations)
    }

    /// Stops every process that was started.
    pub async fn close(&self) {
        join_all(self.plugins().map(|configured| configured.plugin.stop())).await;
    }
}

impl ConfiguredPlugin {
    pub(super) async fn configure(&self) -> Result<(), Failure> {
        self.plugin
            .configure(&self.spec)
            .await
            .map_err(|error| located(&self.document, error))
    }

    /// Places an error about the plugin's options at their place in the file; others stay as they are.
    pub fn located(&self, error: Error) -> Failure {
        located(&self.document, error)
    }
}

impl WriteOptions {
    pub(super) fn of(spec: &longshore_config::DestinationSpec) -> Self {
        let write_mode = match spec.write_mode {
            None => v1::WriteMode::Unspecified,
            Some(WriteMode::Append) => v1::WriteMode::Append,
            Some(WriteMode::Overwrite) => v1::WriteMode::Overwrite,
            Some(WriteMode::OverwriteDeleteStale) => v1::WriteMode::OverwriteDeleteStale,
        };
        let migrate_mode = match spec.migrate_mode {
            longshore_config::MigrateMode::Safe => v1::MigrateMode::Safe,
            longshore_config::MigrateMode::Forced => v1::MigrateMode::Forced,
        };
        Self {
            write_mode,
            migrate_mode,
        }
    }

    /// A mode that the plugin does not declare is refused before anything is read.
    fn check(self, plugin: &Plugin) -> Result<(), Error> {
        let Some(capabilities) = &plugin.description.destination else {
            return Err(Error::internal(
                "role_missing",
                "A destination without capabilities passed the plugin host",
            ));
        };
        let unsupported = |what: &str| {
            Error::config("write_mode_unsupported", format!("The destination {} does not support {what}", plugin.name))
                .with_remedy("Choose a mode that `longshore plugin info` lists, or leave `write_mode` out for the destination's own.")
                .with_field("/../write_mode")
        };
        if self.write_mode != v1::WriteMode::Unspecified
            && !capabilities.write_modes().any(|mode| mode == self.write_mode)
        {
            return Err(unsupported(&format!("write_mode {}", mode_name(self.write_mode))));
        }
        if self.write_mode == v1::WriteMode::OverwriteDeleteStale && !capabilities.delete_stale {
            return Err(unsupported("deleting stale rows"));
        }
        Ok(())
    }
}

/// A mode as users write it.
pub fn mode_name(mode: v1::WriteMode) -> &'static str {
    match mode {
        v1::WriteMode::Unspecified => "of the destination's choice",
        v1::WriteMode::Append => "append",
        v1::WriteMode::Overwrite => "overwrite",
        v1::WriteMode::OverwriteDeleteStale => "overwrite-delete-stale",
    }
}

/// Starts one plugin and validates its options against the schema it describes.
pub async fn start<S>(
    host: &PluginHost,
    reference: PluginReference,
    configured: &Configured<S>,
) -> Result<ConfiguredPlugin, Failure> {
    let document = configured.document.clone();
    let role = reference.role;
    let plugin = host
        .start(reference)
        .await
        .map_err(|error| located_in_envelope(&document, error))?;
    tracing::debug!(
        plugin = plugin.label(),
        version = plugin.description.version,
        role = role.name(),
        "started"
    );
    let schema = plugin.spec_schema()?;
    let spec = document.validate_plugin_spec(&schema)?;
    Ok(ConfiguredPlugin { plugin, document, spec })
}

/// The schema of a plugin shows also in other documents that use the plugin which values are no secrets: a host that two syncs share must not be blanked
/// out while one of them runs. What else is wrong there is said when they are used themselves.
fn release_elsewhere<S>(all: &[Configured<S>], of: &Configured<S>, plugin: &ConfiguredPlugin) -> Result<(), Error>
where
    for<'a> PluginReference: From<&'a Configured<S>>,
{
    let schema = plugin.plugin.spec_schema()?;
    let used = PluginReference::from(of);
    for other in all {
        let reference = PluginReference::from(other);
        if reference.name != used.name && kind_of(&reference) == kind_of(&used) {
            other.document.validate_plugin_spec(&schema).ok();
        }
    }
    Ok(())
}

/// Where the plugin's own options are in a document.
const PLUGIN_OPTIONS: &str = "/spec/spec";

fn located(document: &Document, error: Error) -> Failure {
    if error.domain != Domain::Config || error.field.is_empty() {
        return Failure::Error(error);
    }
    let pointer = match error.field.strip_prefix("/..") {
        Some(envelope) => format!("/spec{envelope}"),
        None => format!("{PLUGIN_OPTIONS}{}", error.field),
    };
    placed(document, &pointer, &error)
}

fn located_in_envelope(document: &Document, error: Error) -> Failure {
    if error.domain != Domain::Config || error.field.is_empty() {
        return Failure::Error(error);
    }
    placed(document, &error.field, &error)
}

fn placed(document: &Document, pointer: &str, error: &Error) -> Failure {
    let mut message = error.message.clone();
    for cause in &error.causes {
        message.push_str(": ");
        message.push_str(cause);
    }
    let mut diagnostic = document.error_at(pointer, message);
    if !error.remedy.is_empty() {
        diagnostic = diagnostic.with_help(error.remedy.clone());
    }
    Failure::Configuration(vec![diagnostic])
}

/// The role's word in an error about a missing capability.
pub fn refuse_missing(plugin: &Plugin, capability: &str, remedy: &str) -> Error {
    let role = match plugin.role {
        Role::Source => "source",
        Role::Destination => "destination",
    };
    Error::config(
        "capability_missing",
        format!("The {role} {} can not {capability}", plugin.name),
    )
    .with_remedy(remedy)
}
