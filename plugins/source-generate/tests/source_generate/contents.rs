//! What the rows hold.

use std::collections::HashSet;

use longshore_sdk::{
    arrow::{
        array::{Array as _, AsArray as _},
        datatypes::{DataType, Int64Type, TimestampMicrosecondType},
        util::display::array_value_to_string,
    },
    harness::SourceHarness,
};
use longshore_source_generate::Generate;
use serde_json::json;

use super::{all_rows, generate};

#[tokio::test]
async fn rows_depend_on_the_seed_and_not_on_the_partitions() {
    for preset in ["tiny", "shop_events", "shop_profiles", "all_types"] {
        let rows = async |seed: u64, partitions: u32, checkpoint_rows: u64| {
            let table = json!({ "name": "t", "rows": 500, "columns": preset, "partitions": partitions });
            let spec = json!({ "seed": seed, "checkpoint_rows": checkpoint_rows, "tables": [table] });
            all_rows(spec, "t").await
        };
        let once = rows(7, 1, 1_000).await;
        assert!(once == rows(7, 7, 33).await, "{preset}");
        assert!(once != rows(8, 1, 1_000).await, "{preset}");
    }
}

#[tokio::test]
async fn ids_count_from_one_and_are_the_key() {
    let spec = json!({ "tables": [{ "name": "t", "rows": 40_000, "partitions": 3 }] });
    let rows = all_rows(spec.clone(), "t").await;
    let ids = rows.column_by_name("id").unwrap().as_primitive::<Int64Type>();
    assert!(ids.values().iter().copied().eq(1..=40_000));
    let tables = generate(spec).await.list_tables(&[]).await.unwrap();
    assert_eq!(tables[0].primary_key, ["id"]);
    assert_eq!(tables[0].estimated_rows, Some(40_000));
}

#[tokio::test]
async fn every_type_has_its_limits_and_nulls() {
    let spec = json!({ "tables": [{ "name": "t", "rows": 16, "columns": "all_types" }] });
    let rows = all_rows(spec, "t").await;
    let cell = |column: &str, row| array_value_to_string(rows.column_by_name(column).unwrap(), row).unwrap();
    assert_eq!(
        (cell("int8", 0), cell("int8", 1)),
        ("-128".to_owned(), "127".to_owned())
    );
    assert_eq!(cell("uint64", 1), u64::MAX.to_string());
    assert_eq!(cell("decimal256", 1), format!("{}.{}", "9".repeat(56), "9".repeat(20)));
    assert_eq!(cell("decimal128", 0), format!("-{}.{}", "9".repeat(28), "9".repeat(10)));
    assert_eq!(
        (cell("date32", 0), cell("date32", 1)),
        ("0001-01-01".to_owned(), "9999-12-31".to_owned())
    );
    let instants = rows
        .column_by_name("instant_us")
        .unwrap()
        .as_primitive::<TimestampMicrosecondType>();
    assert_eq!(
        instants.value(1),
        253_402_300_799_000_000,
        "the last second of year 9999"
    );
    assert_eq!(cell("list", 1), format!("[{}, , {}]", i64::MIN, i64::MAX));
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        assert_eq!(
            column.logical_nulls().is_some_and(|nulls| nulls.is_null(2)),
            field.is_nullable(),
            "{}",
            field.name()
        );
    }
    let extension = |column| rows.schema().field_with_name(column).unwrap().metadata()["ARROW:extension:name"].clone();
    assert_eq!(
        (extension("uuid"), extension("json")),
        ("arrow.uuid".to_owned(), "arrow.json".to_owned())
    );
    let types: HashSet<DataType> = rows
        .schema()
        .fields()
        .iter()
        .map(|field| field.data_type().clone())
        .collect();
    assert!(types.len() >= 43, "{} types", types.len());
}

#[tokio::test]
async fn events_belong_to_profiles_and_their_json_is_json() {
    let events = all_rows(
        json!({ "tables": [{ "name": "e", "rows": 300, "columns": "shop_events" }] }),
        "e",
    )
    .await;
    let profiles = json!({ "tables": [{ "name": "p", "rows": 20_000, "columns": "shop_profiles" }] });
    let profiles = all_rows(profiles, "p").await;
    let known: HashSet<_> = profiles
        .column_by_name("custom_id")
        .unwrap()
        .as_string::<i32>()
        .iter()
        .collect();
    assert_eq!(known.len(), 20_000);
    assert!(
        events
            .column_by_name("custom_id")
            .unwrap()
            .as_string::<i32>()
            .iter()
            .all(|id| known.contains(&id))
    );
    let details = events.column_by_name("product_details").unwrap().as_string::<i32>();
    assert!(details.null_count() > 0);
    for text in details.iter().flatten() {
        assert!(serde_json::from_str::<serde_json::Value>(text).unwrap()["weight_g"].is_number());
    }
}

#[tokio::test]
async fn padding_makes_rows_as_wide_as_asked_and_batches_keep_their_size() {
    let spec = json!({ "tables": [{ "name": "t", "rows": 40, "row_bytes": 100_000 }] });
    let (outcomes, _) = generate(spec).await.run("run", "t", None).await.unwrap();
    let batches = &outcomes[0].batches;
    assert!((5..=40).contains(&batches.len()), "{} batches", batches.len());
    let padding = batches[0].column_by_name("padding").unwrap().as_string::<i32>();
    assert_eq!(padding.value(0).len(), 100_000);
}

#[tokio::test]
async fn a_row_beyond_the_message_limit_is_an_error_that_names_it() {
    let spec = json!({ "tables": [{ "name": "t", "rows": 3, "row_bytes": 17_000_000 }] });
    let error = generate(spec).await.run("run", "t", None).await.unwrap_err();
    assert_eq!(error.code, "row_too_large");
    assert!(
        error.message.contains("id = 1") && error.message.contains("padding"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn an_empty_table_is_read_well() {
    let (outcomes, _) = generate(json!({ "tables": [{ "name": "t", "rows": 0 }] }))
        .await
        .run("run", "t", None)
        .await
        .unwrap();
    assert!(outcomes.is_empty());
}

#[tokio::test]
async fn a_specification_that_makes_no_sense_is_refused_at_its_place() {
    let refused = async |spec| {
        let error = SourceHarness::configure::<Generate>(spec).await.err().unwrap();
        assert_eq!(error.code, "spec_invalid");
        error.field
    };
    let table = json!({ "name": "t", "rows": 1 });
    assert_eq!(refused(json!({ "tables": [table, table] })).await, "/tables/1/name");
    assert_eq!(
        refused(json!({ "tables": [{ "name": "t", "rows": u64::MAX }] })).await,
        "/tables/0/rows"
    );
    let wide = json!({ "name": "t", "rows": 1, "row_bytes": u32::MAX });
    assert_eq!(refused(json!({ "tables": [wide] })).await, "/tables/0/row_bytes");
    let preset = json!({ "name": "t", "rows": 1, "columns": "shop" });
    assert_eq!(refused(json!({ "tables": [preset] })).await, "/tables/0/columns");
}
