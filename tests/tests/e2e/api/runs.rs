//! Runs: pages of them, and one with all that is known about it.

use longshore_tests::{PATIENCE, Result, eventually};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::served::Quay;

#[tokio::test]
async fn runs_are_read_page_after_page_and_by_what_they_are() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&[]).await?;
    for _ in 0..3 {
        served.run("people").await?;
    }
    served.post("/syncs/numbers/run", json!({})).await?.good();
    served.until_moving("numbers").await?;
    let all = ids(&served.get("/runs").await?.good());
    assert_eq!(all.len(), 4);
    let mut read = Vec::new();
    let mut before = String::new();
    loop {
        let page = served.get(&format!("/runs?limit=3{before}")).await?.good();
        read.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(read, all, "each once, in order");
    assert_eq!(ids(&served.get("/runs?since=1h").await?.good()), all);
    assert_eq!(ids(&served.get("/runs?since=2999-01-01").await?.good()), [""; 0]);
    assert_eq!(ids(&served.get("/runs?sync=people").await?.good()), all[1..]);
    assert_eq!(ids(&served.get("/runs?status=running").await?.good()), all[..1]);
    assert_eq!(
        served.get("/runs?limit=4").await?.good()["next"],
        json!(null),
        "a full last page has no next"
    );
    Ok(())
}

#[tokio::test]
async fn a_run_is_told_with_counts_attempts_cursors_and_what_was_logged() -> Result<()> {
    let quay = Quay::open().await?;
    quay.add_people(5).await?;
    quay.add_reject("eve").await?;
    let served = quay.serve(&[]).await?;
    let run_id = served.run("people").await?["last_run"]["run_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let run = served.get("/runs/last").await?.good();
    assert_eq!(run["run_id"], json!(run_id));
    let table = &run["tables"][0];
    for (count, rows) in [
        ("read", 6),
        ("delivered", 6),
        ("rejected", 0),
        ("filtered", 0),
        ("deduplicated", 0),
    ] {
        assert_eq!(table[count], rows, "{count} in {table}");
    }
    assert_eq!((&run["rejects"], &table["cursor_before"]), (&json!(1), &json!(null)));
    assert!(table["cursor_after"].is_string(), "{table}");
    assert_eq!(run["attempts"][0]["trigger"], json!({ "kind": "request" }));
    let plugins = run["attempts"][0]["plugins"].as_array().unwrap();
    assert_eq!(
        plugins
            .iter()
            .map(|plugin| plugin["plugin"].clone())
            .collect::<Vec<_>>(),
        ["postgresql", "batch"]
    );
    let logged = eventually("something is logged", PATIENCE, async || {
        let log = served.get(&format!("/runs/{run_id}/log")).await.ok()?.json();
        (!log["lines"].as_array()?.is_empty()).then_some(log)
    });
    let log = logged.await?;
    assert!(log["lines"][0]["message"].is_string(), "{log}");
    let listed = served.get("/runs").await?.good();
    assert_eq!(
        (&listed["runs"][0]["read"], &listed["runs"][0]["delivered"]),
        (&json!(6), &json!(6))
    );
    Ok(())
}

#[tokio::test]
async fn a_run_of_another_process_is_told_from_one_that_broke_off() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&[]).await?;
    let beside = quay.longshore.start(["sync", "--source", "numbers", "--no-progress"])?;
    let begun = eventually("it is in the history", PATIENCE, async || {
        let runs = served.get("/runs?status=running").await.ok()?.good();
        ids(&runs).pop()
    });
    let path = format!("/runs/{}", begun.await?);
    let run = served.get(&path).await?.good();
    assert_eq!(
        (&run["progress"], &run["elsewhere"], &run["holder"]["pid"]),
        (&json!(null), &json!(true), &json!(beside.pid()))
    );
    beside.signal(Signal::KILL)?;
    beside.finish().await?;
    let run = served.get(&path).await?.good();
    assert_eq!(
        (&run["status"], &run["elsewhere"]),
        (&json!("running"), &json!(false)),
        "nobody runs it any more"
    );
    served.post("/syncs/numbers/run", json!({})).await?.good();
    served.until_moving("numbers").await?;
    let run = served.get(&path).await?.good();
    assert_eq!(
        (&run["progress"]["attempt"], &run["elsewhere"]),
        (&json!(2), &json!(false)),
        "the daemon does"
    );
    Ok(())
}

fn ids(page: &Value) -> Vec<String> {
    let runs = page["runs"].as_array().unwrap();
    runs.iter()
        .map(|run| run["run_id"].as_str().unwrap().to_owned())
        .collect()
}
