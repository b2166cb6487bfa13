//! Plugins as processes: found, started, waited for, talked to, stopped, and explained when they die.
//!
//! A [`Plugin`] is the handle: its description and a channel to it. Behind it, for a plugin that Longshore started, one task owns the process
//! (`process`), two read its output (`output`). Nothing outlives the handle: dropping it kills the process, and should Longshore itself be
//! killed, the kernel does (`guard`), as does the end of the plugin's standard input.

mod connection;
pub mod guard;
mod locate;
mod output;
mod process;
mod sockets;

use std::{borrow::Cow, path::PathBuf, sync::Arc, time::Duration};

use longshore_config::{Configured, Destination, PluginSpec, Registry, Secrets, Source, TlsFiles};
use longshore_core::{Error, Result};
use longshore_protocol::{
    PROTOCOL_VERSION,
    batch_stream::{self, Incoming},
    limits,
    status::from_status,
    v1,
};
use longshore_telemetry::{Target, carry};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Status, Streaming,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::in_clear;
use locate::Location;
pub use locate::bundled_plugins;
pub(crate) use output::LOG_TARGET;
use process::PluginProcess;
use sockets::SocketDirectory;

/// A plugin that does not answer within this after its start is given up.
const READINESS_DEADLINE: Duration = Duration::from_secs(10);

/// Between two looks whether a plugin that was just started answers: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// See [`FIRST_PAUSE`].
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Taking a specification needs no connection, so a plugin that takes longer hangs.
const CONFIGURE_DEADLINE: Duration = Duration::from_secs(30);

/// In which role a plugin is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Rows come from it.
    Source,
    /// Rows go to it.
    Destination,
}

impl Role {
    /// The word that users know.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// Which plugin is wanted, and by whom.
#[derive(Clone, Debug)]
pub struct PluginReference {
    /// In which role.
    pub role: Role,
    /// Name of the source or destination in the configuration; for messages.
    pub name: String,
    /// Bundled name, path or address.
    pub path: String,
    /// Where it comes from.
    pub registry: Registry,
    /// The version that the user expects.
    pub version: Option<String>,
    /// Certificates for an address; paths are resolved.
    pub tls: Option<TlsFiles>,
}

impl From<&Source> for PluginReference {
    fn from(source: &Source) -> Self {
        let spec = &source.spec;
        Self {
            role: Role::Source,
            name: spec.name.clone(),
            path: resolved_path(source, spec.registry, &spec.path),
            registry: spec.registry,
            version: spec.version.clone(),
            tls: spec.tls.as_ref().map(|tls| resolved_tls(source, tls)),
        }
    }
}

impl From<&Destination> for PluginReference {
    fn from(destination: &Destination) -> Self {
        let spec = &destination.spec;
        Self {
            role: Role::Destination,
            name: spec.name.clone(),
            path: resolved_path(destination, spec.registry, &spec.path),
            registry: spec.registry,
            version: spec.version.clone(),
            tls: spec.tls.as_ref().map(|tls| resolved_tls(destination, tls)),
        }
    }
}

/// A local program is named from the directory of the configuration file, so that it is found from wherever `longshore` runs.
fn resolved_path<S>(configured: &Configured<S>, registry: Registry, path: &str) -> String {
    if registry == Registry::Local {
        return configured.document.resolve_path(path).to_string_lossy().into_owned();
    }
    path.to_owned()
}

fn resolved_tls<S>(configured: &Configured<S>, tls: &TlsFiles) -> TlsFiles {
    let resolve = |path: &str| configured.document.resolve_path(path).to_string_lossy().into_owned();
    TlsFiles {
        ca: resolve(&tls.ca),
        certificate: resolve(&tls.certificate),
        key: resolve(&tls.key),
    }
}

/// Starts plugins.
pub struct PluginHost {
    /// Private to this user: sockets lie here.
    sockets: SocketDirectory,
    secrets: Secrets,
    guard: PathBuf,
    invocation_id: String,
    telemetry: Option<v1::Telemetry>,
}

impl PluginHost {
    /// A host whose plugins' output is redacted with `secrets`. `guard` is the program that answers to [`guard::COMMAND`].
    ///
    /// # Errors
    /// When no private directory can be made.
    pub fn new(secrets: Secrets, guard: PathBuf, invocation_id: String) -> Result<Self> {
        let sockets = SocketDirectory::make()?;
        Ok(Self {
            sockets,
            secrets,
            guard,
            invocation_id,
            telemetry: None,
        })
    }

    /// Plugins are to push their spans there.
    #[must_use]
    pub fn pushing_spans(mut self, target: Option<&Target>) -> Self {
        self.telemetry = target.map(|target| v1::Telemetry {
            traces_endpoint: target.endpoint.clone(),
            headers: target.headers.clone().into_iter().collect(),
            timeout_ms: u64::try_from(target.timeout.as_millis()).unwrap_or(u64::MAX),
        });
        self
    }

    /// Starts a plugin or connects to it, waits until it answers, and checks that it fits.
    ///
    /// # Errors
    /// `plugin_not_found`, `plugin_died`, `plugin_not_ready`, `plugin_version`, `protocol_version`, `role_missing`, with what the plugin last logged.
    pub async fn start(&self, reference: PluginReference) -> Result<Plugin> {
        let label = format!("{} {} ({})", reference.role.name(), reference.name, reference.path);
        let (channel, process) = match locate::locate(&reference)? {
            Location::Program(program) => {
                let socket = self
                    .sockets
                    .path()
                    .join(format!("{}.sock", uuid::Uuid::new_v4().simple()));
                let process = PluginProcess::spawn(&label, &program, &socket, &self.guard, self.secrets.clone())?;
                let channel = connection::to_socket(&socket);
                (channel, Some(Arc::new(process)))
            }
            Location::Socket(path) => (connection::to_socket(&path), None),
            Location::Address(address) => (connection::to_address(&address, reference.tls.as_ref()).await?, None),
        };
        let mut plugin = Plugin {
            role: reference.role,
            name: reference.name.clone(),
            label,
            channel,
            process,
            description: v1::DescribeResponse::default(),
            invocation_id: self.invocation_id.clone(),
            telemetry: self.telemetry.clone(),
            secrets: self.secrets.clone(),
        };
        plugin.description = plugin.ready().await?;
        plugin.check_description(&reference)?;
        Ok(plugin)
    }
}

/// A plugin that answers. Cheap to clone; the process ends with the last clone, or with [`Plugin::stop`].
#[derive(Clone)]
pub struct Plugin {
    /// In which role it is used.
    pub role: Role,
    /// Name of the source or destination in the configuration.
    pub name: String,
    /// What it said of itself.
    pub description: v1::DescribeResponse,
    label: String,
    channel: Channel,
    process: Option<Arc<PluginProcess>>,
    invocation_id: String,
    telemetry: Option<v1::Telemetry>,
    secrets: Secrets,
}

/// A channel whose calls carry the span that they are made in.
pub type TracedChannel = InterceptedService<Channel, Carrying>;

/// Writes the current span into the metadata of a call, where spans are pushed.
#[derive(Clone, Copy, Debug)]
pub struct Carrying {
    on: bool,
}

impl Interceptor for Carrying {
    fn call(&mut self, mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
        if self.on {
            carry(&Span::current().context(), request.metadata_mut());
        }
        Ok(request)
    }
}

impl Plugin {
    /// The `Source` service.
    #[must_use]
    pub fn source(&self) -> v1::source_client::SourceClient<TracedChannel> {
        v1::source_client::SourceClient::with_interceptor(self.channel.clone(), self.carrying())
            .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(limits::MAX_MESSAGE_BYTES)
    }

    /// The `Destination` service.
    #[must_use]
    pub fn destination(&self) -> v1::destination_client::DestinationClient<TracedChannel> {
        v1::destination_client::DestinationClient::with_interceptor(self.channel.clone(), self.carrying())
            .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(limits::MAX_MESSAGE_BYTES)
    }

    /// `Source.Read`: its batches are not copied on their way.
    ///
    /// # Errors
    /// What the source answers instead of a stream.
    pub async fn read(
        &self,
        requests: mpsc::Receiver<v1::ReadRequest>,
    ) -> std::result::Result<Incoming<v1::ReadResponse>, Status> {
        batch_stream::read(self.traced_channel(), ReceiverStream::new(requests)).await
    }

    /// `Destination.Write`: its batches are not copied on their way.
    ///
    /// # Errors
    /// What the destination answers instead of a stream.
    pub async fn write(
        &self,
        requests: mpsc::Receiver<v1::WriteRequest>,
    ) -> std::result::Result<Streaming<v1::WriteResponse>, Status> {
        batch_stream::write(self.traced_channel(), ReceiverStream::new(requests)).await
    }

    /// The JSON Schema of the plugin's specification in its role.
    ///
    /// # Errors
    /// When the plugin's schema is no JSON.
    pub fn spec_schema(&self) -> Result<serde_json::Value> {
        let schema = match self.role {
            Role::Source => self.description.source.as_ref().map(|source| &source.spec_schema),
            Role::Destination => self
                .description
                .destination
                .as_ref()
                .map(|destination| &destination.spec_schema),
        };
        serde_json::from_str(schema.map_or("", String::as_str)).map_err(|error| {
            Error::protocol("schema_broken", format!("The JSON Schema of {} is no JSON", self.label)).with_cause(&error)
        })
    }

    /// Hands the specification over.
    ///
    /// # Errors
    /// What the plugin says of it.
    pub async fn configure(&self, spec: &PluginSpec) -> Result<()> {
        let role = match self.role {
            Role::Source => v1::Role::Source,
            Role::Destination => v1::Role::Destination,
        };
        let request = v1::ConfigureRequest {
            spec_json: spec.to_json(),
            invocation_id: self.invocation_id.clone(),
            role: role.into(),
            telemetry: self.telemetry.clone(),
        };
        match tokio::time::timeout(CONFIGURE_DEADLINE, self.plugin().configure(request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(self.explain(from_status(&status)).await),
            Err(_) => {
                let seconds = CONFIGURE_DEADLINE.as_secs();
                let message = format!(
                    "The plugin {} did not take its specification within {seconds} s",
                    self.label
                );
                Err(self.domain_error("plugin_hangs", message))
            }
        }
    }

    /// Runs the plugin's connection test.
    ///
    /// # Errors
    /// When the call fails; a failed check is no error.
    pub async fn test_connection(&self, tables: Vec<String>) -> Result<Vec<v1::Check>> {
        match self
            .plugin()
            .test_connection(v1::TestConnectionRequest { tables })
            .await
        {
            Ok(response) => Ok(response
                .into_inner()
                .checks
                .into_iter()
                .map(|check| self.cleared_check(check))
                .collect()),
            Err(status) => Err(self.explain(from_status(&status)).await),
        }
    }

    fn cleared_check(&self, check: v1::Check) -> v1::Check {
        v1::Check {
            name: self.cleared(check.name),
            message: self.cleared(check.message),
            remedy: self.cleared(check.remedy),
            ..check
        }
    }

    /// Words of the plugin as they may be kept and shown: the driver of a database may repeat the password that it was given, and so may a plugin's author.
    #[must_use]
    pub fn cleared(&self, words: String) -> String {
        match self.secrets.redact(&words) {
            Cow::Borrowed(_) => words,
            Cow::Owned(redacted) => redacted,
        }
    }

    /// The same for several.
    pub fn clear_all(&self, words: &mut [String]) {
        for words in words {
            *words = self.cleared(std::mem::take(words));
        }
    }

    /// Says who an error comes from, and whether the plugin's death is behind it; without secrets that its author has told.
    pub async fn explain(&self, error: Error) -> Error {
        let error = in_clear::error(&self.secrets, error);
        // An error with the plugin's own code is the plugin's own word. A broken transport may be all that is seen of a death.
        let death = match (&self.process, error.code.as_str()) {
            (Some(process), "untyped" | "plugin_unreachable" | "stream_ended") => process.death().await,
            _ => None,
        };
        let explained = match death {
            Some(death) => self
                .domain_error("plugin_died", format!("The plugin {} {death}", self.label))
                .with_remedy("If this repeats, report it to the plugin's author with its last words."),
            None if error.code == "plugin_unreachable" => Error {
                causes: error.causes,
                ..self
                    .domain_error(
                        "plugin_unreachable",
                        format!(
                            "The connection to the plugin {} broke, or it does not answer",
                            self.label
                        ),
                    )
                    .with_remedy("Look whether its machine is overloaded, or its process stopped.")
            },
            None => return error,
        };
        // With the process the run that it had open is gone: only another attempt can go on.
        explained.with_table(error.table).retryable()
    }

    /// Asks the process to end, waits, kills it when it does not. For a plugin that was already running, only lets go of it.
    pub async fn stop(&self) {
        if let Some(process) = &self.process {
            process.stop().await;
        }
    }

    /// Name, path and role, for messages.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    fn traced_channel(&self) -> TracedChannel {
        InterceptedService::new(self.channel.clone(), self.carrying())
    }

    fn carrying(&self) -> Carrying {
        Carrying {
            on: self.telemetry.is_some(),
        }
    }

    fn plugin(&self) -> v1::plugin_client::PluginClient<Channel> {
        v1::plugin_client::PluginClient::new(self.channel.clone())
    }

    fn domain_error(&self, code: &str, message: String) -> Error {
        match self.role {
            Role::Source => Error::source(code, message),
            Role::Destination => Error::destination(code, message),
        }
    }

    /// Waits until the plugin answers `Describe`.
    async fn ready(&self) -> Result<v1::DescribeResponse> {
        let answering = async {
            let mut pause = FIRST_PAUSE;
            loop {
                match self.plugin().describe(v1::DescribeRequest {}).await {
                    Ok(response) => return Ok(response.into_inner()),
                    Err(status) if status.code() == tonic::Code::Unimplemented => {
                        return Err(self.speaks_no_common_version(&[]));
                    }
                    Err(status) if status.code() == tonic::Code::Unavailable => {
                        tracing::trace!(plugin = self.label, %status, "not ready yet")
                    }
                    Err(status) => return Err(self.explain(from_status(&status)).await),
                }
                tokio::time::sleep(pause).await;
                // Slowly longer: a plugin is ready after some ten milliseconds, and what is slept beyond that is time lost in every run.
                pause = (pause * 5 / 4).min(LONGEST_PAUSE);
            }
        };
        let died = async {
            match &self.process {
                Some(process) => process.died().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // A broken connection is news of a death as well, but says nothing of what it came from.
            biased;
            death = died => {
                let error = self.domain_error("plugin_died", format!("The plugin {} {death} before it was ready", self.label));
                Err(if death.came_from_outside() {
                    error.with_remedy("Look who ended it, for example in the kernel's log.").retryable()
                } else {
                    error.with_remedy("Start it by hand to see more.")
                })
            }
            described = answering => described,
            () = tokio::time::sleep(READINESS_DEADLINE) => {
                let seconds = READINESS_DEADLINE.as_secs();
                let error = self.domain_error("plugin_not_ready", format!("The plugin {} did not answer within {seconds} s", self.label));
                Err(match self.process {
                    Some(_) => error.with_remedy("Check that the program serves the Longshore plugin protocol on the socket that it is given."),
                    None => error.with_remedy("Check that the plugin is running at that address, and that certificates are given if it wants TLS."),
                })
            }
        }
    }

    fn check_description(&self, reference: &PluginReference) -> Result<()> {
        if !self.description.protocol_versions.contains(&PROTOCOL_VERSION) {
            return Err(self.speaks_no_common_version(&self.description.protocol_versions));
        }
        let has_role = match self.role {
            Role::Source => self.description.source.is_some(),
            Role::Destination => self.description.destination.is_some(),
        };
        if !has_role {
            let message = format!("The plugin {} is no {}", self.label, self.role.name());
            return Err(Error::config("role_missing", message).with_remedy("Name another plugin in `path`."));
        }
        match &reference.version {
            Some(version) if version.trim_start_matches('v') != self.description.version => {
                let message = format!(
                    "The plugin {} has version {}, not {version}",
                    self.label, self.description.version
                );
                Err(Error::config("plugin_version", message).with_remedy("Install that version, or change `version`."))
            }
            _ => Ok(()),
        }
    }

    fn speaks_no_common_version(&self, versions: &[u32]) -> Error {
        let theirs = if versions.is_empty() {
            "another version".to_owned()
        } else {
            format!("version {versions:?}")
        };
        Error::config(
            "protocol_version",
            format!("The plugin {} speaks {theirs} of the plugin protocol, this Longshore speaks version {PROTOCOL_VERSION}", self.label),
        )
        .with_remedy("Install a plugin and a Longshore that belong together.")
    }
}
