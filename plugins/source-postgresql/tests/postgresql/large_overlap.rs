//! More rows within the overlap than are remembered one by one: none is repeated, none is lost.

use longshore_sdk::{harness::texts, prelude::*};
use serde_json::json;

use crate::support::{Reading, database};

/// Rows within the overlap.
const ROWS: usize = 20_000;

const VIEW: &str = "\
CREATE TABLE base (id int, note text, at timestamptz); CREATE VIEW v AS SELECT * FROM base; \
INSERT INTO base SELECT n, 'first', now() - interval '1 minute' - n * interval '15 milliseconds' FROM generate_series(1, 20000) n;";

/// So many rows from this id on, which appear four minutes late.
fn late(from: u32, count: u32) -> String {
    format!(
        "INSERT INTO base SELECT n, 'late', now() - interval '4 minutes' - n % 1000 * interval '1 millisecond' FROM generate_series({from}, {}) n;",
        from + count - 1
    )
}

#[tokio::test]
async fn a_large_overlap_of_a_view_is_not_delivered_again() {
    let database = database(VIEW).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "v").await;
    assert_eq!(reading.run().await.count(), ROWS);
    for _ in 0..3 {
        let state = reading.state.clone().unwrap();
        assert_eq!(state.fingerprints.len(), ROWS);
        assert!(state.to_document().unwrap().len() < TableState::MAX_BYTES && !state.fingerprints.overflowed());
        assert_eq!(reading.warnings().await, Vec::<String>::new());
        assert_eq!(reading.run().await.count(), 0);
    }
}

#[tokio::test]
async fn of_a_large_overlap_of_a_view_exactly_what_appeared_late_or_changed_is_delivered() {
    let database = database(VIEW).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "v").await;
    assert_eq!(reading.run().await.count(), ROWS);
    database.execute(&late(100_000, 300)).await;
    let rows = reading.run().await;
    assert_eq!(rows.numbers("id").iter().min(), Some(&100_000));
    assert_eq!((rows.count(), rows.deduplicated), (300, ROWS as u64));
    assert_eq!(reading.run().await.count(), 0);

    database
        .execute(
            "UPDATE base SET note = 'changed' WHERE id <= 5; DELETE FROM base WHERE id BETWEEN 10 AND 200; \
             INSERT INTO base SELECT * FROM base WHERE id IN (300, 301) UNION ALL SELECT * FROM base WHERE id = 301; \
             INSERT INTO base SELECT n, 'new', now() - interval '20 seconds' FROM generate_series(200000, 200006) n;",
        )
        .await;
    let mut ids = reading.run().await.numbers("id");
    ids.sort_unstable();
    assert_eq!(
        ids,
        [
            1, 2, 3, 4, 5, 300, 301, 301, 200_000, 200_001, 200_002, 200_003, 200_004, 200_005, 200_006
        ],
        "changed rows, equal rows more, new rows"
    );
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn another_attempt_of_a_view_goes_by_what_the_first_one_has_counted() {
    let database = database(VIEW).await;
    let spec = || database.spec(json!({"cursor": "at"}));
    let mut first = Reading::new(spec(), "v").await;
    assert_eq!(first.run().await.count(), ROWS);
    database.execute(&late(100_000, 50)).await;
    let selection = |resume: Option<TablePlan>| TableSelection {
        name: "v".to_owned(),
        state: first.state.clone(),
        resume,
        ..TableSelection::default()
    };
    let plan = first
        .source
        .open_run("run", 1, vec![selection(None)])
        .await
        .unwrap()
        .remove(0);
    first.source.close_run("run").await.unwrap();
    // The other attempt's snapshot sees it, the count did not.
    database.execute(&late(500_000, 40)).await;

    let mut second = Reading::new(spec(), "v").await;
    let plan = second
        .source
        .open_run("run", 2, vec![selection(Some(plan))])
        .await
        .unwrap()
        .remove(0);
    let outcome = second.source.read("run", "v", &plan.partitions[0], None).await.unwrap();
    second.source.close_run("run").await.unwrap();
    let mut ids = texts(&outcome.rows(), "id");
    ids.sort_unstable();
    assert_eq!(ids, (100_000..100_050).map(|id| id.to_string()).collect::<Vec<_>>());
    let remembered = outcome.marks.iter().map(|mark| &mark.checkpoint.fingerprints);
    second.state = plan.completed_state.map(|state| state.promoted(remembered));
    let mut ids = second.run().await.numbers("id");
    ids.sort_unstable();
    assert_eq!(ids, (500_000..500_040).collect::<Vec<i64>>());
    assert_eq!(second.run().await.count(), 0);
}

#[tokio::test]
async fn when_more_rows_of_a_view_are_late_than_can_be_told_all_are_delivered_again_and_the_run_says_so() {
    let database = database(VIEW).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "v").await;
    assert_eq!(reading.run().await.count(), ROWS);
    database.execute(&late(100_000, 3_000)).await;
    let warnings = reading.warnings().await;
    assert!(
        warnings.iter().any(|warning| warning.contains("delivered again")),
        "{warnings:?}"
    );
    assert_eq!(reading.run().await.count(), ROWS + 3_000);
    assert_eq!(reading.warnings().await, Vec::<String>::new());
    assert_eq!(reading.run().await.count(), 0, "it is over with that run");
}

#[tokio::test]
async fn rows_of_a_view_that_are_ahead_of_their_time_are_known_beside_a_large_overlap() {
    let database = database(VIEW).await;
    database
        .execute("INSERT INTO base SELECT n, 'early', now() + interval '1 day' FROM generate_series(1, 900) n; INSERT INTO base VALUES (0, 'never', 'infinity')")
        .await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "v").await;
    assert_eq!(reading.run().await.count(), ROWS + 901);
    let rows = reading.run().await;
    assert_eq!(
        (rows.count(), rows.deduplicated),
        (0, 901),
        "of the others nothing is to be read"
    );
    database.execute(&late(100_000, 2)).await;
    let rows = reading.run().await;
    assert_eq!(
        (rows.sorted("id"), rows.deduplicated),
        (vec!["100000".to_owned(), "100001".to_owned()], ROWS as u64 + 901)
    );
}

#[tokio::test]
async fn a_large_view_can_start_now() {
    let database = database(VIEW).await;
    let spec = database.spec(json!({"cursor": "at", "table_options": {"v": {"start_from": "now"}}}));
    let mut reading = Reading::new(spec, "v").await;
    let rows = reading.run().await;
    assert_eq!((rows.count(), rows.filtered), (0, ROWS as u64));
    database.execute(&late(100_000, 2)).await;
    assert_eq!(reading.run().await.sorted("id"), ["100000", "100001"]);
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn many_rows_of_a_table_that_were_written_beside_an_open_transaction_are_not_delivered_again() {
    let database =
        database("CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())").await;
    let open = database.connect().await;
    open.batch_execute("BEGIN; INSERT INTO t SELECT n FROM generate_series(900001, 900005) n")
        .await
        .unwrap();
    database
        .execute("INSERT INTO t SELECT n FROM generate_series(1, 20000) n")
        .await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "t").await;
    assert_eq!(reading.run().await.count(), ROWS);
    assert!(reading.state.as_ref().unwrap().fingerprints.sketch().is_some());
    let rows = reading.run().await;
    assert_eq!((rows.count(), rows.deduplicated), (0, ROWS as u64));
    open.batch_execute("COMMIT").await.unwrap();
    assert_eq!(
        reading.run().await.numbers("id"),
        [900_001, 900_002, 900_003, 900_004, 900_005]
    );
    assert_eq!(reading.run().await.count(), 0);
}
