//! One run after another: what is new arrives, and nothing else.

use longshore_tests::{Result, shop::Target};

use crate::scene::Scene;

const TARGETS: [Target; 2] = [Target::Profiles, Target::Events];

#[tokio::test]
async fn a_shop_arrives_whole_and_later_runs_send_exactly_what_changed() -> Result<()> {
    let scene = Scene::open(2_000, 20_000).await?;
    for (target, rows) in [(Target::Profiles, 2_000), (Target::Events, 20_000)] {
        let report = scene.sync_well(target).await?;
        let table = report.only_table();
        assert_eq!((report.status.as_str(), report.attempt), ("completed", 1), "{report:?}");
        assert_eq!(
            (table.table.as_str(), table.read, table.delivered),
            (target.table(), rows, rows),
            "{report:?}"
        );
        assert!(table.complete && table.cursor.is_some(), "{report:?}");
        scene.assert_exact(target).await?;
    }

    let requests = scene.sandbox.counts().await?.requests;
    for target in TARGETS {
        let report = scene.sync_well(target).await?;
        assert_eq!(
            (report.only_table().read, report.only_table().delivered),
            (0, 0),
            "{report:?}"
        );
    }
    assert_eq!(
        scene.sandbox.counts().await?.requests,
        requests,
        "an unchanged table sends nothing"
    );

    let changed = scene.shop.change_profiles(30).await?.len() + scene.shop.add_profiles(20).await?.len();
    let added = scene.shop.add_events(500).await?.len();
    for (target, rows) in [(Target::Profiles, changed), (Target::Events, added)] {
        let report = scene.sync_well(target).await?;
        assert_eq!(report.only_table().delivered, rows as u64, "{report:?}");
        scene.assert_exact(target).await?;
    }
    scene.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_table_without_rows_is_synced_and_later_from_its_beginning() -> Result<()> {
    let scene = Scene::open(10, 0).await?;
    let report = scene.sync_well(Target::Events).await?;
    assert_eq!(
        (report.only_table().read, report.only_table().cursor.as_deref()),
        (0, None)
    );
    scene.shop.add_events(40).await?;
    assert_eq!(scene.sync_well(Target::Events).await?.only_table().delivered, 40);
    scene.assert_exact(Target::Events).await
}

#[tokio::test]
async fn rows_that_commit_late_with_an_earlier_cursor_arrive_once() -> Result<()> {
    let scene = Scene::open(100, 1_000).await?;
    let late = scene.shop.database().connect().await?;
    late.batch_execute("BEGIN; SAVEPOINT early; SELECT count(*) FROM demo.add_events(25); RELEASE early")
        .await
        .unwrap();
    scene.shop.add_events(10).await?;
    scene.sync_well(Target::Events).await?;
    late.batch_execute("COMMIT").await.unwrap();
    let report = scene.sync_well(Target::Events).await?;
    assert_eq!(report.only_table().delivered, 25, "{report:?}");
    scene.assert_exact(Target::Events).await
}

#[tokio::test]
async fn rows_that_share_one_cursor_value_all_arrive_over_several_runs() -> Result<()> {
    let scene = Scene::open(100, 0).await?;
    let tie = "INSERT INTO events (custom_id, event_name, event_time, item, quantity, price, last_updated_at)
               SELECT 'customer-1', 'tied', now(), 'item ' || n, n, 1.5, date_trunc('hour', now()) FROM generate_series(1, 3000) AS n";
    for run in 1..=3 {
        scene.shop.database().execute(tie).await?;
        let report = scene.sync_well(Target::Events).await?;
        assert_eq!(report.only_table().delivered, 3_000, "run {run}: {report:?}");
    }
    scene.assert_exact(Target::Events).await
}

#[tokio::test]
async fn both_syncs_of_one_file_run_one_after_the_other() -> Result<()> {
    let scene = Scene::open(50, 200).await?;
    let finished = scene
        .longshore
        .run(["sync", "profiles.yml", "events.yml"])
        .await?
        .succeeded()?;
    assert!(
        finished.stdout.contains("profiles") && finished.stdout.contains("events"),
        "{finished}"
    );
    for target in TARGETS {
        scene.assert_exact(target).await?;
    }
    Ok(())
}
