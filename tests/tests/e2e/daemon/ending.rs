//! How a daemon ends, and what the next one makes of it.

use longshore_tests::Result;
use rustix::process::Signal;

use super::scene::{Daemons, Sync};

#[tokio::test]
async fn a_daemon_lets_running_syncs_end_and_starts_no_more() -> Result<()> {
    // Five batches, one a second: done well within the time for draining.
    let short = Sync {
        rows: 50,
        destination: "batches_per_second: 1",
        ..Sync::slow("short")
    };
    let daemons = Daemons::new(&[short, Sync::quick("quick")])?;
    let daemon = daemons.start(&["--drain-timeout", "60s"]).await?;
    daemons.longshore.json(["syncs", "run", "short"]).await?;
    daemons.until_running("short").await?;
    daemon.signal(Signal::TERM)?;
    let refused = daemons.run(&["syncs", "run", "quick"]).await?;
    assert!(refused.stderr.contains("error[daemon_"), "{refused}");
    let ended = daemon.finish().await?;
    assert_eq!(ended.code(), Some(0), "{ended}");
    let turns = daemons.turns("short").await?;
    assert_eq!(turns[0]["status"], "completed", "{turns:?}");
    assert!(daemons.turns("quick").await.is_err(), "nothing is known about it");
    daemons.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn what_does_not_end_in_time_is_stopped_in_order_and_gone_on_with_at_the_next_start() -> Result<()> {
    let daemons = Daemons::new(&[Sync::slow("slow")])?;
    let daemon = daemons.start(&["--drain-timeout", "1s"]).await?;
    daemons.longshore.json(["syncs", "run", "slow"]).await?;
    let running = daemons.until_running("slow").await?;
    daemon.signal(Signal::TERM)?;
    let ended = daemon.finish().await?;
    assert_eq!(ended.code(), Some(0), "{ended}");
    daemons.longshore.leaves_nothing_running().await?;
    let turns = daemons.turns("slow").await?;
    assert_eq!((turns.len(), &turns[0]["status"]), (1, &"open".into()));
    assert_eq!(turns[0]["run_id"], running["activity"]["run_id"]);

    let daemon = daemons.start(&[]).await?;
    let resumed = daemons.until_running("slow").await?;
    assert_eq!(
        resumed["activity"]["run_id"], running["activity"]["run_id"],
        "the same run"
    );
    assert_eq!(resumed["activity"]["attempt"], 2);
    assert_eq!(daemons.turns("slow").await?.len(), 1, "and the same turn");
    let run_id = running["activity"]["run_id"].as_str().unwrap();
    let shown = daemons.longshore.json(["runs", "show", run_id]).await?;
    let began = |attempt: usize| shown["attempts"][attempt]["trigger"]["kind"].clone();
    assert_eq!((began(0), began(1)), ("request".into(), "recovery".into()), "{shown}");
    daemon.signal(Signal::KILL)?;
    daemon.finish().await?;
    daemons.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_second_signal_ends_a_daemon_at_once_and_loses_nothing() -> Result<()> {
    let daemons = Daemons::new(&[Sync::slow("slow")])?;
    let daemon = daemons.start(&["--drain-timeout", "1h"]).await?;
    daemons.longshore.json(["syncs", "run", "slow"]).await?;
    daemons.until_running("slow").await?;
    daemon.signal(Signal::TERM)?;
    longshore_tests::eventually("it drains", longshore_tests::PATIENCE, async || {
        daemon.said("draining").then_some(())
    })
    .await?;
    daemon.signal(Signal::TERM)?;
    let ended = daemon.finish().await?;
    assert_eq!(ended.code(), Some(130), "{ended}");
    daemons.longshore.leaves_nothing_running().await?;
    let _daemon = daemons.start(&[]).await?;
    let resumed = daemons.until_running("slow").await?;
    assert_eq!(resumed["activity"]["attempt"], 2);
    Ok(())
}

#[tokio::test]
async fn a_webhook_that_hangs_does_not_keep_a_daemon_from_ending() -> Result<()> {
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let failing = Sync {
        source: "fail_after_rows: { rows: 1 }",
        lines: "alerts: { url: \"${ALERT_WEBHOOK}\" }",
        ..Sync::quick("watched")
    };
    let mut daemons = Daemons::new(&[failing])?;
    let address = format!("http://{}/hook", hanging.local_addr().unwrap());
    daemons.longshore.set_variable("ALERT_WEBHOOK", &address);
    let daemon = daemons.start(&["--drain-timeout", "1s"]).await?;
    daemons.longshore.json(["syncs", "run", "watched"]).await?;
    let failed = |sync: &serde_json::Value| sync["last_run"]["status"] == "failed" && sync["phase"] == "idle";
    daemons.until("watched", "it has failed", failed).await?;
    let asked = std::time::Instant::now();
    daemon.signal(Signal::TERM)?;
    let ended = daemon.finish().await?.succeeded()?;
    assert!(ended.stderr.contains("are told after the next start"), "{ended}");
    assert!(asked.elapsed().as_secs() < 8, "{:?}", asked.elapsed());
    Ok(())
}
