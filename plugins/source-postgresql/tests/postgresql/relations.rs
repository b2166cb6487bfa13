//! What is offered: names, kinds, keys, sizes; and what the options make of it.

use serde_json::json;

use crate::support::{Cluster, PASSWORD, Reading, USER, database, read_all, texts};

#[tokio::test]
async fn every_kind_of_relation_is_listed_and_read() {
    let database = database(
        "CREATE TABLE plain (id int PRIMARY KEY, t text); INSERT INTO plain VALUES (1, 'a'), (2, 'b'); \
         CREATE TABLE parted (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); \
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); \
         CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY LIST (id); \
         CREATE TABLE parted_2_1 PARTITION OF parted_2 DEFAULT; \
         INSERT INTO parted VALUES (1, '2026-01-05'), (2, '2026-02-05'), (3, '2026-02-06'); \
         CREATE VIEW looked AS SELECT id, t FROM plain WHERE id > 1; CREATE MATERIALIZED VIEW kept AS SELECT * FROM plain; \
         CREATE EXTENSION postgres_fdw; CREATE TABLE parent (id int); CREATE TABLE child (extra int) INHERITS (parent); \
         INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3); CREATE TABLE nothing (); CREATE TEMP TABLE passing (id int); ANALYZE;",
    )
    .await;
    let foreign = format!(
        "CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{}', dbname '{}'); \
         CREATE USER MAPPING FOR {USER} SERVER here OPTIONS (user '{USER}', password '{PASSWORD}'); \
         CREATE FOREIGN TABLE remote (id int, t text) SERVER here OPTIONS (table_name 'plain')",
        Cluster::shared().port,
        database.name
    );
    database.execute(&foreign).await;
    let spec = database.spec(
        json!({"table_options": {"made": {"query": "SELECT id * 2 AS twice, 'x' AS c FROM plain -- a comment"}}}),
    );
    let source = Reading::new(spec.clone(), "plain").await.source;
    let tables = source.list_tables(&[]).await.unwrap();
    let listed: Vec<(&str, &str)> = tables
        .iter()
        .map(|table| (table.name.as_str(), table.kind.as_str()))
        .collect();
    let expected = [
        ("child", "table"),
        ("kept", "materialized view"),
        ("looked", "view"),
        ("made", "query"),
        ("parent", "table"),
        ("parted", "partitioned table"),
        ("plain", "table"),
        ("remote", "foreign table"),
    ];
    assert_eq!(listed, expected);
    let parted = tables.iter().find(|table| table.name == "parted").unwrap();
    assert_eq!(
        (parted.primary_key.as_slice(), parted.estimated_rows),
        (&["id".to_owned(), "at".to_owned()][..], Some(3))
    );
    assert_eq!(parted.cursor_candidates, ["at", "id"]);
    assert!(parted.estimated_bytes > Some(0) && !parted.schema.field_with_name("id").unwrap().is_nullable());
    for (name, rows) in [
        ("child", 1),
        ("kept", 2),
        ("looked", 1),
        ("made", 2),
        ("parent", 1),
        ("parted", 3),
        ("plain", 2),
        ("remote", 2),
    ] {
        assert_eq!(read_all(spec.clone(), name).await.num_rows(), rows, "{name}");
    }
    assert_eq!(texts(&read_all(spec, "made").await, "twice"), ["2", "4"]);
}

#[tokio::test]
async fn names_with_capitals_quotes_dots_and_unicode_are_read_back_as_listed() {
    let names = [
        "Capitals",
        "with space",
        "we.ird",
        "qu\"ote",
        "größe",
        "select",
        "back\\slash",
        "it's",
    ];
    let mut script = String::from("CREATE SCHEMA \"Oth.er\";");
    for name in names {
        let quoted = name.replace('"', "\"\"");
        for schema in ["public", "\"Oth.er\""] {
            script.push_str(&format!("CREATE TABLE {schema}.\"{quoted}\" (\"Id \"\"{quoted}\" int PRIMARY KEY); INSERT INTO {schema}.\"{quoted}\" VALUES (1), (2);"));
        }
    }
    let database = database(&script).await;
    let source = Reading::new(database.spec(json!({})), "x").await.source;
    let listed = source.list_tables(&[]).await.unwrap();
    assert_eq!(listed.len(), 2 * names.len());
    for table in &listed {
        assert_eq!(
            source.list_tables(&[&table.name]).await.unwrap(),
            std::slice::from_ref(table),
            "{}",
            table.name
        );
        let cursor = table.primary_key[0].clone();
        let mut reading = Reading::new(database.spec(json!({"cursor": cursor})), &table.name).await;
        assert_eq!(reading.run().await.count(), 2, "{}", table.name);
        assert_eq!(reading.run().await.count(), 0, "{}", table.name);
    }
    assert!(
        listed.iter().any(|table| table.name == "\"we.ird\"")
            && listed.iter().any(|table| table.name == "\"Oth.er\".\"qu\"\"ote\"")
    );
    assert!(
        source
            .list_tables(&["missing", "Capitals"])
            .await
            .unwrap()
            .iter()
            .map(|table| table.name.as_str())
            .eq(["Capitals"])
    );
}

#[tokio::test]
async fn a_schema_option_changes_which_names_are_bare() {
    let database = database("CREATE SCHEMA shop; CREATE TABLE shop.orders (id int); CREATE TABLE public.orders (id int); INSERT INTO shop.orders VALUES (7)").await;
    let spec = database.spec(json!({"schema": "shop", "table_options": {"q": {"query": "SELECT * FROM orders"}}}));
    let source = Reading::new(spec.clone(), "orders").await.source;
    let names: Vec<String> = source
        .list_tables(&[])
        .await
        .unwrap()
        .into_iter()
        .map(|table| table.name)
        .collect();
    assert_eq!(names, ["orders", "public.orders", "q"]);
    assert_eq!(texts(&read_all(spec.clone(), "orders").await, "id"), ["7"]);
    assert_eq!(texts(&read_all(spec, "q").await, "id"), ["7"]);
}

#[tokio::test]
async fn columns_and_rows_are_selected_as_the_options_say() {
    let database = database(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b text, at timestamptz NOT NULL DEFAULT now()); \
         INSERT INTO t SELECT n, 'a' || n, 'b' || n FROM generate_series(1, 10) n",
    )
    .await;
    let spec = |options: serde_json::Value| database.spec(json!({"cursor": "at", "table_options": {"t": options}}));
    let mut chosen = Reading::new(
        spec(json!({"columns": ["b", "a"], "where": "id > 8 -- only the last"})),
        "t",
    )
    .await;
    let rows = chosen.run().await;
    assert_eq!(
        rows.batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect::<Vec<_>>(),
        ["b", "a"]
    );
    assert_eq!(rows.sorted("b"), ["b10", "b9"]);
    assert_eq!(chosen.run().await.count(), 0);
    assert!(
        chosen.source.list_tables(&["t"]).await.unwrap()[0]
            .primary_key
            .is_empty(),
        "half a key is none"
    );
    let mut others = Reading::new(spec(json!({"exclude_columns": ["a", "at"]})), "t").await;
    assert_eq!(others.run().await.batch.schema().fields().len(), 2);
    let error = Reading::new(spec(json!({"columns": ["idd"]})), "t")
        .await
        .try_run()
        .await
        .unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.remedy.as_str()),
        ("column_missing", "Did you mean `id`?")
    );
    let error = Reading::new(spec(json!({"where": "id >"})), "t")
        .await
        .try_run()
        .await
        .unwrap_err();
    assert_eq!((error.code.as_str(), error.table.as_str()), ("sql_invalid", "t"));
}

#[tokio::test]
async fn pieces_of_a_large_table_make_up_the_table() {
    let database = database("CREATE TABLE t (id int, pad text); INSERT INTO t SELECT n, repeat('x', 300) FROM generate_series(1, 30000) n; DELETE FROM t WHERE id % 7 = 0; ANALYZE t").await;
    let spec = database.spec(json!({"partition_megabytes": 1}));
    let mut reading = Reading::new(spec, "t").await;
    let plans = reading
        .source
        .open_run(
            "look",
            1,
            vec![longshore_sdk::prelude::TableSelection {
                name: "t".to_owned(),
                ..longshore_sdk::prelude::TableSelection::default()
            }],
        )
        .await
        .unwrap();
    assert!(plans[0].partitions.len() >= 8, "{}", plans[0].partitions.len());
    let estimated: u64 = plans[0]
        .partitions
        .iter()
        .filter_map(|partition| partition.estimated_rows)
        .sum();
    assert!((20_000..30_000).contains(&estimated), "{estimated}");
    let mut ids = reading.run().await.numbers("id");
    ids.sort_unstable();
    assert_eq!(ids, (1..=30_000).filter(|id| id % 7 != 0).collect::<Vec<i64>>());
    assert!(reading.state.is_none());
}
