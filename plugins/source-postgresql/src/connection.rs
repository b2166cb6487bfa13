//! Connections: how they are opened, what is set on each, and how a statement is ended when nobody wants its rows any more.

use std::{
    pin::pin,
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use longshore_sdk::{incremental::Span, prelude::*};
use tokio::sync::oneshot;
use tokio_postgres::{Client, Config, config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    errors::{from_postgres, snapshot_gone, timed_out},
    names::{literal, quoted},
    spec::{Spec, SslMode},
    tls,
};

/// Long enough for a slow network, short enough for a person who waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Saying goodbye, or asking to cancel, is a courtesy to the server: it must not outlive its purpose.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Knows how to connect.
pub(crate) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    settings: String,
    /// Until a connection is ready to be used.
    timeout: Duration,
}

/// One connection with the settings that reading relies on.
///
/// Dropping it closes the connection, and asks the server to cancel the statement when one is running.
pub(crate) struct Session {
    client: Client,
    /// Tells the connection's task to cancel what the server does. Dropped unused, it lets the task end the connection in good order.
    cancel: Option<oneshot::Sender<()>>,
    /// A statement that may take long is running.
    running: AtomicBool,
}

impl Connector {
    /// # Errors
    /// Of the configuration: an unreadable connection string or certificate.
    pub(crate) fn new(spec: &Spec) -> Result<Self> {
        let config = connection_config(spec)?;
        let timeout = config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        Ok(Self {
            config,
            tls: MakeRustlsConnect::new(tls::client_config(spec)?),
            settings: settings(spec),
            timeout,
        })
    }

    /// The database's name, for messages.
    pub(crate) fn database(&self) -> &str {
        self.config
            .get_dbname()
            .or_else(|| self.config.get_user())
            .unwrap_or("")
    }

    /// Whether connections are encrypted, as far as this side decides it.
    pub(crate) fn ssl_mode(&self) -> config::SslMode {
        self.config.get_ssl_mode()
    }

    /// Where it connects to, for messages.
    pub(crate) fn address(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(config::Host::Tcp(host)) => host.clone(),
            Some(config::Host::Unix(path)) => return path.display().to_string(),
            None => "localhost".to_owned(),
        };
        format!("{host}:{}", self.config.get_ports().first().copied().unwrap_or(5432))
    }

    /// Finds the server's address.
    ///
    /// # Errors
    /// `host_unknown`.
    pub(crate) async fn resolve(&self) -> Result<()> {
        let Some(config::Host::Tcp(host)) = self.config.get_hosts().first() else {
            return Ok(());
        };
        if !self.config.get_hostaddrs().is_empty() || self.config.get_hosts().len() > 1 {
            return Ok(());
        }
        tokio::net::lookup_host((host.as_str(), 0))
            .await
            .map(drop)
            .map_err(|error| {
                Error::source("host_unknown", format!("The host {host} can not be found"))
                    .with_remedy("Check the spelling of `host` and that this machine can resolve it.")
                    .with_cause(&error)
            })
    }

    /// Opens a connection, logs in and applies the settings.
    ///
    /// # Errors
    /// As [`from_postgres`] translates them, and `host_unknown`.
    pub(crate) async fn connect(&self) -> Result<Session> {
        self.resolve().await?;
        let connecting = format!("connecting to {} at {}", self.database(), self.address());
        // The library's own limit ends when the socket is open; a server can also be silent after that.
        let opening = tokio::time::timeout(self.timeout, self.config.connect(self.tls.clone()));
        let Ok(opened) = opening.await else {
            return Err(timed_out(&connecting));
        };
        let (client, connection) = opened.map_err(|error| from_postgres(&error, &connecting))?;
        let (cancel, cancelled) = oneshot::channel();
        let (token, tls) = (client.cancel_token(), self.tls.clone());
        // Belongs to the session: it ends with the session, at the latest `CLOSE_TIMEOUT` later.
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let wanted = tokio::select! {
                result = &mut connection => return log_end(result),
                wanted = cancelled => wanted,
            };
            let closing = async {
                match wanted {
                    Ok(()) => log_end(token.cancel_query(tls).await),
                    Err(_) => log_end(connection.await),
                }
            };
            if tokio::time::timeout(CLOSE_TIMEOUT, closing).await.is_err() {
                tracing::debug!("the connection did not end in time");
            }
        });
        let session = Session {
            client,
            cancel: Some(cancel),
            running: AtomicBool::new(false),
        };
        session
            .client
            .batch_execute(&self.settings)
            .await
            .map_err(|error| from_postgres(&error, "preparing the session"))?;
        Ok(session)
    }
}

impl Session {
    /// Begins a read-only transaction that sees one instant; with `snapshot` that of another transaction.
    ///
    /// # Errors
    /// `snapshot_gone` when the other transaction has ended.
    pub(crate) async fn begin(&self, snapshot: Option<&str>) -> Result<()> {
        let mut statement = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY".to_owned();
        if let Some(snapshot) = snapshot {
            statement.push_str("; SET TRANSACTION SNAPSHOT ");
            statement.push_str(&literal(snapshot));
        }
        self.client.batch_execute(&statement).await.map_err(|error| {
            let translated = from_postgres(&error, "opening the run's snapshot");
            if snapshot.is_some() && translated.code == "sql_invalid" {
                snapshot_gone()
            } else {
                translated
            }
        })
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Says whether a statement runs that is worth cancelling when nobody waits for it any more.
    pub(crate) fn set_running(&self, running: bool) {
        self.running.store(running, Ordering::Relaxed);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let cancel = self.cancel.take().filter(|_| self.running.load(Ordering::Relaxed));
        if let Some(cancel) = cancel {
            // Fails when the connection has ended by itself: then there is nothing to cancel.
            let _ = cancel.send(());
        }
    }
}

impl std::ops::Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

fn log_end(result: Result<(), tokio_postgres::Error>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended");
    }
}

fn connection_config(spec: &Spec) -> Result<Config> {
    let mut config = match &spec.connection_string {
        // The parser's own error quotes the string, which can hold a password.
        Some(text) => Config::from_str(text).map_err(|_| {
            Error::config("spec_invalid", "The connection string can not be read")
                .with_field("/connection_string")
                .with_remedy("Write postgresql://user:password@host:5432/database or host=… dbname=… user=… password=…; certificates have fields of their own.")
        })?,
        None => Config::new(),
    };
    if let Some(host) = &spec.host {
        config.host(host).port(spec.port.unwrap_or(5432));
    }
    if let Some(database) = &spec.database {
        config.dbname(database);
    }
    if let Some(username) = &spec.username {
        config.user(username);
    }
    if let Some(password) = &spec.password {
        config.password(password);
    }
    if let Some(text) = &spec.connection_string {
        check_hosts(text, &config)?;
    }
    if config.get_user().is_none() {
        return Err(
            Error::config("spec_invalid", "The connection string names no user").with_field("/connection_string")
        );
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        config.host("localhost");
    }
    let mode = match (spec.sslmode, &spec.connection_string) {
        (None, Some(_)) => config.get_ssl_mode(),
        (mode, _) => match mode.unwrap_or_default() {
            SslMode::Disable => config::SslMode::Disable,
            SslMode::Prefer => config::SslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => config::SslMode::Require,
        },
    };
    config.ssl_mode(mode);
    config.application_name("longshore");
    if config.get_connect_timeout().is_none() || spec.connect_timeout.is_some() {
        config.connect_timeout(spec.connect_timeout.map_or(CONNECT_TIMEOUT, |Span(timeout)| timeout));
    }
    Ok(config)
}

/// Refuses what can be no host: of a password with an `@` that is not encoded, the parser takes the rest for the host, and that would be looked up, and shown.
fn check_hosts(text: &str, config: &Config) -> Result<()> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'%');
    let is_host = |host: &config::Host| match host {
        config::Host::Tcp(name) => name.bytes().all(is_allowed),
        config::Host::Unix(_) => true,
    };
    // With a `/` behind it, the rest ends up in the name of the database.
    let is_url = text.contains("://");
    let database_has_host = is_url && config.get_dbname().is_some_and(|database| database.contains('@'));
    if config.get_hosts().iter().all(is_host) && !database_has_host {
        return Ok(());
    }
    Err(
        Error::config("spec_invalid", "What the connection string has for a host can be none, and may be a part of the password")
            .with_field("/connection_string")
            .with_remedy("In a user and a password, write @ as %40, / as %2F, : as %3A, # as %23, ? as %3F, [ as %5B and % as %25; or give host, username and password as options of their own."),
    )
}

/// What every session sets: the texts of values must not depend on the user's, the database's or the server's own settings, and a snapshot that is held for long
/// must not be ended for it.
fn settings(spec: &Spec) -> String {
    let statement_timeout = spec.statement_timeout.map_or(0, |Span(timeout)| timeout.as_millis());
    // Names of ours are qualified; the search path serves the user's `where` and `query` and functions inside views.
    let search_path = literal(&quoted(&spec.schema));
    format!(
        "SELECT pg_catalog.set_config('longshore.time_zone', pg_catalog.current_setting('TimeZone'), false), \
         pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', {search_path}, nullif(pg_catalog.current_setting('search_path'), '')), false); \
         SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex'; \
         SET xmloption = 'content'; SET statement_timeout = {statement_timeout}; \
         SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings \
         WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(connection_string: &str) -> Option<Error> {
        let spec: Spec = serde_json::from_value(json!({"connection_string": connection_string})).unwrap();
        connection_config(&spec).err()
    }

    #[test]
    fn a_password_that_is_not_encoded_is_refused_and_no_part_of_it_is_shown() {
        for password in [
            "p@ssw0rdLong1",
            "p@ss#w0rd/x",
            "x@ssw0[rd",
            "p@ssw0rd/x",
            "a%2@ssw0rd%40z",
            "p@ssw0rd:1",
        ] {
            let error = refusal(&format!("postgres://longshore:{password}@127.0.0.1:5432/shop")).unwrap();
            assert_eq!(
                (error.code.as_str(), error.field.as_str()),
                ("spec_invalid", "/connection_string"),
                "{password}"
            );
            assert!(!format!("{error:?}").contains("w0"), "{error:?}");
        }
        for text in [
            "postgres://longshore:p%40ssw0rd@127.0.0.1:5432/shop",
            "postgres://longshore:x@db-1.example_net.com,[::1]:5433/shop?application_name=a@b",
            "postgres://longshore@%2Fvar%2Frun/shop",
            "host=db user=longshore password='p@ss' dbname='a@b'",
        ] {
            assert!(refusal(text).is_none(), "{text}");
        }
    }
}
