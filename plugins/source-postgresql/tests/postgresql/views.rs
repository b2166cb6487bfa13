//! Views, queries and tables of other kinds, whose rows do not carry their transaction: settle, overlap, fingerprints.

use serde_json::json;

use crate::support::{Reading, database};

const VIEW: &str = "\
CREATE TABLE base (id int, note text, at timestamptz); CREATE VIEW v AS SELECT * FROM base; \
INSERT INTO base SELECT n, 'first', now() - interval '1 minute' + n * interval '100 milliseconds' FROM generate_series(1, 100) n;";

#[tokio::test]
async fn an_unchanged_view_delivers_nothing_twice() {
    let database = database(VIEW).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "v").await;
    assert_eq!(reading.run().await.count(), 100);
    for _ in 0..2 {
        let rows = reading.run().await;
        assert_eq!((rows.count(), rows.deduplicated), (0, 100));
    }
}

#[tokio::test]
async fn rows_that_appear_late_in_a_view_are_delivered_and_equal_rows_counted() {
    let database = database(VIEW).await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at", "settle": "0s"})), "v").await;
    reading.run().await;
    database.execute("INSERT INTO base SELECT * FROM base WHERE id = 7; UPDATE base SET note = 'changed' WHERE id = 8; INSERT INTO base VALUES (900, 'new', now())").await;
    assert_eq!(
        reading.run().await.sorted("id"),
        ["7", "8", "900"],
        "an equal row more, a changed row, a new row"
    );
    assert_eq!(reading.run().await.count(), 0);
}

#[tokio::test]
async fn the_newest_rows_of_a_view_wait_until_they_have_settled() {
    let database = database(VIEW).await;
    database.execute("INSERT INTO base VALUES (900, 'now', now()), (901, 'future', now() + interval '1 day'), (902, 'never', 'infinity')").await;
    let spec = |settle: &str| database.spec(json!({"cursor": "at", "table_options": {"v": {"settle": settle}}}));
    let mut reading = Reading::new(spec("30s"), "v").await;
    let rows = reading.run().await;
    assert_eq!(rows.count(), 102, "all but the newest; the future ones are delivered");
    assert!(!rows.numbers("id").contains(&900));
    let mut settled = Reading::new(spec("0s"), "v").await;
    settled.state = reading.state;
    assert_eq!(settled.run().await.numbers("id"), [900]);
    assert_eq!(settled.run().await.count(), 0);
}

#[tokio::test]
async fn the_newest_rows_of_a_table_wait_as_well_where_somebody_asks_for_it() {
    let database = database(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL); CREATE INDEX ON t (at, id); \
         INSERT INTO t SELECT n, now() - n * interval '1 minute' FROM generate_series(1, 100) n",
    )
    .await;
    database.execute("INSERT INTO t VALUES (900, now())").await;
    let spec = |settle: &str| database.spec(json!({"cursor": "at", "table_options": {"t": {"settle": settle}}}));
    let mut reading = Reading::new(spec("30s"), "t").await;
    assert_eq!(reading.run().await.count(), 100, "all but the newest");
    // The transaction that wrote it has ended long since.
    database.execute("INSERT INTO t VALUES (901, now())").await;
    assert_eq!(reading.run().await.count(), 0);
    let mut settled = Reading::new(spec("0s"), "t").await;
    settled.state = reading.state;
    assert_eq!(settled.run().await.numbers("id"), [900, 901]);
    assert_eq!(settled.run().await.count(), 0);

    // From now on by the window: what the last run knew by its transaction is read once more, which is said, and never again.
    let mut again = Reading::new(spec("1s"), "t").await;
    again.state = settled.state;
    database
        .execute("INSERT INTO t VALUES (902, now() - interval '2 minutes')")
        .await;
    let warnings = again.warnings().await;
    assert!(
        warnings.iter().any(|warning| warning.contains("`settle` is new")),
        "{warnings:?}"
    );
    let first = again.run().await;
    assert!(first.numbers("id").contains(&902), "{:?}", first.numbers("id"));
    assert_eq!(again.warnings().await, Vec::<String>::new());
    for _ in 0..2 {
        let next = again.run().await;
        assert!(
            !next.numbers("id").iter().any(|id| (1..=100).contains(id)),
            "{:?}",
            next.numbers("id")
        );
    }
}

#[tokio::test]
async fn a_window_does_not_go_back_for_a_transaction_that_stays_open() {
    let database = database(VIEW).await;
    let spec = database.spec(json!({"cursor": "at", "settle": "0s", "overlap": "1s"}));
    let mut reading = Reading::new(spec, "v").await;
    let rows = reading.run().await.count();
    assert!(rows > 0);
    let connection = database.connect().await;
    connection.batch_execute("BEGIN; SELECT 1").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    for _ in 0..3 {
        assert_eq!(reading.run().await.count(), 0, "nothing has changed");
    }
    connection.batch_execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn a_row_of_a_view_that_was_delivered_before_its_time_is_not_delivered_again_when_its_time_comes() {
    let database = database(VIEW).await;
    database
        .execute("INSERT INTO base VALUES (900, 'early', clock_timestamp() + interval '8 seconds')")
        .await;
    let spec = |settle: &str| database.spec(json!({"cursor": "at", "settle": settle}));
    let mut early = Reading::new(spec("30s"), "v").await;
    assert!(
        early.run().await.numbers("id").contains(&900),
        "its time is still to come"
    );
    let connection = database.connect().await;
    let has_come = "SELECT pg_sleep_until(at), clock_timestamp() > at FROM base WHERE id = 900";
    let come = connection.query_one(has_come, &[]).await.unwrap();
    assert!(come.get::<_, bool>(1));
    database
        .execute("INSERT INTO base VALUES (901, 'new', clock_timestamp())")
        .await;
    let unsettled = early.run().await;
    assert_eq!(unsettled.count(), 0, "both are too new, and the first one is known");
    let mut settled = Reading::new(spec("0s"), "v").await;
    settled.state = early.state.clone();
    assert_eq!(settled.run().await.numbers("id"), [901]);
}

#[tokio::test]
async fn a_view_can_start_now() {
    let database = database(VIEW).await;
    let spec = database.spec(json!({"cursor": "at", "settle": "0s", "table_options": {"v": {"start_from": "now"}}}));
    let mut reading = Reading::new(spec, "v").await;
    let rows = reading.run().await;
    assert_eq!((rows.count(), rows.filtered), (0, 100));
    database
        .execute("INSERT INTO base VALUES (900, 'late', now() - interval '30 seconds')")
        .await;
    assert_eq!(reading.run().await.numbers("id"), [900]);
}

#[tokio::test]
async fn materialized_views_queries_and_integers_work_like_views() {
    let database = database(
        "CREATE TABLE base (id int8 PRIMARY KEY, note text); INSERT INTO base SELECT n, 'x' FROM generate_series(1, 50) n; CREATE MATERIALIZED VIEW m AS SELECT * FROM base",
    )
    .await;
    let options = json!({"cursor": "id", "overlap": 10, "table_options": {"q": {"query": "SELECT * FROM base", "primary_key": ["id"]}}});
    for table in ["m", "q"] {
        let mut reading = Reading::new(database.spec(options.clone()), table).await;
        assert_eq!(
            reading.run().await.numbers("id"),
            (1..=50).collect::<Vec<_>>(),
            "{table}"
        );
        let rows = reading.run().await;
        assert_eq!(
            (rows.count(), rows.deduplicated),
            (0, 11),
            "{table}: from the cursor back by the overlap"
        );
        database
            .execute("INSERT INTO base VALUES (60, 'y'); REFRESH MATERIALIZED VIEW m")
            .await;
        assert_eq!(reading.run().await.numbers("id"), [60], "{table}");
        database
            .execute("UPDATE base SET note = 'z' WHERE id = 60; REFRESH MATERIALIZED VIEW m")
            .await;
        assert_eq!(reading.run().await.numbers("id"), [60], "{table}");
        database
            .execute("DELETE FROM base WHERE id = 60; REFRESH MATERIALIZED VIEW m")
            .await;
    }
}

#[tokio::test]
async fn a_partitioned_table_finds_late_commits_in_every_leaf() {
    let database = database(
        "CREATE TABLE parted (id int, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, at)) PARTITION BY HASH (id); \
         CREATE TABLE p0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE p1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1); \
         INSERT INTO parted SELECT n, now() - interval '1 hour' FROM generate_series(1, 20) n",
    )
    .await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "parted").await;
    let late = database.connect().await;
    late.batch_execute("BEGIN; INSERT INTO parted SELECT n FROM generate_series(100, 109) n")
        .await
        .unwrap();
    database.execute("INSERT INTO parted VALUES (50)").await;
    assert_eq!(reading.run().await.count(), 21);
    late.batch_execute("COMMIT").await.unwrap();
    assert_eq!(reading.run().await.count(), 10);
    assert_eq!(reading.run().await.count(), 0);
}
