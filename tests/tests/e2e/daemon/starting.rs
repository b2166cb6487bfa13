//! One daemon a store, and what it finds when it starts.

use longshore_tests::{PATIENCE, Result, eventually};
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
    assert_eq!(second.stdout, "", "it listens nowhere");
    // Also where both would have the same address, it is the daemon that is named.
    let address = daemon
        .printed()
        .trim()
        .rsplit("http://")
        .next()
        .unwrap_or_default()
        .to_owned();
    let second = daemons.run(&["serve", "--listen", &address]).await?;
    assert!(second.stderr.contains("error[daemon_running]"), "{second}");
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
async fn a_daemon_that_can_not_have_its_address_gives_the_state_back() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("quick")])?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = daemons.run(&["serve", "--listen", &address]).await?;
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(refused.stderr.contains("error[address_unusable]"), "{refused}");
    let next = daemons.start(&[]).await?;
    assert!(!next.said("taken over"), "it was given back in order");
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_slept_through_its_lease_writes_nothing_more_and_ends() -> Result<()> {
    let daemons = Daemons::new(&[Sync::slow("slow")])?;
    let first = daemons.start(&[]).await?;
    daemons.longshore.json(["syncs", "run", "slow"]).await?;
    let begun = daemons.until_running("slow").await?;
    first.signal(Signal::STOP)?;
    // Its process lives, so that only the end of its lease lets another one in.
    let second = eventually("the lease lapses", 3 * PATIENCE, async || {
        let second = daemons.longshore.start(["serve"]).ok()?;
        let decided = eventually("it serves or is refused", PATIENCE, async || {
            (second.said("serving") || second.said("error[")).then_some(())
        });
        decided.await.ok()?;
        if second.said("error[state_busy]") {
            // It was stopped while it wrote, and nobody could even look.
            first.signal(Signal::CONT).ok()?;
            first.signal(Signal::STOP).ok()?;
        }
        second.said("serving").then_some(second)
    })
    .await?;
    first.signal(Signal::CONT)?;
    let ended = first.finish().await?;
    assert_eq!(ended.code(), Some(1), "{ended}");
    assert!(ended.stderr.contains("error[run_lost]"), "{ended}");
    let running = daemons
        .until("slow", "the second one goes on with its run", |sync| {
            sync["activity"]["attempt"].as_u64() > Some(1)
        })
        .await?;
    assert_eq!(running["activity"]["run_id"], begun["activity"]["run_id"]);
    assert_eq!(daemons.turns("slow").await?.len(), 1);
    drop(second);
    Ok(())
}

#[tokio::test]
async fn a_state_in_a_deep_directory_has_a_socket_as_well() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("quick")])?;
    let deep = ["a-directory-with-a-long-name"; 6].join("/");
    std::fs::create_dir_all(daemons.longshore.folder().join(&deep)).unwrap();
    let text = std::fs::read_to_string(daemons.longshore.folder().join("longshore.yml")).unwrap();
    let settings = format!("---\nkind: settings\nspec: {{ state: 'sqlite:{deep}/state.db' }}\n");
    daemons.longshore.write("longshore.yml", &format!("{text}{settings}"))?;
    let _daemon = daemons.start(&[]).await?;
    let syncs = daemons
        .longshore
        .json(["syncs", "list", "--config", "longshore.yml"])
        .await?;
    assert_eq!(syncs[0]["phase"], "idle", "{syncs}");
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
    eventually("it moves rows", PATIENCE, async || {
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
