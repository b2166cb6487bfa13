//! The shop that is moved: profiles and events, with values that Batch takes.

mod clickhouse;
mod configuration;

pub use clickhouse::ClickHouseShop;
pub use configuration::{BATCH_KEY_VARIABLE, Configuration, PASSWORD_VARIABLE, Target};

use crate::{Connection, Context, Database, Result};

/// A shop in a database of its own. Two calls with the same numbers give the same rows, apart from their times.
///
/// The events of a large shop spread over the last hours, well inside the 24 hours that Batch takes; fifty rows at a time share one value of the
/// cursor column, as rows of one transaction do.
#[derive(Debug)]
pub struct Shop {
    database: Database,
    connection: Connection,
}

/// Over how long the first rows of a shop were written.
const SPREAD: &str = "6 hours";

impl Shop {
    /// Makes the tables and fills them.
    ///
    /// # Errors
    /// A statement fails: there is a shop in the database already.
    pub async fn open(database: Database, profiles: i64, events: i64) -> Result<Self> {
        let connection = database.connect().await?;
        connection
            .batch_execute(include_str!("shop/schema.sql"))
            .await
            .context("the shop's tables can not be made")?;
        let shop = Self { database, connection };
        for (function, rows) in [("add_profiles", profiles), ("add_events", events)] {
            let statement = format!("SELECT count(*) FROM demo.{function}($1, '{SPREAD}')");
            shop.connection
                .query_one(&statement, &[&rows])
                .await
                .context(format!("{function} fails"))?;
        }
        shop.connection
            .batch_execute("ANALYZE")
            .await
            .context("the shop can not be analyzed")?;
        Ok(shop)
    }

    /// The database that it is in.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Adds customers, as of now; gives their ids.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn add_profiles(&self, count: i64) -> Result<Vec<String>> {
        self.ids("SELECT demo.add_profiles($1)", count).await
    }

    /// Changes customers, as of now; gives their ids. Never more than there are.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn change_profiles(&self, count: i64) -> Result<Vec<String>> {
        self.ids("SELECT demo.change_profiles($1)", count).await
    }

    /// Adds events, as of now; gives their ids.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn add_events(&self, count: i64) -> Result<Vec<String>> {
        self.ids("SELECT demo.add_events($1)::text", count).await
    }

    async fn ids(&self, query: &str, count: i64) -> Result<Vec<String>> {
        let rows = self
            .connection
            .query(query, &[&count])
            .await
            .context(format!("this fails: {query}"))?;
        let ids = rows.iter().map(|row| row.try_get(0));
        ids.collect::<Result<_, _>>().context("ids are text")
    }
}
