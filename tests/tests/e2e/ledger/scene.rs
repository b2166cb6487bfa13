//! People, or what they do, in PostgreSQL; a sandbox; Longshore between them.

use longshore_tests::{
    Database, Finished, Longshore, PASSWORD, PATIENCE, PROJECT_KEY, PostgresCluster, REST_API_KEY, Result,
    RunningLongshore, SandboxOptions, SandboxProcess, USER, eventually,
};
use serde_json::{Value, json};

/// A sync of one small table.
pub(super) struct Ledger {
    pub(super) database: Database,
    pub(super) sandbox: SandboxProcess,
    pub(super) longshore: Longshore,
    target: &'static str,
}

impl Ledger {
    /// Profiles: `people (id, ref, alias, name, url__home)`, with `ref` as custom id.
    pub(super) async fn of_profiles() -> Result<Self> {
        let table = "CREATE TABLE people (id bigint PRIMARY KEY, ref text, alias text, name text, url__home text,
            last_updated_at timestamptz NOT NULL DEFAULT clock_timestamp())";
        Self::open("profile_attributes", table).await
    }

    /// Events: the same columns, and `event_name`.
    pub(super) async fn of_events() -> Result<Self> {
        let table = "CREATE TABLE people (id bigint PRIMARY KEY, ref text, alias text, event_name text DEFAULT 'did', name text, url__home text,
            last_updated_at timestamptz NOT NULL DEFAULT clock_timestamp())";
        Self::open("profile_events", table).await
    }

    async fn open(target: &'static str, table: &str) -> Result<Self> {
        let database = PostgresCluster::shared().await?.create_database().await?;
        database.execute(table).await?;
        let options = SandboxOptions {
            rate_limited: false,
            strict: true,
        };
        let ledger = Self {
            database,
            sandbox: SandboxProcess::start(options).await?,
            longshore: Longshore::new()?,
            target,
        };
        ledger.configure(&[], &[])?;
        Ok(ledger)
    }

    /// Writes the configuration, with further lines of the source and options of the destination.
    pub(super) fn configure(&self, source_lines: &[&str], destination_options: &[&str]) -> Result<()> {
        let mut text = String::from(
            "kind: source\nspec:\n  name: people\n  path: postgresql\n  tables: [people]\n  destinations: [batch]\n",
        );
        source_lines.iter().for_each(|line| text += &format!("  {line}\n"));
        text += &format!(
            "  spec: {{ host: 127.0.0.1, port: {}, database: {}, username: {USER}, password: {PASSWORD}, cursor: last_updated_at }}\n",
            self.database.port(),
            self.database.name()
        );
        text += "---\nkind: destination\nspec:\n  name: batch\n  path: batch\n  spec:\n";
        let ignored = match destination_options.iter().any(|line| line.starts_with("mapping")) {
            true => "",
            false => "    mapping: { id: { ignore: true }, alias: { ignore: true } }\n",
        };
        let custom_id = match destination_options.iter().any(|line| line.starts_with("custom_id")) {
            true => "",
            false => "    custom_id: ref\n",
        };
        text += &format!(
            "    target: {}\n    base_url: {}\n    project_key: {PROJECT_KEY}\n    rest_api_key: {REST_API_KEY}\n{custom_id}{ignored}\
             \x20   rate_limit: {{ unlimited: true }}\n    retry: {{ first_delay: 10ms }}\n",
            self.target,
            self.sandbox.base_url()
        );
        destination_options
            .iter()
            .for_each(|line| text += &format!("    {line}\n"));
        self.longshore.write("longshore.yml", &text)
    }

    /// One more row; what it is about in `columns` and `values`.
    pub(super) async fn insert(&self, id: i64, columns: &str, values: &str) -> Result<()> {
        let statement = format!("INSERT INTO people (id, {columns}) VALUES ({id}, {values})");
        self.database.execute(&statement).await
    }

    /// Changes rows, and moves their cursors.
    pub(super) async fn update(&self, set: &str, which: &str) -> Result<()> {
        let statement = format!("UPDATE people SET {set}, last_updated_at = clock_timestamp() WHERE {which}");
        self.database.execute(&statement).await
    }

    /// The API refuses the first operation of the next request as a whole.
    pub(super) async fn refuse_once(&self) -> Result<()> {
        let fault = json!([{ "kind": "partial_errors", "operations": 1, "next": 1 }]);
        self.sandbox.set_faults(fault).await
    }

    /// A sync that succeeds: its report, whose retries balance.
    pub(super) async fn sync(&self) -> Result<Value> {
        let report = self.longshore.json(["sync", "longshore.yml"]).await?;
        assert_balanced(&report);
        Ok(report)
    }

    pub(super) fn start_sync(&self) -> Result<RunningLongshore> {
        self.longshore.start(["sync", "longshore.yml", "--json"])
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> Result<Finished> {
        self.longshore.run(arguments).await
    }

    /// The whole ledger, oldest first.
    pub(super) async fn rejects(&self) -> Result<Vec<Value>> {
        let listed = self.longshore.json(["rejects", "list", "--limit", "100000"]).await?;
        let mut rejects = listed.as_array().cloned().unwrap_or_default();
        rejects.reverse();
        Ok(rejects)
    }

    /// The status of every reject, oldest first.
    pub(super) async fn statuses(&self) -> Result<Vec<String>> {
        let rejects = self.rejects().await?;
        Ok(rejects.iter().map(|reject| text(reject, "status")).collect())
    }

    /// The name that a profile has at the destination.
    pub(super) async fn name_of(&self, custom_id: &str) -> Result<Option<String>> {
        let profiles = self.sandbox.profiles().await?;
        let profile = profiles.into_iter().find(|profile| profile.custom_id == custom_id);
        Ok(profile.and_then(|profile| Some(profile.attributes.get("name")?.as_str()?.to_owned())))
    }

    /// The API takes the next request and does not answer it: the sender waits until it is killed.
    pub(super) async fn keep_the_next_answer(&self) -> Result<()> {
        let fault = json!([{ "kind": "slow", "ms": 60_000, "applied": true, "next": 1 }]);
        self.sandbox.set_faults(fault).await
    }

    /// Waits until a profile has arrived with this name, or any event of it.
    pub(super) async fn has_arrived(&self, custom_id: &str, name: &str) -> Result<()> {
        eventually(&format!("{custom_id} arrives"), PATIENCE, async || {
            let named = self.name_of(custom_id).await.ok()?.is_some_and(|found| found == name);
            let events = self.sandbox.events().await.ok()?;
            (named || events.iter().any(|event| event.custom_id == custom_id)).then_some(())
        })
        .await
    }
}

/// What was sent again is accounted for.
#[track_caller]
pub(super) fn assert_balanced(report: &Value) {
    for retry in report["retries"].as_array().into_iter().flatten() {
        let accounted = number(retry, "redelivered") + number(retry, "rejected") + number(retry, "filtered");
        assert_eq!(number(retry, "retried"), accounted, "{retry}");
    }
}

/// The counts of the only table whose rejects were sent again.
#[track_caller]
pub(super) fn retried(report: &Value) -> (u64, u64, u64) {
    let retries = report["retries"].as_array().expect("a report has retries");
    let [retry] = retries.as_slice() else {
        panic!("one table was to be tried again: {report}");
    };
    (
        number(retry, "retried"),
        number(retry, "redelivered"),
        number(retry, "rejected"),
    )
}

#[track_caller]
pub(super) fn number(object: &Value, name: &str) -> u64 {
    object[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} is no number in {object}"))
}

#[track_caller]
pub(super) fn text(object: &Value, name: &str) -> String {
    object[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} is no text in {object}"))
        .to_owned()
}
