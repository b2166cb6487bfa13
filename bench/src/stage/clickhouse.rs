//! A ClickHouse engine with the tables of the bench.

use chrono::{TimeDelta, Utc};
use longshore_tests::{ClickHouseDatabase, ClickHouseServer, Context, Failure, FrontOptions, Result};

use crate::table::{Sizes, Table};

/// Rows of one insertion: each becomes a part, and takes well under the bound of a statement.
const ROWS_OF_AN_INSERTION: u64 = 5_000_000;

/// The engine behind its front. It ends when dropped.
pub(crate) struct ClickHouse {
    server: ClickHouseServer,
    database: ClickHouseDatabase,
    sizes: Sizes,
    /// The cursor of the first row, in microseconds since 1970.
    begin: i64,
}

impl ClickHouse {
    pub(crate) async fn start(sizes: Sizes) -> Result<Self> {
        let server = ClickHouseServer::start_front(FrontOptions::default()).await?;
        let database = server.create_database_named("bench").await?;
        Ok(Self {
            server,
            database,
            sizes,
            begin: (Utc::now() - TimeDelta::hours(7)).timestamp_micros(),
        })
    }

    /// The process of front and engine.
    pub(crate) fn pid(&self) -> Result<i32> {
        let pid = self.server.front_pid().context("the front is a process")?;
        i32::try_from(pid).context("a process number is small")
    }

    pub(crate) fn server(&self) -> &ClickHouseServer {
        &self.server
    }

    pub(crate) fn database(&self) -> &ClickHouseDatabase {
        &self.database
    }

    /// `ClickHouse 26.9.…`, as the engine says it.
    pub(crate) async fn version(&self) -> Result<String> {
        Ok(format!("ClickHouse {}", self.database.value("SELECT version()").await?))
    }

    /// Makes and fills a table.
    pub(crate) async fn load(&self, table: Table) -> Result<()> {
        let rows = table.rows(&self.sizes);
        let (definition, insertion) = match table {
            Table::Events | Table::EventsToSend => (
                include_str!("events.clickhouse.sql"),
                include_str!("events_rows.clickhouse.sql"),
            ),
            Table::ProfilesToSend => (
                include_str!("profiles.clickhouse.sql"),
                include_str!("profiles_rows.clickhouse.sql"),
            ),
            Table::Large => (
                include_str!("large.clickhouse.sql"),
                include_str!("large_rows.clickhouse.sql"),
            ),
            Table::Millions(_) | Table::Wide | Table::Mebibytes => {
                return self.database.execute(&view(table, rows)).await;
            }
        };
        let name = table.name();
        self.database.execute(&definition.replace("{table}", &name)).await?;
        let mut from = 0;
        while from < rows {
            let count = (rows - from).min(ROWS_OF_AN_INSERTION);
            let values = [
                ("{table}", name.clone()),
                ("{begin}", self.begin.to_string()),
                ("{rows}", rows.to_string()),
                ("{from}", from.to_string()),
                ("{count}", count.to_string()),
            ];
            let filled = values
                .iter()
                .fold(insertion.to_owned(), |text, (word, value)| text.replace(word, value));
            self.database.execute(&filled).await?;
            from += count;
        }
        let counted = self.database.count(&format!("SELECT count() FROM {table}")).await?;
        if u64::try_from(counted).ok() != Some(rows) {
            return Err(Failure::new(format!("{table} has {counted} rows in place of {rows}")));
        }
        // Merges now, so that none runs while something is measured.
        self.database.execute(&format!("OPTIMIZE TABLE {table} FINAL")).await
    }

    /// Adds rows to the large table, old enough to be read at once: the source leaves the newest seconds for the next run.
    pub(crate) async fn add_new(&self) -> Result<()> {
        let statement = format!(
            "INSERT INTO large SELECT (SELECT max(id) FROM large) + number + 1, concat('customer-', toString(number)), number, now64(6) - INTERVAL 10 SECOND
             FROM numbers({})",
            self.sizes.new
        );
        self.database.execute(&statement).await
    }
}

/// Rows that the engine makes while they are read.
fn view(table: Table, rows: u64) -> String {
    let columns = match table {
        Table::Wide => {
            let column = |number: u32| match number % 4 {
                0 => format!("id + {number} AS number_{number}"),
                1 => format!("concat('text ', toString(id % {number})) AS text_{number}"),
                2 => format!("id / {number} AS ratio_{number}"),
                _ => format!("id % {number} = 0 AS flag_{number}"),
            };
            (1..200).map(column).collect::<Vec<_>>().join(", ")
        }
        Table::Mebibytes => "repeat(lower(hex(MD5(toString(id)))), 32768) AS body".to_owned(),
        _ => "concat('customer-', toString(id % 200000)) AS custom_id, 'page_view' AS event_name, id % 9 AS quantity, id % 100000 / 100 AS price, \
              id % 50 = 0 AS is_gift, concat('https://shop.example/items/', toString(id % 5000)) AS url__item_url, \
              concat('{\"weight_g\":', toString(id % 900), '}') AS product_details, fromUnixTimestamp64Milli(toInt64(1767225600000 + id), 'UTC') AS event_time"
            .to_owned(),
    };
    format!("CREATE VIEW {table} AS SELECT toInt64(number + 1) AS id, {columns} FROM numbers({rows})")
}
