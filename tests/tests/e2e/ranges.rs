//! A range of cursor values is read again, whatever was delivered before, and no cursor moves.

use longshore_tests::{Context, Finished, Result, shop::Target};
use serde_json::Value;

use crate::{
    bad_input::{assert_refused, exit},
    generated::Generated,
    report::Report,
    scene::Scene,
};

/// The cursor and the revision of the state of the only table of a sync.
async fn state(scene: &Scene, target: Target) -> Result<(Value, Value)> {
    let shown = scene.longshore.json(["state", "show", target.table()]).await?;
    Ok((
        shown["states"][0]["cursor"].clone(),
        shown["states"][0]["revision"].clone(),
    ))
}

async fn sync_again(scene: &Scene, target: Target, arguments: &[&str]) -> Result<Finished> {
    let file = format!("{}.yml", target.table());
    let words = ["sync", file.as_str(), "--json"]
        .into_iter()
        .chain(arguments.iter().copied());
    scene.longshore.run(words).await
}

#[tokio::test]
async fn a_range_is_sent_once_more_and_the_cursor_stays() -> Result<()> {
    let scene = Scene::open(10, 1_000).await?;
    scene.sync_well(Target::Events).await?;
    let before = state(&scene, Target::Events).await?;

    let connection = scene.shop.database().connect().await?;
    let middle = "SELECT to_char(min(last_updated_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), count(*) \
                  FROM events WHERE last_updated_at >= (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY last_updated_at) FROM events)";
    let row = connection.query_one(middle, &[]).await.context("the middle is known")?;
    let (from, later): (String, i64) = (row.get(0), row.get(1));
    assert!((1..1_000).contains(&later), "{later}");

    let upper = Report::of(
        &sync_again(&scene, Target::Events, &["--from", &from])
            .await?
            .succeeded()?,
    )?;
    assert_eq!(upper.only_table().delivered, later.unsigned_abs(), "{upper:?}");
    let lower = Report::of(
        &sync_again(&scene, Target::Events, &["--to", &from])
            .await?
            .succeeded()?,
    )?;
    assert_eq!(lower.only_table().delivered, 1_000 - later.unsigned_abs(), "{lower:?}");
    assert_eq!(
        scene.sandbox.counts().await?.events,
        2_000,
        "each event twice: once, and once more"
    );

    let shown = scene.longshore.json(["runs", "show", "last"]).await?;
    assert_eq!(shown["again"]["to"], Value::String(from), "{shown}");
    assert_eq!(state(&scene, Target::Events).await?, before);
    assert_eq!(scene.sync_well(Target::Events).await?.only_table().read, 0);
    Ok(())
}

#[tokio::test]
async fn a_range_that_can_not_be_read_is_refused_before_anything_is_sent() -> Result<()> {
    let scene = Scene::open(10, 10).await?;
    let cases: [(&[&str], &[&str]); 4] = [
        (&["--from", "yesterday"], &["yesterday", "last_updated_at", "RFC 3339"]),
        (
            &["--from", "2026-01-01", "--table", "profilse"],
            &["profilse", "profiles"],
        ),
        (&["--table", "profiles"], &["--from", "--to"]),
        (
            &["--from", "2026-02-01", "--to", "2026-01-01"],
            &["2026-02-01", "ends before it begins", "Exchange"],
        ),
    ];
    for (arguments, words) in cases {
        let finished = sync_again(&scene, Target::Profiles, arguments).await?;
        assert_refused(&finished, exit::CONFIGURATION, words);
    }
    assert_eq!(scene.sandbox.counts().await?.requests, 0);

    let generated = Generated::with(10, &[], &[])?;
    let finished = generated.longshore.run(["sync", "--from", "1"]).await?;
    assert_refused(&finished, exit::CONFIGURATION, &["numbers", "range"]);
    Ok(())
}

#[tokio::test]
async fn an_empty_range_reads_nothing() -> Result<()> {
    let scene = Scene::open(10, 0).await?;
    let report = sync_again(
        &scene,
        Target::Profiles,
        &["--from", "2026-02-01", "--to", "2026-02-01"],
    )
    .await?;
    assert_eq!(Report::of(&report.succeeded()?)?.only_table().read, 0);
    Ok(())
}
