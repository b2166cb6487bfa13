//! Rows of before an instant, counted before they are read; and rows that somebody wants to see.

use std::time::{Duration, SystemTime};

use longshore_sdk::{
    core::{
        Domain,
        cursor::{TimeUnit, Timestamp},
    },
    harness::SourceHarness,
    prelude::*,
    protocol::v1,
};
use longshore_source_postgresql::PostgreSql;
use serde_json::{Value, json};

use crate::support::database;

/// 100 rows, of which 30 are ten days old; the last ten have no time.
const EVENTS: &str = "\
CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, happened timestamptz, local timestamp, day date, text text, number int); \
INSERT INTO t SELECT n, now() - interval '1 hour' + n * interval '1 second', h, h AT TIME ZONE 'UTC', h::date, \
  to_char(h AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), n \
FROM generate_series(1, 100) n, LATERAL (SELECT CASE WHEN n <= 30 THEN now() - interval '10 days' WHEN n <= 90 THEN now() - interval '1 minute' END) AS x (h);";

/// Long enough to count exactly.
const PATIENCE: Duration = Duration::from_secs(30);

fn two_days_ago() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp {
        value: i64::try_from(now.as_millis()).unwrap() - 2 * 86_400_000,
        unit: TimeUnit::Millisecond,
        instant: true,
    }
}

struct Counting {
    source: SourceHarness,
    state: Option<TableState>,
}

impl Counting {
    async fn of(spec: Value) -> Self {
        let source = SourceHarness::configure::<PostgreSql>(spec).await.unwrap();
        Self { source, state: None }
    }

    async fn count(&self, column: &str, timeout: Duration) -> Result<(u64, u64, v1::CountRowsResponse)> {
        let selection = TableSelection {
            name: "t".to_owned(),
            state: self.state.clone(),
            ..TableSelection::default()
        };
        self.source.open_run("run", 1, vec![selection]).await?;
        let wanted = CountRows {
            run_id: "run".to_owned(),
            table: "t".to_owned(),
            column: column.to_owned(),
            before: two_days_ago(),
            timeout,
        };
        let counted = self.source.count_rows(wanted).await;
        self.source.close_run("run").await?;
        let counted = counted?;
        let count = counted.count.unwrap();
        Ok((count.rows, count.before, counted))
    }
}

#[tokio::test]
async fn old_rows_are_counted_by_times_of_every_type_and_nulls_are_not_old() {
    let database = database(EVENTS).await;
    let counting = Counting::of(database.spec(json!({"cursor": "at"}))).await;
    for column in ["happened", "local", "day"] {
        let (rows, before, counted) = counting.count(column, PATIENCE).await.unwrap();
        assert_eq!((rows, before, counted.note.as_str()), (100, 30, ""), "{column}");
    }
    let (rows, before, counted) = counting.count("text", PATIENCE).await.unwrap();
    assert_eq!((rows, before), (100, 30));
    assert!(
        counted.count.unwrap().estimated && counted.note.contains("as text"),
        "{counted:?}"
    );
    for column in ["number", "nothing"] {
        let error = counting.count(column, PATIENCE).await.unwrap_err();
        assert_eq!(error.code, "count_column_unusable", "{column}");
    }
}

#[tokio::test]
async fn only_what_a_run_is_going_to_read_is_counted() {
    let database = database(EVENTS).await;
    let options = |options: Value| database.spec(json!({"cursor": "at", "table_options": {"t": options}}));
    let mut counting = Counting::of(options(json!({"where": "id > 10"}))).await;
    let (rows, before, _) = counting.count("happened", PATIENCE).await.unwrap();
    assert_eq!((rows, before), (90, 20));
    let (_, state) = counting.source.run("first", "t", None).await.unwrap();
    counting.state = state;
    database
        .execute("INSERT INTO t SELECT 200 + n, now(), now() - interval '5 days' FROM generate_series(1, 7) n")
        .await;
    let (rows, before, _) = counting.count("happened", PATIENCE).await.unwrap();
    assert!(before == 7 && rows < 90, "{before} of {rows}");
    let whole = Counting::of(database.spec(json!({}))).await;
    assert_eq!(whole.count("happened", PATIENCE).await.unwrap().0, 107);
    let from_now = Counting::of(options(json!({"start_from": "now"}))).await;
    let (rows, ..) = from_now.count("happened", PATIENCE).await.unwrap();
    assert_eq!(rows, 0, "nothing of before is delivered");
}

#[tokio::test]
async fn when_counting_takes_too_long_the_planner_is_asked() {
    let database = database(EVENTS).await;
    database.execute("ANALYZE t").await;
    let slow = json!({"cursor": "at", "table_options": {"t": {"where": "pg_sleep(0.05) IS NOT NULL"}}});
    let counting = Counting::of(database.spec(slow)).await;
    let (rows, before, counted) = counting.count("happened", Duration::from_millis(100)).await.unwrap();
    assert!(counted.note.contains("planner"), "{counted:?}");
    assert!(
        (80..=110).contains(&rows) && (20..=40).contains(&before),
        "{before} of {rows}"
    );
}

/// How many rows each value has.
async fn chosen(source: &SourceHarness, column: &str, values: &[&str]) -> Result<Vec<usize>> {
    let selection = TableSelection {
        name: "t".to_owned(),
        rows: Some(RowSelection {
            column: column.to_owned(),
            values: values.iter().map(|&value| value.to_owned()).collect(),
        }),
        ..TableSelection::default()
    };
    let plan = source.open_run("look", 1, vec![selection]).await?.remove(0);
    assert!(plan.completed_state.is_none(), "looking at rows moves no cursor");
    let mut rows = Vec::new();
    for partition in &plan.partitions {
        rows.push(source.read("look", "t", partition, None).await?.rows().num_rows());
    }
    source.close_run("look").await?;
    Ok(rows)
}

#[tokio::test]
async fn rows_are_looked_up_by_values_of_any_type_one_partition_each() {
    let database = database(
        "CREATE TYPE mood AS ENUM ('good', 'bad'); \
         CREATE TABLE t (id bigint PRIMARY KEY, name text, at timestamptz, uid uuid, price numeric, mood mood, fixed char(4)); \
         INSERT INTO t SELECT n, concat('n', chr(39), n % 3), '2026-01-01', concat('00000000-0000-0000-0000-00000000000', n)::uuid, n / 2.0, \
         'bad', 'ab' FROM generate_series(1, 9) n",
    )
    .await;
    let source = SourceHarness::configure::<PostgreSql>(database.spec(json!({"cursor": "id"})))
        .await
        .unwrap();
    for (column, values, expected) in [
        ("id", vec!["7", "12", "1"], vec![1, 0, 1]),
        ("name", vec!["n'0", "' OR true --"], vec![3, 0]),
        ("at", vec!["2026-01-01T00:00:00Z"], vec![9]),
        ("uid", vec!["00000000-0000-0000-0000-000000000004"], vec![1]),
        ("price", vec!["1.50"], vec![1]),
        ("mood", vec!["bad", "good"], vec![9, 0]),
        ("fixed", vec!["ab"], vec![9]),
    ] {
        assert_eq!(chosen(&source, column, &values).await.unwrap(), expected, "{column}");
    }
    let error = chosen(&source, "id", &["seven"]).await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.domain),
        ("row_value_invalid", Domain::Config)
    );
    let error = chosen(&source, "nam", &["x"]).await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.remedy.as_str()),
        ("row_column_missing", "Did you mean `name`?")
    );
}
