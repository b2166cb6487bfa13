//! The ledger of rejects over HTTP.

use longshore_tests::{Failure, PATIENCE, Result, eventually};
use serde_json::{Value, json};

use crate::served::{Quay, Served};

const OPERATOR: &str = "an-operators-token-0123456789abcdef";
const READER: &str = "a-readers-token-0123456789abcdef";

async fn with_rejects(quay: &Quay) -> Result<Served> {
    for name in ["eve", "mallory", "trudy"] {
        quay.add_reject(name).await?;
    }
    let served = quay.serve(&[]).await?;
    served.run("people").await?;
    Ok(served)
}

#[tokio::test]
async fn rejects_are_filtered_counted_and_read_page_after_page() -> Result<()> {
    let quay = Quay::open().await?;
    let served = with_rejects(&quay).await?;
    let page = served.get("/rejects?sync=people&status=pending&limit=2").await?.good();
    assert_eq!(keys(&page), ["trudy", "mallory"], "newest first");
    let next = page["next"].as_i64().unwrap();
    let last = served
        .get(&format!("/rejects?sync=people&limit=2&before={next}"))
        .await?
        .good();
    assert_eq!((keys(&last), &last["next"]), (vec!["eve".to_owned()], &json!(null)));
    assert_eq!(keys(&served.get("/rejects?column=name").await?.good()), [""; 0]);
    assert_eq!(
        keys(&served.get("/rejects?sync=numbers").await?.good()),
        [""; 0],
        "a sync that never ran is no mistake"
    );
    let counts = served.get("/rejects/counts?status=pending").await?.good();
    assert_eq!(
        (&counts["counts"][0]["rejects"], &counts["counts"][0]["column"]),
        (&json!(3), &json!("url__home"))
    );
    served
        .post("/rejects/discard", json!({ "ids": [1], "confirmed": true }))
        .await?
        .good();
    let counts = served.get("/rejects/counts").await?.good();
    let by_status: Vec<_> = counts["counts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|count| (count["status"].as_str(), count["rejects"].as_u64()))
        .collect();
    assert_eq!(
        by_status,
        [(Some("pending"), Some(2)), (Some("discarded"), Some(1))],
        "what is dealt with is not told as if it were pending"
    );
    Ok(())
}

#[tokio::test]
async fn values_of_rows_are_for_operators_alone() -> Result<()> {
    let mut quay = Quay::open().await?;
    quay.longshore.set_variable("LONGSHORE_OPERATOR_TOKEN", OPERATOR);
    quay.longshore.set_variable("LONGSHORE_READ_ONLY_TOKEN", READER);
    quay.add_reject("eve").await?;
    let operator = quay.serve(&[]).await?.with_token(OPERATOR);
    operator.run("people").await?;
    let shown = operator.get("/rejects/1").await?.good();
    assert_eq!(shown["row"]["url__home"], "no address");
    let reader = operator.with_token(READER);
    let shown = reader.get("/rejects/1").await?;
    assert!(
        shown.good().get("row").is_none() && !shown.text.contains("no address"),
        "{}",
        shown.text
    );
    Ok(())
}

#[tokio::test]
async fn a_reject_that_is_mended_and_sent_again_is_delivered() -> Result<()> {
    let quay = Quay::open().await?;
    let served = with_rejects(&quay).await?;
    let exported = served.get("/rejects/export?status=pending").await?;
    assert_eq!(exported.headers["content-type"], "application/x-ndjson");
    let mut lines: Vec<Value> = exported
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    lines.truncate(1);
    lines[0]["row"]["url__home"] = json!("https://example.com/eve");
    let mended = served
        .post("/rejects/replay", json!({ "mended": lines[0].to_string() }))
        .await?
        .good();
    assert_eq!(
        (
            &mended["replays"][0]["retries"][0]["redelivered"],
            &mended["replays"][0]["status"]
        ),
        (&json!(1), &json!("completed"))
    );
    let profiles = quay.sandbox.profiles().await?;
    let eve = profiles.iter().find(|profile| profile.custom_id == "eve").unwrap();
    assert_eq!(eve.attributes["url(home)"], json!("https://example.com/eve"));
    assert_eq!(served.get("/rejects/1").await?.good()["status"], "redelivered");
    let wrong = served.post("/rejects/replay", json!({ "mended": "no line" })).await?;
    assert_eq!(wrong.refused(), (422, "mended_file".to_owned()));
    let again = served.post("/rejects/replay", json!({ "ids": [1] })).await?;
    assert_eq!(again.refused(), (409, "reject_not_pending".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_replay_that_is_refused_again_says_so_in_its_report() -> Result<()> {
    let quay = Quay::open().await?;
    let served = with_rejects(&quay).await?;
    let before = served.get("/syncs/people").await?.good();
    let replayed = served
        .post("/rejects/replay", json!({ "sync": "people", "status": "pending" }))
        .await?
        .good();
    let report = &replayed["replays"][0];
    assert_eq!(
        (&report["retries"][0]["retried"], &report["error"]["code"]),
        (&json!(3), &json!("rejected_again")),
        "{report}"
    );
    let after = served.get("/syncs/people").await?.good();
    assert_eq!(before["last_run"], after["last_run"], "a replay is no run of the sync");
    assert_eq!(after["last_run"]["status"], "completed_with_rejects");
    let nothing = served.post("/rejects/replay", json!({ "table": "nobody" })).await?;
    assert_eq!(nothing.refused(), (409, "nothing_to_replay".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_replay_is_watched_and_cancelled_as_any_run_is() -> Result<()> {
    let quay = Quay::open().await?;
    let served = with_rejects(&quay).await?;
    quay.sandbox
        .set_faults(json!([{ "kind": "slow", "ms": 20_000, "applied": false }]))
        .await?;
    let asked = served.post("/rejects/replay", json!({ "sync": "people" }));
    let watched = async {
        let replaying = served
            .until("people", "rejects are on their way", |sync| {
                sync["activity"]["tables"][0]["forwarded"] == 3
            })
            .await?;
        let activity = &replaying["activity"];
        assert_eq!(activity["kind"], "replay");
        let run_id = activity["run_id"].as_str().unwrap().to_owned();
        let run = served.get(&format!("/runs/{run_id}")).await?.good();
        assert_eq!((&run["kind"], &run["status"]), (&json!("replay"), &json!("running")));
        let table = &run["progress"]["tables"][0];
        assert_eq!(
            (&table["table"], &table["expected"], &table["acked"]),
            (&json!("people"), &json!(3), &json!(0))
        );
        let cancelled = served.post(&format!("/runs/{run_id}/cancel"), json!({})).await?.good();
        assert_eq!(cancelled["run_id"], run_id);
        Ok::<_, Failure>(run_id)
    };
    let (replayed, run_id) = tokio::join!(asked, watched);
    let report = replayed?.good()["replays"][0].clone();
    assert_eq!(
        (&report["run_id"], &report["status"]),
        (&json!(run_id?), &json!("cancelled")),
        "{report}"
    );
    let counts = served.get("/rejects/counts?status=pending").await?.good();
    assert_eq!(counts["counts"][0]["rejects"], 3, "they stay pending");
    Ok(())
}

#[tokio::test]
async fn of_several_syncs_one_that_runs_keeps_nobody_elses_rejects_from_being_sent() -> Result<()> {
    let quay = Quay::open().await?;
    let file = quay.longshore.folder().join("longshore.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    // With a destination of their own: two syncs never write to one at once.
    let mut documents = text.split("---\n");
    let friends = documents.next().unwrap().replace("name: people", "name: friends");
    let friends = friends.replace("[batch]", "[another]");
    let another = documents.next().unwrap().replace("name: batch", "name: another");
    quay.longshore
        .write("longshore.yml", &format!("{text}\n---\n{friends}\n---\n{another}"))?;
    let served = with_rejects(&quay).await?;
    served.run("friends").await?;
    quay.sandbox
        .set_faults(json!([{ "kind": "slow", "ms": 20_000, "next": 1 }]))
        .await?;
    quay.add_people(1).await?;
    served.post("/syncs/people/run", json!({})).await?.good();
    eventually("its request has come, and is not answered", PATIENCE, async || {
        let profiles = quay.sandbox.profiles().await.ok()?;
        profiles
            .iter()
            .any(|profile| profile.custom_id == "person-1")
            .then_some(())
    })
    .await?;
    let both = served.post("/rejects/replay", json!({})).await?.good();
    let replays = both["replays"].as_array().unwrap();
    assert_eq!(replays.len(), 1, "{both}");
    assert_eq!(
        (&replays[0]["sync"], &replays[0]["retries"][0]["retried"]),
        (&json!("friends"), &json!(3))
    );
    let left = &both["failed"];
    assert_eq!(
        (&left[0]["sync"], &left[0]["error"]["code"], &left[1]),
        (&json!("people"), &json!("sync_running"), &json!(null))
    );
    let none = served.post("/rejects/replay", json!({ "sync": "people" })).await?;
    assert_eq!(none.refused(), (409, "sync_running".to_owned()));
    Ok(())
}

#[tokio::test]
async fn rejects_are_given_up_once_that_is_confirmed() -> Result<()> {
    let quay = Quay::open().await?;
    let served = with_rejects(&quay).await?;
    for (wish, status, code) in [
        (json!({ "confirmed": true }), 422, "nothing_chosen"),
        (json!({ "ids": [1] }), 422, "not_confirmed"),
        (json!({ "ids": [99], "confirmed": true }), 404, "reject_unknown"),
        (
            json!({ "rule": "none_such", "confirmed": true }),
            409,
            "nothing_to_discard",
        ),
    ] {
        assert_eq!(
            served.post("/rejects/discard", wish.clone()).await?.refused(),
            (status, code.to_owned()),
            "{wish}"
        );
    }
    let discarded = served
        .post("/rejects/discard", json!({ "ids": [1], "confirmed": true }))
        .await?
        .good();
    assert_eq!(discarded["discarded"], 1);
    let shown = served.get("/rejects/1").await?.good();
    assert_eq!((&shown["status"], &shown["row"]), (&json!("discarded"), &json!(null)));
    let again = served
        .post("/rejects/discard", json!({ "ids": [1], "confirmed": true }))
        .await?;
    assert_eq!(again.refused(), (409, "reject_not_pending".to_owned()));
    Ok(())
}

fn keys(page: &Value) -> Vec<String> {
    let rejects = page["rejects"].as_array().unwrap();
    rejects
        .iter()
        .map(|reject| reject["key"].as_str().unwrap().to_owned())
        .collect()
}
