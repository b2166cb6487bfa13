//! Traces and metrics over OTLP: one trace of a run through three processes, received by a collector; and a collector that is not there costs nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use longshore_tests::{
    Context, PATIENCE, Result,
    collector::{Collected, Collector, Span},
    eventually,
};
use tokio::net::TcpListener;

use crate::generated::Generated;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The programs whose spans belong to a trace of the generated sync.
const SERVICES: [&str; 3] = ["longshore", "longshore-discard", "longshore-generate"];

fn services(collected: &Collected) -> BTreeSet<&str> {
    collected.spans.iter().map(|span| span.service.as_str()).collect()
}

/// The only span with this name.
fn only<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found.next().unwrap_or_else(|| panic!("no span {name}: {spans:#?}"));
    assert!(found.next().is_none(), "several spans {name}: {spans:#?}");
    span
}

/// Everything that the processes of a sync have pushed; they push what is left before they end.
async fn spans_of_all_processes(collector: &Collector) -> Result<Collected> {
    eventually("spans of three processes arrive", PATIENCE, async || {
        let collected = collector.collected();
        (services(&collected) == BTreeSet::from(SERVICES)).then_some(collected)
    })
    .await
}

#[tokio::test]
async fn one_trace_of_a_run_has_spans_of_all_three_processes_below_each_other() -> Result<()> {
    let collector = Collector::start().await?;
    let mut generated = Generated::with(1_000, &[], &[])?;
    generated.longshore.set_variable(ENDPOINT, &collector.endpoint());
    let report = generated.sync_well().await?;
    let collected = spans_of_all_processes(&collector).await?;
    let spans = &collected.spans;

    let traces: BTreeSet<_> = spans.iter().map(|span| &span.trace_id).collect();
    assert_eq!(traces.len(), 1, "one run is one trace: {spans:#?}");
    let run = only(spans, "run numbers");
    assert_eq!(
        (&*run.service, &*run.parent_id),
        ("longshore", ""),
        "the run is the root"
    );
    assert_eq!(run.attributes.get("longshore.run_id"), report.run_id.as_ref());
    assert_eq!(run.attributes["longshore.outcome"], "completed");

    let attempt = only(spans, "attempt");
    let table = only(spans, "table numbers");
    let partition = spans.iter().find(|span| span.name.starts_with("partition "));
    let partition = partition.context("a partition has a span")?;
    for (span, parent) in [(attempt, run), (table, attempt), (partition, table)] {
        assert_eq!(
            (&*span.service, &span.parent_id),
            ("longshore", &parent.span_id),
            "{span:?}"
        );
    }
    for (name, service, parent) in [
        ("Source/OpenRun", "longshore-generate", attempt),
        ("Source/Read", "longshore-generate", partition),
        ("Source/CloseRun", "longshore-generate", attempt),
        ("Destination/Prepare", "longshore-discard", attempt),
        ("Destination/Write", "longshore-discard", partition),
    ] {
        let span = only(spans, name);
        assert_eq!(
            (&*span.service, &span.parent_id),
            (service, &parent.span_id),
            "{name}: {spans:#?}"
        );
        assert!(
            span.begun >= parent.begun && span.ended >= span.begun,
            "{name} lies within its parent"
        );
    }
    assert_eq!(only(spans, "Source/Read").attributes["longshore.table"], "numbers");
    assert!(spans.iter().all(|span| !span.failed));
    let ids: BTreeSet<_> = spans.iter().map(|span| span.span_id.as_str()).collect();
    let orphans: Vec<_> = spans
        .iter()
        .filter(|span| !span.parent_id.is_empty() && !ids.contains(span.parent_id.as_str()))
        .collect();
    assert!(orphans.is_empty(), "every parent was pushed too: {orphans:#?}");

    for metric in ["longshore_rows_read", "longshore_rows_delivered", "longshore_runs"] {
        assert!(
            collected.metrics.iter().any(|name| name == metric),
            "{:?}",
            collected.metrics
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_second_attempt_belongs_to_the_same_trace_and_the_first_says_why_it_ended() -> Result<()> {
    let collector = Collector::start().await?;
    let mut generated = Generated::with(200_000, &[], &["exit_after_rows: 50000", "once_file: fired"])?;
    generated.longshore.set_variable(ENDPOINT, &collector.endpoint());
    assert_eq!(generated.sync_well().await?.attempt, 2);
    let spans = spans_of_all_processes(&collector).await?.spans;

    assert_eq!(
        spans.iter().map(|span| &span.trace_id).collect::<BTreeSet<_>>().len(),
        1
    );
    let run = only(&spans, "run numbers");
    let attempts: BTreeMap<_, _> = spans
        .iter()
        .filter(|span| span.name == "attempt")
        .map(|span| (span.attributes["longshore.attempt"].as_str(), span))
        .collect();
    assert_eq!(attempts.keys().copied().collect::<Vec<_>>(), ["1", "2"]);
    assert!(attempts.values().all(|attempt| attempt.parent_id == run.span_id));
    assert_eq!(
        (attempts["1"].failed, &*attempts["1"].attributes["error.type"]),
        (true, "plugin_died")
    );
    assert!(!attempts["2"].failed && !run.failed);
    Ok(())
}

#[tokio::test]
async fn headers_reach_the_collector_from_every_process_and_nobody_else_sees_them() -> Result<()> {
    const CANARY: &str = "canary-of-a-collector";
    let collector = Collector::start().await?;
    let mut generated = Generated::with(20_000, &[], &["batches_per_second: 20"])?;
    generated.longshore.set_variable(ENDPOINT, &collector.endpoint());
    let headers = format!("authorization=Bearer%20{CANARY}");
    generated.longshore.set_variable("OTEL_EXPORTER_OTLP_HEADERS", &headers);
    let running = generated.longshore.start(["sync", "--log-level", "trace"])?;
    // By their programs: a process that was only just made still is the one that made it.
    for program in ["longshore-source-generate", "longshore-destination-discard"] {
        let plugin = running.plugin(program).await?;
        assert!(plugin.environment().contains("PATH="), "environments can be read");
        assert!(
            !plugin.environment().contains(CANARY),
            "{}: in its environment",
            plugin.program()
        );
        assert!(
            !plugin.command_line.contains(CANARY),
            "{}: in its arguments",
            plugin.program()
        );
    }
    let finished = running.finish().await?.succeeded()?;
    assert!(
        !finished.stdout.contains(CANARY) && !finished.stderr.contains(CANARY),
        "{finished}"
    );
    let collected = spans_of_all_processes(&collector).await?;
    assert!(collected.authorizations.len() >= SERVICES.len());
    let expected = format!("Bearer {CANARY}");
    assert!(collected.authorizations.iter().all(|value| *value == expected));
    Ok(())
}

#[tokio::test]
async fn a_collector_that_is_gone_or_never_answers_costs_a_run_nothing_but_a_bounded_wait() -> Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0").await.context("no socket")?;
    let silent = silent
        .local_addr()
        .map(|address| (address, silent))
        .context("no address")?;
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no socket")?;
        listener.local_addr().context("no address")?
    };
    for address in [silent.0, gone] {
        let mut generated = Generated::with(1_000, &[], &[])?;
        generated.longshore.set_variable(ENDPOINT, &format!("http://{address}"));
        let begun = Instant::now();
        let report = generated.sync_well().await?;
        assert_eq!(report.only_table().delivered, 1_000);
        // The plugins' last spans, the orchestrator's, and its metrics, each within its bound; and a busy machine.
        assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    }
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_the_variables_is_said_and_fails_no_run() -> Result<()> {
    let mut generated = Generated::with(10, &[], &[])?;
    generated.longshore.set_variable(ENDPOINT, "http://127.0.0.1:4317");
    generated
        .longshore
        .set_variable("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    let finished = generated.longshore.run(["sync"]).await?.succeeded()?;
    assert!(finished.stderr.contains("OTEL_EXPORTER_OTLP_PROTOCOL"), "{finished}");
    Ok(())
}
