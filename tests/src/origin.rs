//! Where the rows of a sync come from.

use serde_json::{Map, Value};

use crate::{ClickHouseDatabase, Context, Database, PASSWORD, Result, USER};

/// A database that a sync reads and a comparison asks.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// A database of a PostgreSQL cluster.
    PostgreSql(&'a Database),
    /// A database of a ClickHouse server.
    ClickHouse(&'a ClickHouseDatabase),
}

impl<'a> From<&'a Database> for Origin<'a> {
    fn from(database: &'a Database) -> Self {
        Self::PostgreSql(database)
    }
}

impl<'a> From<&'a ClickHouseDatabase> for Origin<'a> {
    fn from(database: &'a ClickHouseDatabase) -> Self {
        Self::ClickHouse(database)
    }
}

impl<'a> Origin<'a> {
    /// The name of the source plugin that reads it.
    pub fn plugin(self) -> &'static str {
        match self {
            Self::PostgreSql(_) => "postgresql",
            Self::ClickHouse(_) => "clickhouse",
        }
    }

    /// The host to connect to.
    pub fn host(self) -> &'a str {
        match self {
            Self::PostgreSql(_) => "127.0.0.1",
            Self::ClickHouse(database) => database.host(),
        }
    }

    /// The port to connect to.
    pub fn port(self) -> u16 {
        match self {
            Self::PostgreSql(database) => database.port(),
            Self::ClickHouse(database) => database.port(),
        }
    }

    /// The name of the database.
    pub fn name(self) -> &'a str {
        match self {
            Self::PostgreSql(database) => database.name(),
            Self::ClickHouse(database) => database.name(),
        }
    }

    /// The user to log in as.
    pub fn user(self) -> &'a str {
        match self {
            Self::PostgreSql(_) => USER,
            Self::ClickHouse(database) => database.user(),
        }
    }

    /// The user's password.
    pub fn password(self) -> &'a str {
        match self {
            Self::PostgreSql(_) => PASSWORD,
            Self::ClickHouse(database) => database.password(),
        }
    }

    /// Rows as objects with a member for each column, every digit kept, instants in UTC; of tables that replace rows, the last version of each.
    ///
    /// # Errors
    /// The query fails.
    pub async fn rows(self, query: &str) -> Result<Vec<Map<String, Value>>> {
        match self {
            Self::PostgreSql(database) => rows_of_postgresql(database, query).await,
            Self::ClickHouse(database) => {
                let settings = "SETTINGS final = 1, date_time_output_format = 'iso'";
                database.rows(&format!("{query} {settings}")).await
            }
        }
    }
}

async fn rows_of_postgresql(database: &Database, query: &str) -> Result<Vec<Map<String, Value>>> {
    let connection = database.connect().await?;
    connection
        .batch_execute("SET timezone = 'UTC'")
        .await
        .context("the time zone can not be set")?;
    let rows = connection
        .query(&format!("SELECT to_jsonb(rows)::text FROM ({query}) AS rows"), &[])
        .await
        .context(format!("this query fails: {query}"))?;
    rows.iter()
        .map(|row| {
            let text: &str = row.try_get(0).context("rows come as JSON text")?;
            serde_json::from_str(text).context("a row is a JSON object")
        })
        .collect()
}
