//! A PostgreSQL server with the tables of the bench.

use longshore_tests::{Context, Database, Failure, PostgresCluster, Result};

use crate::table::{Sizes, Table};

/// What the server is told besides what the tests' clusters have. A machine that serves a database has its tables in memory and no other work.
pub(crate) const SETTINGS: [&str; 10] = [
    "shared_buffers=2GB",
    "max_wal_size=8GB",
    "wal_level=minimal",
    "max_wal_senders=0",
    "maintenance_work_mem=512MB",
    "work_mem=64MB",
    // Nothing else is to run while something is measured.
    "autovacuum=off",
    "checkpoint_timeout=1h",
    "bgwriter_lru_maxpages=0",
    "jit=off",
];

/// The server. It ends when dropped.
pub(crate) struct Postgresql {
    cluster: PostgresCluster,
    database: Database,
    sizes: Sizes,
}

/// How a client reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Transport {
    /// Its Unix socket.
    Socket,
    /// TCP on 127.0.0.1.
    Tcp,
}

impl Postgresql {
    pub(crate) async fn start(sizes: Sizes) -> Result<Self> {
        let cluster = PostgresCluster::start_with(&SETTINGS).await?;
        let database = cluster.create_database_named("bench").await?;
        Ok(Self {
            cluster,
            database,
            sizes,
        })
    }

    /// The parent of its processes.
    pub(crate) fn pid(&self) -> Result<i32> {
        self.cluster.pid()
    }

    pub(crate) fn port(&self) -> u16 {
        self.database.port()
    }

    pub(crate) fn database(&self) -> &str {
        self.database.name()
    }

    /// The connection string of TCP, password included.
    pub(crate) fn connection_string(&self) -> String {
        self.database.connection_string()
    }

    /// The host as clients take it: an address, or the directory of the socket.
    pub(crate) fn host(&self, transport: Transport) -> String {
        match transport {
            Transport::Socket => self.cluster.socket_folder().display().to_string(),
            Transport::Tcp => "127.0.0.1".to_owned(),
        }
    }

    /// `PostgreSQL 17.2 …`, as the server says it.
    pub(crate) async fn version(&self) -> Result<String> {
        let connection = self.database.connect().await?;
        let row = connection.query_one("SHOW server_version", &[]).await;
        let row = row.context("the server does not say its version")?;
        let version: String = row.try_get(0).context("the server's version is text")?;
        Ok(format!("PostgreSQL {version}"))
    }

    /// Makes and fills a table.
    pub(crate) async fn load(&self, table: Table) -> Result<()> {
        let rows = table.rows(&self.sizes);
        let template = match table {
            Table::Events | Table::EventsToSend => include_str!("events.postgresql.sql"),
            Table::ProfilesToSend => include_str!("profiles.postgresql.sql"),
            Table::Large => include_str!("large.postgresql.sql"),
            Table::Millions(_) | Table::Wide | Table::Mebibytes => {
                return self.database.execute(&view(table, rows)).await;
            }
        };
        let statements = template
            .replace("{table}", &table.name())
            .replace("{rows}", &rows.to_string());
        self.database.execute(&statements).await?;
        // Visibility and statistics are settled once, not by whoever reads first; one reading warms the cache.
        self.database
            .execute(&format!("VACUUM (ANALYZE, FREEZE) {table}"))
            .await?;
        let counted = self.database.count(&format!("SELECT count(*) FROM {table}")).await?;
        if u64::try_from(counted).ok() != Some(rows) {
            return Err(Failure::new(format!("{table} has {counted} rows in place of {rows}")));
        }
        self.database.execute("CHECKPOINT").await
    }

    /// Adds rows to the large table, as of now.
    pub(crate) async fn add_new(&self) -> Result<()> {
        let statement = format!(
            "INSERT INTO large SELECT (SELECT max(id) FROM large) + n, 'customer-' || n, n, clock_timestamp() FROM generate_series(1, {}) AS n",
            self.sizes.new
        );
        self.database.execute(&statement).await
    }
}

/// Rows that the server makes one after another while they are read: no table's size limits how many.
fn view(table: Table, rows: u64) -> String {
    let columns = match table {
        Table::Wide => {
            let column = |number: u32| match number % 4 {
                0 => format!("n + {number} AS number_{number}"),
                1 => format!("'text ' || n % {number} AS text_{number}"),
                2 => format!("n / {number}.0::double precision AS ratio_{number}"),
                _ => format!("n % {number} = 0 AS flag_{number}"),
            };
            (1..200).map(column).collect::<Vec<_>>().join(", ")
        }
        Table::Mebibytes => "repeat(md5(n::text), 32768) AS body".to_owned(),
        _ => "'customer-' || n % 200000 AS custom_id, 'page_view' AS event_name, n % 9 AS quantity, n % 100000 / 100.0::double precision AS price, \
              n % 50 = 0 AS is_gift, 'https://shop.example/items/' || n % 5000 AS url__item_url, '{\"weight_g\":' || n % 900 || '}' AS product_details, \
              timestamptz '2026-01-01 00:00:00Z' + n * interval '1 millisecond' AS event_time"
            .to_owned(),
    };
    format!(
        "CREATE VIEW {table} AS SELECT n AS id, {columns} FROM (SELECT generate_series(1::bigint, {rows}) AS n) AS numbers"
    )
}
