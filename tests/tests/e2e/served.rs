//! A daemon with its API: people in PostgreSQL on their way to a sandbox, and numbers that take as long as a test wants.

use longshore_tests::{
    Context as _, Database, Longshore, PASSWORD, PATIENCE, PROJECT_KEY, PostgresCluster, REST_API_KEY, Result,
    RunningLongshore, SandboxOptions, SandboxProcess, USER, eventually, http,
};
use reqwest::{Client, Method, header::HeaderMap};
use serde_json::{Value, json};

/// What a daemon moves.
pub(crate) struct Quay {
    pub(crate) database: Database,
    pub(crate) sandbox: SandboxProcess,
    pub(crate) longshore: Longshore,
}

impl Quay {
    /// The syncs `people` (a table in PostgreSQL, to the sandbox; rejects are sent again by people alone) and `numbers` (10,000 made-up rows, fifty a second).
    pub(crate) async fn open() -> Result<Self> {
        let database = PostgresCluster::shared().await?.create_database().await?;
        let table = "CREATE TABLE people (ref text PRIMARY KEY, name text, url__home text, last_updated_at timestamptz NOT NULL DEFAULT clock_timestamp())";
        database.execute(table).await?;
        let options = SandboxOptions {
            rate_limited: false,
            strict: true,
        };
        let quay = Self {
            database,
            sandbox: SandboxProcess::start(options).await?,
            longshore: Longshore::new()?,
        };
        quay.longshore.write("longshore.yml", &quay.configuration())?;
        Ok(quay)
    }

    fn configuration(&self) -> String {
        let (port, database) = (self.database.port(), self.database.name());
        let base_url = self.sandbox.base_url();
        format!(
            "kind: source
spec:
  name: people
  path: postgresql
  tables: [people]
  destinations: [batch]
  rejects: {{ retry: never }}
  spec: {{ host: 127.0.0.1, port: {port}, database: {database}, username: {USER}, password: {PASSWORD}, cursor: last_updated_at }}
---
kind: destination
spec:
  name: batch
  path: batch
  spec:
    target: profile_attributes
    custom_id: ref
    base_url: {base_url}
    project_key: {PROJECT_KEY}
    rest_api_key: {REST_API_KEY}
    endpoint: update
    rate_limit: {{ unlimited: true }}
    retry: {{ first_delay: 10ms }}
---
kind: source
spec:
  name: numbers
  path: generate
  tables: ['*']
  destinations: [nowhere]
  spec:
    tables: [{{ name: numbers, rows: 10000, cursor: id }}]
    checkpoint_rows: 10
---
kind: destination
spec:
  name: nowhere
  path: discard
  spec:
    batches_per_second: 5
"
        )
    }

    /// People without anything wrong with them.
    pub(crate) async fn add_people(&self, number: u32) -> Result<()> {
        let statement = format!(
            "INSERT INTO people (ref, name, url__home) SELECT 'person-' || n, 'Person ' || n, 'https://example.com/' || n FROM generate_series(1, {number}) n"
        );
        self.database.execute(&statement).await
    }

    /// Somebody whose address is no address: the column is refused, the rest delivered.
    pub(crate) async fn add_reject(&self, custom_id: &str) -> Result<()> {
        let statement =
            format!("INSERT INTO people (ref, name, url__home) VALUES ('{custom_id}', 'Somebody', 'no address')");
        self.database.execute(&statement).await
    }

    /// Gives the sync `people` one more option, as a line of YAML.
    pub(crate) fn add_to_people(&self, option: &str) -> Result<()> {
        let tables = "  tables: [people]\n";
        let more = format!("{tables}  {option}\n");
        let text = self.configuration().replacen(tables, &more, 1);
        self.longshore.write("longshore.yml", &text)
    }

    pub(crate) async fn serve(&self, more: &[&str]) -> Result<Served> {
        Served::start(&self.longshore, more).await
    }
}

/// A daemon that answers. It is killed when dropped.
pub(crate) struct Served {
    pub(crate) daemon: RunningLongshore,
    /// `http://127.0.0.1:PORT`.
    pub(crate) base: String,
    token: Option<String>,
    client: Client,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// The answer to what was asked for.
    #[track_caller]
    pub(crate) fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// The status and code of an error that says everything that errors say.
    #[track_caller]
    pub(crate) fn refused(&self) -> (u16, String) {
        let error = &self.json()["error"];
        for field in ["code", "message", "remedy"] {
            assert!(error[field].is_string(), "{field} of {}", self.text);
        }
        (self.status, error["code"].as_str().unwrap_or_default().to_owned())
    }
}

impl Served {
    pub(crate) async fn start(longshore: &Longshore, more: &[&str]) -> Result<Self> {
        let daemon = longshore.start([&["serve", "longshore.yml", "--json"], more].concat())?;
        let base = eventually("the daemon says where it listens", PATIENCE, async || {
            let line: Value = serde_json::from_str(daemon.printed().lines().next()?).ok()?;
            Some(line["url"].as_str()?.to_owned())
        });
        let base = base.await?;
        let client = http::client().build().context("an HTTP client can not be made")?;
        Ok(Self {
            daemon,
            base,
            token: None,
            client,
        })
    }

    /// The same with a token for every request.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.ask(Method::GET, path, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.ask(Method::POST, path, Some(body.to_string()), &[]).await
    }

    /// A request below `/api/v1`, or to another path of the daemon that begins with `//`.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> Result<Answer> {
        let url = match path.strip_prefix("//") {
            Some(path) => format!("{}/{path}", self.base),
            None => format!("{}/api/v1{path}", self.base),
        };
        let mut request = self.client.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body);
            if headers.iter().all(|(name, _)| *name != "content-type") {
                request = request.header("content-type", "application/json");
            }
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.context("the daemon does not answer")?;
        Ok(Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: answer.text().await.context("the daemon's answer breaks off")?,
        })
    }

    /// Waits until a sync is as a test wants it.
    pub(crate) async fn until(&self, sync: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually(&format!("{sync}: {what}"), PATIENCE, async || {
            let answer = self.get(&format!("/syncs/{sync}")).await.ok()?;
            Some(answer.json()).filter(|sync| is_so(sync))
        })
        .await
    }

    /// Runs a sync to its end.
    pub(crate) async fn run(&self, sync: &str) -> Result<Value> {
        let before = self.get(&format!("/syncs/{sync}")).await?.good();
        self.post(&format!("/syncs/{sync}/run"), json!({})).await?.good();
        self.until(sync, "it has run", |now| {
            now["phase"] == "idle" && now["last_run"]["ended_at"] != before["last_run"]["ended_at"]
        })
        .await
    }

    pub(crate) async fn until_moving(&self, sync: &str) -> Result<Value> {
        self.until(sync, "it runs and has moved rows", |now| {
            now["phase"] == "running" && now["activity"]["tables"][0]["acked"].as_u64() > Some(0)
        })
        .await
    }
}
