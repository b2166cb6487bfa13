//! What is known of a sync and of its runs is there to be read.

use longshore_tests::{PATIENCE, Result, browser::Window, eventually};
use serde_json::{Value, json};

use super::Visit;
use crate::served::Quay;

/// A sync with a schedule that is not due while a test runs, and a run of it: five people of three hours ago, and two with something that is refused.
async fn visit() -> Result<Visit> {
    let quay = Quay::open().await?;
    quay.add_to_people("schedule: '0 0 29 2 *'")?;
    quay.add_people(5).await?;
    quay.add_reject("eve").await?;
    let long = "INSERT INTO people (ref, name) VALUES ('mallory', repeat('x', 301))";
    quay.database.execute(long).await?;
    let then = "UPDATE people SET last_updated_at = now() - interval '3 hours 10 minutes'";
    quay.database.execute(then).await?;
    let served = quay.serve(&[]).await?;
    served.run("people").await?;
    Visit::with(quay, served, Window::LAPTOP).await
}

impl Visit {
    /// The texts of what a selector finds, once there is something.
    async fn texts(&self, selector: &str) -> Result<Vec<String>> {
        let script =
            format!("return [...document.querySelectorAll({selector:?})].map((element) => element.innerText.trim())");
        eventually(selector, PATIENCE, async || {
            let texts = self.browser.script(&script).await.ok()?;
            let texts: Vec<String> = serde_json::from_value(texts).ok()?;
            (!texts.is_empty()).then_some(texts)
        })
        .await
    }
}

#[tokio::test]
async fn when_a_sync_runs_next_how_fresh_it_is_and_where_its_cursors_stand_is_shown() -> Result<()> {
    let visit = visit().await?;
    let told = visit.served.get("/syncs/people").await?.good();
    visit.open("/").await?;
    visit.browser.find("link", "people").await?;
    let rows = visit.texts("tbody tr").await?;
    let row = rows.iter().find(|row| row.contains("people")).unwrap();
    assert!(row.contains("0 0 29 2 * ("), "its schedule, with its zone: {row}");
    assert!(row.contains("3 h old"), "{row}");
    assert!(row.contains("in "), "the time to its next run: {row}");

    visit.open("/syncs/people").await?;
    visit.browser.find("heading", "people").await?;
    let facts = visit.texts("dl.facts > div").await?;
    let fact = |name: &str| facts.iter().find(|fact| fact.starts_with(name)).unwrap();
    assert!(fact("Freshness").ends_with("3 h old"), "{facts:?}");
    assert!(fact("Next run").contains("in "), "{facts:?}");
    assert!(fact("Schedule").contains("0 0 29 2 *"), "{facts:?}");
    let cursors = visit.texts("[data-key=cursors] tbody tr").await?;
    let cursor = told["cursors"][0]["cursor"].as_str().unwrap();
    assert_eq!(cursors.len(), 1);
    for shown in ["people", cursor, "of last_updated_at", "3 h old"] {
        assert!(cursors[0].contains(shown), "{shown} in {cursors:?}");
    }
    visit.picture("sync-told").await?;
    visit.ends_well().await
}

#[tokio::test]
async fn a_run_is_shown_with_its_counts_its_cursors_and_what_was_logged() -> Result<()> {
    let visit = visit().await?;
    let run = visit.served.get("/runs/last").await?.good();
    let id = run["run_id"].as_str().unwrap();
    let logged = eventually("something is logged", PATIENCE, async || {
        let log = visit.served.get(&format!("/runs/{id}/log")).await.ok()?.json();
        log["lines"].as_array().cloned().filter(|lines| !lines.is_empty())
    });
    let logged = logged.await?;
    visit.open(&format!("/runs/{id}")).await?;
    visit.browser.find("heading", "Run of people").await?;
    let tables = visit.texts("[data-key=tables] tbody :is(td, th)").await?;
    assert_eq!(tables[..6], ["people", "7", "7", "0", "0", "0"]);
    let after = run["tables"][0]["cursor_after"].as_str().unwrap();
    assert!(tables[6].ends_with(after), "{tables:?}");
    let lines = visit.texts("[data-key=log] li").await?;
    let messages = logged.iter().filter_map(|line| line["message"].as_str());
    for message in messages {
        let is_shown = lines.iter().any(|line| line.contains(message.trim()));
        assert!(is_shown, "{message} in {lines:#?}");
    }
    visit.picture("run-told").await?;
    visit.ends_well().await
}

#[tokio::test]
async fn rejects_are_looked_for_by_their_column_and_their_rule() -> Result<()> {
    let visit = visit().await?;
    visit.open("/syncs/people#rejects").await?;
    visit.browser.sees("mallory").await?;
    visit.browser.sees("eve").await?;
    for (filter, value, stays, goes) in [
        ("column", "name", "mallory", "eve"),
        ("column", "", "eve", "nobody else"),
        ("rule", "url_invalid", "eve", "mallory"),
    ] {
        let choose = format!(
            "const filter = document.querySelector('select[name={filter}]'); filter.value = {}; filter.dispatchEvent(new Event('change', {{ bubbles: true }}))",
            json!(value)
        );
        assert_eq!(visit.browser.script(&choose).await?, Value::Null);
        visit.browser.sees(stays).await?;
        visit.browser.sees_no_more(goes).await?;
    }
    visit.picture("rejects-filtered").await?;
    visit.ends_well().await
}
