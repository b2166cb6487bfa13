//! The same shop in ClickHouse.

use crate::{ClickHouseDatabase, Context, Result};

/// A shop in a ClickHouse database of its own. Two calls with the same numbers give the same rows, apart from their times.
///
/// Customers are rows of a ReplacingMergeTree that a view, `profiles`, gives to Batch; one in twenty has an earlier version besides the valid one.
/// Events are rows of a MergeTree in the order of their cursor. Times are as in the other [`Shop`](super::Shop).
#[derive(Debug)]
pub struct ClickHouseShop {
    database: ClickHouseDatabase,
}

/// Over how many seconds the first rows of a shop were written.
const SPREAD: i64 = 6 * 60 * 60;

/// The earlier versions, which nobody must ever see again.
const SUPERSEDED: &str = "INSERT INTO customers (id, email, plan, spent, is_vip, updated_at)
    SELECT id, 'superseded@shop.example', 'superseded', 0, false, updated_at - INTERVAL 1 HOUR FROM customers WHERE cityHash64(id, 11) % 20 = 0";

impl ClickHouseShop {
    /// Makes the tables and the view, and fills them.
    ///
    /// # Errors
    /// A statement fails: there is a shop in the database already.
    pub async fn open(database: ClickHouseDatabase, profiles: i64, events: i64) -> Result<Self> {
        let schema = database.execute(include_str!("clickhouse/schema.sql")).await;
        schema.context("the shop's tables can not be made")?;
        let shop = Self { database };
        shop.insert_customers(profiles, SPREAD).await?;
        shop.database.execute(SUPERSEDED).await?;
        shop.insert_events(events, SPREAD).await?;
        Ok(shop)
    }

    /// The database that it is in.
    pub fn database(&self) -> &ClickHouseDatabase {
        &self.database
    }

    /// Adds customers, as of now; gives their ids.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn add_profiles(&self, count: i64) -> Result<Vec<String>> {
        let before = self.insert_customers(count, 0).await?;
        Ok((before + 1..=before + count)
            .map(|number| format!("customer-{number}"))
            .collect())
    }

    /// Changes customers, as of now; gives their ids. Never more than there are.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn change_profiles(&self, count: i64) -> Result<Vec<String>> {
        let chosen = format!("SELECT id FROM customers FINAL ORDER BY cityHash64(id, 7), id LIMIT {count}");
        let chosen = self.database.rows(&chosen).await?;
        self.database
            .execute_with(include_str!("clickhouse/change_customers.sql"), &[("how_many", count)])
            .await?;
        let ids = chosen.iter().map(|row| row["id"].as_str().map(str::to_owned));
        ids.collect::<Option<_>>().context("ids are text")
    }

    /// Adds events, as of now; gives their ids.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn add_events(&self, count: i64) -> Result<Vec<String>> {
        let before = self.insert_events(count, 0).await?;
        Ok((before + 1..=before + count).map(|number| number.to_string()).collect())
    }

    /// Gives how many customers there were before.
    async fn insert_customers(&self, count: i64, spread: i64) -> Result<i64> {
        let before = self.customers().await?;
        let values = [("before", before), ("how_many", count), ("spread", spread)];
        self.database
            .execute_with(include_str!("clickhouse/add_customers.sql"), &values)
            .await?;
        Ok(before)
    }

    /// Gives the last event's id before.
    async fn insert_events(&self, count: i64, spread: i64) -> Result<i64> {
        let before = self.database.count("SELECT max(event_id) FROM events").await?;
        let customers = self.customers().await?;
        let values = [
            ("before", before),
            ("how_many", count),
            ("spread", spread),
            ("customers", customers),
        ];
        self.database
            .execute_with(include_str!("clickhouse/add_events.sql"), &values)
            .await?;
        Ok(before)
    }

    async fn customers(&self) -> Result<i64> {
        self.database.count("SELECT uniqExact(id) FROM customers").await
    }
}
