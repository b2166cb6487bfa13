//! Reads that end too early: what was handed on before is true, and going on from the last checkpoint loses nothing.

use std::collections::BTreeMap;

use longshore_sdk::{
    arrow::{array::RecordBatch, compute::concat_batches},
    harness::{Mark, SourceHarness, texts},
    prelude::*,
};
use longshore_source_clickhouse::ClickHouse;
use serde_json::{Value, json};

use crate::support::{Database, database};

const ROWS: i64 = 60_000;

/// A table without a unique key, with ties of 700 rows, and one whose key is unique.
fn table(engine: &str) -> String {
    format!(
        "CREATE TABLE t (id UInt64, at DateTime('UTC'), pad String) ENGINE = {engine} ORDER BY id;\n\
         INSERT INTO t SELECT number, toDateTime(1500000000 + intDiv(number, 700), 'UTC'), repeat(toString(number), 20) FROM numbers({ROWS})"
    )
}

struct OneRun {
    source: SourceHarness,
    partition: Partition,
}

async fn open(database: &Database, more: Value) -> OneRun {
    let mut options = json!({"cursor": "at", "partition_rows": 100_000_000, "settings": {"max_block_size": 2000}});
    options
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let source = SourceHarness::configure::<ClickHouse>(database.spec(options))
        .await
        .unwrap();
    let selection = TableSelection {
        name: "t".to_owned(),
        ..TableSelection::default()
    };
    let mut plan = source.open_run("run", 1, vec![selection]).await.unwrap().remove(0);
    assert_eq!(plan.partitions.len(), 1, "{:?}", plan.partitions);
    OneRun {
        source,
        partition: plan.partitions.remove(0),
    }
}

impl OneRun {
    async fn rest(&self, from: Option<&Mark>) -> Vec<RecordBatch> {
        let position = from.map(|mark| mark.checkpoint.position.as_slice());
        self.source
            .read("run", "t", &self.partition, position)
            .await
            .unwrap()
            .batches
    }
}

/// How often each id was delivered, and that each row is whole.
fn deliveries<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for batch in batches {
        for (id, pad) in texts(batch, "id").into_iter().zip(texts(batch, "pad")) {
            assert_eq!(pad, id.repeat(20));
            *counts.entry(id).or_default() += 1;
        }
    }
    counts
}

fn until(batches: &[RecordBatch], mark: &Mark) -> RecordBatch {
    concat_batches(&batches[0].schema(), batches)
        .unwrap()
        .slice(0, mark.rows)
}

#[tokio::test]
async fn going_on_from_any_checkpoint_loses_nothing_and_repeats_nothing() {
    for engine in ["MergeTree", "ReplacingMergeTree"] {
        let database = database(&table(engine)).await;
        let run = open(&database, json!({})).await;
        let whole = run.source.read("run", "t", &run.partition, None).await.unwrap();
        assert_eq!(deliveries(&whole.batches).len() as i64, ROWS);
        assert!(whole.marks.len() > 10, "{engine}: {} checkpoints", whole.marks.len());
        for mark in whole.marks[..whole.marks.len() - 1].iter().step_by(5) {
            let before = until(&whole.batches, mark);
            let rest = run.rest(Some(mark)).await;
            let counts = deliveries(std::iter::once(&before).chain(&rest));
            assert_eq!(counts.len() as i64, ROWS, "{engine}: after {} rows", mark.rows);
            assert!(
                counts.values().all(|count| *count == 1),
                "{engine}: after {} rows",
                mark.rows
            );
        }
    }
}

#[tokio::test]
async fn a_tie_that_is_larger_than_every_batch_is_read_whole() {
    let database = database(
        "CREATE TABLE t (id UInt64, at DateTime('UTC'), pad String) ENGINE = MergeTree ORDER BY id;\n\
         INSERT INTO t SELECT number, toDateTime(1500000000, 'UTC'), repeat(toString(number), 20) FROM numbers(50000)",
    )
    .await;
    let run = open(&database, json!({})).await;
    let whole = run.source.read("run", "t", &run.partition, None).await.unwrap();
    assert!(
        whole.marks.len() > 10,
        "the sorting key orders what the cursor does not"
    );
    for mark in whole.marks[..whole.marks.len() - 1].iter().step_by(7) {
        let rest = run.rest(Some(mark)).await;
        let counts = deliveries(std::iter::once(&until(&whole.batches, mark)).chain(&rest));
        assert_eq!(
            (counts.len(), counts.values().max()),
            (50_000, Some(&1)),
            "after {} rows",
            mark.rows
        );
    }

    database
        .execute("TRUNCATE TABLE t;\nINSERT INTO t SELECT 7, toDateTime(1500000000, 'UTC'), repeat('7', 20) FROM numbers(50000)")
        .await;
    let run = open(&database, json!({})).await;
    let whole = run.source.read("run", "t", &run.partition, None).await.unwrap();
    assert_eq!(deliveries(&whole.batches)["7"], 50_000);
    assert_eq!(
        whole.marks.len(),
        1,
        "rows that nothing tells apart are never torn apart"
    );
}

/// A fault on the way: the read fails, can be tried again, and with what it delivered up to its last checkpoint nothing is missing.
async fn survives(fault: Value, code: &str) {
    let database = database(&table("MergeTree")).await;
    let run = open(&database, json!({})).await;
    let mut rule = json!({"match": "ORDER BY", "database": database.name()});
    rule.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
    let armed = database.server.add_fault(rule).await.unwrap();
    let (batches, marks, error) = run
        .source
        .read_to_failure("run", "t", &run.partition, None)
        .await
        .unwrap();
    armed.over().await.unwrap();
    assert_eq!(
        (error.code.as_str(), error.scope, error.retryable),
        (code, Scope::Partition, true),
        "{fault}: {error:?}"
    );
    assert_eq!(error.table, "t");
    let delivered = deliveries(&batches);
    assert!(
        delivered.values().all(|count| *count == 1) && (delivered.len() as i64) < ROWS,
        "{fault}"
    );
    let last = marks.last();
    let before = last.map(|mark| until(&batches, mark));
    let counts = deliveries(before.iter().chain(&run.rest(last).await));
    assert_eq!(counts.len() as i64, ROWS, "{fault}");
    assert!(counts.values().all(|count| *count == 1), "{fault}");
}

#[tokio::test]
async fn an_exception_in_mid_stream_is_an_error_in_every_form_that_servers_write_it() {
    if !database("").await.server.is_front() {
        return;
    }
    for form in ["tagged", "marked", "plain"] {
        for after_bytes in [0, 1_000, 300_000, 1_000_000] {
            survives(
                json!({"kind": "exception", "form": form, "after_bytes": after_bytes}),
                "memory_limit",
            )
            .await;
        }
    }
}

#[tokio::test]
async fn the_words_of_an_exception_after_whole_batches_are_an_error_though_the_body_ends_well() {
    const EXCEPTION: &str = "Code: 241. DB::Exception: Memory limit (total) exceeded: would use 9.00 GiB. (MEMORY_LIMIT_EXCEEDED) (version 23.8.1.1)\n";
    let database = database(&table("MergeTree")).await;
    let proxy = crate::support::proxy::failing_once(&database, EXCEPTION).await;
    let run = open(&database, json!({"host": "127.0.0.1", "port": proxy.port})).await;
    let (batches, marks, error) = run
        .source
        .read_to_failure("run", "t", &run.partition, None)
        .await
        .unwrap();
    assert_eq!(
        (error.code.as_str(), error.scope, error.retryable),
        ("memory_limit", Scope::Partition, true),
        "{error:?}"
    );
    assert!(
        (deliveries(&batches).len() as i64) < ROWS,
        "the last batch could have been torn"
    );
    let last = marks.last().expect("it failed at its end");
    let counts = deliveries(std::iter::once(&until(&batches, last)).chain(&run.rest(Some(last)).await));
    assert_eq!((counts.len() as i64, counts.values().max()), (ROWS, Some(&1)));
}

#[tokio::test]
async fn a_connection_that_is_cut_is_an_error_wherever_it_is_cut() {
    if !database("").await.server.is_front() {
        return;
    }
    for after_bytes in [1, 500, 100_000, 777_777] {
        survives(json!({"kind": "cut", "after_bytes": after_bytes}), "connection_lost").await;
    }
}

#[tokio::test]
async fn a_body_that_ends_well_but_too_early_is_an_error() {
    if !database("").await.server.is_front() {
        return;
    }
    for (kind, after_bytes) in [("truncate", 10), ("truncate", 123_457), ("end_early", 400_000)] {
        survives(json!({"kind": kind, "after_bytes": after_bytes}), "stream_broken").await;
    }
}

#[tokio::test]
async fn whoever_stops_reading_has_the_query_ended_at_the_server() {
    let database =
        database("CREATE TABLE t (id UInt64, at DateTime('UTC'), pad String) ENGINE = MergeTree ORDER BY id").await;
    let slow = "SELECT number AS id, toDateTime(1500000000 + number, 'UTC') AS at, toString(sleepEachRow(0.01)) AS pad FROM numbers(3000)";
    let source = SourceHarness::configure::<ClickHouse>(database.spec(json!({"table_options": {"q": {"query": slow}}, "settings": {"max_block_size": 10, "function_sleep_max_microseconds_per_block": 0}}))).await.unwrap();
    let selection = TableSelection {
        name: "q".to_owned(),
        ..TableSelection::default()
    };
    let plan = source.open_run("stopped", 1, vec![selection]).await.unwrap().remove(0);
    let running = || async {
        database
            .count("SELECT count() FROM system.processes WHERE query_id LIKE 'longshore-stopped-%'")
            .await
    };
    let reading = source.read("stopped", "q", &plan.partitions[0], None);
    let stopped = tokio::select! {
        result = reading => Err(result.map(|outcome| outcome.rows().num_rows())),
        () = until_count(&running, 1) => Ok(()),
    };
    stopped.unwrap();
    until_count(&running, 0).await;
}

async fn until_count<F: Future<Output = i64>>(count: impl Fn() -> F, wanted: i64) {
    let waiting = async {
        while count().await != wanted {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), waiting)
        .await
        .expect("the number of running queries did not become what it should");
}
