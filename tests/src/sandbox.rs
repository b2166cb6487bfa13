//! The Batch sandbox as a process, and a client of its control API.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use longshore_batch_sandbox::{Counts, Duplicates, LoggedRequest};
use reqwest::{Client, Method};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{Context, Failure, PATIENCE, Result, binaries, http};

/// The project that every sandbox has.
pub const PROJECT_KEY: &str = "project_longshore_tests";
/// Its REST API key.
pub const REST_API_KEY: &str = "rest_longshore_tests";

/// A whole dump of a large sandbox takes longer than any other call.
const CALL_BOUND: Duration = Duration::from_secs(120);

/// How a sandbox is to behave.
#[derive(Clone, Copy, Debug, Default)]
pub struct SandboxOptions {
    /// Keep to the documented rates. Without it, they are lifted.
    pub rate_limited: bool,
    /// Record what a careful client never does.
    pub strict: bool,
}

/// A running sandbox. It ends when dropped, or with this process.
#[derive(Debug)]
pub struct SandboxProcess {
    process: Child,
    address: String,
    client: Client,
}

/// A profile as the sandbox holds it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ReceivedProfile {
    /// Whose profile.
    pub custom_id: String,
    /// Attributes under the keys that they were sent with, such as `date(birthday)`.
    pub attributes: Map<String, Value>,
}

/// An event as the sandbox holds it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ReceivedEvent {
    /// Number in the order of reception, from zero.
    pub sequence: u64,
    /// Whose event.
    pub custom_id: String,
    /// The event's name.
    pub name: String,
    /// The time as it was sent; nothing when none was.
    pub time: Option<String>,
    /// Attributes under the keys that they were sent with, such as `url(item_url)`.
    pub attributes: Map<String, Value>,
}

impl SandboxProcess {
    /// Starts the program and waits until it listens.
    ///
    /// # Errors
    /// It is not built, or does not start.
    pub async fn start(options: SandboxOptions) -> Result<Self> {
        let program = binaries::program("longshore-batch-sandbox")?;
        let (process, address) = tokio::time::timeout(
            PATIENCE,
            tokio::task::spawn_blocking(move || start_program(program, options)),
        )
        .await
        .context("the sandbox does not say where it listens")?
        .context("the start of the sandbox was not waited for")??;
        Ok(Self {
            process,
            address,
            client: client()?,
        })
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What takes the place of `https://api.batch.com` in a configuration.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Counts of the project.
    ///
    /// # Errors
    /// The sandbox can not be asked.
    pub async fn counts(&self) -> Result<Counts> {
        let mut counts: std::collections::BTreeMap<String, Counts> = self.ask("/counts").await?;
        counts.remove(PROJECT_KEY).context("the sandbox has no such project")
    }

    /// Every profile, in the order of creation.
    ///
    /// # Errors
    /// The sandbox can not be asked.
    pub async fn profiles(&self) -> Result<Vec<ReceivedProfile>> {
        lines(&self.call(Method::GET, "/profiles", None).await?)
    }

    /// Every event, in the order of reception.
    ///
    /// # Errors
    /// The sandbox can not be asked.
    pub async fn events(&self) -> Result<Vec<ReceivedEvent>> {
        self.events_from(0).await
    }

    /// The events from a sequence number on.
    ///
    /// # Errors
    /// The sandbox can not be asked.
    pub async fn events_from(&self, sequence: u64) -> Result<Vec<ReceivedEvent>> {
        let path = format!("/events?from={sequence}");
        lines(&self.call(Method::GET, &path, None).await?)
    }

    /// Events that arrived more than once.
    ///
    /// # Errors
    /// The sandbox can not be asked.
    pub async fn duplicates(&self) -> Result<Duplicates> {
        self.ask("/duplicates").await
    }

    /// The last calls, in the order in which they ended.
    ///
    /// # Errors
    /// The sandbox can not be asked.
    pub async fn requests(&self) -> Result<Vec<LoggedRequest>> {
        self.ask("/requests").await
    }

    /// The body of one of the last calls, as it was sent.
    ///
    /// # Errors
    /// It is not kept any longer, or the sandbox can not be asked.
    pub async fn request_body(&self, sequence: u64) -> Result<Value> {
        self.ask(&format!("/requests/body?sequence={sequence}")).await
    }

    /// What a strict sandbox noticed: `count` and the `first`.
    ///
    /// # Errors
    /// The sandbox is not strict, or can not be asked.
    pub async fn violations(&self) -> Result<Value> {
        self.ask("/violations").await
    }

    /// Replaces the fault rules; the sandbox's README lists them.
    ///
    /// # Errors
    /// The sandbox refuses a rule, or can not be asked.
    pub async fn set_faults(&self, rules: Value) -> Result<()> {
        let body = json!({ "rules": rules });
        self.call(Method::POST, "/faults", Some(body)).await?;
        Ok(())
    }

    /// Removes the fault rules.
    ///
    /// # Errors
    /// A rule never fired, which would make the test one of nothing; or the sandbox can not be asked.
    pub async fn clear_faults(&self) -> Result<()> {
        let answer: Value = parsed(&self.call(Method::DELETE, "/faults", None).await?)?;
        let rules = answer["rules"].as_array().context("the sandbox lists no rules")?;
        let idle = rules
            .iter()
            .find(|rule| rule["fired"].as_u64().unwrap_or_default() == 0);
        idle.map_or(Ok(()), |rule| {
            Err(Failure::new(format!("this fault never fired: {rule}")))
        })
    }

    /// Forgets profiles, events, counts and the request log.
    ///
    /// # Errors
    /// The sandbox can not be asked.
    pub async fn reset(&self) -> Result<()> {
        self.call(Method::POST, "/reset", None).await?;
        Ok(())
    }

    /// The answer to a question of the control API.
    ///
    /// # Errors
    /// The sandbox can not be asked, or answers something else.
    pub async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        parsed(&self.call(Method::GET, path, None).await?)
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<String> {
        let url = format!("{}/_sandbox{path}", self.base_url());
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body.to_string());
        }
        let response = request.send().await.context("the sandbox does not answer")?;
        let status = response.status();
        let text = response.text().await.context("the sandbox's answer breaks off")?;
        if status.is_success() {
            return Ok(text);
        }
        Err(Failure::new(format!(
            "the sandbox answers {path} with {status}: {text}"
        )))
    }
}

impl Drop for SandboxProcess {
    fn drop(&mut self) {
        // It may have ended already; in both cases there is nothing left to do but to collect it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start_program(program: PathBuf, options: SandboxOptions) -> Result<(Child, String)> {
    let mut command = Command::new(program);
    command
        .args(["--project-key", PROJECT_KEY, "--exit-with-stdin", "--log-level", "warn"])
        .env("LONGSHORE_SANDBOX_REST_API_KEY", REST_API_KEY)
        // A group of its own: Ctrl-C on a terminal is for whoever owns the sandbox.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if !options.rate_limited {
        command.arg("--no-rate-limit");
    }
    if options.strict {
        command.arg("--strict");
    }
    let mut process = command.spawn().context("the sandbox can not be started")?;
    let stdout = process
        .stdout
        .take()
        .context("the sandbox's output was not asked for")?;
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .context("the sandbox's output can not be read")?;
    let ready: Value = serde_json::from_str(&line).context("the sandbox does not say where it listens")?;
    let address = ready["address"]
        .as_str()
        .context("the sandbox does not say where it listens")?;
    Ok((process, address.to_owned()))
}

fn client() -> Result<Client> {
    http::client()
        .timeout(CALL_BOUND)
        .build()
        .context("an HTTP client can not be made")
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).context(format!("the sandbox answers something unexpected: {text}"))
}

fn lines<T: DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    text.lines().map(parsed).collect()
}
