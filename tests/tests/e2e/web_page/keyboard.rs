//! With a keyboard alone.

use longshore_tests::{
    Result,
    browser::{Key, Window},
};
use serde_json::json;

use super::Visit;

#[tokio::test]
async fn everything_is_reached_and_done_with_the_keyboard_alone() -> Result<()> {
    let visit = Visit::begin(Window::LAPTOP).await?;
    let browser = &visit.browser;
    visit.quay.add_people(1).await?;
    let refused = json!([{ "kind": "partial_errors", "operations": 1, "next": 1 }]);
    visit.quay.sandbox.set_faults(refused).await?;
    visit.open("/").await?;
    browser.sees("numbers").await?;

    // The first stop leads past what every page begins with.
    browser.press(Key::Tab).await?;
    assert!(
        browser
            .tree()
            .await?
            .focused()
            .is_some_and(|focused| focused.is("link", "Skip to the content"))
    );
    browser.press(Key::Enter).await?;
    browser.press(Key::Tab).await?;
    assert!(
        browser
            .tree()
            .await?
            .focused()
            .is_some_and(|focused| focused.is("link", "people")),
        "the skip link skips"
    );

    browser.press(Key::Enter).await?;
    browser.find("heading", "people").await?;
    browser.tab_to("button", "Run now people").await?;
    browser.press(Key::Enter).await?;
    browser.sees("person-1").await?;
    // The button was taken away and came back meanwhile: the keyboard's place stayed with it.
    browser.find("button", "Run now people").await?;
    assert!(
        browser
            .tree()
            .await?
            .focused()
            .is_some_and(|focused| focused.role == "button" && focused.name.contains("people"))
    );

    browser.tab_to("checkbox", "Choose reject 1").await?;
    browser.press(Key::Space).await?;
    browser.find("button", "Replay chosen (1)").await?;
    browser.tab_back_to("button", "Replay chosen").await?;
    browser.press(Key::Enter).await?;
    browser.sees("No rejects are pending.").await?;
    let focused = browser.tree().await?.focused().cloned();
    assert!(
        focused.as_ref().is_some_and(|focused| focused.is("heading", "Rejects")),
        "{focused:?}"
    );

    // A dialog opens on its harmless answer, and Escape is that answer.
    visit.open("/syncs/numbers").await?;
    browser.tab_to("button", "Run now numbers").await?;
    browser.press(Key::Enter).await?;
    browser.find("progressbar", "numbers").await?;
    browser.tab_to("button", "Cancel numbers").await?;
    browser.press(Key::Enter).await?;
    browser.find("dialog", "Cancel the run of numbers?").await?;
    assert!(
        browser
            .tree()
            .await?
            .focused()
            .is_some_and(|focused| focused.is("button", "Keep it as it is"))
    );
    browser.press(Key::Escape).await?;
    browser.tab_to("button", "Cancel numbers").await?;
    browser.press(Key::Enter).await?;
    browser.tab_back_to("button", "Cancel the run").await?;
    browser.press(Key::Enter).await?;
    browser.sees("cancelled").await?;
    visit.ends_well().await
}

#[tokio::test]
async fn what_has_the_focus_is_seen_to_have_it() -> Result<()> {
    let visit = Visit::begin(Window::LAPTOP).await?;
    let browser = &visit.browser;
    visit.open("/").await?;
    browser.sees("numbers").await?;
    for _ in 0..12 {
        browser.press(Key::Tab).await?;
        let outline = browser
            .script(
                "const focused = document.activeElement; const style = getComputedStyle(focused);
                 return [focused.outerHTML.slice(0, 80), focused === document.body || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2)]",
            )
            .await?;
        assert_eq!(outline[1], true, "{outline}");
    }
    Ok(())
}
