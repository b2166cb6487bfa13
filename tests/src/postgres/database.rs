//! A database of a cluster, and connections to it.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls};

use super::{PASSWORD, USER};
use crate::{Context, Result};

/// A database of a throwaway cluster.
#[derive(Clone, Debug)]
pub struct Database {
    socket_folder: PathBuf,
    port: u16,
    name: String,
}

impl Database {
    pub(super) fn new(socket_folder: PathBuf, port: u16, name: String) -> Self {
        Self {
            socket_folder,
            port,
            name,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the server's Unix socket.
    pub fn socket_folder(&self) -> &Path {
        &self.socket_folder
    }

    /// The connection string of TCP, password included.
    pub fn connection_string(&self) -> String {
        format!("postgresql://{USER}:{PASSWORD}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// A new connection, over the Unix socket.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn connect(&self) -> Result<Connection> {
        Connection::open(&self.socket_folder, self.port, &self.name).await
    }

    /// Runs statements on a connection of their own.
    ///
    /// # Errors
    /// A statement fails.
    pub async fn execute(&self, statements: &str) -> Result<()> {
        let connection = self.connect().await?;
        connection
            .batch_execute(statements)
            .await
            .context(format!("these statements fail: {statements}"))
    }

    /// The one number that a query gives.
    ///
    /// # Errors
    /// The query fails.
    pub async fn count(&self, query: &str) -> Result<i64> {
        let connection = self.connect().await?;
        let row = connection
            .query_one(query, &[])
            .await
            .context(format!("this query fails: {query}"))?;
        row.try_get(0).context(format!("this query gives no bigint: {query}"))
    }
}

/// A connection to a database; it closes when dropped.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    traffic: JoinHandle<()>,
}

impl Connection {
    pub(super) async fn open(socket_folder: &Path, port: u16, database: &str) -> Result<Self> {
        let mut config = Config::new();
        config.host_path(socket_folder).port(port).user(USER).dbname(database);
        let (client, connection) = config.connect(NoTls).await.context("PostgreSQL refuses a connection")?;
        let traffic = tokio::spawn(async move {
            // Whoever uses the client meets the same error there.
            let _ = connection.await;
        });
        Ok(Self { client, traffic })
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.traffic.abort();
    }
}
