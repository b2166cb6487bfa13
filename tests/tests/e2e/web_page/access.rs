//! Names, roles, order: what readers that do not see the page are told. And the door.

use std::collections::BTreeMap;

use longshore_tests::{Result, browser::Window};
use serde_json::json;

use super::Visit;
use crate::served::Quay;

const OPERATOR: &str = "an-operators-token-0123456789abcdef";
const READER: &str = "a-readers-token-0123456789abcdef";

/// Roles of what people act on.
const CONTROLS: [&str; 6] = ["button", "link", "checkbox", "combobox", "textbox", "progressbar"];

#[tokio::test]
async fn every_control_has_a_name_of_its_own_and_headings_are_in_order() -> Result<()> {
    let visit = Visit::begin(Window::LAPTOP).await?;
    visit.quay.add_reject("eve").await?;
    visit.quay.add_reject("mallory").await?;
    visit.served.run("people").await?;
    visit.served.post("/syncs/numbers/run", json!({})).await?.good();
    let numbers = visit.served.until_moving("numbers").await?;
    let running = format!("/runs/{}", numbers["activity"]["run_id"].as_str().unwrap());
    for (path, heading) in [
        ("/", "Syncs"),
        ("/syncs/people", "people"),
        ("/syncs/numbers", "numbers"),
        (running.as_str(), "Run of numbers"),
    ] {
        visit.open(path).await?;
        visit.browser.find("heading", heading).await?;
        visit.browser.sees_no_more("Loading").await?;
        let tree = visit.browser.tree().await?;
        let mut seen = BTreeMap::new();
        for node in tree.nodes.iter().filter(|node| CONTROLS.contains(&node.role.as_str())) {
            assert!(!node.name.trim().is_empty(), "{path}: a {} has no name", node.role);
            *seen.entry((node.role.clone(), node.name.clone())).or_insert(0) += 1;
        }
        assert!(seen.len() > 3, "{path}: {tree}");
        // Two buttons of the same name could not be told apart by who hears them.
        for ((role, name), times) in seen
            .iter()
            .filter(|((role, _), _)| role == "button" || role == "checkbox")
        {
            assert_eq!(*times, 1, "{path}: {role} `{name}`\n{tree}");
        }
        let levels: Vec<i64> = tree
            .with_role("heading")
            .filter_map(|node| node.property("level")?.as_i64())
            .collect();
        assert_eq!(levels.first(), Some(&1), "{path}: {levels:?}");
        assert_eq!(
            levels.iter().filter(|level| **level == 1).count(),
            1,
            "{path}: {levels:?}"
        );
        assert!(
            levels.windows(2).all(|pair| pair[1] - pair[0] <= 1),
            "{path}: {levels:?}"
        );
        assert_eq!(tree.with_role("main").count(), 1, "{path}");
        assert!(
            tree.with_role("table").all(|table| !table.name.is_empty()),
            "{path}: {tree}"
        );
        let language = visit.browser.script("return document.documentElement.lang").await?;
        assert_eq!(language, "en");
        let without_scope = visit
            .browser
            .script("return document.querySelectorAll('th:not([scope])').length")
            .await?;
        assert_eq!(without_scope, 0);
    }
    Ok(())
}

#[tokio::test]
async fn tables_stay_tables_for_readers_when_they_are_cards_for_the_eye() -> Result<()> {
    let visit = Visit::begin(Window::PHONE).await?;
    visit.open("/").await?;
    visit.browser.find("rowheader", "people").await?;
    let tree = visit.browser.tree().await?;
    assert_eq!(tree.with_role("row").count(), 3, "{tree}");
    let titles: Vec<&str> = tree.with_role("columnheader").map(|node| node.name.as_str()).collect();
    assert_eq!(
        titles,
        [
            "Sync",
            "State",
            "Last run",
            "Freshness",
            "Rows per run",
            "Rejects",
            "Next run",
            "Actions"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn what_a_reader_may_do_is_asked_again_where_no_answer_came() -> Result<()> {
    let mut quay = Quay::open().await?;
    quay.longshore.set_variable("LONGSHORE_OPERATOR_TOKEN", OPERATOR);
    let served = quay.serve(&[]).await?;
    let visit = Visit::with(quay, served, Window::LAPTOP).await?;
    let browser = &visit.browser;
    visit.open("/syncs/people").await?;
    browser.find("textbox", "Token").await?;
    // As a proxy answers while the daemon is started again.
    browser
        .script(
            "const real = window.fetch; let left = 2; \
             window.fetch = (to, ...more) => \
             String(to).endsWith('/session') && left-- > 0 ? Promise.resolve(new Response('', { status: 502 })) : real(to, ...more)",
        )
        .await?;
    browser.click("textbox", "Token").await?;
    browser.write(&format!("{OPERATOR}\u{e007}")).await?;
    browser.find("button", "Run now people").await?;
    Ok(())
}

#[tokio::test]
async fn a_token_is_asked_for_kept_for_the_tab_and_decides_what_is_offered() -> Result<()> {
    let mut quay = Quay::open().await?;
    quay.longshore.set_variable("LONGSHORE_OPERATOR_TOKEN", OPERATOR);
    quay.longshore.set_variable("LONGSHORE_READ_ONLY_TOKEN", READER);
    let served = quay.serve(&[]).await?;
    let visit = Visit::with(quay, served, Window::LAPTOP).await?;
    let browser = &visit.browser;
    visit.open("/syncs/people").await?;
    browser.find("heading", "Token needed").await?;
    visit.picture("token").await?;
    browser.write("no-such-token\u{e007}").await?;
    browser.find("alert", "").await?;
    browser.sees("The token is not known here").await?;
    browser.script("document.getElementById('token').value = ''").await?;
    browser.click("textbox", "Token").await?;
    browser.write(&format!("{READER}\u{e007}")).await?;
    browser.find("heading", "people").await?;
    assert!(
        browser.tree().await?.find("button", "Run now").is_none(),
        "who may only look is offered nothing else"
    );

    // It is there after a reload of the tab, and gone when it is to be forgotten.
    visit.open("/syncs/people").await?;
    browser.find("heading", "people").await?;
    browser.click("button", "Forget token").await?;
    browser.find("textbox", "Token").await?;
    browser.write(&format!("{OPERATOR}\u{e007}")).await?;
    browser.find("button", "Run now people").await?;
    let kept = browser
        .script("return [localStorage.length, document.cookie, sessionStorage.getItem('longshore-token')]")
        .await?;
    assert_eq!(kept, json!([0, "", OPERATOR]));
    for address in browser.requests().await? {
        assert!(!address.contains(OPERATOR) && !address.contains(READER), "{address}");
    }
    Ok(())
}
