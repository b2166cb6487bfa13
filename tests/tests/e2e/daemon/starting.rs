//! One daemon a store, and what it finds when it starts.

use longshore_tests::Result;
use rustix::process::Signal;

use super::scene::{Daemons, Sync};

#[tokio::test]
async fn a_second_daemon_on_one_state_is_refused_and_says_who_is_there() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("quick")])?;
    let daemon = daemons.start(&[]).await?;
    let second = daemons.run(&["serve"]).await?;
    assert_eq!(second.code(), Some(2), "{second}");
    assert!(second.stderr.contains("error[daemon_running]"), "{second}");
    assert!(second.stderr.contains(&format!("process {}", daemon.pid())), "{second}");
    assert_eq!(
        daemons.sync("quick").await?["phase"],
        "idle",
        "the first one is not disturbed"
    );

    daemon.signal(Signal::KILL)?;
    daemon.finish().await?;
    let third = daemons.start(&[]).await?;
    assert_eq!(
        daemons.sync("quick").await?["phase"],
        "idle",
        "a dead one is in nobody's way"
    );
    third.signal(Signal::TERM)?;
    third.finish().await?.succeeded()?;
    Ok(())
}

#[tokio::test]
async fn a_configuration_with_an_error_is_refused_before_anything_runs() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("quick").with_schedule("schedule: '0 25 * * *'")])?;
    let refused = daemons.run(&["serve"]).await?;
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(
        refused.stderr.contains("field 2, the hour, can not be `25`"),
        "{refused}"
    );
    assert!(!daemons.longshore.state_file().exists());
    Ok(())
}

#[tokio::test]
async fn a_sync_that_somebody_runs_by_hand_is_waited_for() -> Result<()> {
    let daemons = Daemons::new(&[Sync::slow("slow")])?;
    let daemon = daemons.start(&[]).await?;
    let by_hand = daemons.longshore.start(["sync", "--no-progress"])?;
    by_hand.plugin("longshore-destination-discard").await?;
    longshore_tests::eventually("it moves rows", longshore_tests::PATIENCE, async || {
        let runs = daemons.longshore.json(["runs", "list"]).await.ok()?;
        (runs[0]["status"] == "running").then_some(())
    })
    .await?;
    daemons.longshore.json(["syncs", "run", "slow"]).await?;
    let waiting = daemons
        .until("slow", "it waits for the other process", |sync| {
            let waits_for = sync["activity"]["waits_for"].as_str().unwrap_or_default();
            waits_for.contains(&format!("process {}", by_hand.pid()))
        })
        .await?;
    assert_eq!(waiting["phase"], "queued");
    by_hand.signal(Signal::INT)?;
    assert_eq!(by_hand.finish().await?.code(), Some(130));
    let running = daemons.until_running("slow").await?;
    assert_eq!(
        running["activity"]["attempt"], 2,
        "it goes on with what the other one has begun"
    );
    assert_eq!(running["activity"]["tries"], 0, "waiting is no failure");
    drop(daemon);
    Ok(())
}
