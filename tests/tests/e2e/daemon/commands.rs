//! What people ask of a daemon, and of the state where none runs.

use longshore_tests::Result;
use rustix::process::Signal;

use super::scene::{Daemons, Sync};

#[tokio::test]
async fn a_sync_is_run_paused_resumed_and_cancelled_from_another_process() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("quick"), Sync::slow("slow")])?;
    let daemon = daemons.start(&[]).await?;
    assert_eq!(daemons.sync("quick").await?["phase"], "idle");

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
