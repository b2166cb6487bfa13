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
    let between_attempts = daemons
        .until("failing", "its next attempt is waited for", |sync| {
            sync["phase"] == "running" && sync["activity"]["waits_for"].is_string()
        })
        .await?;
    let activity = &between_attempts["activity"];
    assert_eq!(activity["last_error"]["code"], "fault_injected", "{activity}");
    assert!(
        activity["run_id"].is_string() && activity["waits_for"].as_str().unwrap().contains("its next attempt at "),
        "{activity}"
    );
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
    let daemon = daemons.start(&[]).await?;
    assert!(
        daemon.said("did you mean `rows`?") && daemon.said("the configuration has mistakes"),
        "it is said before anything runs"
    );
    daemons.longshore.json(["syncs", "run", "failing"]).await?;
    let failed = |sync: &serde_json::Value| sync["last_run"]["status"] == "failed" && sync["phase"] == "idle";
    let failed = daemons.until("failing", "it failed", failed).await?;
    let last = &failed["last_run"];
    let message = last["error"]["message"].as_str().unwrap_or_default().to_owned();
    let words = daemons.run(&["syncs", "list"]).await?.succeeded()?.stdout;
    assert!(message.contains("rowz"), "{failed}");
    assert!(words.contains(&message) && words.contains("failed"), "{words}");

    let runs = daemons.longshore.json(["runs", "list"]).await?;
    let statuses: Vec<_> = runs
        .as_array()
        .into_iter()
        .flatten()
        .map(|run| &run["status"])
        .collect();
    assert_eq!(statuses, ["failed", "completed"]);
    let run_id = last["run_id"].as_str().unwrap_or_default();
    assert_eq!(runs[0]["run_id"], run_id);
    let turns = daemons.turns("failing").await?;
    assert_eq!(
        (&turns[0]["status"], &turns[0]["run_id"]),
        (&"failed".into(), &run_id.into())
    );
    let shown = daemons.longshore.json(["runs", "show", run_id, "--logs"]).await?;
    let attempt = &shown["attempts"][0];
    assert_eq!(
        (
            &attempt["outcome"],
            &attempt["trigger"]["kind"],
            &attempt["error"]["code"]
        ),
        (&"failed".into(), &"request".into(), &"configuration_invalid".into())
    );
    let remedy = attempt["error"]["remedy"].as_str().unwrap_or_default();
    assert!(
        remedy.contains("longshore.yml:") && remedy.contains("did you mean `rows`?"),
        "{remedy}"
    );
    let words = daemons.run(&["runs", "show", run_id]).await?.succeeded()?.stdout;
    assert!(
        words.contains("begun by a request to the daemon") && words.contains(remedy),
        "{words}"
    );
    Ok(())
}

#[tokio::test]
async fn tries_that_fail_before_they_have_a_run_are_attempts_of_one_and_the_interrupted_run_is_gone_on_with()
-> Result<()> {
    let moving = Sync {
        name: "failing",
        ..Sync::slow("failing")
    };
    let daemons = Daemons::new(std::slice::from_ref(&moving))?;
    let daemon = daemons.start(&["--drain-timeout", "1s"]).await?;
    daemons.longshore.json(["syncs", "run", "failing"]).await?;
    let interrupted = daemons.until_running("failing").await?;
    daemon.signal(Signal::TERM)?;
    daemon.finish().await?.succeeded()?;

    // A database that is down: there is nobody to ask what the run would be.
    let text = std::fs::read_to_string(daemons.longshore.folder().join("longshore.yml")).unwrap();
    let down = text.replace("path: generate", "path: postgresql").replace(
        "tables: [{ name: numbers, rows: 10000, cursor: id }]\n    checkpoint_rows: 10",
        "{ host: 127.0.0.1, port: 1, database: none, username: nobody, password: nothing }",
    );
    assert!(down.contains("port: 1") && down.contains("postgresql"), "{down}");
    daemons.longshore.write("longshore.yml", &down)?;
    let daemon = daemons.start(&[]).await?;
    for attempt in 1..=2 {
        let failed = |sync: &serde_json::Value| sync["activity"]["tries"] == attempt && sync["phase"] == "retrying";
        daemons.until("failing", "it waits for its next try", failed).await?;
        let runs = daemons.longshore.json(["runs", "list"]).await?;
        assert_eq!(runs.as_array().map(Vec::len), Some(2), "{runs}");
        assert_eq!(
            (&runs[0]["status"], &runs[0]["attempt"]),
            (&"failed".into(), &attempt.into()),
            "{runs}"
        );
        assert_eq!(runs[1]["run_id"], interrupted["activity"]["run_id"]);
        if attempt == 1 {
            daemons.longshore.json(["syncs", "run", "failing"]).await?;
        }
    }
    daemon.signal(Signal::TERM)?;
    daemon.finish().await?.succeeded()?;

    daemons.longshore.write("longshore.yml", &text)?;
    let _daemon = daemons.start(&[]).await?;
    daemons.longshore.json(["syncs", "run", "failing"]).await?;
    let resumed = daemons.until_running("failing").await?;
    assert_eq!(resumed["activity"]["run_id"], interrupted["activity"]["run_id"]);
    assert_eq!(resumed["activity"]["attempt"], 2);
    Ok(())
}
