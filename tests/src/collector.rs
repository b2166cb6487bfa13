//! A collector of traces and metrics: the receiving end of OTLP over gRPC, on a loopback socket, that keeps what it is sent.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value::Value},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use crate::{Context as _, Result};

/// A span as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Of all spans of one trace.
    pub trace_id: String,
    /// Its own.
    pub span_id: String,
    /// Empty: it is the root.
    pub parent_id: String,
    /// What it is called.
    pub name: String,
    /// The service that made it: one for each program.
    pub service: String,
    /// What it says of itself, as text.
    pub attributes: BTreeMap<String, String>,
    /// It says that it failed.
    pub failed: bool,
    /// Nanoseconds since 1970.
    pub begun: u64,
    /// Nanoseconds since 1970.
    pub ended: u64,
}

/// What a collector has been sent.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// In the order in which they came.
    pub spans: Vec<Span>,
    /// Names of metrics, each once.
    pub metrics: Vec<String>,
    /// Values of the header `authorization`.
    pub authorizations: Vec<String>,
}

/// A running collector; it ends when it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    collected: Shared,
    serving: JoinHandle<()>,
}

#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Collected>>);

impl Collector {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// No socket can be opened.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("no socket for a collector")?;
        let address = listener.local_addr().context("a listener has an address")?;
        let collected = Shared::default();
        let server = Server::builder()
            .add_service(TraceServiceServer::new(collected.clone()))
            .add_service(MetricsServiceServer::new(collected.clone()));
        let serving = tokio::spawn(async move {
            // It ends with the task.
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.ok();
        });
        Ok(Self {
            address,
            collected,
            serving,
        })
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` takes.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was sent so far.
    #[must_use]
    pub fn collected(&self) -> Collected {
        self.collected.lock().clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_authorization<T>(&self, request: &Request<T>) {
        let authorization = request.metadata().get("authorization");
        if let Some(Ok(authorization)) = authorization.map(|value| value.to_str()) {
            self.lock().authorizations.push(authorization.to_owned());
        }
    }
}

#[tonic::async_trait]
impl TraceService for Shared {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> std::result::Result<Response<ExportTraceServiceResponse>, Status> {
        self.keep_authorization(&request);
        let mut collected = self.lock();
        for of_resource in request.into_inner().resource_spans {
            let resource = of_resource.resource.map(|resource| resource.attributes);
            let service = texts(&resource.unwrap_or_default()).remove("service.name");
            let service = service.unwrap_or_default();
            for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                // STATUS_CODE_ERROR of opentelemetry/proto/trace/v1/trace.proto.
                let failed = span.status.is_some_and(|status| status.code == 2);
                collected.spans.push(Span {
                    trace_id: hex(&span.trace_id),
                    span_id: hex(&span.span_id),
                    parent_id: hex(&span.parent_span_id),
                    name: span.name,
                    service: service.clone(),
                    attributes: texts(&span.attributes),
                    failed,
                    begun: span.start_time_unix_nano,
                    ended: span.end_time_unix_nano,
                });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Shared {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> std::result::Result<Response<ExportMetricsServiceResponse>, Status> {
        self.keep_authorization(&request);
        let mut collected = self.lock();
        let scopes = request.into_inner().resource_metrics.into_iter();
        let metrics = scopes
            .flat_map(|resource| resource.scope_metrics)
            .flat_map(|scope| scope.metrics);
        for metric in metrics {
            if !collected.metrics.contains(&metric.name) {
                collected.metrics.push(metric.name);
            }
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| {
        let text = match attribute.value.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => text.clone(),
            Value::IntValue(number) => number.to_string(),
            Value::BoolValue(flag) => flag.to_string(),
            Value::DoubleValue(number) => number.to_string(),
            _ => return None,
        };
        Some((attribute.key.clone(), text))
    };
    attributes.iter().filter_map(text).collect()
}
