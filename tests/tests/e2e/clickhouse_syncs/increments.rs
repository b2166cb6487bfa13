//! One run after another: what is new arrives, and nothing else.

use longshore_tests::{Result, shop::Target};

use super::assert_content;
use crate::{
    clickhouse_scene::{ClickHouseScene, ClickHouseSync},
    report::Report,
};

const EVENTS: &str = "SELECT custom_id, item, quantity FROM events";

/// Events `from` to `to`, one a millisecond, from this many minutes ago on.
fn events(from: u32, to: u32, minutes_ago: u32) -> String {
    format!(
        "INSERT INTO events SELECT concat('customer-', toString(number)), 'bought', concat('item ', toString(number % 100)), number % 7,
         now64(6, 'UTC') - INTERVAL {minutes_ago} MINUTE + INTERVAL number - {from} MILLISECOND FROM numbers({from}, {to} - {from})"
    )
}

/// Whether a run says that it delivers rows again.
fn repeats(report: &Report) -> bool {
    report
        .warnings
        .iter()
        .any(|warning| warning.contains("delivered again"))
}

#[tokio::test]
async fn a_second_run_sends_exactly_what_is_new() -> Result<()> {
    let scene = ClickHouseScene::open(&format!(
        "CREATE TABLE events (custom_id String, event_name String, item String, quantity UInt8, at DateTime64(6, 'UTC'))
         ENGINE = MergeTree ORDER BY (at, custom_id);\n{}",
        events(0, 2_000, 120)
    ))
    .await?;
    let sync = ClickHouseSync::of("[events]", Target::Events).with_source("cursor: at");
    assert_eq!(scene.sync_well(&sync).await?.only_table().delivered, 2_000);
    assert_content(&scene, Target::Events, EVENTS).await?;

    let requests = scene.sandbox.counts().await?.requests;
    let report = scene.sync_well(&sync).await?;
    assert_eq!(report.only_table().delivered, 0, "{report:?}");
    assert_eq!(scene.sandbox.counts().await?.requests, requests);

    scene.database.execute(&events(2_000, 3_000, 60)).await?;
    // Late: with the very value where the cursor stands, and with an earlier one.
    let late = |id: &str, before: u32| {
        format!(
            "INSERT INTO events SELECT '{id}', 'bought', 'late', 1, (SELECT max(at) - INTERVAL {before} SECOND FROM events WHERE custom_id = 'customer-1999')"
        )
    };
    scene.database.execute(&late("boundary", 0)).await?;
    scene.database.execute(&late("earlier", 3)).await?;
    let report = scene.sync_well(&sync).await?;
    assert_eq!(report.only_table().delivered, 1_002, "{report:?}");
    assert_eq!(scene.sync_well(&sync).await?.only_table().delivered, 0);
    assert_content(&scene, Target::Events, EVENTS).await
}

#[tokio::test]
async fn an_overlap_with_more_events_than_are_remembered_one_by_one_sends_none_twice() -> Result<()> {
    let scene = ClickHouseScene::open(&format!(
        "CREATE TABLE events (custom_id String, event_name String, item String, quantity UInt8, at DateTime64(6, 'UTC'))
         ENGINE = MergeTree ORDER BY (at, custom_id);\n{}",
        events(0, 12_000, 5)
    ))
    .await?;
    let sync = ClickHouseSync::of("[events]", Target::Events).with_source("cursor: at");
    assert_eq!(scene.sync_well(&sync).await?.only_table().delivered, 12_000);
    let report = scene.sync_well(&sync).await?;
    assert_eq!(report.only_table().delivered, 0, "{report:?}");
    assert!(!repeats(&report), "{report:?}");
    // They appear late: before the first of those that were delivered.
    scene.database.execute(&events(20_000, 20_300, 6)).await?;
    let report = scene.sync_well(&sync).await?;
    assert_eq!(report.only_table().delivered, 300, "{report:?}");
    assert!(!repeats(&report), "{report:?}");
    assert_eq!(scene.sync_well(&sync).await?.only_table().delivered, 0);
    assert_content(&scene, Target::Events, EVENTS).await
}

#[tokio::test]
async fn a_run_that_can_not_remember_all_that_it_delivers_says_so_itself() -> Result<()> {
    let scene = ClickHouseScene::open(&format!(
        "CREATE TABLE events (custom_id String, event_name String, item String, quantity UInt8, at DateTime64(6, 'UTC'))
         ENGINE = MergeTree ORDER BY (at, custom_id);\n{};\n
         INSERT INTO events SELECT concat('early-', toString(number)), 'bought', 'x', 1, now64(6, 'UTC') + INTERVAL 1 DAY FROM numbers(1001)",
        events(0, 5_000, 5)
    ))
    .await?;
    let sync = ClickHouseSync::of("[events]", Target::Events).with_source("cursor: at");
    let report = scene.sync_well(&sync).await?;
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.contains("than can be remembered")),
        "{report:?}"
    );
    let report = scene.sync_well(&sync).await?;
    assert!(repeats(&report), "{report:?}");
    assert_eq!(report.only_table().delivered, 1, "1,000 of them are remembered");
    Ok(())
}

#[tokio::test]
async fn of_a_table_that_replaces_rows_only_the_newest_version_is_sent() -> Result<()> {
    const NEWEST: &str = "SELECT custom_id, plan, visits FROM profiles FINAL";
    let version = |customers: &str, plan: &str, minutes_ago: u32| {
        format!(
            "INSERT INTO profiles SELECT concat('customer-', toString(number)), '{plan}', number,
             now64(3, 'UTC') - INTERVAL {minutes_ago} MINUTE FROM numbers({customers})"
        )
    };
    let scene = ClickHouseScene::open(&format!(
        "CREATE TABLE profiles (custom_id String, plan String, visits UInt32, last_updated_at DateTime64(3, 'UTC'))
         ENGINE = ReplacingMergeTree(last_updated_at) ORDER BY custom_id;\nSYSTEM STOP MERGES profiles;\n{};\n{};\n{}",
        version("2000", "first", 180),
        version("1000", "second", 170),
        // Written last, and older than what it would replace.
        version("500", "stale", 175)
    ))
    .await?;
    assert_eq!(scene.database.count("SELECT count() FROM profiles").await?, 3_500);
    let sync = ClickHouseSync::of("[profiles]", Target::Profiles).with_source("cursor: last_updated_at");
    let report = scene.sync_well(&sync).await?;
    assert_eq!(report.only_table().delivered, 2_000, "{report:?}");
    assert_content(&scene, Target::Profiles, NEWEST).await?;

    scene.database.execute(&version("300, 900", "third", 60)).await?;
    scene.database.execute(&version("300, 10", "superseded", 100)).await?;
    let report = scene.sync_well(&sync).await?;
    assert_eq!(report.only_table().delivered, 900, "{report:?}");
    assert_content(&scene, Target::Profiles, NEWEST).await
}

#[tokio::test]
async fn versions_of_a_profile_that_lie_in_several_pieces_of_a_table_arrive_in_their_order() -> Result<()> {
    // The newer versions come in the opposite order: what the second piece begins with is what the first one ends with.
    let scene = ClickHouseScene::open(
        "CREATE TABLE profiles (custom_id String, plan String, at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY custom_id;
         INSERT INTO profiles SELECT concat('customer-', toString(if(number < 2000, number, 3999 - number))), if(number < 2000, 'older', 'newer'),
         now64(3, 'UTC') - INTERVAL 1 HOUR + INTERVAL number MILLISECOND FROM numbers(4000)",
    )
    .await?;
    let sync = ClickHouseSync::of("[profiles]", Target::Profiles)
        .with_source("cursor: at")
        .with_source("partition_rows: 2000")
        .with_destination("concurrency: 1")
        .with_destination("requests: { update_operations: 20 }");
    let report = scene.sync_well(&sync).await?;
    assert_eq!(report.only_table().delivered, 4_000, "{report:?}");
    let newest = "SELECT custom_id, argMax(plan, at) AS plan FROM profiles GROUP BY custom_id";
    assert_content(&scene, Target::Profiles, newest).await
}

#[tokio::test]
async fn an_empty_table_stores_no_cursor_and_is_later_read_from_its_beginning() -> Result<()> {
    let scene = ClickHouseScene::open(
        "CREATE TABLE events (custom_id String, event_name String, item String, quantity UInt8, at DateTime64(6, 'UTC'))
         ENGINE = MergeTree ORDER BY at",
    )
    .await?;
    let sync = ClickHouseSync::of("[events]", Target::Events).with_source("cursor: at");
    let report = scene.sync_well(&sync).await?;
    let table = report.only_table();
    assert_eq!((table.read, table.cursor.as_deref(), table.complete), (0, None, true));
    assert_eq!(scene.sandbox.counts().await?.requests, 0);
    scene.database.execute(&events(0, 40, 300)).await?;
    assert_eq!(scene.sync_well(&sync).await?.only_table().delivered, 40);
    assert_content(&scene, Target::Events, EVENTS).await
}
