//! The way to the server: one HTTP client, the settings that reading relies on, query ids, and the end of a query that nobody wants any more.

use std::{collections::HashSet, sync::Arc, time::Duration};

use clickhouse::{
    Client, Compression as Encoding, Row,
    query::{BytesCursor, Query},
};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use longshore_sdk::{
    incremental::{ServerClock, Span},
    prelude::*,
};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::{
    errors::{from_client, timed_out},
    spec::{Compression, Spec},
    tls,
};

/// Long enough for a slow network, short enough for a person who waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A peer that vanished is noticed after about a minute and a half, also while the server sorts and says nothing.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// See [`KEEPALIVE`].
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// See [`KEEPALIVE`].
const KEEPALIVE_RETRIES: u32 = 3;

/// A server closes connections that were idle for 3 s by default; one that is just being closed must not be taken for the next query.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Asking to end a query is a courtesy to the server: it must not outlive its purpose.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Beyond so many bytes the server sorts on its disk.
const SORT_ON_DISK_BYTES: &str = "536870912";

/// Settings of every question: an answer is whole or an error. With `break` a limit of the user's profile would end an answer early as if it were whole, be
/// it rows of a table, their number, or the columns of a system table. Every supported version knows these.
const WHOLE: &[(&str, &str)] = &[
    ("distinct_overflow_mode", "throw"),
    ("group_by_overflow_mode", "throw"),
    ("join_overflow_mode", "throw"),
    ("read_overflow_mode", "throw"),
    ("read_overflow_mode_leaf", "throw"),
    ("result_overflow_mode", "throw"),
    ("set_overflow_mode", "throw"),
    ("sort_overflow_mode", "throw"),
    ("timeout_overflow_mode", "throw"),
    ("transfer_overflow_mode", "throw"),
    ("skip_unavailable_shards", "0"),
    ("limit", "0"),
    ("offset", "0"),
];

/// The server looks which parts of a table a condition can be true of only after its rows are merged; without it, FINAL does not see a newer version in
/// another part of the table.
pub(crate) const PRUNES_AFTER_FINAL: &str = "defer_partition_pruning_after_final";

/// Settings that decide in which form values come, and that nothing is left out in silence.
const SETTINGS: &[(&str, &str)] = &[
    // Bytes are checked here; the server does not check that text is UTF-8.
    ("output_format_arrow_string_as_string", "0"),
    ("output_format_arrow_fixed_string_as_fixed_byte_array", "1"),
    ("output_format_arrow_low_cardinality_as_dictionary", "0"),
    ("output_format_arrow_unsupported_types_as_binary", "0"),
    ("output_format_arrow_date_as_uint16", "0"),
    ("output_format_arrow_compression_method", "none"),
    ("output_format_json_quote_64bit_integers", "0"),
    ("output_format_json_quote_64bit_floats", "0"),
    ("output_format_json_quote_decimals", "0"),
    ("output_format_json_quote_denormals", "1"),
    ("output_format_json_escape_forward_slashes", "0"),
    ("output_format_json_named_tuples_as_objects", "1"),
    ("session_timezone", "UTC"),
    ("http_write_exception_in_output_format", "0"),
    ("timeout_overflow_mode_leaf", "throw"),
    // A shard whose replicas are all too far behind is an error, and no older answer.
    ("fallback_to_stale_replicas_for_distributed_queries", "0"),
    // Neither skip indexes nor conditions nor partitions must hide the newer version of a row from FINAL.
    ("use_skip_indexes_if_final_exact_mode", "1"),
    ("optimize_move_to_prewhere_if_final", "0"),
    ("do_not_merge_across_partitions_select_final", "0"),
    (PRUNES_AFTER_FINAL, "1"),
    // The server notices by itself when nobody reads any more.
    ("cancel_http_readonly_queries_on_client_close", "1"),
];

/// Settings that help, unless the user says otherwise.
const PREFERENCES: &[(&str, &str)] = &[
    ("max_bytes_before_external_sort", SORT_ON_DISK_BYTES),
    ("optimize_read_in_order", "1"),
];

/// A statement with its parameters: values never become part of its text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    /// Name and text of `{name:Type}`.
    pub(crate) parameters: Vec<(String, String)>,
    /// Settings beside those of every statement.
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl Statement {
    /// The same with another value of one of its settings.
    pub(crate) fn with_setting(&self, name: &str, value: String) -> Self {
        let mut statement = self.clone();
        if let Some((_, present)) = statement.settings.iter_mut().find(|(known, _)| *known == name) {
            *present = value;
        }
        statement
    }

    pub(crate) fn new(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            ..Self::default()
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parameters.push((name.to_owned(), value.into()));
        self
    }
}

/// What answers.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// As the server writes it.
    pub(crate) version: String,
    /// Names the replica.
    pub(crate) host: String,
    pub(crate) clock: ServerClock,
    /// Those of [`SETTINGS`] and [`PREFERENCES`] and others that this version knows; an unknown one would be refused.
    known_settings: Arc<HashSet<String>>,
}

impl Server {
    /// 26 and 9 of `26.9.2.1`.
    pub(crate) fn release(&self) -> (u32, u32) {
        let mut parts = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    pub(crate) fn knows(&self, setting: &str) -> bool {
        self.known_settings.contains(setting)
    }

    /// One that knows these settings.
    #[cfg(test)]
    pub(crate) fn knowing(settings: &[&str]) -> Self {
        Self {
            version: "24.8.1.1".to_owned(),
            host: "h".to_owned(),
            clock: ServerClock { at: 0, local: 0 },
            known_settings: Arc::new(settings.iter().map(|name| (*name).to_owned()).collect()),
        }
    }
}

/// Knows how to ask the server.
#[derive(Clone)]
pub(crate) struct Connector {
    client: Client,
    address: String,
    user: String,
    timeout: Duration,
    own_settings: Arc<HashSet<String>>,
    reads: Arc<Semaphore>,
}

#[derive(Row, Deserialize)]
struct Hello {
    version: String,
    host: String,
    clock: i64,
    zone_offset: i64,
}

#[derive(Row, Deserialize)]
struct Name {
    name: String,
}

impl Connector {
    /// # Errors
    /// Of the configuration: an unreadable certificate.
    pub(crate) fn new(spec: &Spec) -> Result<Self> {
        let timeout = spec.connect_timeout.map_or(CONNECT_TIMEOUT, |Span(timeout)| timeout);
        let mut client = http_client(spec, timeout)?
            .with_user(&spec.username)
            .with_database(&spec.database);
        if let Some(password) = &spec.password {
            client = client.with_password(password);
        }
        let compressed = match spec.compression {
            Compression::None => false,
            Compression::Lz4 => true,
            Compression::Auto => !spec.is_loopback(),
        };
        client = client
            .with_compression(if compressed { Encoding::Lz4 } else { Encoding::None })
            .with_product_info("longshore", env!("CARGO_PKG_VERSION"));
        if compressed {
            client = client.with_setting("enable_http_compression", "1");
        }
        if let Some(Span(timeout)) = spec.query_timeout {
            client = client.with_setting("max_execution_time", timeout.as_secs_f64().to_string());
        }
        for (name, value) in &spec.settings {
            client = client.with_setting(name, value.to_string());
        }
        Ok(Self {
            client,
            address: spec.address(),
            user: spec.username.clone(),
            timeout,
            own_settings: Arc::new(spec.settings.keys().cloned().collect()),
            reads: Arc::new(Semaphore::new(spec.parallel_reads())),
        })
    }

    /// Where it connects to, for messages.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Who it logs in as, for messages.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Waits until another query may read.
    pub(crate) async fn permit(&self) -> tokio::sync::OwnedSemaphorePermit {
        Arc::clone(&self.reads)
            .acquire_owned()
            .await
            .expect("this semaphore is never closed")
    }

    /// Connects, logs in, and asks who answers.
    ///
    /// # Errors
    /// As [`from_client`] translates them, and `connection_timed_out`.
    pub(crate) async fn hello(&self) -> Result<Server> {
        const HELLO: &str = "SELECT version() AS version, hostName() AS host, toUnixTimestamp64Micro(now64(6)) AS clock, \
                             toInt64(timeZoneOffset(now())) AS zone_offset";
        let doing = format!("connecting to {}", self.address);
        let asked = async {
            let hello: Hello = self.client.query_raw(HELLO).fetch_one().await?;
            let names = SETTINGS.iter().chain(PREFERENCES).map(|(name, _)| *name);
            let names: Vec<&str> = names.chain(["select_sequential_consistency"]).collect();
            let known: Vec<Name> = self
                .client
                .query_raw("SELECT name FROM system.settings WHERE name IN {names:Array(String)}")
                .param("names", names)
                .fetch_all()
                .await?;
            Ok((hello, known))
        };
        // The client's own limit ends when the socket is open; a server can also be silent after that.
        let asked = tokio::time::timeout(self.timeout, asked).await;
        let (hello, known) = asked
            .map_err(|_| timed_out(&doing))?
            .map_err(|error| from_client(&error, &doing))?;
        Ok(Server {
            version: hello.version,
            host: hello.host,
            clock: ServerClock {
                at: hello.clock,
                local: hello.clock.saturating_add(hello.zone_offset.saturating_mul(1_000_000)),
            },
            known_settings: Arc::new(known.into_iter().map(|known| known.name).collect()),
        })
    }

    /// The rows of a question to the catalog.
    ///
    /// # Errors
    /// As [`from_client`] translates them, `doing` that.
    pub(crate) async fn rows<T>(&self, statement: &Statement, doing: &str) -> Result<Vec<T>>
    where
        T: clickhouse::RowOwned + clickhouse::RowRead,
    {
        self.plain(statement)
            .fetch_all()
            .await
            .map_err(|error| from_client(&error, doing))
    }

    /// Whether the user has set a setting, which then stays as it is.
    pub(crate) fn is_set_by_user(&self, setting: &str) -> bool {
        self.own_settings.contains(setting)
    }

    /// Begins to read a statement's result as one Arrow stream.
    ///
    /// # Errors
    /// As [`from_client`] translates them.
    pub(crate) fn arrow(
        &self,
        server: &Server,
        statement: &Statement,
        query_id: Option<&str>,
        doing: &str,
    ) -> Result<BytesCursor> {
        let mut query = self.plain(statement);
        for (name, value) in SETTINGS.iter().filter(|(name, _)| server.knows(name)) {
            query = query.with_setting(*name, *value);
        }
        for (name, value) in PREFERENCES.iter().filter(|(name, _)| server.knows(name)) {
            if !self.own_settings.contains(*name) {
                query = query.with_setting(*name, *value);
            }
        }
        if let Some(query_id) = query_id {
            query = query.with_setting("query_id", query_id);
        }
        query
            .fetch_bytes("ArrowStream")
            .map_err(|error| from_client(&error, doing))
    }

    /// Asks the server to end a query, and does not wait until it has.
    pub(crate) async fn kill(&self, query_id: String) {
        let kill = self
            .client
            .query_raw("KILL QUERY WHERE query_id = {id:String} ASYNC")
            .param("id", query_id)
            .execute();
        match tokio::time::timeout(KILL_TIMEOUT, kill).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a query was not ended"),
            Err(_) => tracing::debug!("the server did not answer in time to the request to end a query"),
        }
    }

    fn plain(&self, statement: &Statement) -> Query {
        let mut query = self.client.query_raw(&statement.sql);
        for (name, value) in WHOLE {
            query = query.with_setting(*name, *value);
        }
        for (name, value) in &statement.parameters {
            query = query.param(name, value);
        }
        for (name, value) in &statement.settings {
            if !self.own_settings.contains(*name) {
                query = query.with_setting(*name, value);
            }
        }
        query
    }
}

fn http_client(spec: &Spec, timeout: Duration) -> Result<Client> {
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(timeout));
    http.set_nodelay(true);
    http.set_keepalive(Some(KEEPALIVE));
    http.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
    http.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    let mut builder = HttpClient::builder(TokioExecutor::new());
    builder.pool_idle_timeout(POOL_IDLE_TIMEOUT);
    if !spec.ssl {
        let client = Client::with_http_client(builder.build(http));
        return Ok(client.with_url(format!("http://{}", spec.address())));
    }
    http.enforce_http(false);
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls::client_config(spec)?)
        .https_only()
        .enable_http1()
        .wrap_connector(http);
    let client = Client::with_http_client(builder.build(https));
    Ok(client.with_url(format!("https://{}", spec.address())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_source_sets_itself_can_not_be_set_by_users() {
        for (name, _) in SETTINGS.iter().chain(WHOLE) {
            let spec = serde_json::json!({"host": "h", "settings": {*name: "1"}});
            let spec: Spec = serde_json::from_value(spec).unwrap();
            assert!(spec.check().is_err(), "{name}");
        }
        for (name, _) in PREFERENCES {
            let spec = serde_json::json!({"host": "h", "settings": {*name: "1"}});
            let spec: Spec = serde_json::from_value(spec).unwrap();
            assert!(spec.check().is_ok(), "{name}");
        }
    }
}
