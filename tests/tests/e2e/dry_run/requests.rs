//! Requests and time: what a dry run says of them.

use longshore_tests::{Context, Result, shop::Target};

use super::{dry_run, only_table};
use crate::scene::Scene;

/// Seconds that updates take at a rate, after what a bucket holds.
fn seconds(updates: u64, bucket: u64, per_second: u64) -> u64 {
    updates.saturating_sub(bucket).div_ceil(per_second)
}

#[tokio::test]
async fn several_events_of_a_profile_are_one_update_in_the_estimate_as_in_the_sync() -> Result<()> {
    let scene = Scene::open(10, 0).await?;
    // 400 profiles with five events each, one after the other.
    scene
        .shop
        .database()
        .execute(
            "INSERT INTO events (custom_id, event_name, item, quantity, price, event_time, last_updated_at) \
             SELECT 'buyer-' || n / 5, 'bought', 'kettle', 1, 39.90, now() - interval '1 hour', now() - interval '1 hour' + n * interval '1 ms' \
             FROM generate_series(0, 1999) AS n",
        )
        .await?;
    let said = dry_run(&scene.longshore, "events.yml").await?;
    assert_eq!(only_table(&said).delivered, 2_000, "{said}");
    let requests = &said["estimates"][0]["requests"][0];
    let done = scene.sync_well(Target::Events).await?;
    assert_eq!(done.only_table().delivered, 2_000);
    let sent = scene.sandbox.counts().await?;
    assert_eq!((&requests["operations"], sent.operations), (&400.into(), 400), "{said}");
    Ok(())
}

#[tokio::test]
async fn the_time_is_that_of_the_endpoint_and_its_share_over_all_tables() -> Result<()> {
    let scene = Scene::open(4_000, 0).await?;
    scene
        .shop
        .database()
        .execute("CREATE TABLE more_profiles (LIKE profiles INCLUDING ALL); INSERT INTO more_profiles SELECT * FROM profiles")
        .await?;
    let both =
        |configuration: &str| configuration.replacen("tables: [profiles]", "tables: [profiles, more_profiles]", 1);
    let limited = |option: &str| scene.configuration(Target::Profiles).with_destination_option(option);
    for (options, updates_held, per_second) in [
        // The bucket holds back what 50 ms bring: 15 of the 1,000.
        (vec!["rate_limit: {}"], 985, 300),
        (vec!["rate_limit: { share: 0.5 }"], 492, 150),
        (vec!["rate_limit: {}", "endpoint: mass_update"], 9_500, 10_000),
    ] {
        let configuration = options
            .iter()
            .skip(1)
            .fold(limited(options[0]), |configuration, option| {
                configuration.with_destination_option(option)
            });
        scene.longshore.write("both.yml", &both(&configuration.text()))?;
        let said = dry_run(&scene.longshore, "both.yml").await?;
        let requests = said["estimates"][0]["requests"]
            .as_array()
            .context("requests are listed")?;
        assert_eq!(requests.len(), 2, "{said}");
        let updates: u64 = requests
            .iter()
            .filter_map(|requests| requests["operations"].as_u64())
            .sum();
        assert_eq!(updates, 8_000);
        let estimated = said["estimated_ms"]
            .as_u64()
            .context("the rate makes it take some time")?;
        let expected = seconds(8_000, updates_held, per_second);
        assert_eq!(estimated.div_ceil(1_000), expected, "{options:?}: {said}");
    }
    let unlimited = limited("rate_limit: { unlimited: true }");
    scene.longshore.write("both.yml", &both(&unlimited.text()))?;
    let said = dry_run(&scene.longshore, "both.yml").await?;
    assert!(said["estimated_ms"].is_null(), "nothing sets a pace: {said}");
    assert_eq!(scene.sandbox.counts().await?.requests, 0);
    Ok(())
}
