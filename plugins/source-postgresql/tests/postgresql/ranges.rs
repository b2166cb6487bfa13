//! A stretch of cursor values read again on demand.

use longshore_sdk::{core::cursor::CursorType, prelude::*};
use serde_json::{Value, json};

use crate::support::{Database, Reading, database, texts};

/// Reads a range and answers the ids in order, after checking that no state comes of it.
async fn ids_in(database: &Database, spec: Value, table: &str, range: CursorRange) -> Result<Vec<i64>> {
    let source = Reading::new(database.spec(spec), table).await.source;
    let selection = TableSelection {
        name: table.to_owned(),
        range: Some(range),
        ..TableSelection::default()
    };
    let plan = source.open_run("range", 1, vec![selection]).await?.remove(0);
    assert_eq!(plan.completed_state, None, "a range moves nothing");
    let mut ids = Vec::new();
    for partition in &plan.partitions {
        let outcome = source.read("range", table, partition, None).await?;
        assert!(outcome.marks.iter().all(|mark| mark.checkpoint.fingerprints.is_empty()));
        ids.extend(texts(&outcome.rows(), "id").iter().map(|id| id.parse::<i64>().unwrap()));
    }
    source.close_run("range").await?;
    ids.sort_unstable();
    Ok(ids)
}

fn range(of: CursorType, from: Option<&str>, to: Option<&str>) -> CursorRange {
    let value = |text: &str| of.parse(text).unwrap();
    CursorRange {
        from: from.map(value),
        to: to.map(value),
    }
}

fn timestamp(instant: bool) -> CursorType {
    CursorType::Timestamp {
        unit: longshore_sdk::core::cursor::TimeUnit::Microsecond,
        instant,
    }
}

/// Rows 1 to 3 before the range, 4 and 5 exactly at its beginning, 6 within it, 7 and 8 exactly at its end, 9 beyond, 10 without a cursor.
fn table(of: &str, [before, from, within, to, beyond]: [&str; 5]) -> String {
    let mut script = format!("CREATE TABLE t (id int PRIMARY KEY, c {of}); CREATE VIEW v AS SELECT * FROM t;");
    for (value, ids) in [
        (before, 1..=3),
        (from, 4..=5),
        (within, 6..=6),
        (to, 7..=8),
        (beyond, 9..=9),
    ] {
        for id in ids {
            script.push_str(&format!("INSERT INTO t VALUES ({id}, '{value}');"));
        }
    }
    script + "INSERT INTO t VALUES (10, NULL)"
}

#[tokio::test]
async fn a_range_holds_its_beginning_and_not_its_end_for_every_type() {
    let cases = [
        ("int8", CursorType::Int, ["-5", "0", "1", "9", "10"]),
        (
            "numeric",
            CursorType::Decimal,
            ["-0.5", "0.10", "0.100000000000000000001", "9", "NaN"],
        ),
        (
            "date",
            CursorType::Date,
            ["1969-12-31", "2026-01-01", "2026-01-02", "2026-02-01", "infinity"],
        ),
        (
            "timestamptz",
            timestamp(true),
            [
                "2026-01-01T00:59:59.999999+01:00",
                "2026-01-01T00:00:00Z",
                "2026-01-01T00:00:00.000001Z",
                "2026-02-01T00:00:00Z",
                "infinity",
            ],
        ),
        (
            "timestamp",
            timestamp(false),
            [
                "2025-12-31T23:59:59.999999",
                "2026-01-01T00:00:00",
                "2026-01-01T00:00:00.000001",
                "2026-02-01T00:00:00",
                "infinity",
            ],
        ),
        ("text", CursorType::Text, ["A", "B", "B1", "C", "D"]),
        (
            "uuid",
            CursorType::Uuid,
            [
                "00000000-0000-0000-0000-000000000000",
                "00000000-0000-0000-0000-000000000001",
                "00000000-0000-0000-0000-00000000000a",
                "00000000-0000-0000-0000-0000000000ff",
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
            ],
        ),
    ];
    for (of, cursor_type, values) in cases {
        let database = database(&table(of, values)).await;
        let read = async |from, to, table| {
            ids_in(&database, json!({"cursor": "c"}), table, range(cursor_type, from, to))
                .await
                .unwrap()
        };
        for name in ["t", "v"] {
            assert_eq!(
                read(Some(values[1]), Some(values[3]), name).await,
                [4, 5, 6],
                "{of} {name}"
            );
            assert_eq!(
                read(Some(values[3]), None, name).await,
                [7, 8, 9],
                "{of} {name}: no end"
            );
            assert_eq!(
                read(None, Some(values[1]), name).await,
                [1, 2, 3],
                "{of} {name}: no beginning"
            );
            assert_eq!(
                read(None, None, name).await,
                (1..=9).collect::<Vec<_>>(),
                "{of} {name}: NULL is in no range"
            );
            let backwards = range(cursor_type, Some(values[3]), Some(values[1]));
            let backwards = ids_in(&database, json!({"cursor": "c"}), name, backwards).await;
            match cursor_type {
                // Only the server knows the order of texts.
                CursorType::Text => assert_eq!(backwards.unwrap(), [0; 0], "{name}"),
                _ => assert_eq!(backwards.unwrap_err().code, "range_reversed", "{of} {name}"),
            }
            assert_eq!(
                read(Some(values[1]), Some(values[1]), name).await,
                [0; 0],
                "{of} {name}: empty"
            );
        }
    }
}

#[tokio::test]
async fn a_range_of_a_large_table_without_an_index_is_read_by_pages() {
    let database = database(
        "CREATE TABLE t (id int PRIMARY KEY, pad text, c int8); INSERT INTO t SELECT n, repeat('x', 300), n / 2 FROM generate_series(1, 20000) n",
    )
    .await;
    let spec = json!({"cursor": "c", "partition_megabytes": 1});
    let ids = ids_in(&database, spec, "t", range(CursorType::Int, Some("100"), Some("9000"))).await;
    assert_eq!(ids.unwrap(), (200..18_000).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_range_that_can_not_be_is_refused() {
    let database = database(&table("timestamptz", ["2026-01-01Z"; 5])).await;
    let local = range(timestamp(false), Some("2026-01-01T00:00:00"), None);
    let error = ids_in(&database, json!({"cursor": "c"}), "t", local.clone())
        .await
        .unwrap_err();
    assert_eq!(error.code, "range_invalid", "a local time is no instant");
    let error = ids_in(&database, json!({}), "t", local).await.unwrap_err();
    assert_eq!(error.code, "range_without_cursor");
}

#[tokio::test]
async fn a_range_counts_rows_that_were_delivered_before() {
    let database = database(
        "CREATE TABLE t (id int PRIMARY KEY, c int8); INSERT INTO t SELECT n, n FROM generate_series(1, 100) n",
    )
    .await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "c"})), "t").await;
    assert_eq!(reading.run().await.count(), 100);
    let ids = ids_in(
        &database,
        json!({"cursor": "c"}),
        "t",
        range(CursorType::Int, Some("10"), Some("20")),
    )
    .await;
    assert_eq!(ids.unwrap(), (10..20).collect::<Vec<i64>>());
    assert_eq!(reading.run().await.count(), 0, "and the next run knows nothing of it");
}
