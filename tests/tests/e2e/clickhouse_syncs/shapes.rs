//! Tables that are odd: by their names, or by the size of a row.

use longshore_tests::{ClickHouseServer, Result, shop::Target};
use serde_json::{Value, json};

use crate::clickhouse_scene::{ClickHouseScene, ClickHouseSync};

/// A name in backquotes.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

#[tokio::test]
async fn names_may_hold_quotes_blanks_dots_and_any_letters() -> Result<()> {
    const TABLE: &str = r#"my "t`able's\ é.表"#;
    const COLUMN: &str = r#"a`b"c'd\ e.f-é"#;
    const CURSOR: &str = r#"chang`ed "at" 'ü.\"#;
    const DATABASE: &str = r#"odd `d"b's\ é.库"#;
    let server = ClickHouseServer::shared().await?;
    // Each run of the tests against a real server has its own.
    let name = format!("{DATABASE}{}", std::process::id());
    let database = server.create_database_named(&name).await?;
    let (table, column, cursor) = (quoted(TABLE), quoted(COLUMN), quoted(CURSOR));
    let insert = |from: u32, day: u32| {
        format!(
            "INSERT INTO {table} SELECT concat('c-', toString(number)), concat('value ', toString(number)), toDateTime('2020-01-0{day} 00:00:00', 'UTC') + number
             FROM numbers({from}, 100)"
        )
    };
    let statements = format!(
        "CREATE TABLE {table} (`custom id` String, {column} String, {cursor} DateTime('UTC')) ENGINE = MergeTree ORDER BY ({cursor}, {column});\n{}",
        insert(0, 1)
    );
    let scene = ClickHouseScene::in_database(server, database, &statements).await?;
    // As `longshore tables` lists it: a name with a dot or a quote stands in quotes.
    let listed = format!("\"{}\"", TABLE.replace('"', "\"\""));
    let mapping = json!({ COLUMN: { "name": "odd" } });
    let sync = ClickHouseSync::of(&json!([listed]).to_string(), Target::Profiles)
        .with_source(&format!("cursor: {}", json!(CURSOR)))
        .with_destination("custom_id: custom id")
        .with_destination(&format!("mapping: {mapping}"));
    for run in 1..=2 {
        let report = scene.sync_well(&sync).await?;
        assert_eq!(report.only_table().table, listed);
        assert_eq!(report.only_table().delivered, 100, "run {run}: {report:?}");
        let received = scene.received(Target::Profiles).await?;
        assert_eq!(received.len(), 100 * run);
        for (custom_id, attributes) in received {
            let number = custom_id.strip_prefix("c-").unwrap();
            assert_eq!(Value::Object(attributes), json!({ "odd": format!("value {number}") }));
        }
        scene.database.execute(&insert(100, 2)).await?;
    }
    scene.server.execute(&format!("DROP DATABASE {}", quoted(&name))).await
}

#[tokio::test]
async fn a_row_of_five_megabytes_is_read_and_what_batch_takes_of_it_arrives() -> Result<()> {
    let scene = ClickHouseScene::open(
        "CREATE TABLE t (custom_id String, plan String, content String) ENGINE = MergeTree ORDER BY custom_id;\n\
         INSERT INTO t SELECT concat('c-', toString(number)), 'gold', if(number = 7, repeat(repeat('é', 1000), 2500), 'short') FROM numbers(20)",
    )
    .await?;
    let sync = ClickHouseSync::of("[t]", Target::Profiles);
    assert_eq!(scene.sync_well(&sync).await?.only_table().delivered, 20);
    let received = scene.received(Target::Profiles).await?;
    for (custom_id, attributes) in &received {
        let wanted = match custom_id.as_str() {
            "c-7" => json!({ "plan": "gold" }),
            _ => json!({ "plan": "gold", "content": "short" }),
        };
        assert_eq!(&json!(attributes), &wanted, "{custom_id}");
    }
    let rejects = scene.longshore.json(["rejects", "list"]).await?;
    assert_eq!(rejects.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&rejects[0]["key"], &rejects[0]["rule"]),
        (&json!("c-7"), &json!("string_too_long"))
    );
    let reason = rejects[0]["reason"].as_str().unwrap();
    assert!(reason.contains("2500000"), "{reason}");
    Ok(())
}
