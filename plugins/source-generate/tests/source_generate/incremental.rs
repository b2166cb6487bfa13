//! Runs after runs, and runs that go on.

use longshore_sdk::{
    arrow::{array::AsArray as _, datatypes::Int64Type},
    harness::ReadOutcome,
    prelude::*,
};
use serde_json::{Value, json};

use super::{generate, joined};

fn spec(rows: u64, cursor: &str) -> Value {
    let table = json!({ "name": "t", "rows": rows, "partitions": 3, "cursor": cursor });
    json!({ "checkpoint_rows": 10, "tables": [table] })
}

fn ids(outcomes: &[ReadOutcome]) -> Vec<i64> {
    let rows = joined(outcomes);
    rows.column_by_name("id")
        .unwrap()
        .as_primitive::<Int64Type>()
        .values()
        .to_vec()
}

#[tokio::test]
async fn a_second_run_reads_nothing_and_a_third_what_was_added() {
    for cursor in ["id", "last_updated_at"] {
        let source = generate(spec(100, cursor)).await;
        let (first, state) = source.run("1", "t", None).await.unwrap();
        assert_eq!(ids(&first), (1..=100).collect::<Vec<_>>());

        let (second, same) = source.run("2", "t", state.clone()).await.unwrap();
        assert!(second.is_empty());
        assert_eq!(same, state);

        let (third, moved) = generate(spec(130, cursor))
            .await
            .run("3", "t", state.clone())
            .await
            .unwrap();
        assert_eq!(ids(&third), (101..=130).collect::<Vec<_>>());
        assert_ne!(moved, state);

        let (shrunk, kept) = generate(spec(50, cursor))
            .await
            .run("4", "t", moved.clone())
            .await
            .unwrap();
        assert!(shrunk.is_empty());
        assert_eq!(kept, moved, "a cursor does not go back");
    }
}

#[tokio::test]
async fn without_a_cursor_each_run_reads_everything() {
    let source = generate(json!({ "tables": [{ "name": "t", "rows": 5 }] })).await;
    for run in ["1", "2"] {
        let (outcomes, state) = source.run(run, "t", None).await.unwrap();
        assert_eq!((ids(&outcomes).len(), state), (5, None));
    }
}

#[tokio::test]
async fn a_state_of_another_cursor_stops_the_run() {
    let (_, state) = generate(spec(5, "id")).await.run("1", "t", None).await.unwrap();
    let error = generate(spec(9, "last_updated_at"))
        .await
        .run("2", "t", state)
        .await
        .unwrap_err();
    assert_eq!((error.code.as_str(), error.table.as_str()), ("cursor_changed", "t"));
}

#[tokio::test]
async fn reading_goes_on_after_any_checkpoint() {
    let source = generate(json!({ "checkpoint_rows": 10, "tables": [{ "name": "t", "rows": 95 }] })).await;
    let selection = TableSelection {
        name: "t".to_owned(),
        ..TableSelection::default()
    };
    let plan = source.open_run("1", 1, vec![selection]).await.unwrap().remove(0);
    let partition = &plan.partitions[0];
    let whole = source.read("1", "t", partition, None).await.unwrap();
    assert_eq!(whole.marks.len(), 11, "ten checkpoints and the end");
    for mark in &whole.marks {
        let rest = source
            .read("1", "t", partition, Some(&mark.checkpoint.position))
            .await
            .unwrap();
        let all = whole.rows();
        assert_eq!(rest.rows(), all.slice(mark.rows, all.num_rows() - mark.rows));
    }
}

#[tokio::test]
async fn a_run_that_goes_on_keeps_the_view_of_its_first_attempt() {
    let selection = |resume| {
        vec![TableSelection {
            name: "t".to_owned(),
            resume,
            ..TableSelection::default()
        }]
    };
    let first = generate(spec(10, "id"))
        .await
        .open_run("1", 1, selection(None))
        .await
        .unwrap()
        .remove(0);
    let resumed = generate(spec(99, "id"))
        .await
        .open_run("1", 2, selection(Some(first.clone())))
        .await
        .unwrap();
    assert_eq!(resumed[0].partitions, first.partitions);
    assert_eq!(resumed[0].completed_state, first.completed_state);
}

#[tokio::test]
async fn a_table_that_is_not_there_is_named() {
    let source = generate(spec(1, "id")).await;
    let error = source.run("1", "nothing", None).await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.table.as_str()),
        ("table_not_found", "nothing")
    );
    let checks = source.test_connection(&["t", "nothing"]).await.unwrap();
    let outcomes: Vec<_> = checks.iter().map(|check| check.outcome().as_str_name()).collect();
    assert_eq!(outcomes, ["OUTCOME_PASSED", "OUTCOME_PASSED", "OUTCOME_FAILED"]);
}
