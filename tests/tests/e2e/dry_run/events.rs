//! The first load of events: those that are too old for Batch are told before the first row is sent, with the choices.

use longshore_tests::{Result, shop::Target};

use super::only_table;
use crate::{
    clickhouse_scene::{ClickHouseScene, ClickHouseSync},
    scene::Scene,
};

/// Of 1,000 events, 600 are older than a day.
const EVENTS: &str = "INSERT INTO events (custom_id, event_name, item, quantity, price, event_time, last_updated_at) \
    SELECT 'buyer-' || n, 'bought', 'kettle', 1, 39.90, now() - CASE WHEN n < 600 THEN interval '3 days' ELSE interval '1 hour' END, now() - interval '1 hour' \
    FROM generate_series(0, 999) AS n";

/// What is said of them.
const WORDS: [&str; 6] = [
    "MOST ROWS ARE TOO OLD",
    "600 of 1,000 rows",
    "60.0 %",
    "late_events",
    "send_without_time",
    "start_from: now",
];

#[tokio::test]
async fn what_becomes_of_old_events_is_said_before_the_first_is_sent() -> Result<()> {
    for (policy, word, expected) in [
        ("reject", "rejected", [400, 600, 0]),
        ("send_without_time", "without their time", [1_000, 0, 0]),
        ("skip", "left out", [400, 0, 600]),
    ] {
        let scene = Scene::open(10, 0).await?;
        scene.shop.database().execute(EVENTS).await?;
        let configuration = scene
            .configuration(Target::Events)
            .with_destination_option(&format!("late_events: {policy}"));
        scene.configure(Target::Events, &configuration)?;
        for arguments in [
            &["sync", "events.yml", "--dry-run", "--json"][..],
            &["sync", "events.yml", "--json"],
        ] {
            let finished = scene.longshore.run(arguments).await?.succeeded()?;
            let table = only_table(&finished.json()?);
            assert_eq!(
                [table.delivered, table.rejected, table.filtered],
                expected,
                "{finished}"
            );
            let notice: Vec<&str> = finished
                .stderr
                .lines()
                .filter(|line| line.contains("event_time"))
                .collect();
            assert_eq!(notice.len(), 1, "it is said once\n{finished}");
            for word in WORDS.iter().chain([&word]) {
                assert!(notice[0].contains(word), "{word:?} is not in\n{finished}");
            }
            let warnings = finished.json()?["warnings"].to_string();
            assert!(warnings.contains("600 of 1,000"), "{warnings}");
        }
        let again = scene.longshore.run(["sync", "events.yml"]).await?.succeeded()?;
        assert!(
            !again.stderr.contains("event_time"),
            "nothing old is left to read\n{again}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_table_of_young_events_is_no_matter() -> Result<()> {
    let scene = Scene::open(10, 300).await?;
    let finished = scene.longshore.run(["sync", "events.yml"]).await?.succeeded()?;
    assert!(!finished.stderr.contains("event_time"), "{finished}");
    Ok(())
}

#[tokio::test]
async fn start_from_now_leaves_the_old_events_alone_and_says_nothing() -> Result<()> {
    let scene = Scene::open(10, 0).await?;
    scene.shop.database().execute(EVENTS).await?;
    let configuration = scene
        .configuration(Target::Events)
        .with_source_option("table_options: { events: { start_from: now } }");
    scene.configure(Target::Events, &configuration)?;
    let finished = scene
        .longshore
        .run(["sync", "events.yml", "--json"])
        .await?
        .succeeded()?;
    let table = only_table(&finished.json()?);
    assert_eq!((table.delivered, table.rejected), (0, 0), "{finished}");
    assert!(!finished.stderr.contains("TOO OLD"), "{finished}");
    Ok(())
}

#[tokio::test]
async fn times_that_are_text_are_counted_too_and_about() -> Result<()> {
    let scene = Scene::open(10, 0).await?;
    let database = scene.shop.database();
    database.execute(EVENTS).await?;
    database
        .execute(
            "ALTER TABLE events ALTER COLUMN event_time TYPE text \
             USING to_char(event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
        )
        .await?;
    let said = scene
        .longshore
        .run(["sync", "events.yml", "--dry-run", "--json"])
        .await?
        .succeeded()?;
    assert!(said.stderr.contains("about 600 of 1,000 rows"), "{said}");
    assert_eq!(only_table(&said.json()?).rejected, 600);
    Ok(())
}

#[tokio::test]
async fn clickhouse_counts_times_and_texts() -> Result<()> {
    for (time, value) in [
        ("DateTime64(3)", "at"),
        ("String", "formatDateTime(at, '%Y-%m-%dT%H:%i:%SZ', 'UTC')"),
    ] {
        let scene = ClickHouseScene::open(&format!(
            "CREATE TABLE purchases (id UInt64, custom_id String, event_name String, event_time {time}, inserted DateTime64(3)) \
             ENGINE = MergeTree ORDER BY (inserted, id);
             INSERT INTO purchases SELECT number, concat('buyer-', toString(number)), 'bought', {value}, now64(3) - INTERVAL 1 HOUR \
             FROM (SELECT number, now64(3) - if(number < 600, toIntervalHour(72), toIntervalHour(1)) AS at FROM numbers(1000))"
        ))
        .await?;
        let sync = ClickHouseSync::of("[purchases]", Target::Events)
            .with_source("cursor: inserted")
            .with_destination("mapping: { id: { ignore: true } }");
        let finished = scene.sync(&sync).await?.succeeded()?;
        assert!(finished.stderr.contains("600 of 1,000 rows"), "{time}\n{finished}");
        let table = only_table(&finished.json()?);
        assert_eq!((table.delivered, table.rejected), (400, 600), "{finished}");
        let again = scene.sync(&sync).await?.succeeded()?;
        assert!(!again.stderr.contains("event_time"), "{again}");
    }
    Ok(())
}
