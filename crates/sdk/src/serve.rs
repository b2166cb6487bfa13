//! A plugin as a process: command line, socket, logs, lifeline, shutdown.

mod batch_route;
mod command_line;
pub(crate) mod configured;
mod lifeline;
mod listener;
pub(crate) mod plugin_service;
pub(crate) mod streaming;
pub(crate) mod telemetry;

use std::{process::ExitCode, sync::Arc};

use longshore_core::{Error, Result};
use longshore_protocol::{
    limits,
    v1::{destination_server::DestinationServer, plugin_server::PluginServer, source_server::SourceServer},
};
use tonic::service::{Routes, RoutesBuilder};

use crate::{
    destination::{Destination, DestinationRole},
    source::{Source, SourceRole},
};
use batch_route::BatchRoute;
use plugin_service::{PluginService, Role};

/// A plugin: a source, a destination, or both in one program.
pub struct Plugin {
    name: &'static str,
    version: &'static str,
    routes: RoutesBuilder,
    source: Option<Arc<dyn Role>>,
    destination: Option<Arc<dyn Role>>,
}

impl Plugin {
    /// A plugin that is a source.
    #[must_use]
    pub fn source<S: Source>() -> Self {
        Self::new(S::NAME, S::VERSION).and_source::<S>()
    }

    /// A plugin that is a destination.
    #[must_use]
    pub fn destination<D: Destination>() -> Self {
        Self::new(D::NAME, D::VERSION).and_destination::<D>()
    }

    /// The same plugin is a source too.
    #[must_use]
    pub fn and_source<S: Source>(mut self) -> Self {
        let role = Arc::new(SourceRole::<S>::default());
        let server = SourceServer::from_arc(Arc::clone(&role))
            .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(limits::MAX_MESSAGE_BYTES);
        self.routes.add_service(BatchRoute::new(Arc::clone(&role), server));
        self.source = Some(role);
        self
    }

    /// The same plugin is a destination too.
    #[must_use]
    pub fn and_destination<D: Destination>(mut self) -> Self {
        let role = Arc::new(DestinationRole::<D>::default());
        let server = DestinationServer::from_arc(Arc::clone(&role))
            .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(limits::MAX_MESSAGE_BYTES);
        self.routes.add_service(BatchRoute::new(Arc::clone(&role), server));
        self.destination = Some(role);
        self
    }

    /// Reads the command line and serves until the process is told to stop. This is all that `main` has to do.
    #[must_use]
    pub fn serve(self) -> ExitCode {
        command_line::run(self)
    }

    fn new(name: &'static str, version: &'static str) -> Self {
        Self {
            name,
            version,
            routes: Routes::builder(),
            source: None,
            destination: None,
        }
    }

    pub(crate) fn into_routes(mut self) -> Routes {
        let plugin = PluginService::new(self.name, self.version, self.source, self.destination);
        self.routes.add_service(PluginServer::new(plugin));
        self.routes.routes()
    }

    pub(crate) async fn serve_on(self, listener: listener::Listener, stop: impl Future<Output = ()>) -> Result<()> {
        let routes = self.into_routes();
        listener::serve(listener, routes, stop)
            .await
            .map_err(|error| Error::internal("serve_failed", "The plugin can not serve").with_cause(&error))
    }
}
