//! The `Plugin` service, passed on. What leads to a database or an API is led through a relay that can be cut.

use std::sync::Mutex;

use longshore_protocol::v1::{self, plugin_client::PluginClient, plugin_server};
use serde_json::{Value, json};
use tonic::{Request, Response, Status, transport::Channel};
use url::Url;

use super::{plan::Role, relay::Relay, wire::Wires};
use crate::{Context, Failure, Result};

pub(super) struct PluginProxy {
    role: Role,
    client: PluginClient<Channel>,
    peer: Wires,
    /// Relays live as long as the process: connections may be kept in a pool.
    relays: Mutex<Vec<Relay>>,
}

impl PluginProxy {
    pub(super) fn new(role: Role, channel: Channel, peer: Wires) -> Self {
        Self {
            role,
            client: PluginClient::new(channel),
            peer,
            relays: Mutex::default(),
        }
    }

    /// The specification with the address of a relay in place of that of the database or API.
    async fn led_through_relay(&self, spec_json: &str) -> Result<String> {
        let mut spec: Value = serde_json::from_str(spec_json).context("a specification is JSON")?;
        match self.role {
            Role::Source => {
                let host = spec["host"]
                    .as_str()
                    .context("the source's specification has no host")?;
                let port = spec["port"]
                    .as_u64()
                    .context("the source's specification has no port")?;
                let relay = Relay::start(format!("{host}:{port}"), self.peer.clone()).await?;
                spec["host"] = json!(relay.address().ip().to_string());
                spec["port"] = json!(relay.address().port());
                self.keep(relay);
            }
            Role::Destination => {
                let url = spec["base_url"]
                    .as_str()
                    .context("the destination's specification has no base_url")?;
                let mut url = Url::parse(url).context("base_url is no address")?;
                let host = url.host_str().context("base_url has no host")?;
                let port = url.port_or_known_default().context("base_url has no port")?;
                let relay = Relay::start(format!("{host}:{port}"), self.peer.clone()).await?;
                let moved = url
                    .set_ip_host(relay.address().ip())
                    .and_then(|()| url.set_port(Some(relay.address().port())));
                moved.map_err(|()| Failure::new("base_url can not lead to a relay"))?;
                spec["base_url"] = json!(url.as_str().trim_end_matches('/'));
                self.keep(relay);
            }
        }
        Ok(spec.to_string())
    }

    fn keep(&self, relay: Relay) {
        self.relays.lock().expect("no holder of this lock panics").push(relay);
    }
}

#[tonic::async_trait]
impl plugin_server::Plugin for PluginProxy {
    async fn describe(&self, request: Request<v1::DescribeRequest>) -> Result<Response<v1::DescribeResponse>, Status> {
        self.client.clone().describe(request.into_inner()).await
    }

    async fn configure(
        &self,
        request: Request<v1::ConfigureRequest>,
    ) -> Result<Response<v1::ConfigureResponse>, Status> {
        let mut request = request.into_inner();
        request.spec_json = self
            .led_through_relay(&request.spec_json)
            .await
            .map_err(|failure| Status::internal(failure.to_string()))?;
        self.client.clone().configure(request).await
    }

    async fn test_connection(
        &self,
        request: Request<v1::TestConnectionRequest>,
    ) -> Result<Response<v1::TestConnectionResponse>, Status> {
        self.client.clone().test_connection(request.into_inner()).await
    }
}
