//! SIGHUP: another configuration, whole or not at all.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use longshore_tests::{Context as _, PATIENCE, Result, RunningLongshore, eventually};
use rustix::process::Signal;
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};

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

#[tokio::test]
async fn what_is_no_file_is_refused_at_a_reload_at_the_start_and_by_validate() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("first")])?;
    let daemon = daemons.start(&[]).await?;
    let file = daemons.longshore.folder().join("longshore.yml");
    std::fs::remove_file(&file).context("the configuration can not be removed")?;
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.context("mkfifo can not be started")?.success());
    daemon.signal(Signal::HUP)?;
    says(&daemon, "it is a pipe and no file").await?;
    says(&daemon, "the configuration stays as it was").await?;
    assert_eq!(daemons.sync("first").await?["phase"], "idle");
    for command in ["validate", "serve"] {
        let refused = daemons.run(&[command]).await?;
        assert_eq!(refused.code(), Some(2), "{refused}");
        assert!(refused.stderr.contains("it is a pipe and no file"), "{refused}");
    }
    Ok(())
}

/// Holds a lease on a file: whoever opens it waits until that is given back, which it never is. The kernel takes it after 45 s.
const LEASE: &str = "
import fcntl, os, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
time.sleep(600)
";

/// A file that does not come, as on a mount whose server is gone; until the value is dropped.
async fn held_back(file: &Path) -> Result<Child> {
    let mut holding = Command::new("python3")
        .args(["-c", LEASE])
        .arg(file)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("python3 can not be started")?;
    let mut said = [0; 5];
    let mut printed = holding.stdout.take().context("its output is there")?;
    printed
        .read_exact(&mut said)
        .await
        .context("the file can not be leased")?;
    assert_eq!(&said, b"held\n");
    Ok(holding)
}

#[tokio::test]
async fn a_configuration_that_does_not_come_is_given_up_and_keeps_no_signal_back() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("first")])?;
    let daemon = daemons.start(&[]).await?;
    let file = daemons.longshore.folder().join("longshore.yml");
    let holding = held_back(&file).await?;
    let begun = Instant::now();
    daemon.signal(Signal::HUP)?;
    daemons.longshore.json(["syncs", "run", "first"]).await?;
    daemons
        .until("first", "it is done", |sync| sync["last_run"]["status"] == "completed")
        .await?;
    assert!(begun.elapsed() < Duration::from_secs(20), "nothing waits for the file");
    says(&daemon, "was not read within 20 s").await?;
    says(&daemon, "the configuration stays as it was").await?;

    // The thread that reads is left behind, and another one does not begin beside it.
    daemon.signal(Signal::HUP)?;
    let asked = Instant::now();
    daemon.signal(Signal::TERM)?;
    daemon.finish().await?.succeeded()?;
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());

    drop(holding);
    let _holding = held_back(&file).await?;
    let starting = daemons.longshore.start(["serve"])?;
    eventually("its thread reads", PATIENCE, async || {
        reads(starting.pid()).then_some(())
    })
    .await?;
    let asked = Instant::now();
    starting.signal(Signal::TERM)?;
    let ended = starting.finish().await?;
    assert_eq!(ended.code(), Some(130), "{ended}");
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    Ok(())
}

/// Whether a process has a thread that reads its configuration, and with it the one that listens to signals.
fn reads(pid: i32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let names: Vec<String> = threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok())
        .collect();
    ["longshore-load", "longshore-signa"]
        .iter()
        .all(|name| names.iter().any(|found| found.trim() == *name))
}
