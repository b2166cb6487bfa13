//! A span's context in the metadata of a call, as W3C Trace Context writes it.

use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::TraceContextExt as _,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::metadata::{AsciiMetadataKey, MetadataMap};

/// Writes the span of a context into the metadata of a call; nothing where it has none.
pub fn carry(context: &Context, metadata: &mut MetadataMap) {
    TraceContextPropagator::new().inject_context(context, &mut Writing(metadata));
}

/// The span that a call was made in, as parent for spans of its own; `None` when the call carries none.
#[must_use]
pub fn carried(metadata: &MetadataMap) -> Option<Context> {
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Reading(metadata));
    context.span().span_context().is_valid().then_some(context)
}

struct Writing<'m>(&'m mut MetadataMap);

impl Injector for Writing<'_> {
    fn set(&mut self, key: &str, value: String) {
        // Both are made of letters, digits and hyphens by the standard.
        if let (Ok(key), Ok(value)) = (key.parse::<AsciiMetadataKey>(), value.parse()) {
            self.0.insert(key, value);
        }
    }
}

struct Reading<'m>(&'m MetadataMap);

impl Extractor for Reading<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    #[test]
    fn a_span_goes_into_a_call_and_comes_out_of_it() {
        let span = SpanContext::new(
            TraceId::from(0x0123_4567_89ab_cdef_u128),
            SpanId::from(0xfeed_u64),
            TraceFlags::SAMPLED,
            true,
            TraceState::default(),
        );
        let mut metadata = MetadataMap::new();
        carry(&Context::new().with_remote_span_context(span.clone()), &mut metadata);
        let text = metadata.get("traceparent").unwrap().to_str().unwrap();
        assert_eq!(text, "00-00000000000000000123456789abcdef-000000000000feed-01");
        let parent = carried(&metadata).unwrap();
        assert_eq!(parent.span().span_context(), &span);
    }

    #[test]
    fn a_call_without_a_span_or_with_nonsense_carries_none() {
        let mut metadata = MetadataMap::new();
        carry(&Context::new(), &mut metadata);
        assert!(metadata.is_empty());
        assert!(carried(&metadata).is_none());
        metadata.insert("traceparent", "00-nonsense".parse().unwrap());
        assert!(carried(&metadata).is_none());
    }
}
