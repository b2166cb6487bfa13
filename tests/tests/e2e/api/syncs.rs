//! Syncs as they stand, and what can be done with them.

use longshore_tests::Result;
use serde_json::json;

use crate::served::Quay;

#[tokio::test]
async fn a_sync_is_told_with_its_cursors_its_history_and_what_it_does() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&[]).await?;
    let fresh = served.get("/syncs/people").await?.good();
    assert_eq!(
        (&fresh["phase"], &fresh["last_run"], &fresh["history"]),
        (&json!("idle"), &json!(null), &json!([]))
    );
    assert_eq!(
        (&fresh["freshness"], &fresh["pending_rejects"]),
        (&json!(null), &json!(0))
    );
    quay.add_people(7).await?;
    quay.add_reject("eve").await?;
    let run = served.run("people").await?;
    assert_eq!(run["last_run"]["status"], "completed_with_rejects");
    assert_eq!(
        (&run["history"][0]["rows"], &run["pending_rejects"]),
        (&json!(8), &json!(1))
    );
    assert_eq!(run["cursors"][0]["cursor_column"], "last_updated_at");
    assert!(run["freshness"]["age_seconds"].as_u64() < Some(600), "{run}");
    served.run("people").await?;
    let again = served.get("/syncs/people").await?.good();
    let rows: Vec<_> = again["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["rows"].clone())
        .collect();
    assert_eq!(rows, [json!(8), json!(0)], "oldest first");
    let names: Vec<_> = served.get("/syncs").await?.good()["syncs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sync| sync["name"].clone())
        .collect();
    assert_eq!(names, ["people", "numbers"]);
    Ok(())
}

#[tokio::test]
async fn a_run_is_started_watched_and_cancelled() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&[]).await?;
    let started = served.post("/syncs/numbers/run", json!({})).await?.good();
    assert_eq!(started["at_once"], true, "{started}");
    let moving = served.until_moving("numbers").await?;
    let run_id = moving["activity"]["run_id"].as_str().unwrap().to_owned();
    let run = served.get(&format!("/runs/{run_id}")).await?.good();
    assert_eq!(
        (&run["status"], &run["progress"]["run_id"]),
        (&json!("running"), &json!(run_id))
    );
    assert_eq!(
        served.post("/syncs/numbers/run", json!({})).await?.refused(),
        (409, "sync_running".to_owned())
    );
    let held = served
        .post("/state/numbers/reset", json!({ "confirmed": true }))
        .await?;
    assert_eq!(held.refused(), (409, "sync_held".to_owned()));
    let cancelled = served.post(&format!("/runs/{run_id}/cancel"), json!({})).await?.good();
    assert_eq!(
        (&cancelled["sync"], &cancelled["run_id"]),
        (&json!("numbers"), &json!(run_id))
    );
    let over = served
        .until("numbers", "it is over", |sync| sync["phase"] == "idle")
        .await?;
    assert_eq!(
        (&over["last_run"]["run_id"], &over["last_run"]["status"]),
        (&json!(run_id), &json!("cancelled"))
    );
    let late = served.post(&format!("/runs/{run_id}/cancel"), json!({})).await?;
    assert_eq!(late.refused(), (409, "run_not_running".to_owned()));
    assert_eq!(
        served.post("/syncs/numbers/cancel", json!({})).await?.refused(),
        (409, "sync_idle".to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn a_pause_lasts_until_it_is_ended() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&[]).await?;
    let paused = served.post("/syncs/people/pause", json!({})).await?.good();
    assert_eq!((&paused["paused"], &paused["changed"]), (&json!(true), &json!(true)));
    assert_eq!(
        served.post("/syncs/people/pause", json!({})).await?.good()["changed"],
        false
    );
    assert_eq!(served.get("/syncs/people").await?.good()["phase"], "paused");
    let resumed = served.post("/syncs/people/resume", json!({})).await?.good();
    assert_eq!((&resumed["paused"], &resumed["changed"]), (&json!(false), &json!(true)));
    assert_eq!(served.get("/syncs/people").await?.good()["phase"], "idle");
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_or_not_understood_is_said_so() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&[]).await?;
    for (path, status, code) in [
        ("/syncs/nobody", 404, "sync_unknown"),
        ("/runs/nothing", 404, "run_unknown"),
        ("/runs?since=yesterday", 400, "moment_invalid"),
        ("/syncs/nobody/turns", 404, "sync_unknown"),
        ("/runs?sync=nobody", 404, "sync_unknown"),
        ("/runs?before=nothing", 404, "run_unknown"),
        ("/runs?status=done", 400, "query_invalid"),
        ("/runs?limits=5", 400, "query_invalid"),
        ("/runs?limit=many", 400, "query_invalid"),
        ("/syncs?name=people", 400, "query_invalid"),
        ("/rejects/7", 404, "reject_unknown"),
        ("/rejects/seven", 400, "path_invalid"),
        ("/rejects?run=nothing", 404, "run_unknown"),
        ("/state/nobody", 404, "sync_unknown"),
    ] {
        assert_eq!(served.get(path).await?.refused(), (status, code.to_owned()), "{path}");
    }
    for (path, body, status, code) in [
        ("/syncs/nobody/run", json!({}), 404, "sync_unknown"),
        ("/syncs/people/run", json!({ "now": true }), 400, "body_invalid"),
        ("/syncs/people/run", json!([]), 400, "body_invalid"),
        ("/rejects/replay", json!({ "sinc": "people" }), 400, "body_invalid"),
        ("/rejects/replay", json!({ "ids": [1] }), 404, "reject_unknown"),
        ("/state/people/reset", json!({}), 422, "not_confirmed"),
    ] {
        assert_eq!(
            served.post(path, body).await?.refused(),
            (status, code.to_owned()),
            "{path}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_was_asked_for_and_what_came_of_it_is_told() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&[]).await?;
    assert_eq!(served.get("/syncs/people/turns").await?.good()["turns"], json!([]));
    let run = served.run("people").await?;
    served.run("people").await?;
    let turns = served.get("/syncs/people/turns").await?.good();
    let turns = turns["turns"].as_array().unwrap();
    assert_eq!(turns.len(), 2);
    assert_eq!(
        (&turns[1]["status"], &turns[1]["run_id"], &turns[1]["first_due_at"]),
        (&json!("completed"), &run["last_run"]["run_id"], &json!(null))
    );
    Ok(())
}
