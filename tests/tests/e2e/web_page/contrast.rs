//! Whether texts can be read: the contrast of each with what lies behind it, as the browser has computed both.

use longshore_tests::{Result, browser::Window};
use serde_json::{Value, json};

use super::Visit;

/// What WCAG 2.2 asks for at level AA (1.4.3), for texts that are not large.
const LEAST: f64 = 4.5;

/// Each visible text with its colour and the colour behind it. Colours with transparency do not occur, and would be found.
const TEXTS: &str = "
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (colour !== 'rgba(0, 0, 0, 0)') return colour;
      }
      return 'rgb(255, 255, 255)';
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      const text = walker.currentNode.data.trim();
      const exempt = element.closest('.unseen, .skip, :disabled, script, dialog:not([open])');
      if (text && !exempt && element.checkVisibility()) found.push([text, getComputedStyle(element).color, behind(element)]);
    }
    return found;";

fn channels(colour: &str) -> Vec<f64> {
    let numbers = colour.trim_start_matches(|character: char| !character.is_ascii_digit());
    let numbers = numbers.trim_end_matches(')').split(',');
    numbers.map(|number| number.trim().parse().unwrap()).collect()
}

/// Relative luminance, as WCAG defines it.
fn luminance(colour: &str) -> f64 {
    let channels = channels(colour);
    assert_eq!(channels.len(), 3, "{colour} is not opaque");
    let linear = |channel: f64| {
        let value = channel / 255.0;
        match value <= 0.04045 {
            true => value / 12.92,
            false => ((value + 0.055) / 1.055).powf(2.4),
        }
    };
    0.2126 * linear(channels[0]) + 0.7152 * linear(channels[1]) + 0.0722 * linear(channels[2])
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn contrast_is_what_it_is_defined_to_be() {
    assert!((contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") - 21.0).abs() < 1e-9);
    assert!((contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") - 4.478).abs() < 1e-3);
}

#[tokio::test]
async fn every_text_can_be_read_in_the_light_and_in_the_dark() -> Result<()> {
    let visit = Visit::begin(Window::LAPTOP).await?;
    visit.quay.add_reject("eve").await?;
    visit.served.run("people").await?;
    visit
        .quay
        .database
        .execute("ALTER TABLE people RENAME COLUMN last_updated_at TO other")
        .await?;
    visit.served.run("people").await?;
    visit.served.post("/syncs/numbers/run", json!({})).await?.good();
    visit.served.until_moving("numbers").await?;
    for dark in [false, true] {
        visit.browser.show(Window { dark, ..Window::LAPTOP }).await?;
        for (path, seen) in [
            ("/", "failed"),
            ("/syncs/people", "What to do"),
            ("/syncs/numbers", "Current run"),
            ("/runs/last", "Attempts"),
        ] {
            visit.open(path).await?;
            visit.browser.sees(seen).await?;
            let texts = visit.browser.script(TEXTS).await?;
            let texts: Vec<&Value> = texts.as_array().unwrap().iter().collect();
            assert!(texts.len() > 15, "{path} has texts: {texts:?}");
            for text in texts {
                let [words, colour, behind] = [0, 1, 2].map(|index| text[index].as_str().unwrap());
                let contrast = contrast(colour, behind);
                assert!(
                    contrast >= LEAST,
                    "{path}, dark {dark}: `{words}` has a contrast of {contrast:.2}: {colour} on {behind}"
                );
            }
        }
    }
    Ok(())
}
