//! Runs that fail: for a reason that can pass, and for one that can not.

use longshore_tests::Result;
use rustix::process::Signal;

use super::scene::{Daemons, Sync};

#[tokio::test]
async fn a_run_that_fails_for_a_reason_that_can_pass_is_tried_again_and_goes_on() -> Result<()> {
    let failing = Sync {
        source: "fail_after_rows: { rows: 1, retryable: true }\n    checkpoint_rows: 10",
        rows: 40,
        ..Sync::quick("failing")
    };
    let daemons = Daemons::new(std::slice::from_ref(&failing))?;
    let daemon = daemons.start(&[]).await?;
    daemons.longshore.json(["syncs", "run", "failing"]).await?;
    let retrying = daemons
        .until("failing", "it waits for its next try", |sync| {
            sync["phase"] == "retrying"
        })
        .await?;
    let activity = &retrying["activity"];
    assert_eq!(
        (&activity["tries"], &activity["last_error"]["code"]),
        (&1.into(), &"fault_injected".into())
    );
    assert!(activity["retry_at"].is_string(), "{activity}");

    let mended = Sync {
        source: "checkpoint_rows: 10",
        ..failing
    };
    daemons.configure(&[mended])?;
    daemon.signal(Signal::HUP)?;
    longshore_tests::eventually("it is reloaded", longshore_tests::PATIENCE, async || {
        daemon.said("loaded anew").then_some(())
    })
    .await?;
    daemons.longshore.json(["syncs", "run", "failing"]).await?;
    daemons
        .until("failing", "it is done", |sync| {
            sync["last_run"]["status"] == "completed"
        })
        .await?;
    let turns = daemons.turns("failing").await?;
    assert_eq!(
        turns.len(),
        1,
        "it was one turn from the first try to the last: {turns:?}"
    );
    assert_eq!(
        (&turns[0]["status"], &turns[0]["tries"]),
        (&"completed".into(), &2.into())
    );
    Ok(())
}

#[tokio::test]
async fn a_run_that_fails_for_a_reason_that_can_not_pass_is_not_tried_again() -> Result<()> {
    let failing = Sync {
        source: "fail_after_rows: { rows: 1, retryable: false }",
        rows: 40,
        ..Sync::quick("failing")
    };
    let daemons = Daemons::new(&[failing])?;
    let daemon = daemons.start(&[]).await?;
    daemons.longshore.json(["syncs", "run", "failing"]).await?;
    let failed = daemons
        .until("failing", "it failed", |sync| sync["last_run"]["status"] == "failed")
        .await?;
    assert_eq!(
        (&failed["phase"], &failed["activity"]),
        (&"idle".into(), &serde_json::Value::Null)
    );
    assert_eq!(failed["last_run"]["error"]["code"], "fault_injected");
    let turns = daemons.turns("failing").await?;
    assert_eq!(
        (&turns[0]["status"], &turns[0]["error"]["code"]),
        (&"failed".into(), &"fault_injected".into())
    );
    let words = daemons.run(&["syncs", "list"]).await?.succeeded()?.stdout;
    assert!(words.contains("The specification asked for this failure"), "{words}");
    drop(daemon);
    Ok(())
}

#[tokio::test]
async fn a_failure_before_there_is_a_run_is_seen_where_people_look() -> Result<()> {
    let daemons = Daemons::new(&[Sync::quick("failing")])?;
    let daemon = daemons.start(&[]).await?;
    daemons.longshore.json(["syncs", "run", "failing"]).await?;
    let done = |sync: &serde_json::Value| sync["last_run"]["status"] == "completed";
    daemons.until("failing", "it is done", done).await?;

    // What only the plugin's own schema knows is found when the sync is to run: there is no run to look at.
    let text = std::fs::read_to_string(daemons.longshore.folder().join("longshore.yml")).unwrap();
    let refused = text.replace("name: numbers, rows: ", "name: numbers, rowz: ");
    assert_ne!(refused, text, "{text}");
    daemons.longshore.write("longshore.yml", &refused)?;
    drop(daemon);
    let _daemon = daemons.start(&[]).await?;
    daemons.longshore.json(["syncs", "run", "failing"]).await?;
    let failed = |sync: &serde_json::Value| sync["last_run"]["status"] == "failed";
    let failed = daemons.until("failing", "it failed", failed).await?;
    let last = &failed["last_run"];
    assert!(last["run_id"].is_null(), "{failed}");
    let message = last["error"]["message"].as_str().unwrap_or_default().to_owned();
    let words = daemons.run(&["syncs", "list"]).await?.succeeded()?.stdout;
    assert!(message.contains("rowz"), "{failed}");
    assert!(words.contains(&message) && words.contains("failed"), "{words}");
    Ok(())
}
