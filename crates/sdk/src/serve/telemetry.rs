//! Spans of the calls that this process serves, for whoever said in `Configure` where they go.
//!
//! One process serves one plugin, so where they go is a matter of the process. Until somebody says so, and for calls that carry no trace, a span costs one look.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use longshore_core::Error;
use longshore_protocol::v1;
use longshore_telemetry::{Target, carried, shut_down, tracer_provider};
use opentelemetry::{
    KeyValue,
    trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _},
};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};
use tonic::metadata::MetadataMap;

/// How long the end of the process waits for its last spans; together with the grace of open calls well below the contract's 5 s.
const LAST_SPANS: Duration = Duration::from_millis(1_500);

static EXPORTING: RwLock<Option<Arc<Exporting>>> = RwLock::new(None);

struct Exporting {
    target: Target,
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// From now on spans go there, or nowhere. What can not be used is said and changes nothing else: no run fails for want of a trace.
pub(super) fn configure(plugin: &str, version: &str, telemetry: Option<v1::Telemetry>) {
    let target = telemetry.map(|telemetry| Target {
        endpoint: telemetry.traces_endpoint,
        headers: BTreeMap::from_iter(telemetry.headers),
        timeout: Duration::from_millis(telemetry.timeout_ms),
    });
    let mut exporting = EXPORTING.write().unwrap_or_else(PoisonError::into_inner);
    if exporting.as_ref().map(|exporting| &exporting.target) == target.as_ref() {
        return;
    }
    let exporter = target.and_then(
        |target| match tracer_provider(&target, &format!("longshore-{plugin}"), version) {
            Ok(provider) => Some(Arc::new(Exporting {
                target,
                tracer: provider.tracer("longshore-sdk"),
                provider,
            })),
            Err(error) => {
                tracing::warn!(%error, "spans can not be pushed");
                None
            }
        },
    );
    let replaced = std::mem::replace(&mut *exporting, exporter);
    drop(exporting);
    if replaced.is_some() {
        // It pushes what it has, which may take a while.
        tokio::task::spawn_blocking(move || drop(replaced));
    }
}

/// Pushes what is left, within a bound of time.
pub(super) async fn end() {
    let Some(exporting) = EXPORTING.write().unwrap_or_else(PoisonError::into_inner).take() else {
        return;
    };
    let pushing = tokio::task::spawn_blocking(move || shut_down(Some(&exporting.provider), None, LAST_SPANS));
    match pushing.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the last spans could not be pushed"),
        Err(error) => tracing::debug!(%error, "the last spans were not pushed"),
    }
}

/// A call that goes on; its span ends when the value is dropped.
pub(crate) struct CallSpan(Option<Span>);

/// Begins the span of a call such as `Source/Read`, with the caller's as its parent.
pub(crate) fn begin(call: &'static str, metadata: &MetadataMap) -> CallSpan {
    let exporting = EXPORTING.read().unwrap_or_else(PoisonError::into_inner).clone();
    let span = exporting.and_then(|exporting| {
        let parent = carried(metadata)?;
        let span = exporting.tracer.span_builder(call).with_kind(SpanKind::Server);
        let attributes = [KeyValue::new("rpc.system", "grpc"), KeyValue::new("rpc.method", call)];
        let span = span.with_attributes(attributes);
        Some(exporting.tracer.build_with_context(span, &parent))
    });
    CallSpan(span)
}

impl CallSpan {
    /// What the call is about: names, counts and types, never a value.
    pub(crate) fn about(&mut self, name: &'static str, value: &str) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(name, value.to_owned()));
        }
    }

    /// How the call came out.
    pub(crate) fn came_out<T>(&mut self, result: &Result<T, Error>) {
        if let (Some(span), Err(error)) = (&mut self.0, result) {
            span.set_attribute(KeyValue::new("error.type", error.code.clone()));
            span.set_status(Status::error(error.code.clone()));
        }
    }
}
