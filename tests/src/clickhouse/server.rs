//! A server to test against.

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::{Body, Method, RequestBuilder};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    ClickHouseDatabase, ClickHouseFault, FrontOptions,
    access::{self, Access},
    front::{FrontProcess, PASSWORD, USER},
};
use crate::{Context, Failure, Result};

/// Names a real server to test against, as `http://user:password@host:port`, in place of the front.
pub const SERVER_VARIABLE: &str = "LONGSHORE_TEST_CLICKHOUSE_URL";

/// ClickHouse over HTTP: the front with a data directory of its own, or the server that [`SERVER_VARIABLE`] names.
///
/// A front ends and its data goes when the value is dropped or its process ends, be it by SIGKILL. On a real server, databases that tests made stay.
#[derive(Debug)]
pub struct ClickHouseServer {
    access: Access,
    front: Option<FrontProcess>,
    databases: AtomicU32,
}

impl ClickHouseServer {
    /// The server that the environment names, or else a new front.
    ///
    /// # Errors
    /// The server does not answer, or the front does not start; the message says what is missing.
    pub async fn start() -> Result<Self> {
        let Some(named) = std::env::var(SERVER_VARIABLE).ok().filter(|named| !named.is_empty()) else {
            return Self::start_front(FrontOptions::default()).await;
        };
        Self::answering(Access::parse(&named)?, None).await
    }

    /// A new front, whatever the environment names.
    ///
    /// # Errors
    /// It does not start; the message says what is missing.
    pub async fn start_front(options: FrontOptions) -> Result<Self> {
        let front = FrontProcess::start(options).await?;
        let access = Access::parse(&format!("http://{USER}:{PASSWORD}@{}", front.address))?;
        Self::answering(access, Some(front)).await
    }

    /// The server that the tests of one process share. A front ends with the process.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<ClickHouseServer> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    async fn answering(access: Access, front: Option<FrontProcess>) -> Result<Self> {
        let ping = access.plain(Method::GET, "/ping")?.send().await;
        access::text(ping.context("ClickHouse does not answer")?).await?;
        Ok(Self {
            access,
            front,
            databases: AtomicU32::new(1),
        })
    }

    /// `http://HOST:PORT`, without user and password.
    pub fn base_url(&self) -> &str {
        self.access.base.as_str().trim_end_matches('/')
    }

    /// The host to connect to.
    pub fn host(&self) -> &str {
        self.access.host()
    }

    /// The port of its HTTP interface.
    pub fn port(&self) -> u16 {
        self.access.port()
    }

    /// The user of the tests.
    pub fn user(&self) -> &str {
        &self.access.user
    }

    /// Its password.
    pub fn password(&self) -> &str {
        &self.access.password
    }

    /// The process of the front; nothing of a real server.
    pub fn front_pid(&self) -> Option<u32> {
        self.front.as_ref().map(FrontProcess::pid)
    }

    /// Whether this is the front, which can misbehave on demand.
    pub fn is_front(&self) -> bool {
        self.front.is_some()
    }

    /// An empty database of its own name.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn create_database(&self) -> Result<ClickHouseDatabase> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        // A real server may have databases of earlier runs and of runs at the same time.
        let unique = uuid::Uuid::new_v4().simple();
        self.create_database_named(&format!("test_{number}_{unique}")).await
    }

    /// An empty database.
    ///
    /// # Errors
    /// There is one of this name, or the server refuses.
    pub async fn create_database_named(&self, name: &str) -> Result<ClickHouseDatabase> {
        self.execute(&format!("CREATE DATABASE {}", super::database::identifier(name)))
            .await?;
        Ok(ClickHouseDatabase::new(self.access.clone(), name.to_owned()))
    }

    /// Runs a statement in the database `default`.
    ///
    /// # Errors
    /// The server refuses it.
    pub async fn execute(&self, statement: &str) -> Result<()> {
        self.access.ask(statement, &[]).await.map(drop)
    }

    /// The answer to a query in the database `default`, as text in the format that the query names, or else tab-separated.
    ///
    /// # Errors
    /// The query fails.
    pub async fn query(&self, query: &str) -> Result<String> {
        self.access.ask(query, &[]).await
    }

    /// A request with parameters in the URL, with credentials. The statement is the body, or among the parameters.
    pub fn post(&self, parameters: &[(&str, &str)], body: impl Into<Body>) -> RequestBuilder {
        self.access.post(parameters, body)
    }

    /// A request without credentials, to a path of the server.
    ///
    /// # Errors
    /// It is no path.
    pub fn request(&self, method: Method, path: &str) -> Result<RequestBuilder> {
        self.access.plain(method, path)
    }

    /// Has the front misbehave towards queries to come; its README lists the fields of a rule.
    ///
    /// # Errors
    /// This is a real server, or the front refuses the rule.
    pub async fn add_fault(&self, rule: Value) -> Result<ClickHouseFault> {
        if !self.is_front() {
            let message = format!("faults are the front's: unset {SERVER_VARIABLE} for this test");
            return Err(Failure::new(message));
        }
        ClickHouseFault::add(self.access.clone(), rule).await
    }
}
