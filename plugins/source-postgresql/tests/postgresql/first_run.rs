//! The first run of a large table: in the order of an index, or of its pages where no index has the order; never by a sort of everything.

use longshore_sdk::prelude::*;
use serde_json::json;

use crate::support::{Database, Reading, database, quiet_database};

/// Some megabytes in an order that is not the cursor's.
const SHUFFLED: &str = "\
CREATE TABLE t (id int PRIMARY KEY, pad text, at timestamptz); \
INSERT INTO t SELECT n, repeat('x', 300), '2026-01-01'::timestamptz + hashint4(n) % 100000 * interval '1 second' FROM generate_series(1, 20000) n;";

/// A sort that does not fit into little memory is refused, although the server would rather sort than follow an index.
async fn without_sorting(database: &Database) {
    let name = &database.name;
    database
        .execute(&format!(
            "ALTER DATABASE {name} SET work_mem = '64kB'; ALTER DATABASE {name} SET temp_file_limit = '3MB'; ALTER DATABASE {name} SET effective_cache_size = '1MB'; ANALYZE t"
        ))
        .await;
}

async fn plan_of(reading: &Reading) -> TablePlan {
    let selection = TableSelection {
        name: "t".to_owned(),
        state: reading.state.clone(),
        ..TableSelection::default()
    };
    let mut plans = reading.source.open_run("look", 1, vec![selection]).await.unwrap();
    reading.source.close_run("look").await.unwrap();
    plans.remove(0)
}

#[tokio::test]
async fn a_large_table_without_an_index_on_its_cursor_is_read_by_pages_and_says_so() {
    let database = quiet_database(SHUFFLED).await;
    without_sorting(&database).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at", "partition_megabytes": 1})), "t").await;
    let plan = plan_of(&reading).await;
    assert!(plan.partitions.len() > 3, "{}", plan.partitions.len());
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.contains("CREATE INDEX CONCURRENTLY ON \"public\".\"t\" (\"at\", \"id\")")),
        "{:?}",
        plan.warnings
    );
    let mut ids = reading.run().await.numbers("id");
    ids.sort_unstable();
    assert_eq!(ids, (1..=20_000).collect::<Vec<i64>>());
    assert_eq!(reading.run().await.count(), 0);
    database
        .execute("INSERT INTO t SELECT 30000, 'new', max(at) FROM t")
        .await;
    assert_eq!(reading.run().await.numbers("id"), [30_000]);
}

#[tokio::test]
async fn a_large_table_with_an_index_is_read_in_its_order_without_a_sort() {
    let database = database(&format!("{SHUFFLED} CREATE INDEX ON t (at, id)")).await;
    without_sorting(&database).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at", "partition_megabytes": 1})), "t").await;
    let plan = plan_of(&reading).await;
    assert_eq!((plan.partitions.len(), plan.warnings.len()), (1, 0));
    let rows = reading.run().await;
    assert_eq!(rows.count(), 20_000);
    let at = crate::support::texts(&rows.batch, "at");
    assert!(at.is_sorted());
}

#[tokio::test]
async fn a_small_table_without_an_index_is_delivered_in_the_order_of_its_cursor() {
    let database = database(SHUFFLED).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "t").await;
    let rows = reading.run().await;
    assert_eq!(rows.count(), 20_000);
    assert!(crate::support::texts(&rows.batch, "at").is_sorted());
}

#[tokio::test]
async fn a_first_read_by_pages_leaves_out_and_counts_what_the_options_say_and_finds_late_commits() {
    let database = quiet_database(SHUFFLED).await;
    database
        .execute("UPDATE t SET at = NULL WHERE id <= 10; INSERT INTO t VALUES (40000, 'now', now())")
        .await;
    let late = database.connect().await;
    late.batch_execute("BEGIN; INSERT INTO t SELECT 50000 + n, 'late', now() FROM generate_series(1, 3) n")
        .await
        .unwrap();
    // Younger than the open transaction: the next run sees it again and must know it.
    database
        .execute("INSERT INTO t VALUES (40001, 'newer', now() + interval '1 millisecond')")
        .await;
    let options = json!({"null_cursor": "skip", "start_from": "2026-01-01T00:00:00Z"});
    let spec = database.spec(json!({"cursor": "at", "partition_megabytes": 1, "table_options": {"t": options}}));
    let mut reading = Reading::new(spec, "t").await;
    let before = database
        .number("SELECT count(*) FROM t WHERE at < '2026-01-01T00:00:00Z'")
        .await;
    let rows = reading.run().await;
    assert_eq!(
        rows.filtered, 10,
        "rows without a cursor are counted once, not in every piece"
    );
    assert_eq!(rows.count() as i64, 20_002 - 10 - before);
    late.batch_execute("COMMIT").await.unwrap();
    let rows = reading.run().await;
    assert_eq!(
        (rows.sorted("id"), rows.deduplicated),
        (vec!["50001".to_owned(), "50002".to_owned(), "50003".to_owned()], 1)
    );
}
