//! What a source writes, and what of it goes over the wire.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use longshore_sdk::{
    arrow::{
        array::{ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray},
        compute::concat_batches,
        datatypes::{Int64Type, SchemaRef},
    },
    harness::{ReadOutcome, SourceHarness},
    prelude::*,
    protocol::limits,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{sync::watch, time::timeout};

/// A source that does what its specification says.
struct Scripted {
    script: Vec<Step>,
}

#[derive(Deserialize, JsonSchema)]
struct Script {
    script: Vec<Step>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Step {
    Start,
    /// One batch of so many rows with so many bytes of text each.
    Write(usize, usize),
    WriteOtherColumns,
    Filtered(u64),
    Deduplicated(u64),
    Checkpoint(i64),
    /// Batches without end, counted in `ENDLESSLY_WRITTEN`.
    WriteEndlessly,
    /// Says in `WAITING` that it waits, and does.
    Wait,
}

static WAITING: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::channel(false).0);
static ENDLESSLY_WRITTEN: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::channel(0).0);

const KIB: usize = 1024;

fn rows(first: i64, rows: usize, bytes: usize) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((first..).take(rows)));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(bytes); rows]));
    RecordBatch::try_from_iter([("id", ids), ("text", texts)]).unwrap()
}

fn schema() -> SchemaRef {
    rows(0, 0, 0).schema()
}

impl Source for Scripted {
    const NAME: &'static str = "scripted";
    const VERSION: &'static str = "1.0.0";
    type Spec = Script;

    fn configure(spec: Script) -> Result<Self> {
        Ok(Self { script: spec.script })
    }

    async fn test_connection(&self, _: &[String]) -> Vec<Check> {
        Vec::new()
    }

    async fn list_tables(&self, _: &[String]) -> Result<Vec<Table>> {
        let mut table = Table::new("t", schema());
        table.primary_key = vec!["id".to_owned()];
        Ok(vec![table])
    }

    async fn open_run(&self, _: OpenRun) -> Result<Vec<TablePlan>> {
        let tables = self.list_tables(&[]).await?.into_iter();
        Ok(tables
            .map(|table| TablePlan::new(table, vec![Partition::new("all", "{}")]))
            .collect())
    }

    async fn read(&self, _: ReadPartition, output: &mut PartitionWriter) -> Result<()> {
        let mut next = 1;
        for step in self.script.clone() {
            match step {
                Step::Start => output.start(schema()).await?,
                Step::Write(count, bytes) => {
                    output.write(rows(next, count, bytes)).await?;
                    next += count as i64;
                }
                Step::WriteOtherColumns => {
                    let other = rows(next, 1, 1).project(&[1]).unwrap();
                    output.write(other).await?;
                }
                Step::Filtered(count) => output.filtered(count),
                Step::Deduplicated(count) => output.deduplicated(count),
                Step::Checkpoint(cursor) => {
                    output
                        .checkpoint(cursor.to_string(), Some(CursorValue::Int(cursor)))
                        .await?;
                }
                Step::WriteEndlessly => loop {
                    output.write(rows(next, 1, limits::TARGET_BATCH_BYTES)).await?;
                    ENDLESSLY_WRITTEN.send_modify(|written| *written += 1);
                },
                Step::Wait => {
                    WAITING.send_replace(true);
                    std::future::pending().await
                }
            }
        }
        Ok(())
    }
}

async fn read(script: Vec<Step>) -> Result<ReadOutcome> {
    let source = SourceHarness::configure::<Scripted>(json!({ "script": script })).await?;
    let (mut outcomes, _) = source.run("run", "t", None).await?;
    Ok(outcomes.remove(0))
}

/// Every row is there once and in order.
fn assert_complete(outcome: &ReadOutcome, rows: i64) {
    let all = concat_batches(&outcome.schema, &outcome.batches).unwrap();
    assert!(
        all.column(0)
            .as_primitive::<Int64Type>()
            .values()
            .iter()
            .copied()
            .eq(1..=rows)
    );
    assert_eq!(outcome.counts.emitted, rows as u64);
}

#[tokio::test]
async fn small_batches_are_put_together() {
    let script = [vec![Step::Start], vec![Step::Write(1, 100); 1_000]].concat();
    let outcome = read(script).await.unwrap();
    assert_complete(&outcome, 1_000);
    assert!(outcome.batches.len() <= 2, "{} batches", outcome.batches.len());
}

#[tokio::test]
async fn large_batches_are_split_near_the_size_aimed_at() {
    let outcome = read(vec![Step::Start, Step::Write(10_000, KIB)]).await.unwrap();
    assert_complete(&outcome, 10_000);
    let largest = outcome.batches.iter().map(RecordBatch::num_rows).max().unwrap() * KIB;
    assert!(
        (10..=40).contains(&outcome.batches.len()),
        "{} batches",
        outcome.batches.len()
    );
    assert!(largest <= 2 * limits::TARGET_BATCH_BYTES, "{largest} bytes");
}

#[tokio::test]
async fn tiny_rows_are_cut_by_their_number() {
    let outcome = read(vec![Step::Start, Step::Write(100_000, 0)]).await.unwrap();
    assert_complete(&outcome, 100_000);
    assert!(
        outcome
            .batches
            .iter()
            .all(|batch| batch.num_rows() <= limits::MAX_BATCH_ROWS)
    );
}

#[tokio::test]
async fn rows_of_megabytes_travel_alone() {
    let outcome = read(vec![Step::Start, Step::Write(3, 9 * KIB * KIB)]).await.unwrap();
    assert_complete(&outcome, 3);
    assert_eq!(outcome.batches.len(), 3);
}

#[tokio::test]
async fn a_row_that_no_message_holds_is_an_error_that_names_its_key_and_largest_column() {
    let script = vec![Step::Start, Step::Write(41, 10), Step::Write(1, 17 * KIB * KIB)];
    let error = read(script).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.scope), ("row_too_large", Scope::Row));
    assert!(
        error.message.contains("id = 42") && error.message.contains("text"),
        "{}",
        error.message
    );
    assert!(error.remedy.contains("text"), "{}", error.remedy);
}

#[tokio::test]
async fn a_checkpoint_comes_after_exactly_the_rows_before_it() {
    let script = vec![
        Step::Start,
        Step::Checkpoint(0),
        Step::Write(5, 10),
        Step::Write(2, 10),
        Step::Checkpoint(7),
        Step::Write(4, 10),
    ];
    let outcome = read(script).await.unwrap();
    let marks: Vec<_> = outcome
        .marks
        .iter()
        .map(|mark| {
            (
                mark.rows,
                mark.checkpoint.position.as_slice(),
                mark.checkpoint.cursor.clone(),
            )
        })
        .collect();
    let cursor = |value| Some(CursorValue::Int(value));
    assert_eq!(
        marks,
        [
            (0, b"0".as_slice(), cursor(0)),
            (7, b"7".as_slice(), cursor(7)),
            (11, b"7".as_slice(), cursor(7))
        ]
    );
}

#[tokio::test]
async fn what_is_left_out_is_counted() {
    let script = vec![Step::Start, Step::Filtered(3), Step::Write(5, 1), Step::Deduplicated(2)];
    let counts = read(script).await.unwrap().counts;
    assert_eq!((counts.read, counts.emitted), (10, 5));
    assert_eq!((counts.filtered, counts.deduplicated), (3, 2));
}

#[tokio::test]
async fn an_empty_partition_and_an_empty_batch_are_no_batch() {
    for script in [vec![Step::Start], vec![Step::Start, Step::Write(0, 0)]] {
        let outcome = read(script).await.unwrap();
        assert!(outcome.batches.is_empty());
        assert_eq!(outcome.marks.len(), 1);
    }
}

#[tokio::test]
async fn a_source_that_misuses_its_writer_is_told_how() {
    for (script, code) in [
        (vec![], "not_started"),
        (vec![Step::Write(1, 1)], "not_started"),
        (vec![Step::Start, Step::Start], "started_twice"),
        (vec![Step::Start, Step::WriteOtherColumns], "batch_mismatched"),
    ] {
        assert_eq!(read(script).await.unwrap_err().code, code);
    }
}

/// Batches that may lie between a source and a reader that takes nothing: channel, pipe and windows of flow control hold a few megabytes together.
const MOST_IN_FLIGHT: u64 = 16;

#[tokio::test]
async fn a_source_stops_soon_when_nobody_takes_its_rows() {
    let mut written = ENDLESSLY_WRITTEN.subscribe();
    let reading = read(vec![Step::Start, Step::WriteEndlessly]);
    tokio::pin!(reading);
    tokio::select! {
        outcome = &mut reading => panic!("it ended: {outcome:?}"),
        written = written.wait_for(|written| *written > 0) => drop(written.unwrap()),
    }
    // From here on the stream is open, and nothing takes from it.
    let begin = *written.borrow();
    let too_many = written.wait_for(|written| *written > begin + MOST_IN_FLIGHT);
    assert!(timeout(Duration::from_millis(500), too_many).await.is_err());
    // And it goes on when somebody takes again.
    tokio::select! {
        outcome = &mut reading => panic!("it ended: {outcome:?}"),
        more = written.wait_for(|written| *written > begin + 2 * MOST_IN_FLIGHT) => drop(more.unwrap()),
    }
}

#[tokio::test]
async fn a_source_is_configured_again_only_when_no_call_is_open() {
    let script = json!({ "script": [Step::Start, Step::Wait] });
    let source = SourceHarness::configure::<Scripted>(script.clone()).await.unwrap();
    let mut waiting = WAITING.subscribe();
    {
        let reading = source.run("run", "t", None);
        tokio::pin!(reading);
        tokio::select! {
            outcome = &mut reading => panic!("it ended: {outcome:?}"),
            waiting = waiting.wait_for(|waiting| *waiting) => drop(waiting.unwrap()),
        }
        assert_eq!(source.configure_again(script.clone()).await.unwrap_err().code, "in_use");
    }
    // Whoever gives a call up frees the source, as soon as it notices.
    let freed = async {
        while let Err(error) = source.configure_again(script.clone()).await {
            assert_eq!(error.code, "in_use");
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), freed).await.unwrap();
}
