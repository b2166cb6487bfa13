//! A sync goes from idle to running to done while the page is watched; rejects come, are looked into, sent again and are gone.

use longshore_tests::{Result, browser::Window};
use serde_json::json;

use super::Visit;
use crate::served::Quay;

#[tokio::test]
async fn a_sync_goes_from_idle_to_running_to_done_while_the_page_is_watched() -> Result<()> {
    let visit = Visit::begin(Window::LAPTOP).await?;
    visit.quay.add_people(1_000).await?;
    visit.quay.add_reject("eve").await?;
    // Two hundred people a request, and four requests at once: the run takes some seconds, enough to look at it with a busy browser.
    let slow = json!([{ "kind": "slow", "ms": 2_500, "next": 6 }]);
    visit.quay.sandbox.set_faults(slow).await?;
    let browser = &visit.browser;

    visit.open("/").await?;
    browser.find("link", "people").await?;
    browser.sees("idle").await?;
    browser.sees("never").await?;
    browser.sees("no runs yet").await?;
    visit.picture("syncs-idle").await?;

    browser.click("link", "people").await?;
    browser.find("heading", "people").await?;
    assert!(browser.address().await?.ends_with("/syncs/people"));
    browser.sees("No runs yet.").await?;
    browser.click("button", "Run now people").await?;
    browser.find("heading", "Current run").await?;
    browser.find("button", "Cancel people").await?;
    let bar = browser.find("progressbar", "people").await?;
    let told = bar
        .property("description")
        .and_then(|text| text.as_str())
        .unwrap_or_default();
    assert!(told.contains("read"), "{told}");
    browser.sees("delivered").await?;
    visit.picture("sync-running").await?;

    browser.find("button", "Run now people").await?;
    browser.sees("completed with rejects").await?;
    browser.sees("1,001").await?;
    let spoken = browser
        .script("return document.getElementById('announcements').textContent")
        .await?;
    assert_eq!(spoken, "Sync people: completed");
    let text = browser.text_of("main").await?;
    assert!(
        !text.contains("Current run") && !text.contains("No runs yet."),
        "{text}"
    );
    let picture = browser.find("image", "Rows of the last 1 run").await?;
    assert!(
        picture.name.contains("latest 1,001, most 1,001, none failed"),
        "{}",
        picture.name
    );
    visit.picture("sync-done").await?;

    browser.click("link", "Syncs").await?;
    browser.sees("1 pending reject").await?;
    visit.picture("syncs-done").await?;
    assert_eq!(visit.quay.sandbox.profiles().await?.len(), 1_001);
    visit.ends_well().await
}

#[tokio::test]
async fn a_reject_is_shown_looked_into_sent_again_and_gone() -> Result<()> {
    let visit = Visit::begin(Window::LAPTOP).await?;
    let browser = &visit.browser;
    // The API refuses somebody for a while: sent again, the very same row is taken.
    visit.quay.add_people(1).await?;
    let refused = json!([{ "kind": "partial_errors", "operations": 1, "next": 1 }]);
    visit.quay.sandbox.set_faults(refused).await?;
    visit.served.run("people").await?;

    visit.open("/syncs/people#rejects").await?;
    browser.sees("person-1").await?;
    browser.sees("whole row").await?;
    browser.click("button", "Show row of reject 1").await?;
    browser.sees("https://example.com/1").await?;
    visit.picture("reject-shown").await?;
    browser.click("checkbox", "Choose reject 1").await?;
    browser.click("button", "Replay chosen (1)").await?;
    browser.sees("No rejects are pending.").await?;
    browser.is_told("Sent again: 1 row, 1 delivered").await?;
    browser.sees_no_more("person-1").await?;
    visit.picture("reject-gone").await?;
    assert_eq!(visit.quay.sandbox.profiles().await?.len(), 1);

    // It is in the ledger still, as what became of it, and its replay among the runs.
    browser.script("const status = document.querySelector('select[name=status]'); status.value = 'redelivered'; status.dispatchEvent(new Event('change', { bubbles: true }))").await?;
    browser.sees("person-1").await?;
    browser.sees("replay of rejects").await?;

    // Another one is refused again, and not chosen any more when it is.
    visit.quay.add_reject("eve").await?;
    visit.served.run("people").await?;
    visit.open("/syncs/people#rejects").await?;
    browser.click("checkbox", "Choose reject 2").await?;
    browser.click("button", "Replay chosen (1)").await?;
    browser.sees("sent again 1 time").await?;
    let ticked = browser.script("return document.querySelectorAll('input:checked').length");
    assert_eq!(ticked.await?, 0);

    // It is given up.
    browser.click("checkbox", "Choose reject 2").await?;
    browser.click("button", "Discard chosen").await?;
    browser.click("button", "Discard 1 reject").await?;
    browser.is_told("1 reject discarded").await?;
    browser.sees("No rejects are pending.").await?;
    visit.ends_well().await
}

#[tokio::test]
async fn a_run_is_cancelled_and_a_sync_paused_and_resumed_with_the_buttons() -> Result<()> {
    let visit = Visit::begin(Window::LAPTOP).await?;
    let browser = &visit.browser;
    visit.open("/syncs/numbers").await?;
    browser.click("button", "Run now numbers").await?;
    browser.find("progressbar", "numbers").await?;
    browser.click("button", "Pause numbers").await?;
    browser.find("button", "Resume numbers").await?;
    browser.click("button", "Cancel numbers").await?;
    browser.find("dialog", "Cancel the run of numbers?").await?;
    browser.click("button", "Keep it as it is").await?;
    browser.find("progressbar", "numbers").await?;
    browser.click("button", "Cancel numbers").await?;
    browser.click("button", "Cancel the run").await?;
    browser.find("button", "Run now numbers").await?;
    browser.sees("cancelled").await?;
    browser.sees("paused").await?;
    browser.click("button", "Resume numbers").await?;
    browser.find("button", "Pause numbers").await?;
    browser.sees("idle").await?;
    let over = visit.served.get("/runs/last").await?.good();
    assert_eq!(over["status"], "cancelled");

    // Its page tells what it was.
    let run_id = over["run_id"].as_str().unwrap();
    visit.open(&format!("/runs/{run_id}")).await?;
    browser.find("heading", "Run of numbers").await?;
    browser.sees("cancelled").await?;
    browser.sees("a request").await?;
    visit.ends_well().await
}

#[tokio::test]
async fn a_sync_that_breaks_off_says_why_and_is_taken_back_with_its_button_while_it_waits() -> Result<()> {
    let quay = Quay::open().await?;
    let text = std::fs::read_to_string(quay.longshore.folder().join("longshore.yml")).unwrap();
    let failing = text.replace(
        "checkpoint_rows: 10\n",
        "checkpoint_rows: 10\n    fail_after_rows: { rows: 1, retryable: true }\n",
    );
    assert_ne!(failing, text);
    quay.longshore.write("longshore.yml", &failing)?;
    let served = quay.serve(&[]).await?;
    let visit = Visit::with(quay, served, Window::LAPTOP).await?;
    let browser = &visit.browser;
    visit.open("/syncs/numbers").await?;
    browser.find("heading", "numbers").await?;
    visit.served.post("/syncs/numbers/run", json!({})).await?.good();
    browser.sees("waits for its next attempt at").await?;
    browser.sees("The last try failed").await?;
    let retrying = |sync: &serde_json::Value| sync["phase"] == "retrying";
    visit
        .served
        .until("numbers", "it waits for its next try", retrying)
        .await?;
    browser.find("button", "Run now numbers").await?;
    browser.click("button", "Cancel numbers").await?;
    browser
        .find("dialog", "Take back the run of numbers that waits?")
        .await?;
    browser.click("button", "Take it back").await?;
    browser.is_told("what waited is taken back").await?;
    browser.sees("idle").await?;
    let turns = visit.served.get("/syncs/numbers/turns").await?.good();
    assert_eq!(turns["turns"][0]["status"], "cancelled");
    visit.ends_well().await
}

#[tokio::test]
async fn a_run_that_failed_says_why_and_what_to_do_and_hostile_names_stay_text() -> Result<()> {
    let visit = Visit::begin(Window::LAPTOP).await?;
    let browser = &visit.browser;
    visit.served.run("people").await?;
    let hostile = "<img src=x onerror=document.title=1>";
    visit
        .quay
        .database
        .execute(&format!(
            "ALTER TABLE people RENAME COLUMN last_updated_at TO \"{hostile}\""
        ))
        .await?;
    visit.served.run("people").await?;
    visit.open("/syncs/people").await?;
    browser.sees("The last run failed").await?;
    browser.sees("What to do:").await?;
    visit.picture("sync-failed").await?;
    let failed = visit.served.get("/runs/last").await?.good();
    browser.sees(failed["error"]["code"].as_str().unwrap()).await?;
    visit
        .open(&format!("/runs/{}", failed["run_id"].as_str().unwrap()))
        .await?;
    browser.sees("It stopped at an error").await?;
    visit.picture("run-failed").await?;
    assert_eq!(
        browser
            .script("return document.querySelectorAll('main img').length")
            .await?,
        0
    );
    assert_eq!(browser.script("return document.title").await?, "Run · Longshore");
    visit.ends_well().await
}

#[tokio::test]
async fn the_page_goes_on_by_itself_when_the_daemon_was_away() -> Result<()> {
    let visit = Visit::begin(Window::LAPTOP).await?;
    let browser = &visit.browser;
    visit.open("/").await?;
    browser.sees("idle").await?;
    let live = async || browser.text_of("#live").await.unwrap_or_default();
    longshore_tests::eventually("it is live", longshore_tests::PATIENCE, async || {
        (live().await == "Live").then_some(())
    })
    .await?;
    let address = visit.served.base.trim_start_matches("http://").to_owned();
    visit.served.daemon.signal(rustix::process::Signal::TERM)?;
    longshore_tests::eventually("it says that it is cut off", longshore_tests::PATIENCE, async || {
        (live().await == "No connection").then_some(())
    })
    .await?;
    browser.sees("people").await?;
    visit.served.daemon.finish().await?.succeeded()?;
    let back = visit.quay.serve(&["--listen", &address]).await?;
    longshore_tests::eventually("it is live again", longshore_tests::PATIENCE, async || {
        (live().await == "Live").then_some(())
    })
    .await?;
    back.run("people").await?;
    browser.sees("completed").await
}
