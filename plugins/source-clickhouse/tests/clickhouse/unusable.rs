//! What makes a table unreadable: stopped before anything is read, with a remedy.

use longshore_sdk::{core::Domain, prelude::*};
use serde_json::{Value, json};

use crate::support::{database, reading};

async fn refusal(spec: Value, table: &str) -> Error {
    reading(spec, table).await.try_run().await.unwrap_err()
}

#[tokio::test]
async fn a_table_that_does_not_exist_is_answered_with_the_nearest_name() {
    let database = database("CREATE TABLE profile_events (id UInt8) ENGINE = Memory").await;
    let error = refusal(database.spec(json!({})), "profile_event").await;
    assert_eq!(
        (error.code.as_str(), error.table.as_str()),
        ("table_not_found", "profile_event")
    );
    assert!(error.remedy.contains("`profile_events`"), "{}", error.remedy);
    let error = refusal(database.spec(json!({})), "a.b.c").await;
    assert_eq!(
        (error.code.as_str(), error.domain),
        ("table_name_invalid", Domain::Config)
    );
}

#[tokio::test]
async fn options_of_what_does_not_exist_are_refused() {
    let database = database("CREATE TABLE t (id UInt8, at DateTime) ENGINE = Memory").await;
    let error = refusal(
        database.spec(json!({"table_options": {"tt": {"exclude_columns": ["id"]}}})),
        "t",
    )
    .await;
    assert_eq!(
        (error.code.as_str(), error.field.as_str()),
        ("table_options_unused", "/table_options/tt")
    );
    for option in [
        "columns",
        "exclude_columns",
        "text_columns",
        "binary_columns",
        "primary_key",
    ] {
        let error = refusal(database.spec(json!({"table_options": {"t": {option: ["idd"]}}})), "t").await;
        assert_eq!(error.code, "column_missing", "{option}");
        assert!(error.remedy.contains("`id`"), "{}", error.remedy);
    }
}

#[tokio::test]
async fn a_missing_or_unusable_cursor_column_is_named() {
    let database =
        database("CREATE TABLE t (id UInt8, updated DateTime, price Float64, tags Array(String)) ENGINE = Memory")
            .await;
    let error = refusal(database.spec(json!({"cursor": "updatedd"})), "t").await;
    assert_eq!(error.code, "cursor_column_missing");
    assert!(
        error.remedy.contains("`updated`") && error.remedy.contains("cursor: null"),
        "{}",
        error.remedy
    );
    for column in ["price", "tags"] {
        let error = refusal(database.spec(json!({"cursor": column})), "t").await;
        assert_eq!(error.code, "cursor_unusable", "{column}");
        assert!(error.remedy.contains("updated"), "{}", error.remedy);
    }
}

#[tokio::test]
async fn an_overlap_without_its_unit_is_refused_with_its_field() {
    let database = database("CREATE TABLE t (id UInt8, at DateTime) ENGINE = Memory").await;
    let error = refusal(database.spec(json!({"cursor": "at", "overlap": 10})), "t").await;
    assert_eq!(
        (error.code.as_str(), error.field.as_str()),
        ("overlap_invalid", "/overlap")
    );
}

#[tokio::test]
async fn conditions_and_queries_that_fail_name_their_option_and_quote_no_value() {
    let database = database(
        "CREATE TABLE t (id UInt8, c String) ENGINE = MergeTree ORDER BY id;\nINSERT INTO t VALUES (1, 'canary')",
    )
    .await;
    let with = |option: Value| database.spec(json!({"table_options": {"t": option}}));
    let error = refusal(with(json!({"where": "id ="})), "t").await;
    assert_eq!(error.code, "sql_invalid", "{error:?}");
    assert!(error.remedy.contains("`where`"), "{}", error.remedy);
    let error = refusal(with(json!({"where": "toUInt32(c) > 0"})), "t").await;
    assert_eq!(error.code, "value_uncomputable");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    let error = refusal(database.spec(json!({"settings": {"no_such_setting": 1}})), "t").await;
    assert_eq!(error.code, "setting_unknown");
}

#[tokio::test]
async fn what_is_wrong_with_a_stored_position_or_plan_is_said() {
    let database = database("CREATE TABLE t (id UInt64, at DateTime) ENGINE = ReplacingMergeTree ORDER BY id;\nINSERT INTO t SELECT number, 1500000000 FROM numbers(10)").await;
    let reading = reading(database.spec(json!({"cursor": "at"})), "t").await;
    let selection = TableSelection {
        name: "t".to_owned(),
        ..TableSelection::default()
    };
    let plan = reading
        .source
        .open_run("run", 1, vec![selection])
        .await
        .unwrap()
        .remove(0);
    let error = reading
        .source
        .read("run", "t", &plan.partitions[0], Some(b"nonsense"))
        .await
        .unwrap_err();
    assert_eq!(error.code, "position_unreadable");
    let broken = Partition::new("p", "{}");
    assert_eq!(
        reading.source.read("run", "t", &broken, None).await.unwrap_err().code,
        "descriptor_unreadable"
    );
    let error = reading
        .source
        .read("other", "t", &plan.partitions[0], None)
        .await
        .unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), ("run_not_open", true));
}
