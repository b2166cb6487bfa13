//! Chromium without a window, through ChromeDriver: a page as people meet it, by roles and names, with a mouse and a keyboard.
//!
//! Only what tests need of the [WebDriver protocol](https://www.w3.org/TR/webdriver2/) and of ChromeDriver's way to the DevTools protocol.

mod accessibility;
mod driver;
mod keys;

use std::{collections::BTreeSet, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Context, Failure, PATIENCE, Result, eventually};
pub use accessibility::{Node, Tree};
use driver::Driver;
pub use keys::Key;

/// A pause of Chromium's own, such as for a font, is no failure.
const SETTLE: Duration = Duration::from_secs(20);

/// How the window is, and what its reader prefers.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// In CSS pixels.
    pub width: u32,
    /// In CSS pixels.
    pub height: u32,
    /// The reader's system is dark.
    pub dark: bool,
}

impl Window {
    /// A laptop's.
    pub const LAPTOP: Self = Self {
        width: 1280,
        height: 900,
        dark: false,
    };

    /// A small phone's.
    pub const PHONE: Self = Self {
        width: 360,
        height: 740,
        dark: false,
    };
}

/// A browser with one window. It ends when dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Errors
    /// Chromium or ChromeDriver is not installed, or does not start.
    pub async fn start(window: Window) -> Result<Self> {
        let driver = Driver::start().await?;
        let profile = tempfile::Builder::new()
            .prefix("longshore-browser-")
            .tempdir()
            .context("a temporary directory can not be made")?;
        let capabilities = json!({
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "args": arguments(profile.path(), window) },
        });
        let body = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let session = driver.post("/session", body).await?;
        let session = session["sessionId"].as_str().context("the driver opens no session")?;
        let browser = Self {
            session: format!("/session/{session}"),
            driver,
            _profile: profile,
        };
        browser.show(window).await?;
        Ok(browser)
    }

    /// Makes the window this wide, its reader prefer this.
    ///
    /// # Errors
    /// The browser does not answer.
    pub async fn show(&self, window: Window) -> Result<()> {
        let size = json!({ "width": window.width, "height": window.height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await?;
        let scheme = if window.dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features }))
            .await?;
        Ok(())
    }

    /// Opens an address.
    ///
    /// # Errors
    /// It can not be opened.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.post("/url", json!({ "url": url })).await.map(drop)
    }

    /// The address that is open.
    ///
    /// # Errors
    /// The browser does not answer.
    pub async fn address(&self) -> Result<String> {
        let address = self.driver.get(&format!("{}/url", self.session)).await?;
        Ok(address.as_str().unwrap_or_default().to_owned())
    }

    /// What a script returns that runs in the page.
    ///
    /// # Errors
    /// It throws.
    pub async fn script(&self, script: &str) -> Result<Value> {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// The text that a person sees in the page's `main`, or in another element.
    ///
    /// # Errors
    /// The browser does not answer.
    pub async fn text_of(&self, selector: &str) -> Result<String> {
        let selector = json!(selector);
        let script = format!("return document.querySelector({selector})?.innerText ?? ''");
        Ok(self.script(&script).await?.as_str().unwrap_or_default().to_owned())
    }

    /// The page as a screen reader has it.
    ///
    /// # Errors
    /// The browser does not answer.
    pub async fn tree(&self) -> Result<Tree> {
        let answer = self.devtools("Accessibility.getFullAXTree", json!({})).await?;
        Tree::of(&answer)
    }

    /// Waits for an element with a role and a name, which may be a part of its name.
    ///
    /// # Errors
    /// It does not come.
    pub async fn find(&self, role: &str, name: &str) -> Result<Node> {
        let what = format!("there is a {role} called {name}");
        let found = eventually(&what, SETTLE, async || {
            self.tree().await.ok()?.find(role, name).cloned()
        })
        .await;
        match found {
            Ok(node) => Ok(node),
            Err(failure) => {
                let tree = self.tree().await?;
                Err(Failure::new(format!("{failure}; there are:\n{tree}")))
            }
        }
    }

    /// Waits until the page shows a text.
    ///
    /// # Errors
    /// It does not come.
    pub async fn sees(&self, text: &str) -> Result<()> {
        self.waits(&format!("the page shows `{text}`"), async |seen| seen.contains(text))
            .await
    }

    /// Waits until the page does not show a text any more.
    ///
    /// # Errors
    /// It stays.
    pub async fn sees_no_more(&self, text: &str) -> Result<()> {
        self.waits(&format!("the page does not show `{text}`"), async |seen| {
            !seen.contains(text)
        })
        .await
    }

    /// Waits until the page says a text of its own accord, in its bar for that.
    ///
    /// # Errors
    /// It does not.
    pub async fn is_told(&self, text: &str) -> Result<()> {
        let what = format!("the page says `{text}`");
        let heard = eventually(&what, PATIENCE, async || {
            let said = self.text_of("[role=status]").await.ok()?;
            said.contains(text).then_some(())
        });
        match heard.await {
            Ok(()) => Ok(()),
            Err(failure) => Err(Failure::new(format!(
                "{failure}; it says `{}`",
                self.text_of("[role=status]").await?
            ))),
        }
    }

    async fn waits(&self, what: &str, right: impl AsyncFn(&str) -> bool) -> Result<()> {
        let seen = eventually(what, PATIENCE, async || {
            let seen = self.text_of("main").await.ok()?;
            right(&seen).await.then_some(())
        });
        match seen.await {
            Ok(()) => Ok(()),
            Err(failure) => {
                let seen = self.text_of("main").await?;
                Err(Failure::new(format!("{failure}; it shows:\n{seen}")))
            }
        }
    }

    /// Clicks into the middle of an element with the mouse, as soon as it is there. What lies over it gets the click.
    ///
    /// # Errors
    /// It does not come, or has no place on the page.
    pub async fn click(&self, role: &str, name: &str) -> Result<()> {
        let node = self.find(role, name).await?;
        let element = json!({ "backendNodeId": node.element });
        self.devtools("DOM.scrollIntoViewIfNeeded", element.clone()).await?;
        let quads = self.devtools("DOM.getContentQuads", element).await?;
        let corners = quads["quads"][0]
            .as_array()
            .context("an element has a place on the page")?;
        let middle = |axis: usize| {
            let coordinates = corners.iter().skip(axis).step_by(2).filter_map(Value::as_f64);
            coordinates.sum::<f64>() / 4.0
        };
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": middle(0), "y": middle(1), "button": "left", "clickCount": 1 });
            self.devtools("Input.dispatchMouseEvent", event).await?;
        }
        Ok(())
    }

    /// Presses a key.
    ///
    /// # Errors
    /// The browser does not answer.
    pub async fn press(&self, key: Key) -> Result<()> {
        self.strokes(key.strokes()).await
    }

    /// Types a text where the focus is.
    ///
    /// # Errors
    /// The browser does not answer.
    pub async fn write(&self, text: &str) -> Result<()> {
        let strokes = text.chars().flat_map(|key| [keys::down(key), keys::up(key)]);
        self.strokes(strokes.collect()).await
    }

    async fn strokes(&self, strokes: Vec<Value>) -> Result<()> {
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.post("/actions", actions).await.map(drop)
    }

    /// Presses Tab until an element with a role and a name has the focus.
    ///
    /// # Errors
    /// It is not reached within a hundred steps.
    pub async fn tab_to(&self, role: &str, name: &str) -> Result<()> {
        self.step_to(Key::Tab, role, name).await
    }

    /// As [`tab_to`](Self::tab_to), backwards.
    ///
    /// # Errors
    /// It is not reached within a hundred steps.
    pub async fn tab_back_to(&self, role: &str, name: &str) -> Result<()> {
        self.step_to(Key::BackTab, role, name).await
    }

    async fn step_to(&self, step: Key, role: &str, name: &str) -> Result<()> {
        let mut passed = Vec::new();
        for _ in 0..100 {
            if let Some(focused) = self.tree().await?.focused() {
                if focused.is(role, name) {
                    return Ok(());
                }
                passed.push(format!("{} `{}`", focused.role, focused.name));
            }
            self.press(step).await?;
        }
        let passed = passed.join(", ");
        Err(Failure::new(format!(
            "the {role} `{name}` is not reached with Tab, which passes {passed}"
        )))
    }

    /// A picture of the whole page.
    ///
    /// # Errors
    /// It can not be taken or written.
    pub async fn picture(&self, path: &Path) -> Result<()> {
        let options = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.devtools("Page.captureScreenshot", options).await?;
        let picture = picture["data"].as_str().context("the browser takes no picture")?;
        let picture = STANDARD.decode(picture).context("the browser's picture is broken")?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).context(format!("{} can not be made", folder.display()))?;
        }
        std::fs::write(path, picture).context(format!("{} can not be written", path.display()))
    }

    /// Every address that pages have asked for since the last question.
    ///
    /// # Errors
    /// The browser does not answer.
    pub async fn requests(&self) -> Result<BTreeSet<String>> {
        let entries = self.log("performance").await?;
        let address = |entry: &Value| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &message["message"];
            // The browser begins with a page of its own.
            let own = message["params"]["documentURL"].as_str()?.starts_with("chrome");
            let sent = message["method"] == "Network.requestWillBeSent" && !own;
            sent.then(|| message["params"]["request"]["url"].as_str().map(str::to_owned))?
        };
        Ok(entries.iter().filter_map(address).collect())
    }

    /// What pages have complained about since the last question: errors of scripts, refused requests, breaches of the content security policy.
    ///
    /// # Errors
    /// The browser does not answer.
    pub async fn complaints(&self) -> Result<Vec<String>> {
        let entries = self.log("browser").await?;
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        Ok(severe.map(|entry| entry["message"].to_string()).collect())
    }

    async fn log(&self, kind: &str) -> Result<Vec<Value>> {
        let entries = self.post("/se/log", json!({ "type": kind })).await?;
        entries.as_array().cloned().context("the driver has no log")
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("/goog/cdp/execute", body).await
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.driver.post(&format!("{}{path}", self.session), body).await
    }
}

fn arguments(profile: &Path, window: Window) -> Vec<String> {
    let fixed = [
        "--headless",
        // Tests run as root in many places, where Chromium's own sandbox refuses to. It opens nothing but our page.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        // What a browser asks its maker for by itself is no request of the page, and has no place in a test.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--lang=en",
    ];
    let mut arguments: Vec<String> = fixed.map(str::to_owned).into();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    arguments.push(format!("--window-size={},{}", window.width, window.height));
    arguments
}
