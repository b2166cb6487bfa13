//! The spans of a run's trace: the run, its attempts, their tables, their partitions. The plugins' spans hang below these, by the context that their calls carry.
//!
//! Names, counts and types only; never a value of a row.

use tracing::{Instrument as _, Span, field::Empty};

use crate::failure::Failure;

/// The target of all spans that are pushed, and of nothing else.
pub const TARGET: &str = "longshore::trace";

/// A sync from its hold to its end: the root of the trace.
pub(super) fn run(sync: &str) -> Span {
    tracing::info_span!(
        target: TARGET,
        "run",
        otel.name = format!("run {sync}"),
        otel.status_code = Empty,
        longshore.sync = sync,
        longshore.run_id = Empty,
        longshore.outcome = Empty,
    )
}

/// One attempt, with plugins of its own.
pub(crate) fn attempt() -> Span {
    tracing::info_span!(
        target: TARGET,
        "attempt",
        longshore.attempt = Empty,
        otel.status_code = Empty,
        "error.type" = Empty,
    )
}

/// All partitions of a table in one attempt.
pub(crate) fn table(table: &str) -> Span {
    tracing::info_span!(target: TARGET, "table", otel.name = format!("table {table}"), longshore.table = table)
}

/// A partition, over as many streams as it takes.
pub(crate) fn partition(table: &Span, partition: &str) -> Span {
    tracing::info_span!(
        target: TARGET,
        parent: table,
        "partition",
        otel.name = format!("partition {partition}"),
        otel.status_code = Empty,
        longshore.partition = partition,
        "error.type" = Empty,
    )
}

/// How what a span covers came out: the error's code, never its text.
pub(crate) fn failed(span: &Span, code: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", code);
}

/// Work within a span, which says by its code what it failed for.
pub(crate) async fn recording(span: Span, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let outcome = work.instrument(span.clone()).await;
    if let Err(failure) = &outcome {
        failed(&span, &failure.to_error().code);
    }
    outcome
}
