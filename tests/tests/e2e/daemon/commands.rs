//! What people ask of a daemon, and of the state where none runs.

use std::time::Duration;

use longshore_tests::Result;
use rustix::process::Signal;

use super::scene::{Daemons, Sync};

#[tokio::test]
async fn a_sync_is_run_paused_resumed_and_cancelled_from_another_process() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("quick"), Sync::slow("slow")])?;
    let daemon = daemons.start(&[]).await?;
    assert_eq!(daemons.sync("quick").await?["phase"], "idle");
    let none_yet = daemons.longshore.json(["runs", "list", "--sync", "quick"]).await?;
    assert_eq!(none_yet, serde_json::json!([]), "the daemon knows it");

    let started = daemons.longshore.json(["syncs", "run", "quick"]).await?;
    assert_eq!((&started["sync"], &started["at_once"]), (&"quick".into(), &true.into()));
    let ended = daemons
        .until("quick", "its run is done", |sync| {
            sync["last_run"]["status"] == "completed"
        })
        .await?;
    assert_eq!(ended["cursors"][0]["cursor"], "10");

    daemons.longshore.json(["syncs", "run", "slow"]).await?;
    let running = daemons.until_running("slow").await?;
    let again = daemons.run(&["syncs", "run", "slow"]).await?;
    assert_eq!(again.code(), Some(2), "{again}");
    assert!(again.stderr.contains("error[sync_running]"), "{again}");

    let run_id = running["activity"]["run_id"].as_str().unwrap();
    let paused = daemons.longshore.json(["syncs", "pause", "slow"]).await?;
    assert_eq!((&paused["paused"], &paused["changed"]), (&true.into(), &true.into()));
    assert_eq!(
        daemons.sync("slow").await?["phase"],
        "running",
        "a pause does not touch what runs"
    );
    daemons.longshore.json(["runs", "cancel", run_id]).await?;
    let cancelled = daemons
        .until("slow", "it is stopped", |sync| sync["phase"] == "paused")
        .await?;
    assert_eq!(cancelled["last_run"]["status"], "cancelled");
    assert_eq!(daemons.turns("slow").await?[0]["status"], "cancelled");
    let resumed = daemons.longshore.json(["syncs", "resume", "slow"]).await?;
    assert_eq!(resumed["paused"], false);

    let words = daemons.run(&["syncs", "list"]).await?.succeeded()?.stdout;
    assert!(words.contains("quick") && words.contains("completed"), "{words}");
    daemon.signal(Signal::TERM)?;
    assert_eq!(daemon.finish().await?.code(), Some(0));
    daemons.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_refused_with_those_that_there_are() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("quick")])?;
    let _daemon = daemons.start(&[]).await?;
    for command in ["run", "pause", "resume"] {
        let refused = daemons.run(&["syncs", command, "quik"]).await?;
        assert_eq!(refused.code(), Some(2), "{refused}");
        assert!(refused.stderr.contains("Its syncs are: quick."), "{refused}");
    }
    let refused = daemons.run(&["runs", "cancel", "last"]).await?;
    assert!(refused.stderr.contains("error[run_unknown]"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn without_a_daemon_a_pause_is_stored_and_the_next_one_keeps_to_it() -> Result<()> {
    let syncs = [Sync::quick("quick").with_schedule("schedule: { every: 5s }")];
    let daemons = Daemons::new(&syncs)?;
    daemons.run(&["sync"]).await?.succeeded()?;

    let refused = daemons.run(&["syncs", "run", "quick"]).await?;
    assert!(refused.stderr.contains("error[daemon_missing]"), "{refused}");
    assert!(refused.stderr.contains("longshore sync --source quick"), "{refused}");
    let unknown = daemons.run(&["syncs", "pause", "quik"]).await?;
    assert!(unknown.stderr.contains("error[sync_unknown]"), "{unknown}");
    let paused = daemons.longshore.json(["syncs", "pause", "quick"]).await?;
    assert_eq!(paused["changed"], true);
    assert_eq!(daemons.sync("quick").await?["paused"], true);

    let daemon = daemons.start(&[]).await?;
    assert_eq!(daemons.sync("quick").await?["phase"], "paused");
    let before = daemons.turns("quick").await?.len();
    let resumed = daemons.longshore.json(["syncs", "resume", "quick"]).await?;
    assert_eq!(resumed["changed"], true);
    assert_eq!(before, 0, "nothing ran under the pause");
    daemons
        .until("quick", "it runs by its schedule", |sync| {
            sync["last_run"]["run_id"].is_string()
        })
        .await?;
    daemon.signal(Signal::TERM)?;
    daemon.finish().await?.succeeded()?;
    Ok(())
}

#[tokio::test]
async fn a_sync_is_cancelled_by_its_name_whether_it_runs_or_waits_to_be_tried_again() -> Result<()> {
    let failing = Sync {
        source: "fail_after_rows: { rows: 1, retryable: true }",
        rows: 40,
        ..Sync::quick("failing")
    };
    let daemons = Daemons::new(&[failing, Sync::slow("slow")])?;
    let daemon = daemons.start(&[]).await?;
    let idle = daemons.run(&["syncs", "cancel", "slow"]).await?;
    assert_eq!(idle.code(), Some(2), "{idle}");
    assert!(idle.stderr.contains("error[sync_idle]"), "{idle}");
    let unknown = daemons.run(&["syncs", "cancel", "nobody"]).await?;
    assert!(unknown.stderr.contains("error[sync_unknown]"), "{unknown}");

    daemons.longshore.json(["syncs", "run", "slow"]).await?;
    let running = daemons.until_running("slow").await?;
    let cancelled = daemons.longshore.json(["syncs", "cancel", "slow"]).await?;
    assert_eq!(cancelled["run_id"], running["activity"]["run_id"]);
    let stopped = daemons
        .until("slow", "it is stopped", |sync| sync["phase"] == "idle")
        .await?;
    assert_eq!(stopped["last_run"]["status"], "cancelled");

    daemons.longshore.json(["syncs", "run", "failing"]).await?;
    let retrying = daemons
        .until("failing", "it waits for its next try", |sync| {
            sync["phase"] == "retrying"
        })
        .await?;
    assert_eq!(
        retrying["next_run_at"], retrying["activity"]["retry_at"],
        "that is when it runs next, also without a schedule: {retrying}"
    );
    let words = daemons.run(&["syncs", "cancel", "failing"]).await?.succeeded()?.stdout;
    assert!(
        words.contains("failing does not run any more for what was due"),
        "{words}"
    );
    daemons
        .until("failing", "it is idle", |sync| sync["phase"] == "idle")
        .await?;
    assert_eq!(daemons.turns("failing").await?[0]["status"], "cancelled");

    daemon.signal(Signal::TERM)?;
    daemon.finish().await?.succeeded()?;
    let nobody = daemons.run(&["syncs", "cancel", "slow"]).await?;
    assert_eq!(nobody.code(), Some(2), "{nobody}");
    assert!(nobody.stderr.contains("error[daemon_missing]"), "{nobody}");
    let by_hand = daemons.longshore.start(["sync", "--source", "slow", "--no-progress"])?;
    by_hand.plugin("longshore-destination-discard").await?;
    let elsewhere = daemons.run(&["syncs", "cancel", "slow"]).await?;
    assert!(
        elsewhere.stderr.contains("error[run_elsewhere]")
            && elsewhere.stderr.contains(&format!("kill {}", by_hand.pid())),
        "{elsewhere}"
    );
    Ok(())
}

#[tokio::test]
async fn a_run_by_hand_beside_the_daemon_is_the_last_run() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("quick")])?;
    let _daemon = daemons.start(&[]).await?;
    assert!(daemons.sync("quick").await?["last_run"].is_null());
    daemons.run(&["sync", "--no-progress"]).await?.succeeded()?;
    let listed = daemons.sync("quick").await?;
    let runs = daemons.longshore.json(["runs", "list"]).await?;
    assert_eq!(listed["last_run"]["run_id"], runs[0]["run_id"], "{listed}");
    assert_eq!(listed["cursors"][0]["cursor"], "10");
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_is_suspended_is_told_by_its_process_and_nobody_waits_for_it() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("quick")])?;
    let daemon = daemons.start(&[]).await?;
    daemon.signal(Signal::STOP)?;
    let asked = daemons.run(&["syncs", "list"]).await?;
    daemon.signal(Signal::CONT)?;
    assert_eq!(asked.code(), Some(1), "{asked}");
    assert!(
        asked.stderr.contains("error[daemon_hangs]") && asked.stderr.contains(&format!("kill -CONT {}", daemon.pid())),
        "{asked}"
    );
    assert!(asked.took < Duration::from_secs(30), "{:?}", asked.took);
    assert_eq!(daemons.sync("quick").await?["phase"], "idle", "it answers again");
    Ok(())
}
