//! The `Plugin` service: what every plugin serves.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use longshore_core::{Error, Result};
use longshore_protocol::{
    PROTOCOL_VERSION,
    status::to_status,
    v1::{self, plugin_server},
};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use tonic::{Request, Response, Status};

use super::telemetry;

/// A source or a destination, as the `Plugin` service sees it.
pub(crate) trait Role: Send + Sync {
    /// Fills in the role's part of the description.
    fn describe(&self, description: &mut v1::DescribeResponse);
    /// Takes the specification.
    fn configure(&self, spec_json: &str) -> Result<()>;
    /// Whether it has one.
    fn configured(&self) -> bool;
    /// Runs the connection test.
    fn test_connection(&self, tables: Vec<String>) -> BoxFuture<'_, Result<Vec<v1::Check>>>;
}

pub(crate) struct PluginService {
    name: &'static str,
    version: &'static str,
    source: Option<Arc<dyn Role>>,
    destination: Option<Arc<dyn Role>>,
}

impl PluginService {
    pub(crate) fn new(
        name: &'static str,
        version: &'static str,
        source: Option<Arc<dyn Role>>,
        destination: Option<Arc<dyn Role>>,
    ) -> Self {
        Self {
            name,
            version,
            source,
            destination,
        }
    }

    fn roles(&self) -> impl Iterator<Item = &Arc<dyn Role>> {
        self.source.iter().chain(&self.destination)
    }
}

#[tonic::async_trait]
impl plugin_server::Plugin for PluginService {
    async fn describe(&self, _: Request<v1::DescribeRequest>) -> Result<Response<v1::DescribeResponse>, Status> {
        let mut description = v1::DescribeResponse {
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            protocol_versions: vec![PROTOCOL_VERSION],
            source: None,
            destination: None,
        };
        for role in self.roles() {
            role.describe(&mut description);
        }
        Ok(Response::new(description))
    }

    async fn configure(
        &self,
        request: Request<v1::ConfigureRequest>,
    ) -> Result<Response<v1::ConfigureResponse>, Status> {
        let request = request.into_inner();
        let role = match request.role() {
            v1::Role::Source => &self.source,
            v1::Role::Destination => &self.destination,
            v1::Role::Unspecified => &None,
        };
        let Some(role) = role else {
            let error = Error::protocol(
                "role_unknown",
                format!("The plugin {} does not have the role that Configure names", self.name),
            );
            return Err(to_status(&error));
        };
        tracing::debug!(invocation_id = request.invocation_id, "configured");
        role.configure(&request.spec_json).map_err(|error| to_status(&error))?;
        telemetry::configure(self.name, self.version, request.telemetry);
        Ok(Response::new(v1::ConfigureResponse {}))
    }

    async fn test_connection(
        &self,
        request: Request<v1::TestConnectionRequest>,
    ) -> Result<Response<v1::TestConnectionResponse>, Status> {
        let tables = request.into_inner().tables;
        let mut checks = Vec::new();
        for role in self.roles().filter(|role| role.configured()) {
            checks.extend(
                role.test_connection(tables.clone())
                    .await
                    .map_err(|error| to_status(&error))?,
            );
        }
        Ok(Response::new(v1::TestConnectionResponse { checks }))
    }
}

/// Reads a specification, naming the place of the first error as a JSON pointer.
pub(crate) fn parse_spec<T: DeserializeOwned>(spec_json: &str) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_str(spec_json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field: String = error.path().iter().map(pointer_segment).collect();
        // serde_json appends its own line and column, which mean nothing to somebody who wrote YAML.
        let message = error.inner().to_string();
        let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
        Error::config("spec_invalid", message).with_field(field)
    })
}

/// A step of a path as a JSON pointer writes it (RFC 6901).
fn pointer_segment(segment: &Segment) -> String {
    match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { variant } => format!("/{variant}"),
        // What is unknown is left out: the pointer then names the place around it.
        Segment::Unknown => String::new(),
    }
}

/// The JSON Schema of a specification.
pub(crate) fn spec_schema<T: schemars::JsonSchema>() -> String {
    schemars::schema_for!(T).as_value().to_string()
}
