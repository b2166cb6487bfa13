//! Incremental reading of tables of every shape: partitioned, inherited, with large values, with columns that the server fills in.

use serde_json::json;

use crate::support::{Reading, quiet_database};

#[tokio::test]
async fn a_row_that_an_update_moves_to_another_partition_is_delivered_with_its_new_version() {
    let database = quiet_database(
        "CREATE TABLE t (id int, region text, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, region)) PARTITION BY LIST (region); \
         CREATE TABLE t_east PARTITION OF t FOR VALUES IN ('east'); CREATE TABLE t_west PARTITION OF t FOR VALUES IN ('west'); \
         INSERT INTO t SELECT n, CASE WHEN n % 2 = 0 THEN 'east' ELSE 'west' END, now() - interval '1 hour' FROM generate_series(1, 20) n",
    )
    .await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "t").await;
    assert_eq!(reading.run().await.count(), 20);
    let late = database.connect().await;
    late.batch_execute("BEGIN; UPDATE t SET region = 'west', at = now() WHERE id = 4")
        .await
        .unwrap();
    database
        .execute("UPDATE t SET region = 'east', at = now() WHERE id = 5")
        .await;
    let rows = reading.run().await;
    assert_eq!(
        (rows.numbers("id"), rows.sorted("region")),
        (vec![5], vec!["east".to_owned()])
    );
    late.batch_execute("COMMIT").await.unwrap();
    let rows = reading.run().await;
    assert_eq!(
        (rows.numbers("id"), rows.sorted("region")),
        (vec![4], vec!["west".to_owned()])
    );
    // A partition that is attached brings rows of another transaction.
    database
        .execute("CREATE TABLE t_north AS SELECT 100 AS id, 'north' AS region, now() AS at; ALTER TABLE t_north ALTER id SET NOT NULL, ALTER region SET NOT NULL, ALTER at SET NOT NULL; ALTER TABLE t ATTACH PARTITION t_north FOR VALUES IN ('north')")
        .await;
    assert_eq!(reading.run().await.numbers("id"), [100]);
}

#[tokio::test]
async fn an_inheriting_table_is_read_by_itself_and_not_with_its_parent() {
    let database = quiet_database(
        "CREATE TABLE parent (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now()); CREATE TABLE child (extra text) INHERITS (parent); \
         INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2)",
    )
    .await;
    for (table, ids) in [("parent", [1, 3]), ("child", [2, 4])] {
        let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), table).await;
        assert_eq!(reading.run().await.numbers("id"), [ids[0]], "{table}");
        database
            .execute(&format!("INSERT INTO {table} VALUES ({})", ids[1]))
            .await;
        assert_eq!(reading.run().await.numbers("id"), [ids[1]], "{table}");
    }
}

#[tokio::test]
async fn a_large_value_that_an_update_does_not_touch_arrives_whole() {
    let database = quiet_database(
        "CREATE TABLE t (id int PRIMARY KEY, document text, note text, at timestamptz NOT NULL DEFAULT now()); \
         ALTER TABLE t ALTER document SET STORAGE EXTERNAL; \
         INSERT INTO t SELECT n, repeat(chr(64 + n), 100000), 'first', now() - interval '1 hour' FROM generate_series(1, 5) n",
    )
    .await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "t").await;
    reading.run().await;
    database
        .execute("UPDATE t SET note = 'changed', at = now() WHERE id = 2")
        .await;
    let rows = reading.run().await;
    assert_eq!(rows.numbers("id"), [2]);
    assert_eq!(
        rows.sorted("document"),
        ["B".repeat(100_000)],
        "kept out of line, untouched by the update"
    );
}

#[tokio::test]
async fn generated_and_domain_columns_serve_as_cursors_and_enums_are_refused() {
    let database = quiet_database(
        "CREATE DOMAIN moment AS timestamptz CHECK (VALUE > '2000-01-01'); CREATE TYPE stage AS ENUM ('new', 'old'); \
         CREATE TABLE t (id int PRIMARY KEY, seconds int8 NOT NULL, doubled int8 GENERATED ALWAYS AS (seconds * 2) STORED, at moment NOT NULL DEFAULT now(), stage stage DEFAULT 'new'); \
         INSERT INTO t (id, seconds, at) SELECT n, n, now() - interval '1 hour' + n * interval '1 second' FROM generate_series(1, 10) n",
    )
    .await;
    for (cursor, first) in [("doubled", 100), ("at", 200)] {
        let mut reading = Reading::new(database.spec(json!({"cursor": cursor})), "t").await;
        reading.run().await;
        assert_eq!(reading.run().await.count(), 0, "{cursor}");
        let late = database.connect().await;
        late.batch_execute(&format!("BEGIN; INSERT INTO t VALUES ({first}, {first})"))
            .await
            .unwrap();
        database
            .execute(&format!("INSERT INTO t VALUES ({first} + 1, {first} + 1)"))
            .await;
        assert_eq!(reading.run().await.numbers("id"), [first + 1], "{cursor}");
        late.batch_execute("COMMIT").await.unwrap();
        assert_eq!(reading.run().await.numbers("id"), [first], "{cursor}");
    }
    let refused = Reading::new(database.spec(json!({"cursor": "stage"})), "t")
        .await
        .try_run()
        .await;
    assert_eq!(
        refused.unwrap_err().code,
        "cursor_unusable",
        "the order of an enum is not that of its names"
    );
}
