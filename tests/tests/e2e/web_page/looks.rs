//! On a phone and on a laptop, in the light and in the dark: nothing sticks out, and pictures are kept.

use longshore_tests::{Result, browser::Window};
use serde_json::json;

use super::Visit;

#[tokio::test]
async fn no_page_is_wider_than_its_window() -> Result<()> {
    let visit = Visit::begin(Window::PHONE).await?;
    let long = "a_column_with_a_name_that_nobody_would_want_to_type_more_than_once_in_a_lifetime";
    visit.quay.add_reject(&"a-very-long-custom-id-".repeat(6)).await?;
    visit.served.run("people").await?;
    visit
        .quay
        .database
        .execute(&format!(
            "ALTER TABLE people RENAME COLUMN last_updated_at TO {}",
            &long[..60]
        ))
        .await?;
    visit.served.run("people").await?;
    visit.served.post("/syncs/numbers/run", json!({})).await?.good();
    let numbers = visit.served.until_moving("numbers").await?;
    let running = format!("/runs/{}", numbers["activity"]["run_id"].as_str().unwrap());
    for (width, dark) in [
        (360, false),
        (360, true),
        (768, false),
        (1024, false),
        (1280, false),
        (1280, true),
    ] {
        visit
            .browser
            .show(Window {
                width,
                height: 900,
                dark,
            })
            .await?;
        for (name, path, seen) in [
            ("syncs", "/", "numbers"),
            ("sync", "/syncs/people", "pending"),
            ("sync-running", "/syncs/numbers", "Current run"),
            ("run", running.as_str(), "Progress"),
        ] {
            visit.open(path).await?;
            visit.browser.sees(seen).await?;
            let sizes = visit
                .browser
                .script("return [document.documentElement.scrollWidth, innerWidth]")
                .await?;
            assert!(sizes[0].as_i64() <= sizes[1].as_i64(), "{path} at {width}: {sizes}");
            let out = visit
                .browser
                .script(
                    "return [...document.querySelectorAll('main *')].filter((element) => !element.closest('.unseen, thead, .log') && element.checkVisibility()
                       && element.getBoundingClientRect().right > innerWidth + 0.5).map((element) => element.outerHTML.slice(0, 100))",
                )
                .await?;
            assert_eq!(out, json!([]), "{path} at {width}");
            let scheme = if dark { "dark" } else { "light" };
            visit.picture(&format!("{name}-{width}-{scheme}")).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_readers_choice_of_light_or_dark_stays() -> Result<()> {
    let visit = Visit::begin(Window {
        dark: true,
        ..Window::LAPTOP
    })
    .await?;
    let browser = &visit.browser;
    let ground = async || {
        browser
            .script("return getComputedStyle(document.body).backgroundColor")
            .await
    };
    visit.open("/").await?;
    browser.find("button", "Theme: system").await?;
    let dark = ground().await?;
    browser.click("button", "Theme: system").await?;
    browser.find("button", "Theme: light").await?;
    let light = ground().await?;
    assert_ne!(dark, light);
    visit.open("/syncs/people").await?;
    browser.find("button", "Theme: light").await?;
    assert_eq!(ground().await?, light);
    browser.click("button", "Theme: light").await?;
    assert_eq!(ground().await?, dark);
    Ok(())
}
