//! A ClickHouse for the tests: the engine behind the front, or the server that the environment names, and a database for each test.

pub(crate) mod proxy;

use longshore_sdk::{arrow::array::RecordBatch, harness::TableReading};
use longshore_source_clickhouse::ClickHouse;
use longshore_tests::{ClickHouseDatabase, ClickHouseServer};
use serde_json::{Value, json};

/// A database for one test.
pub(crate) struct Database {
    pub(crate) server: &'static ClickHouseServer,
    database: ClickHouseDatabase,
}

/// A new database in which these statements, separated by `;` at the end of a line, were run.
pub(crate) async fn database(statements: &str) -> Database {
    let server = ClickHouseServer::shared().await.unwrap();
    let database = server.create_database().await.unwrap();
    let database = Database { server, database };
    database.execute(statements).await;
    database
}

impl Database {
    /// A specification for it, with these fields beside those of the connection.
    pub(crate) fn spec(&self, more: Value) -> Value {
        let mut spec = json!({
            "host": self.server.host(), "port": self.server.port(), "username": self.server.user(),
            "password": self.server.password(), "database": self.database.name(),
        });
        let Value::Object(more) = more else { panic!("{more}") };
        spec.as_object_mut().unwrap().extend(more);
        spec
    }

    pub(crate) fn name(&self) -> &str {
        self.database.name()
    }

    pub(crate) async fn execute(&self, statements: &str) {
        self.database.execute(statements).await.unwrap();
    }

    pub(crate) async fn count(&self, query: &str) -> i64 {
        self.database.count(query).await.unwrap()
    }
}

/// A table of a source, from run to run.
pub(crate) async fn reading(spec: Value, table: &str) -> TableReading<ClickHouse> {
    TableReading::new(spec, table).await
}

/// All rows of a table that is read whole.
pub(crate) async fn read_all(spec: Value, table: &str) -> RecordBatch {
    reading(spec, table).await.run().await.batch
}
