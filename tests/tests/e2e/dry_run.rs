//! `sync --dry-run`: what it says a sync would do is what the sync then does, and it leaves nothing behind.

mod events;
mod requests;

use longshore_tests::{Finished, Longshore, PATIENCE, Result, eventually, shop::Target};
use serde_json::Value;

use crate::{
    bad_input::{assert_refused, exit},
    generated::Generated,
    report::{Report, TableReport},
    scene::Scene,
};

/// A dry run of a configuration file, as JSON; it is to succeed.
pub(crate) async fn dry_run(longshore: &Longshore, configuration: &str) -> Result<Value> {
    longshore.json(["sync", configuration, "--dry-run"]).await
}

/// The counts of the only table of a dry run.
pub(crate) fn only_table(report: &Value) -> TableReport {
    let tables = report["tables"].as_array().expect("a report has tables");
    assert_eq!(tables.len(), 1, "one table was to be tried: {report}");
    serde_json::from_value(tables[0].clone()).expect("it has the form of a sync's")
}

/// What a table's rows became or would become.
fn counts(table: &TableReport) -> [u64; 5] {
    [
        table.read,
        table.delivered,
        table.rejected,
        table.filtered,
        table.deduplicated,
    ]
}

#[tokio::test]
async fn a_dry_run_says_what_the_sync_then_does_and_sends_and_keeps_nothing() -> Result<()> {
    let scene = Scene::open(700, 900).await?;
    for (target, rows) in [(Target::Profiles, 700), (Target::Events, 900)] {
        let before = scene.sandbox.counts().await?;
        let file = format!("{}.yml", target.table());
        let said = dry_run(&scene.longshore, &file).await?;
        let table = only_table(&said);
        assert!(table.complete && said["dry_run"] == true, "{said}");
        assert_eq!(counts(&table), [rows, rows, 0, 0, 0]);
        assert_eq!(scene.sandbox.counts().await?, before, "a dry run has sent something");

        let done = scene.sync_well(target).await?;
        assert_eq!(counts(&table), counts(done.only_table()), "{said}");
        scene.assert_exact(target).await?;
        if target == Target::Profiles {
            // One row a profile: there is nothing to merge, and the updates are the very ones.
            let requests = &said["estimates"][0]["requests"][0];
            assert_eq!(requests["endpoint"], "profiles/update");
            assert_eq!(
                requests["operations"],
                scene.sandbox.counts().await?.operations,
                "{said}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn where_there_is_no_state_a_dry_run_makes_none() -> Result<()> {
    let generated = Generated::with(100, &[], &[])?;
    let said = dry_run(&generated.longshore, "longshore.yml").await?;
    assert_eq!(counts(&only_table(&said)), [100, 100, 0, 0, 0]);
    assert!(!generated.longshore.folder().join(".longshore").exists());
    let temporary: Vec<_> = std::fs::read_dir(generated.longshore.folder().join("tmp"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(temporary.is_empty(), "a copy was left behind: {temporary:?}");
    generated.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_dry_run_goes_on_from_the_stored_cursor_and_does_not_move_it() -> Result<()> {
    let generated = Generated::with(1_000, &[], &[])?;
    generated.sync_well().await?;
    generated.configure(&["tables: [{ name: numbers, rows: 1030, cursor: id }]"], &[])?;
    for _ in 0..2 {
        let said = dry_run(&generated.longshore, "longshore.yml").await?;
        assert_eq!(only_table(&said).read, 30, "{said}");
    }
    let runs = generated.longshore.json(["runs", "list"]).await?;
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "a dry run is no run: {runs}");
    assert_eq!(generated.sync_well().await?.only_table().read, 30);
    Ok(())
}

#[tokio::test]
async fn rejects_are_told_by_kind_with_the_first_keys_and_are_not_recorded() -> Result<()> {
    let generated = Generated::with(1_000, &[], &["reject_every: 10"])?;
    let said = dry_run(&generated.longshore, "longshore.yml").await?;
    assert_eq!(counts(&only_table(&said)), [1_000, 900, 100, 0, 0]);
    let kinds = said["rejects"].as_array().unwrap();
    let [kind] = kinds.as_slice() else { panic!("{said}") };
    assert_eq!(
        (
            &kind["rule"],
            &kind["rejects"],
            &kind["whole_row"],
            &kind["destination"]
        ),
        (&"reject_every".into(), &100.into(), &true.into(), &"nowhere".into())
    );
    let keys: Vec<_> = kind["examples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|example| &example["key"])
        .collect();
    assert_eq!(keys, ["10", "20", "30"]);
    let words: Finished = generated.longshore.run(["sync", "--dry-run"]).await?.succeeded()?;
    for word in [
        "WOULD DELIVER",
        "reject_every",
        "10, 20, 30",
        "nothing was sent",
        "no cursor moved",
    ] {
        assert!(words.stdout.contains(word), "{word:?} is not in\n{words}");
    }
    assert!(!generated.longshore.state_file().exists(), "a ledger was begun");
    Ok(())
}

#[tokio::test]
async fn a_dry_run_goes_on_beyond_max_rejects_and_says_where_a_run_would_stop() -> Result<()> {
    let generated = Generated::with(10_000, &["checkpoint_rows: 100"], &["reject_every: 10"])?;
    let text = std::fs::read_to_string(generated.longshore.folder().join("longshore.yml")).unwrap();
    let limited = text.replacen("  path: generate\n", "  path: generate\n  max_rejects: 50\n", 1);
    generated.longshore.write("longshore.yml", &limited)?;
    let finished = generated.longshore.run(["sync", "--dry-run", "--json"]).await?;
    assert_refused(
        &finished,
        exit::REJECTS,
        &["a real run would stop", "numbers", "max_rejects"],
    );
    let said = finished.json()?;
    assert_eq!(counts(&only_table(&said)), [10_000, 9_000, 1_000, 0, 0], "{said}");
    let stop = &said["would_stop"];
    assert_eq!(stop["table"], "numbers");
    let (read, rejected) = (stop["read"].as_u64().unwrap(), stop["rejected"].as_u64().unwrap());
    assert!(rejected > 50 && read <= 10_000, "{stop}");
    Ok(())
}

#[tokio::test]
async fn a_dry_run_does_not_disturb_a_sync_that_is_running() -> Result<()> {
    let generated = Generated::with(5_000, &["checkpoint_rows: 10"], &["batches_per_second: 20"])?;
    let running = generated.longshore.start(["sync", "--json"])?;
    eventually("the sync is held by its run", PATIENCE, async || {
        let shown = generated.longshore.json(["state", "show", "numbers"]).await.ok()?;
        (!shown["held_by"].is_null()).then_some(())
    })
    .await?;
    // The same table, without the slowness.
    generated.configure(&["tables: [{ name: numbers, rows: 5000, cursor: id }]"], &[])?;
    let said = dry_run(&generated.longshore, "longshore.yml").await?;
    assert_eq!(only_table(&said).delivered, 5_000, "{said}");
    running.signal(rustix::process::Signal::TERM)?;
    let ended = running.finish().await?;
    // It was still at work, and nobody had taken its sync away.
    assert_eq!(ended.code(), Some(exit::CANCELLED), "{ended}");
    assert_eq!(Report::of(&ended)?.status, "cancelled");
    Ok(())
}
