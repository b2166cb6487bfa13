//! What makes a table unreadable: stopped before anything is read, with a remedy.

use longshore_sdk::{harness::SourceHarness, prelude::*};
use longshore_source_postgresql::PostgreSql;
use serde_json::json;

use crate::support::{Reading, database};

async fn refusal(spec: serde_json::Value, table: &str) -> Error {
    Reading::new(spec, table).await.try_run().await.unwrap_err()
}

#[tokio::test]
async fn a_table_that_does_not_exist_is_answered_with_the_nearest_name() {
    let database = database("CREATE TABLE profile_events (id int)").await;
    let error = refusal(database.spec(json!({})), "profile_event").await;
    assert_eq!(
        (error.code.as_str(), error.table.as_str()),
        ("table_not_found", "profile_event")
    );
    assert!(error.remedy.contains("`profile_events`"), "{}", error.remedy);
    let error = refusal(database.spec(json!({})), "a.b.c").await;
    assert_eq!(
        (error.code.as_str(), error.domain),
        ("table_name_invalid", longshore_sdk::core::Domain::Config)
    );
}

#[tokio::test]
async fn options_of_a_table_that_does_not_exist_are_refused() {
    let database = database("CREATE TABLE t (id int, secret text); CREATE TABLE other (id int)").await;
    let misspelt = json!({"table_options": {"tt": {"exclude_columns": ["secret"]}}});
    let error = refusal(database.spec(misspelt), "t").await;
    assert_eq!(
        (error.code.as_str(), error.field.as_str()),
        ("table_options_unused", "/table_options/tt")
    );
    let not_read = json!({"table_options": {"other": {"exclude_columns": []}}});
    assert_eq!(Reading::new(database.spec(not_read), "t").await.run().await.count(), 0);
}

#[tokio::test]
async fn an_overlap_in_units_that_the_cursor_does_not_have_is_refused_with_its_field() {
    let database = database("CREATE TABLE t (id int NOT NULL, updated timestamptz NOT NULL)").await;
    let wrong = [
        (json!({"cursor": "updated", "overlap": 10}), "/overlap"),
        (
            json!({"cursor": "updated", "table_options": {"t": {"overlap": 10}}}),
            "/table_options/t/overlap",
        ),
        (
            json!({"cursor": "id", "table_options": {"t": {"overlap": "10s"}}}),
            "/table_options/t/overlap",
        ),
    ];
    for (spec, field) in wrong {
        let error = refusal(database.spec(spec.clone()), "t").await;
        assert_eq!(
            (error.code.as_str(), error.field.as_str()),
            ("overlap_invalid", field),
            "{spec}"
        );
        let source = SourceHarness::configure::<PostgreSql>(database.spec(spec))
            .await
            .unwrap();
        let checks = source.test_connection(&["t"]).await.unwrap();
        assert!(
            checks
                .iter()
                .any(|check| check.message.contains("`overlap") && !check.remedy.is_empty()),
            "{checks:?}"
        );
    }
    let of_source = database.spec(json!({"cursor": "id", "overlap": "10m"}));
    assert_eq!(Reading::new(of_source, "t").await.run().await.count(), 0);
}

#[tokio::test]
async fn a_missing_or_unusable_cursor_column_is_named() {
    let database =
        database("CREATE TABLE t (id int, updated timestamptz, doc jsonb, flag bool, tags text[], price float8)").await;
    let error = refusal(database.spec(json!({"cursor": "updatedd"})), "t").await;
    assert_eq!(error.code, "cursor_column_missing");
    assert!(
        error.message.contains("updatedd")
            && error.remedy.contains("`updated`")
            && error.remedy.contains("cursor: null"),
        "{error} {}",
        error.remedy
    );
    for column in ["doc", "flag", "tags", "price"] {
        let error = refusal(database.spec(json!({"cursor": column})), "t").await;
        assert_eq!(error.code, "cursor_unusable", "{column}");
        assert!(error.remedy.contains("updated"), "{}", error.remedy);
    }
    let full = database.spec(json!({"cursor": "updatedd", "table_options": {"t": {"cursor": null}}}));
    assert_eq!(Reading::new(full, "t").await.run().await.count(), 0);
}

#[tokio::test]
async fn a_changed_cursor_column_stops_the_run_and_keeps_the_state() {
    let database = database("CREATE TABLE t (id int PRIMARY KEY, at timestamp NOT NULL, other timestamp); INSERT INTO t VALUES (1, now(), now())").await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "at"})), "t").await;
    reading.run().await;
    let state = reading.state.clone();
    database.execute("ALTER TABLE t ALTER at TYPE timestamptz").await;
    let error = reading.try_run().await.unwrap_err();
    assert_eq!(error.code, "cursor_type_changed");
    assert!(
        error.message.contains("timestamp without time zone") && error.remedy.contains("state reset"),
        "{error}"
    );
    database.execute("ALTER TABLE t RENAME at TO changed_at").await;
    assert_eq!(reading.try_run().await.unwrap_err().code, "cursor_column_missing");
    assert_eq!(reading.state, state);
    let mut other = Reading::new(database.spec(json!({"cursor": "other"})), "t").await;
    other.state = state;
    assert_eq!(other.try_run().await.unwrap_err().code, "cursor_column_changed");
}

#[tokio::test]
async fn a_wider_integer_is_the_same_cursor() {
    let database = database("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)").await;
    let mut reading = Reading::new(database.spec(json!({"cursor": "id"})), "t").await;
    reading.run().await;
    database
        .execute("ALTER TABLE t ALTER id TYPE int8; INSERT INTO t VALUES (5000000000)")
        .await;
    let rows = reading.run().await;
    assert!(rows.numbers("id").contains(&5_000_000_000));
}

#[tokio::test]
async fn a_table_without_permission_says_so_and_is_not_listed() {
    let database = database("CREATE TABLE open (id int); CREATE TABLE closed (id int)").await;
    let role = format!("reader_{}", database.name);
    database
        .execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT ON open TO {role}"
        ))
        .await;
    let spec = database.spec(json!({"username": role, "password": "x"}));
    let source = Reading::new(spec.clone(), "open").await.source;
    let names: Vec<String> = source
        .list_tables(&[])
        .await
        .unwrap()
        .into_iter()
        .map(|table| table.name)
        .collect();
    assert_eq!(names, ["open"]);
    let error = refusal(spec, "closed").await;
    assert_eq!((error.code.as_str(), error.retryable), ("permission_denied", false));
    assert!(error.remedy.contains("Grant"), "{}", error.remedy);
    database
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

#[tokio::test]
async fn a_failing_value_is_not_quoted() {
    let database = database(
        "CREATE TABLE t (v text); INSERT INTO t VALUES ('canary'); CREATE VIEW broken AS SELECT v::int FROM t",
    )
    .await;
    let error = refusal(database.spec(json!({})), "broken").await;
    assert_eq!(error.code, "value_uncomputable");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_ends_with_its_remedy() {
    let database = database("CREATE VIEW slow AS SELECT 1 AS one, pg_sleep(60)::text AS nothing").await;
    let error = refusal(database.spec(json!({"statement_timeout": "100ms"})), "slow").await;
    assert_eq!((error.code.as_str(), error.retryable), ("statement_cancelled", true));
    assert!(error.remedy.contains("statement_timeout"));
}
