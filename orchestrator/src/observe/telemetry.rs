//! Traces and metrics pushed over OTLP, as the standard `OTEL_…` variables say; nothing without them.

use std::time::Duration;

use longshore_config::Secrets;
use longshore_telemetry::{ExportError, Signal, Target, TargetError, meter_provider, shut_down, tracer_provider};
use opentelemetry::{
    metrics::{Meter, MeterProvider as _},
    trace::TracerProvider as _,
};
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use super::spans;

/// The name of the service that traces and metrics belong to; `OTEL_SERVICE_NAME` does not change it, so that the processes of a trace can be told apart.
const SERVICE: &str = "longshore";

/// How long the end of the process waits for what is left.
const LAST_PUSH: Duration = Duration::from_secs(3);

/// What is pushed, and where.
#[derive(Default)]
pub struct Telemetry {
    traces: Option<(SdkTracerProvider, Target)>,
    metrics: Option<SdkMeterProvider>,
}

/// Why something is not pushed although the environment asks for it.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The environment is wrong.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The exporter can not be made.
    #[error("the OTLP exporter can not be made: {0}")]
    Exporter(#[from] ExportError),
}

impl Telemetry {
    /// Reads the environment. What is wrong with it is told, and costs the traces or the metrics that it is about, never a run. The values of headers join
    /// `secrets`. To be called within the runtime.
    pub fn from_environment(
        secrets: &Secrets,
        variable: impl Fn(&str) -> Option<String>,
    ) -> (Self, Vec<TelemetryError>) {
        let mut errors = Vec::new();
        let mut target = |signal| match Target::from_environment(signal, &variable) {
            Ok(target) => target.inspect(|target| hide_headers(target, secrets)),
            Err(error) => {
                errors.push(error.into());
                None
            }
        };
        let (traces, metrics) = (target(Signal::Traces), target(Signal::Metrics));
        let version = env!("CARGO_PKG_VERSION");
        let traces = traces.map(|target| Ok((tracer_provider(&target, SERVICE, version)?, target)));
        let metrics = metrics.map(|target| meter_provider(&target, SERVICE, version));
        let mut made = Self::default();
        match traces.transpose() {
            Ok(traces) => made.traces = traces,
            Err(error) => errors.push(TelemetryError::Exporter(error)),
        }
        match metrics.transpose() {
            Ok(metrics) => made.metrics = metrics,
            Err(error) => errors.push(TelemetryError::Exporter(error)),
        }
        (made, errors)
    }

    /// The layer that makes spans of [`spans`]; `None` when they go nowhere.
    pub fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let (provider, _) = self.traces.as_ref()?;
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        let pushed = filter_fn(|metadata| metadata.is_span() && metadata.target() == spans::TARGET);
        Some(layer.with_filter(pushed.with_max_level_hint(tracing::level_filters::LevelFilter::INFO)))
    }

    /// What metrics are pushed through; `None` when they go nowhere.
    #[must_use]
    pub fn meter(&self) -> Option<Meter> {
        Some(self.metrics.as_ref()?.meter(SERVICE))
    }

    /// Where plugins are to push their spans.
    #[must_use]
    pub fn for_plugins(&self) -> Option<&Target> {
        self.traces.as_ref().map(|(_, target)| target)
    }

    /// Pushes what is left, within a bound of time. Blocks its thread.
    pub fn end(self) {
        let traces = self.traces.as_ref().map(|(provider, _)| provider);
        if let Err(error) = shut_down(traces, self.metrics.as_ref(), LAST_PUSH) {
            tracing::warn!(%error, "not all traces and metrics could be pushed to the collector");
        }
    }
}

fn hide_headers(target: &Target, secrets: &Secrets) {
    // Of `https://user:password@collector`, the password.
    secrets.insert_credentials(&target.endpoint);
    for value in target.headers.values() {
        secrets.insert(value);
        // A token is a secret without the word before it, too.
        value.split_whitespace().for_each(|part| secrets.insert(part));
    }
}
