//! `longshore preview`: the exact requests for the first rows or for chosen ones.

use longshore_tests::{Context, PROJECT_KEY, REST_API_KEY, Result, shop::Target};
use serde_json::Value;

use crate::{
    bad_input::{assert_refused, exit},
    clickhouse_scene::{ClickHouseScene, ClickHouseSync},
    scene::Scene,
};

/// The only preview, and the custom ids of its requests' operations.
fn only(previews: &Value) -> Result<(&Value, Vec<&str>)> {
    let previews = previews.as_array().context("previews are listed")?;
    assert_eq!(previews.len(), 1, "{previews:?}");
    let requests = previews[0]["requests"].as_array().context("a preview has requests")?;
    let operations = requests
        .iter()
        .filter_map(|request| request["body"].as_array())
        .flatten();
    let ids = operations.filter_map(|operation| operation["identifiers"]["custom_id"].as_str());
    Ok((&previews[0], ids.collect()))
}

#[tokio::test]
async fn chosen_profiles_are_looked_up_and_those_that_are_not_there_are_named() -> Result<()> {
    let scene = Scene::open(300, 0).await?;
    let ids = ["--id", "customer-7", "--id", "nobody", "--id", "customer-299"];
    let previews = scene
        .longshore
        .json(["preview", "profiles.yml"].into_iter().chain(ids))
        .await?;
    let (preview, shown) = only(&previews)?;
    assert_eq!(shown, ["customer-7", "customer-299"]);
    assert_eq!((&preview["rows"], &preview["more"]), (&2.into(), &false.into()));
    assert_eq!(preview["not_found"], serde_json::json!(["nobody"]));
    let words = scene
        .longshore
        .run(["preview", "profiles.yml", "--id", "nobody"])
        .await?;
    let words = words.succeeded()?;
    assert!(
        words.stdout.contains("no row of table profiles has the id nobody"),
        "{words}"
    );
    assert_eq!(
        scene.sandbox.counts().await?.requests,
        0,
        "a preview has sent something"
    );
    assert!(!scene.longshore.state_file().exists());
    Ok(())
}

#[tokio::test]
async fn events_are_chosen_by_their_profile_or_by_a_column_that_is_named() -> Result<()> {
    let scene = Scene::open(0, 0).await?;
    scene
        .shop
        .database()
        .execute(
            "INSERT INTO events (custom_id, event_name, item, quantity, price, event_time, last_updated_at) \
             SELECT CASE WHEN n < 1200 THEN 'often' ELSE 'once' END, 'bought', 'kettle', 1, 39.90, now() - interval '1 hour', now() \
             FROM generate_series(0, 1200) AS n",
        )
        .await?;
    let preview = async |arguments: &[&str]| {
        let all = ["preview", "events.yml"].iter().chain(arguments).copied();
        scene.longshore.json(all).await
    };
    let previews = preview(&["--id", "once"]).await?;
    let (once, shown) = only(&previews)?;
    assert_eq!((shown, &once["rows"]), (vec!["once"], &1.into()));
    // A thousand rows are enough to look at, and it is said that there are more.
    let previews = preview(&["--id", "often"]).await?;
    let (often, _) = only(&previews)?;
    assert_eq!((&often["rows"], &often["more"]), (&1_000.into(), &true.into()));
    let previews = preview(&["--id-column", "event_id", "--id", "3", "--id", "1201"]).await?;
    let (by_key, shown) = only(&previews)?;
    assert_eq!((shown, &by_key["rows"]), (vec!["often", "once"], &2.into()));
    let refused = scene
        .longshore
        .run(["preview", "events.yml", "--id-column", "event_id", "--id", "three"])
        .await?;
    assert_refused(&refused, exit::CONFIGURATION, &["event_id", "bigint"]);
    let refused = scene
        .longshore
        .run(["preview", "events.yml", "--id-column", "event", "--id", "3"])
        .await?;
    assert_refused(&refused, exit::CONFIGURATION, &["no column event"]);
    Ok(())
}

#[tokio::test]
async fn the_first_rows_are_as_many_as_are_asked_for() -> Result<()> {
    let scene = Scene::open(300, 0).await?;
    for (arguments, rows) in [(vec![], 3), (vec!["--rows", "25"], 25), (vec!["--rows", "1000"], 300)] {
        let all = ["preview", "profiles.yml"].into_iter().chain(arguments);
        let previews = scene.longshore.json(all).await?;
        let (preview, shown) = only(&previews)?;
        assert_eq!((shown.len(), preview["rows"].as_u64()), (rows, Some(rows as u64)));
    }
    Ok(())
}

#[tokio::test]
async fn what_would_be_rejected_is_shown_with_its_column_and_rule() -> Result<()> {
    let scene = Scene::open(3, 0).await?;
    scene
        .shop
        .database()
        .execute("UPDATE profiles SET batch__email_address = 'HUSH' WHERE custom_id = 'customer-2'")
        .await?;
    let words = scene
        .longshore
        .run(["preview", "profiles.yml", "--id", "customer-2"])
        .await?
        .succeeded()?;
    assert!(
        words
            .stdout
            .contains("would reject the column batch__email_address of customer-2")
            && words.stdout.contains("email_invalid"),
        "{words}"
    );
    Ok(())
}

#[tokio::test]
async fn clickhouse_looks_rows_up_too() -> Result<()> {
    let scene = ClickHouseScene::open(
        "CREATE TABLE customers (custom_id String, number UInt64, seen DateTime) ENGINE = MergeTree ORDER BY custom_id;
         INSERT INTO customers SELECT concat('C-', toString(number)), number, now() - 3600 FROM numbers(500)",
    )
    .await?;
    let sync = ClickHouseSync::of("[customers]", Target::Profiles).with_source("cursor: seen");
    scene.sync_well(&sync).await?;
    let preview = async |arguments: &[&str]| {
        let all = ["preview", "profiles.yml"].iter().chain(arguments).copied();
        scene.longshore.json(all).await
    };
    let previews = preview(&["--id", "C-42", "--id", "' OR 1 --"]).await?;
    let (preview_of_id, shown) = only(&previews)?;
    assert_eq!(shown, ["C-42"]);
    assert_eq!(preview_of_id["not_found"], serde_json::json!(["' OR 1 --"]));
    let previews = preview(&["--id-column", "number", "--id", "7"]).await?;
    assert_eq!(only(&previews)?.1, ["C-7"]);
    let refused = scene
        .longshore
        .run(["preview", "profiles.yml", "--id-column", "number", "--id", "seven"])
        .await?;
    assert_refused(&refused, exit::CONFIGURATION, &["number", "UInt64"]);
    Ok(())
}

#[tokio::test]
async fn a_source_that_can_not_look_rows_up_is_not_read_whole_instead() -> Result<()> {
    let scene = Scene::open(0, 0).await?;
    let base_url = scene.sandbox.base_url();
    scene.longshore.write(
        "generated.yml",
        &format!(
            "kind: source\nspec:\n  name: shop\n  path: generate\n  tables: [shop]\n  destinations: [batch]\n  spec:\n    \
             tables: [{{ name: shop, rows: 100, columns: shop_profiles, cursor: id }}]\n---\nkind: destination\nspec:\n  name: batch\n  path: batch\n  \
             spec:\n    target: profile_attributes\n    base_url: {base_url}\n    project_key: {PROJECT_KEY}\n    rest_api_key: {REST_API_KEY}\n"
        ),
    )?;
    let refused = scene.longshore.run(["preview", "generated.yml", "--id", "x"]).await?;
    assert_refused(&refused, exit::CONFIGURATION, &["shop", "look rows up"]);
    Ok(())
}
