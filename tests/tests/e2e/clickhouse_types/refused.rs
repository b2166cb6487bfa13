//! What can not be synced as it is: it is said by name, with a remedy, and the remedy works. Nothing is sent before.

use longshore_tests::{Result, shop::Target};
use serde_json::json;

use crate::{
    bad_input::{assert_no_cursor, assert_refused, exit},
    clickhouse_scene::{ClickHouseScene, ClickHouseSync},
};

/// A table `t` of two rows with a column `value`.
async fn table(of: &str, values: [&str; 2]) -> Result<ClickHouseScene> {
    let [first, second] = values;
    ClickHouseScene::open(&format!(
        "CREATE TABLE t (custom_id String, plan String, value {of}) ENGINE = MergeTree ORDER BY custom_id;\n\
         INSERT INTO t SELECT 'c-1', 'gold', {first};\n\
         INSERT INTO t SELECT 'c-2', 'blue', {second}"
    ))
    .await
}

fn profiles() -> ClickHouseSync {
    ClickHouseSync::of("[t]", Target::Profiles)
}

/// The sync is refused with these words and sends nothing. With the remedy it gives the rows, their column `value` as it should be.
async fn refused_until(
    scene: &ClickHouseScene,
    (code, words): (i32, &[&str]),
    remedy: ClickHouseSync,
    values: [Option<&str>; 2],
) -> Result<()> {
    assert_refused(&scene.sync(&profiles()).await?, code, words);
    assert_no_cursor(&scene.longshore).await;
    assert_eq!(scene.sandbox.counts().await?.requests, 0);
    assert_eq!(scene.sync_well(&remedy).await?.only_table().delivered, 2);
    let received = scene.received(Target::Profiles).await?;
    for ((custom_id, plan), value) in [("c-1", "gold"), ("c-2", "blue")].into_iter().zip(values) {
        let mut wanted = json!({ "plan": plan });
        if let Some(value) = value {
            wanted["value"] = value.into();
        }
        assert_eq!(json!(received[custom_id]), wanted);
    }
    scene.assert_no_violations().await
}

#[tokio::test]
async fn unfinished_sums_are_refused_by_name_and_the_rest_is_synced_without_them() -> Result<()> {
    let scene = table(
        "AggregateFunction(sum, UInt64)",
        [
            "initializeAggregation('sumState', 5::UInt64)",
            "initializeAggregation('sumState', 7::UInt64)",
        ],
    )
    .await?;
    let words = [
        "value",
        "AggregateFunction(sum, UInt64)",
        "finalizeAggregation",
        "exclude_columns",
    ];
    let remedy = profiles().with_source("table_options: { t: { exclude_columns: [value] } }");
    refused_until(&scene, (exit::SOURCE, &words), remedy, [None, None]).await?;

    let finished = "SELECT custom_id, plan, toString(finalizeAggregation(value)) AS value FROM t";
    let query = ClickHouseSync::of("[finished]", Target::Profiles).with_source(&format!(
        "table_options: {{ finished: {{ query: \"{finished}\", primary_key: [custom_id] }} }}"
    ));
    scene.sync_well(&query).await?;
    let received = scene.received(Target::Profiles).await?;
    assert_eq!(
        (&received["c-1"]["value"], &received["c-2"]["value"]),
        (&json!("5"), &json!("7"))
    );
    Ok(())
}

#[tokio::test]
async fn text_that_is_no_utf8_stops_its_table_with_the_row_and_a_remedy_where_that_is_asked_for() -> Result<()> {
    let scene = table("String", ["'fine'", r"'\xff\x00\xe9'"]).await?;
    let keyed = profiles()
        .with_source("invalid_utf8: error")
        .with_source("table_options: { t: { cursor: plan, primary_key: [custom_id] } }");
    let refused = scene.sync(&keyed).await?;
    assert_refused(
        &refused,
        exit::SOURCE,
        &["value", "UTF-8", "c-2", "binary_columns", "exclude_columns"],
    );
    assert_no_cursor(&scene.longshore).await;
    // Nothing of the row was changed to fit.
    let received = scene.received(Target::Profiles).await?;
    assert!(!received.contains_key("c-2"), "{received:?}");

    let without = profiles().with_source("table_options: { t: { exclude_columns: [value] } }");
    assert_eq!(scene.sync_well(&without).await?.only_table().delivered, 2);
    let hexadecimal = "SELECT custom_id, plan, hex(value) AS value FROM t";
    let query = ClickHouseSync::of("[spelled]", Target::Profiles).with_source(&format!(
        "table_options: {{ spelled: {{ query: \"{hexadecimal}\", primary_key: [custom_id] }} }}"
    ));
    scene.sync_well(&query).await?;
    let received = scene.received(Target::Profiles).await?;
    assert_eq!(received["c-2"]["value"], "FF00E9");
    scene.assert_no_violations().await
}

#[tokio::test]
async fn bytes_have_no_form_in_batch_and_are_refused_before_the_first_row() -> Result<()> {
    let scene = table("FixedString(3)", ["'abc'", "'ab'"]).await?;
    let words = ["value", "FixedSizeBinary", "has no form in Batch", "ignore: true"];
    let remedy = profiles().with_source("table_options: { t: { text_columns: [value] } }");
    refused_until(&scene, (exit::CONFIGURATION, &words), remedy, [Some("abc"), Some("ab")]).await?;

    let scene = table("String", ["'abc'", r"'\xff'"]).await?;
    let bytes = profiles().with_source("table_options: { t: { binary_columns: [value] } }");
    let words = ["value", "Binary", "has no form in Batch", "ignore: true"];
    assert_refused(&scene.sync(&bytes).await?, exit::CONFIGURATION, &words);
    let remedy = bytes.with_destination("mapping: { value: { ignore: true } }");
    assert_eq!(scene.sync_well(&remedy).await?.only_table().delivered, 2);
    Ok(())
}

#[tokio::test]
async fn objects_are_refused_for_profiles_and_arrays_of_arrays_for_both_targets() -> Result<()> {
    for (of, values, texts) in [
        ("Map(String, Int32)", ["map('a', 1)", "map()"], [r#"{"a":1}"#, "{}"]),
        (
            "Tuple(a Int32, b String)",
            ["(1, 'x')", "(2, 'y')"],
            [r#"{"a":1,"b":"x"}"#, r#"{"a":2,"b":"y"}"#],
        ),
        ("Array(Array(Int32))", ["[[1], []]", "[]"], ["[[1],[]]", "[]"]),
    ] {
        let scene = table(of, values).await?;
        let remedy = profiles().with_destination("mapping: { value: { kind: string } }");
        let words = ["value", "can not become value", "kind"];
        refused_until(&scene, (exit::CONFIGURATION, &words), remedy, texts.map(Some)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_time_that_arrow_can_not_hold_stops_its_table_and_arrives_as_text_where_that_is_asked_for() -> Result<()> {
    let late = "2299-12-31 23:59:59.9999999";
    let scene = table(
        "DateTime64(7, 'UTC')",
        ["'2020-01-01 00:00:00.0000001'", &format!("'{late}'")],
    )
    .await?;
    let refused = scene.sync(&profiles()).await?;
    assert_refused(&refused, exit::SOURCE, &["value_out_of_range", "text_columns"]);
    assert_no_cursor(&scene.longshore).await;
    assert!(!scene.received(Target::Profiles).await?.contains_key("c-2"));
    let remedy = profiles().with_source("table_options: { t: { text_columns: [value] } }");
    scene.sync_well(&remedy).await?;
    let received = scene.received(Target::Profiles).await?;
    assert_eq!(received["c-1"]["value"], "2020-01-01 00:00:00.0000001");
    assert_eq!(received["c-2"]["value"], late);
    Ok(())
}
