//! ChromeDriver as a process, and the requests to it.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::{Client, Method};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::{Context, Failure, PATIENCE, Result, http};

/// What it says before the port that it listens on.
const LISTENS: &str = "started successfully on port ";

/// A running driver. Its browsers end with it.
#[derive(Debug)]
pub(super) struct Driver {
    process: Child,
    port: u16,
    client: Client,
}

impl Driver {
    pub(super) async fn start() -> Result<Self> {
        let started = tokio::task::spawn_blocking(start_program);
        let started = tokio::time::timeout(PATIENCE, started).await;
        let (process, port) = started
            .context("ChromeDriver does not say where it listens")?
            .context("the start of ChromeDriver was not waited for")??;
        let client = http::client().timeout(Duration::from_secs(60)).build();
        Ok(Self {
            process,
            port,
            client: client.context("an HTTP client can not be made")?,
        })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let mut request = self
            .client
            .request(method, format!("http://127.0.0.1:{}{path}", self.port));
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.context("ChromeDriver does not answer")?;
        let text = answer.text().await.context("ChromeDriver's answer breaks off")?;
        let mut answer: Value = serde_json::from_str(&text).context(format!("ChromeDriver answers {text}"))?;
        let value = answer["value"].take();
        match value.get("error") {
            Some(error) => Err(Failure::new(format!("{error}: {}", value["message"]))),
            None => Ok(value),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Its browsers are of its group. Both may have ended already: there is nothing left to do but to collect it.
        if let Some(group) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}

fn start_program() -> Result<(Child, u16)> {
    let mut process = Command::new("chromedriver")
        .arg("--port=0")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("chromedriver can not be started; `cargo xtask test` installs it, as does `apt-get install chromium-driver`")?;
    let output = process.stdout.take().context("the driver's output was asked for")?;
    let mut lines = BufReader::new(output).lines();
    let port = lines.by_ref().map_while(std::io::Result::ok).find_map(|line| {
        let (_, port) = line.split_once(LISTENS)?;
        port.trim_end_matches('.').parse().ok()
    });
    // It goes on writing now and then: somebody has to read.
    std::thread::spawn(move || lines.map_while(std::io::Result::ok).for_each(drop));
    Ok((process, port.context("ChromeDriver does not say where it listens")?))
}
