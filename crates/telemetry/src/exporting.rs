//! Providers of spans and metrics that push to a collector.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::{Resource, error::OTelSdkResult, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tonic::{
    metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap},
    transport::ClientTlsConfig,
};

use crate::target::Target;

/// Why nothing can be pushed to a target.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A header can not be sent.
    #[error("the header `{0}` can not be sent")]
    Header(String),
    /// The address or what belongs to it can not be used.
    #[error("nothing can be pushed to the collector")]
    Exporter(#[from] ExporterBuildError),
}

/// Spans of this process, pushed in batches by a thread of their own. A span that finds the queue full is dropped.
///
/// To be called within a runtime, which carries the connection.
///
/// # Errors
/// See [`ExportError`].
pub fn tracer_provider(target: &Target, service: &str, version: &str) -> Result<SdkTracerProvider, ExportError> {
    let exporter = towards(SpanExporter::builder().with_tonic(), target)?.build()?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource(service, version))
        .build())
}

/// Metrics of this process, pushed every minute (`OTEL_METRIC_EXPORT_INTERVAL` says otherwise) and at its end.
///
/// To be called within a runtime, which carries the connection.
///
/// # Errors
/// See [`ExportError`].
pub fn meter_provider(target: &Target, service: &str, version: &str) -> Result<SdkMeterProvider, ExportError> {
    let exporter = towards(MetricExporter::builder().with_tonic(), target)?.build()?;
    Ok(SdkMeterProvider::builder()
        .with_periodic_exporter(exporter)
        .with_resource(resource(service, version))
        .build())
}

/// Pushes what is left and ends, within a bound of time. Blocks its thread: not one of a runtime's own.
///
/// # Errors
/// Some of it could not be pushed.
pub fn shut_down(
    traces: Option<&SdkTracerProvider>,
    metrics: Option<&SdkMeterProvider>,
    within: Duration,
) -> OTelSdkResult {
    let traces = traces.map_or(Ok(()), |provider| provider.shutdown_with_timeout(within));
    let metrics = metrics.map_or(Ok(()), |provider| provider.shutdown_with_timeout(within));
    traces.and(metrics)
}

fn resource(service: &str, version: &str) -> Resource {
    Resource::builder()
        .with_service_name(service.to_owned())
        .with_attribute(KeyValue::new("service.version", version.to_owned()))
        .build()
}

fn towards<B: WithExportConfig + WithTonicConfig>(builder: B, target: &Target) -> Result<B, ExportError> {
    let builder = builder
        .with_endpoint(&target.endpoint)
        .with_timeout(target.timeout)
        .with_metadata(metadata(target)?);
    // Reading the system's certificates takes time, which a collector on this machine need not cost.
    Ok(match target.endpoint.starts_with("https:") {
        true => builder.with_tls_config(ClientTlsConfig::new().with_enabled_roots()),
        false => builder,
    })
}

fn metadata(target: &Target) -> Result<MetadataMap, ExportError> {
    let mut metadata = MetadataMap::new();
    for (name, value) in &target.headers {
        let unusable = || ExportError::Header(name.clone());
        let key: AsciiMetadataKey = name.parse().map_err(|_| unusable())?;
        let mut value: AsciiMetadataValue = value.parse().map_err(|_| unusable())?;
        value.set_sensitive(true);
        metadata.insert(key, value);
    }
    Ok(metadata)
}
