//! What is listed, and that everything listed can be read: tables, views, queries, odd names, large and empty ones.

use longshore_sdk::harness::{SourceHarness, texts};
use longshore_source_clickhouse::ClickHouse;
use serde_json::json;

use crate::support::{database, read_all, reading};

#[tokio::test]
async fn tables_and_views_are_listed_with_keys_kinds_and_cursor_candidates() {
    let database = database(
        "CREATE TABLE events (id UUID, at DateTime64(3), name String) ENGINE = MergeTree ORDER BY (at, id);\n\
         CREATE TABLE profiles (custom_id String, last_updated_at DateTime, visits UInt32) ENGINE = ReplacingMergeTree(last_updated_at) ORDER BY custom_id;\n\
         INSERT INTO events SELECT generateUUIDv4(), now64(3), 'x' FROM numbers(10);\n\
         CREATE VIEW names AS SELECT name FROM events;\n\
         CREATE MATERIALIZED VIEW daily ENGINE = SummingMergeTree ORDER BY day AS SELECT toDate(at) AS day, count() AS n FROM events GROUP BY day",
    )
    .await;
    let source = SourceHarness::configure::<ClickHouse>(database.spec(json!({"cursor": "last_updated_at"})))
        .await
        .unwrap();
    let listed = source.list_tables(&[]).await.unwrap();
    let own: Vec<_> = listed.iter().filter(|table| !table.name.contains('.')).collect();
    let names: Vec<&str> = own.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(
        names,
        ["daily", "events", "names", "profiles"],
        "the inner table of a materialized view is not listed"
    );
    let kinds: Vec<&str> = own.iter().map(|table| table.kind.as_str()).collect();
    assert_eq!(kinds, ["materialized view", "table", "view", "table"]);
    assert!(
        own[1].primary_key.is_empty(),
        "the sorting key of a plain MergeTree identifies nothing"
    );
    assert_eq!(
        (own[1].estimated_rows, own[1].estimated_bytes.is_some()),
        (Some(10), true)
    );
    assert_eq!(own[3].primary_key, ["custom_id"]);
    assert_eq!(own[3].cursor.as_deref(), Some("last_updated_at"));
    assert_eq!(own[3].cursor_candidates, ["last_updated_at", "visits"]);
    assert_eq!(
        own[0].cursor, None,
        "a table without the cursor column is listed without"
    );
    for table in &own {
        if table.cursor.is_none() {
            let spec = database.spec(json!({}));
            assert_eq!(
                read_all(spec, &table.name).await.schema(),
                table.schema,
                "{}",
                table.name
            );
        }
    }
}

#[tokio::test]
async fn odd_names_of_tables_and_columns_are_only_names() {
    let database = database("").await;
    for (index, name) in [
        "a b",
        "a`b",
        "it's",
        "back\\slash",
        "with.dot",
        "ünï🚢",
        "SELECT",
        "x\" y",
        "longshore 0",
    ]
    .into_iter()
    .enumerate()
    {
        let quoted = format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"));
        database
            .execute(&format!(
                "CREATE TABLE {quoted} (id UInt8, {quoted} String, `at {index}` DateTime) ENGINE = ReplacingMergeTree ORDER BY ({quoted}, id);\n\
                 INSERT INTO {quoted} VALUES (1, 'v', '2020-01-01 00:00:00')"
            ))
            .await;
        let shown = if name.contains(['.', '"']) {
            format!("\"{}\"", name.replace('"', "\"\""))
        } else {
            name.to_owned()
        };
        let options = json!({"cursor": format!("at {index}")});
        let mut reading = reading(database.spec(options), &shown).await;
        let rows = reading.run().await;
        assert_eq!(texts(&rows.batch, name), ["v"], "{name}");
        let listed = reading.source.list_tables(&[&shown]).await.unwrap();
        assert_eq!(
            (listed[0].name.as_str(), listed[0].primary_key.clone()),
            (shown.as_str(), vec![name.to_owned(), "id".to_owned()])
        );
        assert_eq!(reading.run().await.deduplicated, 1);
    }
}

#[tokio::test]
async fn tables_of_other_databases_are_named_with_them() {
    let database = database("").await;
    let other = format!("{}_other.db", database.name());
    database.execute(&format!("CREATE DATABASE `{other}`;\nCREATE TABLE `{other}`.t (id UInt8) ENGINE = Memory;\nINSERT INTO `{other}`.t VALUES (7)")).await;
    let name = format!("\"{other}\".t");
    assert_eq!(texts(&read_all(database.spec(json!({})), &name).await, "id"), ["7"]);
    let source = SourceHarness::configure::<ClickHouse>(database.spec(json!({})))
        .await
        .unwrap();
    assert!(
        source
            .list_tables(&[])
            .await
            .unwrap()
            .iter()
            .any(|table| table.name == name)
    );
    database.execute(&format!("DROP DATABASE `{other}`")).await;
}

#[tokio::test]
async fn a_query_is_a_table_with_the_key_that_it_is_given() {
    let database = database(
        "CREATE TABLE t (id UInt64, at DateTime64(3), tags Array(String)) ENGINE = MergeTree ORDER BY id;\n\
        INSERT INTO t SELECT number, toDateTime64(1500000000 + number, 3), ['a?', '{b:String}'] FROM numbers(5)",
    )
    .await;
    let query = "SELECT toString(id) AS custom_id, at, toJSONString(tags) AS tags FROM t -- with a '?' and a ` comment";
    let options = json!({"cursor": "at", "table_options": {"named": {"query": query, "primary_key": ["custom_id"]}}});
    let mut reading = reading(database.spec(options), "named").await;
    let listed = reading.source.list_tables(&["named"]).await.unwrap();
    assert_eq!(
        (listed[0].kind.as_str(), listed[0].primary_key.as_slice()),
        ("query", ["custom_id".to_owned()].as_slice())
    );
    let rows = reading.run().await;
    assert_eq!(rows.sorted("custom_id"), ["0", "1", "2", "3", "4"]);
    assert_eq!(texts(&rows.batch, "tags")[0], "[\"a?\",\"{b:String}\"]");
}

#[tokio::test]
async fn columns_are_selected_in_the_order_that_is_asked_for_and_computed_ones_only_when_named() {
    let database = database(
        "CREATE TABLE t (id UInt8, name String DEFAULT 'x', twice UInt8 ALIAS id * 2, kept UInt8 MATERIALIZED id + 1, gone UInt8 EPHEMERAL) ENGINE = MergeTree ORDER BY id;\n\
         INSERT INTO t (id) VALUES (3)",
    )
    .await;
    let names = |batch: &longshore_sdk::arrow::array::RecordBatch| -> Vec<String> {
        batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    };
    assert_eq!(names(&read_all(database.spec(json!({})), "t").await), ["id", "name"]);
    let chosen = read_all(
        database.spec(json!({"table_options": {"t": {"columns": ["kept", "twice", "id"]}}})),
        "t",
    )
    .await;
    assert_eq!(names(&chosen), ["kept", "twice", "id"]);
    assert_eq!(
        (texts(&chosen, "kept"), texts(&chosen, "twice")),
        (vec!["4".to_owned()], vec!["6".to_owned()])
    );
    let text = read_all(
        database.spec(json!({"table_options": {"t": {"text_columns": ["id"], "exclude_columns": ["name"]}}})),
        "t",
    )
    .await;
    assert_eq!(
        text.column_by_name("id").unwrap().data_type(),
        &longshore_sdk::arrow::datatypes::DataType::Utf8
    );
}

#[tokio::test]
async fn a_large_table_is_read_in_slices_that_hold_every_row_once() {
    let database = database(
        "CREATE TABLE t (id UInt64, at DateTime('UTC'), kind Enum8('a' = 1, 'b' = 2)) ENGINE = ReplacingMergeTree ORDER BY (kind, id);\n\
         INSERT INTO t SELECT number, toDateTime(1500000000 + number % 1000, 'UTC'), 1 + number % 2 FROM numbers(100000)",
    )
    .await;
    for options in [
        json!({"partition_rows": 10_000}),
        json!({"partition_rows": 10_000, "cursor": "at"}),
        json!({"partition_rows": 10_000, "cursor": "id", "final": false}),
    ] {
        let source = SourceHarness::configure::<ClickHouse>(database.spec(options.clone()))
            .await
            .unwrap();
        let (outcomes, _) = source.run("run", "t", None).await.unwrap();
        assert!(outcomes.len() > 1, "{options}: one piece");
        let mut ids: Vec<u64> = outcomes
            .iter()
            .flat_map(|outcome| texts(&outcome.rows(), "id"))
            .map(|id| id.parse().unwrap())
            .collect();
        ids.sort_unstable();
        assert!(ids.into_iter().eq(0..100_000), "{options}");
    }
}

#[tokio::test]
async fn empty_tables_have_columns_and_no_rows() {
    let database = database("CREATE TABLE t (id UInt8, n Nullable(String)) ENGINE = MergeTree ORDER BY tuple();\nCREATE TABLE m (id UInt8) ENGINE = Memory").await;
    for table in ["t", "m"] {
        assert_eq!(read_all(database.spec(json!({})), table).await.num_rows(), 0);
    }
}

#[tokio::test]
async fn rows_of_megabytes_come_whole() {
    let database = database("CREATE TABLE t (id UInt8, c String) ENGINE = MergeTree ORDER BY id;\nINSERT INTO t SELECT number, repeat(toString(number), 900000) FROM numbers(6)").await;
    let batch = read_all(database.spec(json!({})), "t").await;
    let lengths: Vec<usize> = texts(&batch, "c").iter().map(String::len).collect();
    assert_eq!(lengths, [900_000; 6]);
}

#[tokio::test]
async fn compression_changes_nothing_but_the_bytes_on_the_way() {
    let database = database(
        "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id;\nINSERT INTO t SELECT number FROM numbers(50000)",
    )
    .await;
    for compression in ["none", "lz4", "auto"] {
        let batch = read_all(database.spec(json!({"compression": compression})), "t").await;
        assert_eq!(batch.num_rows(), 50_000, "{compression}");
    }
}
