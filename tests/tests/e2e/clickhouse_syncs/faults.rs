//! What goes wrong on the way from the server: the same command survives it, and what arrives is the table.

use std::collections::BTreeMap;

use longshore_tests::{Result, shop::Target};
use serde_json::{Value, json};

use super::assert_content;
use crate::clickhouse_scene::{ClickHouseScene, ClickHouseSync};

const ROWS: u32 = 6_000;

/// A table of 6,000 rows, 200 bytes each and more.
fn table(name: &str) -> String {
    format!(
        "CREATE TABLE {name} (custom_id String, event_name String, pad String, number UInt32, at DateTime('UTC')) ENGINE = MergeTree ORDER BY (at, custom_id);\n\
         INSERT INTO {name} SELECT concat('{name}-', toString(number)), 'seen', repeat(toString(number % 10), 200), number,
         toDateTime(1600000000 + intDiv(number, 10), 'UTC') FROM numbers({ROWS})"
    )
}

fn sync(table: &str, target: Target) -> ClickHouseSync {
    ClickHouseSync::of(&format!("[{table}]"), target)
        .with_source("cursor: at")
        .with_source("settings: { max_block_size: 500 }")
}

/// The rule for the query that reads the rows.
async fn with_fault(scene: &ClickHouseScene, fault: &Value, sync: &ClickHouseSync) -> Result<crate::report::Report> {
    let mut rule = json!({ "match": "ORDER BY", "database": scene.database.name() });
    rule.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
    let armed = scene.server.add_fault(rule).await?;
    let report = scene.sync_well(sync).await?;
    armed.over().await?;
    assert_eq!(
        (report.status.as_str(), report.attempt),
        ("completed", 1),
        "{fault}: {report:?}"
    );
    Ok(report)
}

#[tokio::test]
async fn a_sync_survives_errors_cuts_and_truncated_answers_and_sends_every_row() -> Result<()> {
    let scene = ClickHouseScene::open("").await?;
    if !scene.server.is_front() {
        return Ok(());
    }
    let faults = [
        json!({ "kind": "exception", "form": "tagged", "after_bytes": 500_000 }),
        json!({ "kind": "exception", "form": "marked", "after_bytes": 500_000 }),
        json!({ "kind": "exception", "form": "plain", "after_bytes": 500_000 }),
        json!({ "kind": "cut", "after_bytes": 345_678 }),
        json!({ "kind": "truncate", "after_bytes": 456_789 }),
        json!({ "kind": "end_early", "after_bytes": 600_000 }),
        json!({ "kind": "refuse" }),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let name = format!("t{number}");
        scene.database.execute(&table(&name)).await?;
        let report = with_fault(&scene, &fault, &sync(&name, Target::Profiles)).await?;
        let table = report.only_table();
        assert_eq!(
            (table.read, table.delivered),
            (u64::from(ROWS), u64::from(ROWS)),
            "{fault}: {report:?}"
        );
        let query = format!("SELECT custom_id, event_name, pad, number FROM {name}");
        assert_content(&scene, Target::Profiles, &query).await?;
        scene.sandbox.reset().await?;
    }
    Ok(())
}

#[tokio::test]
async fn events_of_an_answer_that_broke_off_all_arrive_and_repeats_are_counted() -> Result<()> {
    let scene = ClickHouseScene::open(&table("t")).await?;
    if !scene.server.is_front() {
        return Ok(());
    }
    let fault = json!({ "kind": "exception", "form": "plain", "after_bytes": 700_000 });
    let report = with_fault(&scene, &fault, &sync("t", Target::Events)).await?;
    let mut arrived: BTreeMap<u64, u64> = BTreeMap::new();
    for event in scene.sandbox.events().await? {
        *arrived.entry(event.attributes["number"].as_u64().unwrap()).or_default() += 1;
    }
    let repeats: u64 = arrived.values().map(|times| times - 1).sum();
    assert_eq!(arrived.len() as u64, u64::from(ROWS));
    assert!(repeats <= report.uncertain, "{repeats} rows twice: {report:?}");
    Ok(())
}
