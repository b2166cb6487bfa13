//! SIGHUP: another configuration, whole or not at all.

use longshore_tests::{PATIENCE, Result, RunningLongshore, eventually};
use rustix::process::Signal;

use super::scene::{Daemons, Sync};

async fn says(daemon: &RunningLongshore, words: &str) -> Result<()> {
    eventually(words, PATIENCE, async || daemon.said(words).then_some(())).await
}

#[tokio::test]
async fn a_reload_adds_changes_and_removes_syncs_without_touching_runs() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("changed"), Sync::slow("removed")])?;
    let daemon = daemons.start(&[]).await?;
    daemons.longshore.json(["syncs", "run", "removed"]).await?;
    daemons.until_running("removed").await?;

    let changed = Sync::quick("changed").with_schedule("schedule: { cron: '0 6 * * *', time_zone: Europe/Paris }");
    daemons.configure(&[changed, Sync::quick("added")])?;
    daemon.signal(Signal::HUP)?;
    says(&daemon, "the configuration was loaded anew").await?;
    let changed = daemons.sync("changed").await?;
    assert_eq!(changed["schedule"]["time_zone"], "Europe/Paris");
    assert!(changed["next_run_at"].is_string(), "{changed}");
    assert_eq!(daemons.sync("added").await?["phase"], "idle");
    let removed = daemons.sync("removed").await?;
    assert_eq!(
        (&removed["removed"], &removed["phase"]),
        (&true.into(), &"running".into())
    );

    let run_id = removed["activity"]["run_id"].as_str().unwrap();
    daemons.longshore.json(["runs", "cancel", run_id]).await?;
    daemons.until("removed", "it is gone", |sync| sync.is_null()).await?;
    Ok(())
}

#[tokio::test]
async fn a_configuration_with_an_error_is_refused_whole_and_everything_stays() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("first").with_schedule("schedule: '0 6 * * *'")])?;
    let daemon = daemons.start(&[]).await?;
    let before = daemons.sync("first").await?;
    daemons.configure(&[
        Sync::quick("first").with_schedule("schedule: '0 7 * * *'"),
        Sync::quick("second").with_schedule("schedule: { cron: '0 7 * * *', time_zone: Europe/Pari }"),
    ])?;
    daemon.signal(Signal::HUP)?;
    says(&daemon, "did you mean `Europe/Paris`?").await?;
    says(&daemon, "the configuration stays as it was").await?;
    assert_eq!(daemons.sync("first").await?, before);
    assert!(daemons.sync("second").await?.is_null());
    Ok(())
}

#[tokio::test]
async fn what_only_a_plugin_can_tell_is_told_before_a_configuration_is_taken() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("first")])?;
    let daemon = daemons.start(&[]).await?;
    let wrong = Sync {
        destination: "ack_dealy: 0",
        ..Sync::quick("second")
    };
    daemons.configure(&[Sync::quick("first"), wrong])?;
    daemon.signal(Signal::HUP)?;
    says(&daemon, "did you mean `ack_delay`?").await?;
    says(&daemon, "the configuration stays as it was").await?;
    assert!(daemons.sync("second").await?.is_null());
    Ok(())
}

#[tokio::test]
async fn the_state_of_a_running_daemon_is_not_moved() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("first")])?;
    let daemon = daemons.start(&[]).await?;
    let text = std::fs::read_to_string(daemons.longshore.folder().join("longshore.yml")).unwrap();
    let moved = format!("{text}---\nkind: settings\nspec: {{ state: 'sqlite:elsewhere.db' }}\n");
    daemons.longshore.write("longshore.yml", &moved)?;
    daemon.signal(Signal::HUP)?;
    says(&daemon, "can not be moved").await?;
    assert_eq!(daemons.sync("first").await?["phase"], "idle");
    assert!(!daemons.longshore.folder().join("elsewhere.db").exists());
    Ok(())
}
